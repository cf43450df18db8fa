import { describe, expect, test } from "vitest";
import { describeCommand, describeRecorded, matches } from "../../sdk/core/commands.ts";
import {
  askLocal,
  askQueued,
  askSideEffect,
  askTimer,
  failure,
  local,
  queued,
  sideEffectRecorded,
  sideEffectThrew,
  timerScheduled,
} from "../support/core.ts";

const produce = () => 1;

describe("a command and its record say the same", () => {
  test.for([
    [askLocal(1, "price"), local(1, "price").scheduled(), "local activity price"],
    [askQueued(1, "charge"), queued(1, "charge").scheduled(), "queued activity charge"],
    [askTimer(1, 5), timerScheduled(1, 5), "a timer"],
    [askSideEffect(1, produce), sideEffectRecorded(1), "a side effect"],
    [askSideEffect(1, produce), sideEffectThrew(1, failure()), "a side effect"],
  ] as const)("%j", ([command, event, words]) => {
    expect(describeCommand(command)).toBe(words);
    expect(describeRecorded(event)).toBe(words);
    expect(matches(command, event)).toBe(true);
  });

  test("no command is nothing", () => {
    expect(describeCommand(undefined)).toBe("nothing");
  });
});

describe("a command matches its record only (P-06, F-13)", () => {
  test.for([
    // Another kind, another activity, another mode, nothing at all.
    [askTimer(1, 5), queued(1, "charge").scheduled()],
    [askQueued(1, "refund"), queued(1, "charge").scheduled()],
    [askLocal(1, "charge"), queued(1, "charge").scheduled()],
    [askQueued(1, "charge"), local(1, "charge").scheduled()],
    [askSideEffect(1, produce), timerScheduled(1)],
    [askTimer(1, 5), sideEffectRecorded(1)],
    [undefined, timerScheduled(1)],
  ] as const)("%j is not %j", ([command, event]) => {
    expect(matches(command, event)).toBe(false);
  });

  test("arguments, options and delays may change: they do not decide what comes next", () => {
    expect(matches(askQueued(1, "charge", 99), queued(1, "charge").scheduled())).toBe(true);
    expect(matches(askTimer(1, 9_999), timerScheduled(1, 5))).toBe(true);
  });
});

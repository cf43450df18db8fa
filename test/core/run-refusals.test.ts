import { describe, expect, test } from "vitest";
import { retryAt } from "../../sdk/core/activity-state.ts";
import { InvariantError } from "../../sdk/core/errors.ts";
import type { HistoryEvent } from "../../sdk/core/events.ts";
import { RunState } from "../../sdk/core/run.ts";
import {
  completed,
  fold,
  type LogPart,
  local,
  log,
  queued,
  signal,
  started,
  T,
} from "../support/core.ts";

describe("what a log cannot say", () => {
  const reading =
    (...parts: readonly LogPart[]) =>
    () =>
      fold(...parts);

  test("a gap is a broken invariant, not a shorter history (A1)", () => {
    const state = new RunState();
    const [, second] = log([started(), signal("a")], [signal("b")]);
    if (second === undefined) throw new Error("two batches");
    expect(() => state.apply(second)).toThrow(
      new InvariantError("batch 3 follows event 0: the log has a gap"),
    );
  });

  test("a batch twice is refused like a gap", () => {
    const state = new RunState();
    const [first] = log([started()]);
    if (first === undefined) throw new Error("a batch");
    state.apply(first);
    expect(() => state.apply(first)).toThrow("batch 1 follows event 1: the log has a gap");
  });

  test.for([
    [[started(), completed(), signal("late")], "event SignalReceived follows the end of the run"],
    [[started(), queued(1).completed()], "ActivityCompleted of activity 1, which is not open"],
    [
      [started(), queued(1).scheduled(), queued(1).completed(), queued(1).failed()],
      "ActivityFailed of activity 1, which is not open",
    ],
    [[started(), local(1).scheduled(), local(1).scheduled()], "activity 1 is scheduled twice"],
    [[started(), local(1).scheduled(), local(1).started(2)], "activity 1 starts attempt 2 after 0"],
    [
      [started(), local(1).scheduled(), local(1).started(), local(1).started()],
      "activity 1 starts attempt 1 after 1",
    ],
  ] as const)("%j is a broken invariant: %s", ([events, message]) => {
    expect(reading(events)).toThrow(new InvariantError(message));
  });

  test("a batch of grouped outcomes is refused by name: read in log order it would replay otherwise (R17, R18)", () => {
    const refused = expect.objectContaining({ code: "schema_unknown" });
    const first = { events: [started()] };
    // Fed before the inbound batch in front of it.
    const inbound = { events: [signal("a")], kind: "inbound" } as const;
    const task = { events: [local(1).scheduled()], basis: 2 };
    expect(reading(first, inbound, task)).toThrow(refused);
    // Its activities have other names.
    expect(reading(first, { events: [local(1).scheduled()], generation: 1 })).toThrow(refused);
    expect(fold(first, inbound, { ...task, basis: 3 }).openActivities.size).toBe(1);
  });

  test("a log that does not begin with its start", () => {
    expect(() => fold([signal("early")]).begin()).toThrow(
      new InvariantError("the log does not begin with WorkflowStarted"),
    );
  });

  test("an activity that waits for no retry has no time for one", () => {
    const [activity] = fold([started(), local(1).scheduled()]).openActivities.values();
    if (activity === undefined) throw new Error("an open activity");
    expect(() => retryAt(activity)).toThrow("activity 1 waits for no retry");
  });

  test("a batch of a newer schema is refused by name (A13)", () => {
    expect(reading({ events: [started()], schema: 2 })).toThrow(
      expect.objectContaining({
        code: "schema_unknown",
        message: "the history holds a batch of schema version 2, which this version does not know",
      }),
    );
  });

  test("an event of a newer version is refused by name (A13)", () => {
    // What a newer version wrote has no type here.
    const unknown = { type: "ChildWorkflowStarted", at: T } as unknown as HistoryEvent;
    expect(reading([started(), unknown])).toThrow(
      expect.objectContaining({
        code: "schema_unknown",
        message:
          "the history holds an event of type ChildWorkflowStarted, which this version does not know",
      }),
    );
  });
});

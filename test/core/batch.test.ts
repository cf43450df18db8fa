import { describe, expect, test } from "vitest";
import { inboundBatch, nextSequence, tailOf } from "../../sdk/core/batch.ts";
import { NO_COUNTERS } from "../../sdk/core/counters.ts";
import {
  cancelRequested,
  completed,
  fold,
  LEASE,
  log,
  signal,
  started,
  terminated,
} from "../support/core.ts";

describe("a batch of delivered events (R11)", () => {
  test("begins an empty log without a lease", () => {
    expect(inboundBatch(tailOf(undefined), [started(), signal("go")], "n-1")).toEqual({
      schema: 1,
      sequence: 1,
      kind: "inbound",
      events: [started(), signal("go")],
      lease: null,
      turn_from: null,
      closed: false,
      pending_signals: 1,
      counters: NO_COUNTERS,
      nonce: "n-1",
      basis: 1,
      generation: 0,
    });
  });

  test("carries the lease, the open turn and the generation on (H12)", () => {
    const [tail] = log({ events: [started()], lease: LEASE, turn_from: 1, generation: 3 });
    expect(inboundBatch(tailOf(tail), [signal("go")], "n-2")).toMatchObject({
      sequence: 2,
      lease: LEASE,
      turn_from: 1,
      closed: false,
      basis: 2,
      generation: 3,
    });
  });

  test("counts the signals that nobody has taken on (L10)", () => {
    const [tail] = log({ events: [started()], pending_signals: 4 });
    const batch = inboundBatch(tailOf(tail), [signal("a"), cancelRequested(), signal("b")], "n");
    expect(batch.pending_signals).toBe(6);
  });

  test("ends lease and turn when it closes the run (E9)", () => {
    const [tail] = log({ events: [started()], lease: LEASE, turn_from: 1 });
    expect(inboundBatch(tailOf(tail), [cancelRequested(), terminated()], "n-2")).toMatchObject({
      lease: null,
      turn_from: null,
      closed: true,
    });
  });

  test("follows a state just as it follows the log that the state was folded from", () => {
    const parts = [[started()], { events: [signal("go")], lease: LEASE, turn_from: 2 }] as const;
    const last = log(...parts).at(-1);
    expect(fold(...parts).tail()).toEqual(tailOf(last));
  });

  test("needs an event", () => {
    expect(() => inboundBatch(tailOf(undefined), [], "n")).toThrow("a batch needs an event");
  });

  test("does not follow the end of a run", () => {
    const [tail] = log([started(), completed()]);
    expect(() => inboundBatch(tailOf(tail), [signal("go")], "n")).toThrow(
      "nothing is appended to a closed log",
    );
  });
});

test("the next sequence number follows the last event of the last batch (A1)", () => {
  const [first, second] = log([started(), signal("a")], [signal("b")]);
  expect(nextSequence(undefined)).toBe(1);
  expect(nextSequence(first)).toBe(3);
  expect(nextSequence(second)).toBe(4);
});

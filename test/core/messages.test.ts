import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type Announcement,
  eventKey,
  outcomeKey,
  requestId,
  requestKey,
  retryKey,
  timerKey,
} from "../../sdk/core/messages.ts";
import { cancelRequested, signal, T, terminated } from "../support/core.ts";

const RESULT = { kind: "completed", result: { json: "1" } } as const;
const deadline = (timeout_kind: "schedule_to_start" | "schedule_to_close"): Announcement => ({
  kind: "deadline",
  sequence: 7,
  timeout_kind,
  attempt: 1,
  due: T,
});

describe("the key of the event that a message announces (protocol section 3)", () => {
  test.for([
    [{ kind: "start" }, "start"],
    [{ kind: "outcome", sequence: 7, attempt: 2, outcome: RESULT }, "out/7/2"],
    [{ kind: "timer", sequence: 7, due: T }, "fire/7"],
    [{ kind: "retry", sequence: 7, attempt: 2, due: T }, "due/7/2"],
    [deadline("schedule_to_start"), "deadline/7/schedule_to_start/1"],
    [deadline("schedule_to_close"), "deadline/7/schedule_to_close/1"],
    [{ kind: "request", event: signal("go") }, "sig/go-id"],
    [{ kind: "request", event: cancelRequested("c-1") }, "sig/c-1"],
    [{ kind: "request", event: terminated("q-1") }, "sig/q-1"],
    [{ kind: "check", at: T }, "check"],
  ] satisfies readonly (readonly [Announcement, string])[])("of %j is %s", ([announces, key]) => {
    expect(eventKey(announces)).toBe(key);
  });

  test("does not depend on the outcome or the time: copies of a message have one key", () => {
    const failed: Announcement = {
      kind: "outcome",
      sequence: 7,
      attempt: 2,
      outcome: { kind: "cancelled" },
    };
    expect(eventKey(failed)).toBe(outcomeKey(7, 2));
    expect(eventKey({ kind: "timer", sequence: 7, due: T + 5 })).toBe(timerKey(7));
    expect(eventKey({ kind: "retry", sequence: 7, attempt: 2, due: 0 })).toBe(retryKey(7, 2));
  });

  test("is another one for every other event, whatever ids callers choose", () => {
    const number = fc.integer({ min: 1, max: 300 });
    // Ids that look like keys are the ones that could collide.
    const id = fc.oneof(
      fc.string({ minLength: 1 }),
      fc.constantFrom("start", "check", "out/1/1", "fire/1", "due/1/1", "../fire/1"),
    );
    const event = fc.oneof(
      fc.constant({ key: "start", parts: ["start"] }),
      fc.constant({ key: "check", parts: ["check"] }),
      fc.tuple(number, number).map(([s, a]) => ({ key: outcomeKey(s, a), parts: ["o", s, a] })),
      fc.tuple(number, number).map(([s, a]) => ({ key: retryKey(s, a), parts: ["r", s, a] })),
      number.map((s) => ({ key: timerKey(s), parts: ["t", s] })),
      id.map((value) => ({ key: requestKey(value), parts: ["q", value] })),
    );
    fc.assert(
      fc.property(event, event, (one, other) => {
        const same = JSON.stringify(one.parts) === JSON.stringify(other.parts);
        expect(one.key === other.key).toBe(same);
      }),
      { numRuns: 1_000 },
    );
  });
});

test("the id of a request is its signal id or its request id", () => {
  expect(requestId(signal("go"))).toBe("go-id");
  expect(requestId(cancelRequested("c-1"))).toBe("c-1");
  expect(requestId(terminated("q-1"))).toBe("q-1");
});

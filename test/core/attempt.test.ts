import { describe, expect, test } from "vitest";
import type { ActivityState } from "../../sdk/core/activity-state.ts";
import {
  type AttemptEnding,
  type ConclusionContext,
  concludeAttempt,
  timeoutFailure,
} from "../../sdk/core/attempt.ts";
import type { TimeoutKind } from "../../sdk/core/events.ts";
import type { Failure } from "../../sdk/core/failure.ts";
import type { ActivityOptionsSnapshot } from "../../sdk/core/options.ts";
import { failure, fold, local, queued, started, T } from "../support/core.ts";

/** A local activity that was scheduled at T, given up at `deadline` when there is one. */
function activity(options: ActivityOptionsSnapshot = {}, deadline?: number): ActivityState {
  const parts = deadline === undefined ? {} : { schedule_to_close_deadline_at: deadline };
  const state = fold([started(), local(1).scheduled(options, parts)]);
  const open = state.openActivities.get(1);
  if (open === undefined) throw new Error("the activity is open");
  return open;
}

function context(attempt: number, parts: Partial<ConclusionContext> = {}): ConclusionContext {
  return { at: T + 100, runId: "r-1", attempt, cancelRequested: false, ...parts };
}

const DEFAULT = {};
const FOUR_TIMES: ActivityOptionsSnapshot = {
  retry_policy: { max_attempts: 4, initial_interval_ms: 2_000, backoff_coefficient: 3 },
};
const NO_RETRY: ActivityOptionsSnapshot = { retry_policy: { max_attempts: 1 } };
const PICKY: ActivityOptionsSnapshot = {
  retry_policy: { max_attempts: 4, non_retryable_error_types: ["CardDeclined"] },
};

const failed: AttemptEnding = { kind: "failed", failure: failure() };
const declined: AttemptEnding = { kind: "failed", failure: failure("CardDeclined") };
const fatal: AttemptEnding = {
  kind: "failed",
  failure: failure("Fatal", { non_retryable: true }),
};
const interrupted: AttemptEnding = { kind: "interrupted" };
function timedOut(timeout_kind: TimeoutKind): AttemptEnding {
  return { kind: "timed_out", timeout_kind };
}

/** The infrastructure's fault, not the application's: another call may fare better. */
const INTERRUPTED: Failure = {
  type: "ActivityInterrupted",
  message: "the process that ran attempt 3 of activity price died, and no attempt or time is left",
  category: "activity",
  non_retryable: false,
};

function retry(reason: string, delayMs: number) {
  return {
    type: "ActivityRetryScheduled",
    retry_reason: reason,
    retry_backoff_ms: delayMs,
    retry_available_at: T + 100 + delayMs,
  };
}

describe("what follows an attempt (G-01 to G-09, H-04, R-03)", () => {
  test.for([
    // A result ends the activity, whatever its policy says.
    [DEFAULT, 1, { kind: "completed", result: { json: "7" } }, { type: "ActivityCompleted" }],
    // The default policy: three attempts, 1 s and then 2 s between them.
    [DEFAULT, 1, failed, retry("failure", 1_000)],
    [DEFAULT, 2, failed, retry("failure", 2_000)],
    [DEFAULT, 3, failed, { type: "ActivityFailed" }],
    // A policy of its own: 2 s, 6 s, 18 s.
    [FOUR_TIMES, 2, failed, retry("failure", 6_000)],
    [FOUR_TIMES, 3, failed, retry("failure", 18_000)],
    [FOUR_TIMES, 4, failed, { type: "ActivityFailed" }],
    [NO_RETRY, 1, failed, { type: "ActivityFailed" }],
    // A type that the policy excludes and an error that excludes itself are not retried (G-09).
    [PICKY, 1, declined, { type: "ActivityFailed", failure: { non_retryable: true } }],
    [PICKY, 1, failed, retry("failure", 1_000)],
    [DEFAULT, 1, fatal, { type: "ActivityFailed", failure: { non_retryable: true } }],
    // A lost attempt counts, and is retried with the reason that says so.
    [DEFAULT, 1, interrupted, retry("cold_replay", 1_000)],
    [DEFAULT, 3, interrupted, { type: "ActivityFailed", failure: INTERRUPTED }],
    // The limits of one attempt are retried, those of the whole activity are not (H-01, H-02).
    [DEFAULT, 1, timedOut("start_to_close"), retry("timeout", 1_000)],
    [DEFAULT, 1, timedOut("heartbeat"), retry("timeout", 1_000)],
    [DEFAULT, 3, timedOut("heartbeat"), { type: "ActivityTimedOut", timeout_kind: "heartbeat" }],
    [DEFAULT, 1, timedOut("schedule_to_close"), { type: "ActivityTimedOut" }],
    [DEFAULT, 1, timedOut("schedule_to_start"), { type: "ActivityTimedOut" }],
    // A body that gave in to its cancel request (J-03).
    [DEFAULT, 1, { kind: "cancelled" }, { type: "ActivityCancelled" }],
  ] as const)("with %j attempt %i that %j leads to %j", ([options, attempt, ending, expected]) => {
    expect(concludeAttempt(activity(options), ending, context(attempt))).toMatchObject({
      at: T + 100,
      sequence: 1,
      execution_mode: "local",
      local_activity: true,
      attempt_number: attempt,
      ...expected,
    });
  });

  test.for([
    // The retry would start at T+1100: one millisecond before the deadline is in time.
    [T + 1_101, "ActivityRetryScheduled"],
    // At the deadline and behind it nothing starts any more.
    [T + 1_100, "ActivityFailed"],
    [T + 500, "ActivityFailed"],
  ] as const)("with the deadline %i a failure leads to %s (H-02)", ([deadline, type]) => {
    expect(concludeAttempt(activity(DEFAULT, deadline), failed, context(1)).type).toBe(type);
  });

  test.for([
    [{ kind: "completed", result: { json: "1" } }],
    [failed],
    [timedOut("start_to_close")],
    [interrupted],
  ] as const)(
    "after a cancel request %j is dropped: the attempt is cancelled (J-02, J-04)",
    ([ending]) => {
      const conclusion = concludeAttempt(activity(), ending, context(1, { cancelRequested: true }));
      expect(conclusion).toEqual({
        type: "ActivityCancelled",
        at: T + 100,
        ...local(1).fields,
        attempt_number: 1,
      });
    },
  );

  test("a retry keeps the failure, and a timeout its kind besides (G-08)", () => {
    expect(concludeAttempt(activity(), failed, context(1))).toMatchObject({ failure: failure() });
    expect(concludeAttempt(activity(), timedOut("heartbeat"), context(1))).toMatchObject({
      timeout_kind: "heartbeat",
      failure: { type: "TimeoutError", category: "timeout" },
    });
    expect(concludeAttempt(activity(), interrupted, context(1))).not.toHaveProperty("failure");
  });

  test.for([
    // Who is found dead behind the deadline is too late, attempts left or not; before it, it is a lost attempt.
    [T + 100, { type: "ActivityTimedOut", timeout_kind: "schedule_to_close" }],
    [T + 101, { type: "ActivityFailed", failure: { type: "ActivityInterrupted" } }],
    [T + 2_000, retry("cold_replay", 1_000)],
  ] as const)("a lost attempt with the deadline %i leads to %j (H-02)", ([deadline, expected]) => {
    const conclusion = concludeAttempt(activity(DEFAULT, deadline), interrupted, context(1));
    expect(conclusion).toMatchObject(expected);
  });

  test("what the worker said about a queued attempt is recorded with its outcome", () => {
    const state = fold([started(), queued(1).scheduled()]);
    const open = state.openActivities.get(1);
    if (open === undefined) throw new Error("the activity is open");
    const conclusion = concludeAttempt(
      open,
      failed,
      context(3, { recorded: { worker: "w-1", started_at: T + 5 } }),
    );
    expect(conclusion).toMatchObject({
      type: "ActivityFailed",
      execution_mode: "queued",
      local_activity: false,
      worker: "w-1",
      started_at: T + 5,
    });
  });

  test("jitter is drawn from run, activity and attempt: two of them differ, a replay does not", () => {
    const jittery = activity({ retry_policy: { jitter: "full" } });
    const delay = (runId: string) => {
      const conclusion = concludeAttempt(jittery, failed, context(1, { runId }));
      return conclusion.type === "ActivityRetryScheduled" ? conclusion.retry_backoff_ms : undefined;
    };
    expect(delay("r-1")).toBe(delay("r-1"));
    expect(delay("r-1")).not.toBe(delay("r-2"));
  });
});

describe("the message of a timeout", () => {
  test.for([
    ["start_to_close", { start_to_close_ms: 5_000 }, "5000 ms"],
    ["schedule_to_close", { schedule_to_close_ms: 6_000 }, "6000 ms"],
    ["schedule_to_start", { schedule_to_start_ms: 7_000 }, "7000 ms"],
    ["heartbeat", { heartbeat_ms: 8_000 }, "8000 ms"],
    // No limit was given: what ended the attempt was the function's own (H-06).
    ["start_to_close", {}, "the time of its function"],
  ] as const)("names the limit %s of %j", ([kind, options, within]) => {
    expect(timeoutFailure({ activity_type: "ship", options }, kind)).toEqual({
      type: "TimeoutError",
      message: `activity ship exceeded its ${kind} timeout of ${within}`,
      category: "timeout",
      non_retryable: false,
    });
  });
});

import { describe, expect, test } from "vitest";
import type { Batch, HistoryEvent } from "../../sdk/core/events.ts";
import type { Failure } from "../../sdk/core/failure.ts";
import { activityView } from "../../sdk/core/views/activities.ts";
import { foldActivities, type LiveAttempt } from "../../sdk/core/views/activity-facts.ts";
import { batchesOf, CARD_DECLINED, LOCAL, QUEUED, show, T } from "./view-fixtures.ts";

function viewsOf(events: readonly HistoryEvent[], live: readonly LiveAttempt[] = []) {
  return foldActivities(batchesOf(events), live).map((facts) => activityView("r", facts, show));
}

const scheduledLocal: HistoryEvent = {
  ...LOCAL,
  type: "ActivityScheduled",
  at: T,
  arguments: { json: "[1]" },
  options: { retry_policy: { max_attempts: 2 }, start_to_close_ms: 10_000 },
};
const localStarted = (attempt_number: number): HistoryEvent => ({
  ...LOCAL,
  type: "ActivityStarted",
  at: T + attempt_number,
  attempt_number,
  lease_expires_at: T + 30_000,
  workflow_task_id: `task-${attempt_number}`,
});
const scheduledQueued: HistoryEvent = {
  ...QUEUED,
  type: "ActivityScheduled",
  at: T,
  arguments: { json: "[]" },
  options: { queue: "slow" },
};
const row: LiveAttempt = {
  sequence: 2,
  attempt: 1,
  worker: "worker-1",
  started_at: T + 1,
  until: T + 60_000,
  heartbeat_at: T + 2,
  heartbeat: { json: '{"done":1}' },
};

describe("local activities", () => {
  test.for([
    ["ActivityCancelled", {}],
    ["ActivityTimedOut", { timeout_kind: "schedule_to_close", failure: CARD_DECLINED }],
  ] as const)(
    "%s during a backoff ends the activity and leaves the attempt before as it ended (J-03, S-10)",
    ([type, parts]) => {
      const retry: HistoryEvent = {
        ...LOCAL,
        type: "ActivityRetryScheduled",
        at: T + 5,
        attempt_number: 1,
        retry_reason: "failure",
        retry_available_at: T + 1_000,
        retry_backoff_ms: 995,
        failure: CARD_DECLINED,
      };
      const end = { ...LOCAL, type, at: T + 9, attempt_number: 1, ...parts } as HistoryEvent;
      const [view] = viewsOf([scheduledLocal, localStarted(1), retry, end]);
      expect(view).toMatchObject({
        status: type === "ActivityCancelled" ? "cancelled" : "failed",
        attempts: [{ attempt_number: 1, status: "failed", retry_reason: "failure" }],
      });
      expect(view?.attempts.length).toBe(1);
    },
  );

  test("a completed one shows its marker, attempt, options and result (S-04, F-06)", () => {
    const [view] = viewsOf([
      scheduledLocal,
      localStarted(1),
      { ...LOCAL, type: "ActivityCompleted", at: T + 9, attempt_number: 1, result: { json: "5" } },
    ]);
    expect(view).toMatchObject({
      id: "r/1",
      idempotency_key: "r/1",
      type: "price",
      execution_mode: "local",
      local_activity: true,
      status: "completed",
      attempt_count: 1,
      max_attempts: 2,
      queue: null,
      activity_options: {
        execution_mode: "local",
        queue_bypassed: true,
        routing: "same_process_workflow_task",
        max_attempts: 2,
        start_to_close_timeout: 10,
      },
      arguments: [1],
      result: 5,
      attempts: [
        {
          id: "r/1/1",
          status: "completed",
          lease_owner: "task-1",
          started_at: new Date(T + 1).toISOString(),
          closed_at: new Date(T + 9).toISOString(),
        },
      ],
    });
  });

  test("an attempt whose process died is expired, and the next one is a new attempt (R-03, R-05)", () => {
    const [view] = viewsOf([
      scheduledLocal,
      localStarted(1),
      retryAfter("cold_replay"),
      localStarted(2),
    ]);
    expect(view?.attempts.map(({ status, retry_reason }) => [status, retry_reason])).toEqual([
      ["expired", "cold_replay"],
      ["running", null],
    ]);
    expect(view).toMatchObject({ status: "running", attempt_count: 2, next_attempt_at: null });
  });

  test.each([
    ["failure", "failed"],
    ["timeout", "expired"],
    ["cold_replay", "expired"],
  ] as const)(
    "a retry for %s leaves a pending activity and a %s attempt (G-08)",
    (reason, status) => {
      const [view] = viewsOf([scheduledLocal, localStarted(1), retryAfter(reason)]);
      expect(view).toMatchObject({
        status: "pending",
        next_attempt_at: new Date(T + 5_000).toISOString(),
        attempts: [{ status, retry_reason: reason }],
      });
    },
  );

  test("the last heartbeat stands at its attempt and at the activity (I-06, S-10)", () => {
    const [view] = viewsOf([
      scheduledLocal,
      localStarted(1),
      {
        ...LOCAL,
        type: "ActivityHeartbeatRecorded",
        at: T + 4,
        attempt_number: 1,
        progress: { json: '{"done":3}' },
        lease_expires_at: T + 40_000,
      },
    ]);
    const beat = {
      last_heartbeat_at: new Date(T + 4).toISOString(),
      last_heartbeat_progress: { done: 3 },
    };
    expect(view).toMatchObject(beat);
    expect(view?.attempts[0]).toMatchObject({
      ...beat,
      lease_expires_at: new Date(T + 40_000).toISOString(),
    });
  });

  test("one that waits for a free place has no attempt", () => {
    expect(viewsOf([scheduledLocal])[0]).toMatchObject({
      status: "pending",
      attempt_count: 0,
      started_at: null,
      attempts: [],
    });
  });
});

describe("queued activities", () => {
  const outcome = {
    ...QUEUED,
    at: T + 9,
    attempt_number: 1,
    started_at: T + 1,
    worker: "worker-1",
    last_heartbeat: { json: '{"done":7}' },
  } as const;
  const startedWithOutcome: HistoryEvent = {
    ...QUEUED,
    type: "ActivityStarted",
    at: T + 9,
    attempt_number: 1,
  };

  test("an attempt that runs is known by its row only", () => {
    expect(viewsOf([scheduledQueued], [row])[0]).toMatchObject({
      status: "running",
      queue: "slow",
      attempt_count: 1,
      attempts: [
        {
          status: "running",
          lease_owner: "worker-1",
          started_at: new Date(T + 1).toISOString(),
          lease_expires_at: new Date(T + 60_000).toISOString(),
          last_heartbeat_progress: { done: 1 },
          closed_at: null,
        },
      ],
    });
  });

  test("an outcome in the row that the log does not have yet leaves the activity open", () => {
    const failed = { ...row, outcome: { kind: "failed", failure: CARD_DECLINED } as const };
    expect(viewsOf([scheduledQueued], [failed])[0]).toMatchObject({
      status: "running",
      closed_at: null,
      attempts: [{ status: "failed", failure: { type: "CardDeclined" } }],
    });
  });

  test("the log's outcome holds, and its start is that of the worker", () => {
    const [view] = viewsOf(
      [
        scheduledQueued,
        startedWithOutcome,
        { ...outcome, type: "ActivityCompleted", result: { json: "1" } },
      ],
      [row],
    );
    expect(view).toMatchObject({
      status: "completed",
      started_at: new Date(T + 1).toISOString(),
      attempts: [
        {
          status: "completed",
          lease_owner: "worker-1",
          last_heartbeat_progress: { done: 7 },
          last_heartbeat_at: new Date(T + 2).toISOString(),
        },
      ],
    });
  });

  test.each([
    ["ActivityFailed", "failed", "failed"],
    ["ActivityTimedOut", "failed", "expired"],
    ["ActivityCancelled", "cancelled", "cancelled"],
  ] as const)("%s ends the activity as %s and its attempt as %s", (type, activity, attempt) => {
    const details: Readonly<Record<string, HistoryEvent>> = {
      ActivityFailed: { ...outcome, type: "ActivityFailed", failure: CARD_DECLINED },
      ActivityTimedOut: {
        ...outcome,
        type: "ActivityTimedOut",
        timeout_kind: "start_to_close",
        failure: { ...CARD_DECLINED, category: "timeout" },
      },
      ActivityCancelled: { ...outcome, type: "ActivityCancelled" },
    };
    const event = details[type];
    if (event === undefined) throw new Error(type);
    const [view] = viewsOf([scheduledQueued, startedWithOutcome, event]);
    expect(view).toMatchObject({ status: activity, attempts: [{ status: attempt }] });
  });

  test("an activity that no worker ever took has timed out without an attempt (C14)", () => {
    const [view] = viewsOf([
      scheduledQueued,
      {
        ...QUEUED,
        type: "ActivityTimedOut",
        at: T + 9,
        attempt_number: 1,
        timeout_kind: "schedule_to_start",
        failure: { ...CARD_DECLINED, category: "timeout" },
      },
    ]);
    expect(view).toMatchObject({ status: "failed", attempt_count: 0, attempts: [] });
  });

  test("the end of the run ends what it still had open", () => {
    const terminated: HistoryEvent = { type: "WorkflowTerminated", at: T + 20, request_id: "q" };
    const [view] = viewsOf([scheduledQueued, terminated], [row]);
    expect(view).toMatchObject({
      status: "cancelled",
      closed_at: new Date(T + 20).toISOString(),
      attempts: [{ status: "cancelled" }],
    });
  });
});

test("an event of an activity that was never scheduled is a broken invariant", () => {
  const batches: readonly Batch[] = batchesOf([localStarted(1)]);
  expect(() => foldActivities(batches, [])).toThrow("was not scheduled");
});

function retryAfter(retry_reason: "failure" | "timeout" | "cold_replay"): HistoryEvent {
  const failure: { readonly failure?: Failure } =
    retry_reason === "failure" ? { failure: CARD_DECLINED } : {};
  return {
    ...LOCAL,
    type: "ActivityRetryScheduled",
    at: T + 3,
    attempt_number: 1,
    retry_reason,
    retry_available_at: T + 5_000,
    retry_backoff_ms: 1_500,
    ...failure,
  };
}

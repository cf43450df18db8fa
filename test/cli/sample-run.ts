/** A run as the API shows it: two local activities, a queued one with a retry, all times chosen. */
import type { ActivityView, AttemptView, RunDetail } from "../../sdk/client.ts";

const START = Date.parse("2026-03-01T11:59:00.000Z");

export function at(offsetMs: number): string {
  return new Date(START + offsetMs).toISOString();
}

export function attempt(
  number: number,
  [startedMs, closedMs]: readonly [number, number | null],
  more: Partial<AttemptView> = {},
): AttemptView {
  return {
    id: `run-1/1/${number}`,
    attempt_number: number,
    status: closedMs === null ? "running" : "completed",
    lease_owner: null,
    started_at: at(startedMs),
    closed_at: closedMs === null ? null : at(closedMs),
    lease_expires_at: null,
    last_heartbeat_at: null,
    last_heartbeat_progress: null,
    retry_reason: null,
    timeout_kind: null,
    failure: null,
    ...more,
  };
}

export function activity(
  sequence: number,
  type: string,
  mode: "local" | "queued",
  more: Partial<ActivityView> = {},
): ActivityView {
  return {
    id: `run-1/${sequence}`,
    idempotency_key: `run-1/${sequence}`,
    sequence,
    type,
    class: type,
    execution_mode: mode,
    local_activity: mode === "local",
    history_authority: "typed_history",
    diagnostic_only: false,
    history_event_types: [],
    history_unsupported_reason: null,
    status: "completed",
    row_status: more.status ?? "completed",
    attempt_id: more.attempts?.at(-1)?.id ?? null,
    attempt_count: more.attempts?.length ?? 0,
    max_attempts: 3,
    retry_policy: {},
    connection: null,
    queue: mode === "local" ? null : "default",
    activity_options: {},
    arguments: [],
    result: null,
    failure: null,
    created_at: at(0),
    started_at: more.attempts?.[0]?.started_at ?? null,
    closed_at: more.attempts?.at(-1)?.closed_at ?? null,
    last_heartbeat_at: null,
    last_heartbeat_progress: null,
    next_attempt_at: null,
    attempts: [],
    ...more,
  };
}

const declined = {
  type: "GatewayError",
  message: "the gateway did not answer",
  category: "application",
  non_retryable: false,
};

export const completedRun: RunDetail = {
  workflow_id: "order-42",
  run_id: "run-1",
  workflow_type: "fulfilOrder",
  status: "completed",
  started_at: at(0),
  closed_at: at(4_000),
  input: { order: "o-1", lines: 3 },
  outcome: { status: "completed", result: { shipped: true } },
  history_length: 17,
  activity_count: 3,
  task_failure: null,
  cancel_requested: false,
  timers: [],
  signals: [{ signal_id: "s-1", signal_name: "approve", received_at: at(100) }],
  activities: [
    activity(1, "validateOrder", "local", { attempts: [attempt(1, [10, 30])] }),
    activity(2, "price", "local", { created_at: at(30), attempts: [attempt(1, [30, 700])] }),
    activity(3, "chargeCard", "queued", {
      created_at: at(700),
      attempts: [
        attempt(1, [1_000, 1_400], {
          status: "failed",
          failure: declined,
          retry_reason: "failure",
        }),
        attempt(2, [2_400, 4_000]),
      ],
    }),
  ],
};

export const openRun: RunDetail = {
  ...completedRun,
  status: "running",
  closed_at: null,
  outcome: null,
  signals: [],
  timers: [{ sequence: 5, status: "open", fire_at: at(60_000 + 90_000) }],
  activities: [
    activity(1, "resize", "queued", {
      status: "running",
      closed_at: null,
      attempts: [attempt(1, [5_000, null])],
      last_heartbeat_at: at(55_000),
      last_heartbeat_progress: { done: 7 },
    }),
    activity(2, "upload", "queued", {
      status: "pending",
      closed_at: null,
      next_attempt_at: at(70_000),
      attempts: [attempt(1, [2_000, 30_000], { status: "expired", retry_reason: "cold_replay" })],
    }),
    activity(3, "notify", "queued", { status: "pending", closed_at: null }),
  ],
};

export const failedRun: RunDetail = {
  ...completedRun,
  status: "failed",
  signals: [],
  activity_count: 0,
  activities: [],
  outcome: {
    status: "failed",
    failure: {
      ...declined,
      details: { code: 51 },
      cause: { ...declined, type: "Timeout", message: "10 s" },
      activity: { activity_type: "chargeCard", sequence: 3, attempts: 3, outcome: "failed" },
    },
  },
};

/** Builders of what the contract of the ports writes: valid, small, different where it matters. */
import { NO_COUNTERS } from "../../sdk/core/counters.ts";
import {
  type Batch,
  type HistoryEvent,
  type HistoryEventType,
  type RunKey,
  SCHEMA_VERSION,
} from "../../sdk/core/events.ts";
import type { Failure } from "../../sdk/core/failure.ts";
import type { ActivityTaskMessage, WorkflowTaskMessage } from "../../sdk/core/messages.ts";
import { ActivityFold } from "../../sdk/core/views/activity-facts.ts";
import {
  type ActivityExecutionRow,
  attemptRows,
  executionRow,
  type LocalAttemptRow,
} from "../../sdk/core/views/activity-rows.ts";
import type { AttemptKey, AttemptRow } from "../../sdk/ports/attempts.ts";
import type { Ports } from "../../sdk/ports/ports.ts";
import type { Message } from "../../sdk/ports/queue.ts";
import type { RunRow } from "../../sdk/ports/runs.ts";

export interface ReceivedBody {
  readonly body: string;
  readonly handle: string;
}

/** Ports over some store and queues, and a look into the queues. */
export interface PortsUnderTest {
  readonly ports: Ports;
  /** Receives all messages of a queue that are visible now. */
  receive(queue: "workflow" | "default"): Promise<readonly ReceivedBody[]>;
  close(): Promise<void>;
}

/** Gives the ports of the running suite; only inside of tests. */
export type Given = () => PortsUnderTest;

let minted = 0;
/** Ids that no other test of the process has: tests share a store and never meet. */
export function fresh(what: string): string {
  minted += 1;
  return `${what}-${minted}`;
}

export function runKey(parts: Partial<RunKey> = {}): RunKey {
  return {
    namespace: "contract",
    workflow_id: fresh("workflow"),
    run_id: fresh("run"),
    ...parts,
  };
}

export const failure: Failure = {
  type: "CardDeclined",
  message: "the card was declined – «é»",
  category: "application",
  non_retryable: true,
  details: '{"code":51}',
  stack: "CardDeclined: at charge",
  cause: { type: "Error", message: "51", category: "application", non_retryable: false },
  activity: { activity_type: "charge", sequence: 3, attempts: 2, outcome: "failed" },
};

const local = { activity_type: "price", execution_mode: "local", local_activity: true } as const;
const queued = {
  activity_type: "charge",
  execution_mode: "queued",
  local_activity: false,
  attempt_number: 1,
  started_at: 5,
  worker: "worker-1",
  last_heartbeat: { json: '{"done":1}' },
} as const;
const at = 1_700_000_000_000;

/** One of each event, with every optional field somewhere. */
export const EVERY_EVENT = {
  WorkflowStarted: {
    type: "WorkflowStarted",
    at,
    workflow_type: "order",
    workflow_id: "o-1",
    run_id: "r-1",
    input: { json: '"ü"' },
    seed: "s",
  },
  WorkflowCompleted: { type: "WorkflowCompleted", at, output: { blob: "a/b", bytes: 9_000 } },
  WorkflowFailed: { type: "WorkflowFailed", at, failure },
  WorkflowCancelled: { type: "WorkflowCancelled", at },
  WorkflowTerminated: { type: "WorkflowTerminated", at, request_id: "q", reason: "why" },
  ActivityScheduled: {
    type: "ActivityScheduled",
    at,
    sequence: 1,
    ...local,
    arguments: { json: "[1]" },
    options: {
      retry_policy: { max_attempts: 2, backoff_ms: [1, 2], jitter: "full" },
      start_to_close_ms: 5,
      queue: "slow",
    },
    schedule_to_close_deadline_at: at + 1,
  },
  ActivityStarted: {
    type: "ActivityStarted",
    at,
    sequence: 1,
    ...local,
    attempt_number: 1,
    lease_expires_at: at + 1,
    close_deadline_at: at + 2,
    workflow_task_id: "t",
  },
  ActivityHeartbeatRecorded: {
    type: "ActivityHeartbeatRecorded",
    at,
    sequence: 1,
    ...local,
    attempt_number: 1,
    progress: { json: "1" },
    lease_expires_at: at + 9,
  },
  ActivityRetryScheduled: {
    type: "ActivityRetryScheduled",
    at,
    sequence: 2,
    ...queued,
    retry_reason: "timeout",
    retry_available_at: at + 1,
    retry_backoff_ms: 1,
    timeout_kind: "heartbeat",
    failure,
  },
  ActivityRetryDue: { type: "ActivityRetryDue", at, sequence: 1, ...local, attempt_number: 1 },
  ActivityCompleted: {
    type: "ActivityCompleted",
    at,
    sequence: 2,
    ...queued,
    result: { json: "null" },
  },
  ActivityFailed: { type: "ActivityFailed", at, sequence: 2, ...queued, failure },
  ActivityTimedOut: {
    type: "ActivityTimedOut",
    at,
    sequence: 2,
    ...queued,
    timeout_kind: "start_to_close",
    failure,
  },
  ActivityCancelled: { type: "ActivityCancelled", at, sequence: 2, ...queued },
  TimerScheduled: { type: "TimerScheduled", at, sequence: 3, delay_ms: 10, fire_at: at + 10 },
  TimerFired: { type: "TimerFired", at, sequence: 3 },
  TimerCancelled: { type: "TimerCancelled", at, sequence: 3 },
  SideEffectRecorded: { type: "SideEffectRecorded", at, sequence: 4, failure },
  SignalReceived: {
    type: "SignalReceived",
    at,
    signal_id: "s#1",
    signal_name: "paid",
    arguments: { json: "[]" },
  },
  CancelRequested: { type: "CancelRequested", at, request_id: "c", reason: "no" },
  LeaseRenewed: { type: "LeaseRenewed", at },
} as const satisfies { readonly [T in HistoryEventType]: HistoryEvent & { readonly type: T } };

/** An event whose JSON has about this many bytes. */
export function eventOf(bytes: number): HistoryEvent {
  return { ...EVERY_EVENT.SignalReceived, arguments: { json: JSON.stringify("x".repeat(bytes)) } };
}

export function batchAt(sequence: number, parts: Partial<Batch> = {}): Batch {
  return {
    schema: SCHEMA_VERSION,
    sequence,
    kind: "task",
    events: [EVERY_EVENT.LeaseRenewed],
    lease: { owner: "owner", until: at, alarm: "message" },
    turn_from: 1,
    closed: false,
    nonce: fresh("nonce"),
    basis: sequence,
    pending_signals: 0,
    counters: NO_COUNTERS,
    generation: 0,
    ...parts,
  };
}

export function runRow(parts: Partial<RunRow> = {}): RunRow {
  return {
    ...runKey(),
    workflow_type: "order",
    status: "pending",
    input: { json: '{"total":1}' },
    seed: "seed",
    request_id: fresh("request"),
    started_at: at,
    check_at: at + 10_000,
    ...parts,
  };
}

export function attemptRow(parts: Partial<AttemptRow> = {}): AttemptRow {
  return {
    ...runKey(),
    sequence: 4,
    attempt: 1,
    activity_type: "charge",
    owner: fresh("owner"),
    worker: "worker-1",
    started_at: at,
    until: at + 30_000,
    ...parts,
  };
}

export function attemptKey(row: AttemptRow): AttemptKey {
  const { namespace, workflow_id, run_id, sequence, attempt } = row;
  return { namespace, workflow_id, run_id, sequence, attempt };
}

export function workflowTask(parts: Partial<WorkflowTaskMessage> = {}): WorkflowTaskMessage {
  return {
    ...runKey(),
    schema: SCHEMA_VERSION,
    type: "workflow_task",
    message_id: fresh("message"),
    announces: { kind: "start" },
    from: 0,
    ...parts,
  };
}

export function activityTask(parts: Partial<ActivityTaskMessage> = {}): ActivityTaskMessage {
  return {
    ...runKey(),
    schema: SCHEMA_VERSION,
    type: "activity_task",
    message_id: fresh("message"),
    workflow_type: "order",
    sequence: 2,
    attempt: 1,
    activity_type: "charge",
    arguments: { json: "[]" },
    options: {},
    scheduled_at: at,
    from: 1,
    ...parts,
  };
}

/** Messages of every announcement, and both forms of an activity's. */
export const EVERY_MESSAGE: readonly Message[] = [
  workflowTask(),
  workflowTask({ announces: { kind: "timer", sequence: 3, due: at } }),
  workflowTask({ announces: { kind: "retry", sequence: 3, attempt: 2, due: at } }),
  workflowTask({ announces: { kind: "check", at } }),
  workflowTask({
    announces: {
      kind: "deadline",
      sequence: 2,
      timeout_kind: "schedule_to_close",
      attempt: 1,
      due: at,
    },
  }),
  ...[
    { kind: "completed", result: { json: "1" }, started_at: 1, worker: "w" } as const,
    { kind: "failed", failure, last_heartbeat: { blob: "k", bytes: 1 } } as const,
    { kind: "timed_out", timeout_kind: "heartbeat" } as const,
    { kind: "cancelled" } as const,
  ].map((outcome) =>
    workflowTask({ announces: { kind: "outcome", sequence: 2, attempt: 1, outcome } }),
  ),
  ...[EVERY_EVENT.SignalReceived, EVERY_EVENT.CancelRequested, EVERY_EVENT.WorkflowTerminated].map(
    (event) => workflowTask({ announces: { kind: "request", event } }),
  ),
  activityTask(),
  activityTask({
    schedule_to_close_deadline_at: at,
    last_heartbeat: { json: "2" },
    options: { heartbeat_ms: 5 },
  }),
];

/** The rows of completed local activities of a run, one attempt each. */
export function localRows(
  run: RunKey,
  sequences: readonly number[],
): {
  readonly executions: readonly ActivityExecutionRow[];
  readonly attempts: readonly LocalAttemptRow[];
} {
  const fold = new ActivityFold();
  for (const sequence of sequences) {
    fold.fold({ ...EVERY_EVENT.ActivityScheduled, ...local, sequence });
    fold.fold({ ...EVERY_EVENT.ActivityStarted, ...local, sequence });
    fold.fold({ ...EVERY_EVENT.ActivityHeartbeatRecorded, ...local, sequence });
    fold.fold({ ...EVERY_EVENT.ActivityCompleted, ...local, sequence });
  }
  const facts = [...fold.activities.values()];
  return {
    executions: facts.map((activity) => executionRow(run, activity)),
    attempts: facts.flatMap((activity) => attemptRows(run, activity)),
  };
}

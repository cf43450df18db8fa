/**
 * The shapes of what is read back from a store or a queue, checked at the border: text and items
 * from outside are `unknown` until one of these schemas has seen them. Fields that this version does
 * not know are no error; a newer schema number is refused by the readers.
 */
import * as v from "valibot";
import { invariant, pawlError } from "../core/errors.ts";
import { type HistoryEvent, type HistoryEventType, SCHEMA_VERSION } from "../core/events.ts";
import type { Failure } from "../core/failure.ts";
import type {
  ActivityTaskMessage,
  Announcement,
  AttemptOutcome,
  WorkflowTaskMessage,
} from "../core/messages.ts";
import type { ActivityOptionsSnapshot } from "../core/options.ts";
import type { Payload } from "../core/payload.ts";
import type { AttemptRow } from "../ports/attempts.ts";
import type { Message } from "../ports/queue.ts";
import type { RunRow } from "../ports/runs.ts";

type Schema<T> = v.GenericSchema<T>;

const text = v.string();
const number = v.number();

export const payloadSchema: Schema<Payload> = v.union([
  v.object({ json: text }),
  v.object({ blob: text, bytes: number }),
]);

const timeoutKind = v.picklist([
  "start_to_close",
  "schedule_to_close",
  "schedule_to_start",
  "heartbeat",
]);
const retryReason = v.picklist(["failure", "timeout", "cold_replay"]);

export const failureSchema: Schema<Failure> = v.object({
  type: text,
  message: text,
  category: v.picklist([
    "application",
    "cancelled",
    "timeout",
    "activity",
    "task_failure",
    "structural_limit",
    "internal",
  ]),
  non_retryable: v.boolean(),
  details: v.exactOptional(text),
  stack: v.exactOptional(text),
  cause: v.exactOptional(v.lazy(() => failureSchema)),
  activity: v.exactOptional(
    v.object({
      activity_type: text,
      sequence: number,
      attempts: number,
      outcome: v.picklist(["failed", "timed_out", "cancelled"]),
      timeout_kind: v.exactOptional(timeoutKind),
      retry_reason: v.exactOptional(retryReason),
    }),
  ),
});

const optionsSchema: Schema<ActivityOptionsSnapshot> = v.object({
  retry_policy: v.exactOptional(
    v.object({
      max_attempts: v.exactOptional(number),
      initial_interval_ms: v.exactOptional(number),
      backoff_coefficient: v.exactOptional(number),
      maximum_interval_ms: v.exactOptional(number),
      backoff_ms: v.exactOptional(v.array(number)),
      non_retryable_error_types: v.exactOptional(v.array(text)),
      jitter: v.exactOptional(v.picklist(["none", "equal", "full"])),
    }),
  ),
  start_to_close_ms: v.exactOptional(number),
  schedule_to_close_ms: v.exactOptional(number),
  schedule_to_start_ms: v.exactOptional(number),
  heartbeat_ms: v.exactOptional(number),
  queue: v.exactOptional(text),
});

const queued = {
  started_at: v.exactOptional(number),
  worker: v.exactOptional(text),
  last_heartbeat: v.exactOptional(payloadSchema),
};

export const outcomeSchema: Schema<AttemptOutcome> = v.variant("kind", [
  v.object({ kind: v.literal("completed"), result: payloadSchema, ...queued }),
  v.object({ kind: v.literal("failed"), failure: failureSchema, ...queued }),
  v.object({ kind: v.literal("timed_out"), timeout_kind: timeoutKind, ...queued }),
  v.object({ kind: v.literal("cancelled"), ...queued }),
]);

const activity = {
  at: number,
  sequence: number,
  activity_type: text,
  execution_mode: v.picklist(["local", "queued"]),
  local_activity: v.boolean(),
};
const attempt = { ...activity, attempt_number: number };
const named = <const T extends HistoryEventType>(type: T) => v.literal(type);
const timed = { at: number, sequence: number };

const signalReceived = v.object({
  type: named("SignalReceived"),
  at: number,
  signal_id: text,
  signal_name: text,
  arguments: payloadSchema,
});
const cancelRequested = v.object({
  type: named("CancelRequested"),
  at: number,
  request_id: text,
  reason: v.exactOptional(text),
});
const workflowTerminated = v.object({
  type: named("WorkflowTerminated"),
  at: number,
  request_id: text,
  reason: v.exactOptional(text),
});

/** One schema per event, found by the event's name: a log has up to 50,000 of them. */
const EVENTS: {
  readonly [T in HistoryEventType]: Schema<Extract<HistoryEvent, { readonly type: T }>>;
} = {
  WorkflowStarted: v.object({
    type: named("WorkflowStarted"),
    at: number,
    workflow_type: text,
    workflow_id: text,
    run_id: text,
    input: payloadSchema,
    seed: text,
  }),
  WorkflowCompleted: v.object({
    type: named("WorkflowCompleted"),
    at: number,
    output: payloadSchema,
  }),
  WorkflowFailed: v.object({ type: named("WorkflowFailed"), at: number, failure: failureSchema }),
  WorkflowCancelled: v.object({ type: named("WorkflowCancelled"), at: number }),
  WorkflowTerminated: workflowTerminated,
  ActivityScheduled: v.object({
    type: named("ActivityScheduled"),
    ...activity,
    arguments: payloadSchema,
    options: optionsSchema,
    schedule_to_close_deadline_at: v.exactOptional(number),
  }),
  ActivityStarted: v.object({
    type: named("ActivityStarted"),
    ...attempt,
    lease_expires_at: v.exactOptional(number),
    close_deadline_at: v.exactOptional(number),
    workflow_task_id: v.exactOptional(text),
  }),
  ActivityHeartbeatRecorded: v.object({
    type: named("ActivityHeartbeatRecorded"),
    ...attempt,
    progress: payloadSchema,
    lease_expires_at: number,
  }),
  ActivityRetryScheduled: v.object({
    type: named("ActivityRetryScheduled"),
    ...attempt,
    ...queued,
    retry_reason: retryReason,
    retry_available_at: number,
    retry_backoff_ms: number,
    timeout_kind: v.exactOptional(timeoutKind),
    failure: v.exactOptional(failureSchema),
  }),
  ActivityRetryDue: v.object({ type: named("ActivityRetryDue"), ...attempt }),
  ActivityCompleted: v.object({
    type: named("ActivityCompleted"),
    ...attempt,
    ...queued,
    result: payloadSchema,
  }),
  ActivityFailed: v.object({
    type: named("ActivityFailed"),
    ...attempt,
    ...queued,
    failure: failureSchema,
  }),
  ActivityTimedOut: v.object({
    type: named("ActivityTimedOut"),
    ...attempt,
    ...queued,
    timeout_kind: timeoutKind,
    failure: failureSchema,
  }),
  ActivityCancelled: v.object({ type: named("ActivityCancelled"), ...attempt, ...queued }),
  TimerScheduled: v.object({
    type: named("TimerScheduled"),
    ...timed,
    delay_ms: number,
    fire_at: number,
  }),
  TimerFired: v.object({ type: named("TimerFired"), ...timed }),
  TimerCancelled: v.object({ type: named("TimerCancelled"), ...timed }),
  SideEffectRecorded: v.object({
    type: named("SideEffectRecorded"),
    ...timed,
    result: v.exactOptional(payloadSchema),
    failure: v.exactOptional(failureSchema),
  }),
  SignalReceived: signalReceived,
  CancelRequested: cancelRequested,
  LeaseRenewed: v.object({ type: named("LeaseRenewed"), at: number }),
};

/** True for a complete event of this version; false also for an event of a name it does not know. */
export function isHistoryEvent(value: unknown): value is HistoryEvent {
  const type = eventTypeOf(value);
  return type !== undefined && isKnownEvent(type) && v.is(EVENTS[type], value);
}

/** The event's name, or undefined when the value does not even have one. */
export function eventTypeOf(value: unknown): string | undefined {
  if (typeof value !== "object" || value === null || !("type" in value)) return undefined;
  return typeof value.type === "string" ? value.type : undefined;
}

export function isKnownEvent(type: string): type is HistoryEventType {
  return Object.hasOwn(EVENTS, type);
}

const announcement: Schema<Announcement> = v.variant("kind", [
  v.object({ kind: v.literal("start") }),
  v.object({
    kind: v.literal("outcome"),
    sequence: number,
    attempt: number,
    outcome: outcomeSchema,
  }),
  v.object({ kind: v.literal("timer"), sequence: number, due: number }),
  v.object({ kind: v.literal("retry"), sequence: number, attempt: number, due: number }),
  v.object({
    kind: v.literal("deadline"),
    sequence: number,
    timeout_kind: v.picklist(["schedule_to_start", "schedule_to_close"]),
    attempt: number,
    due: number,
  }),
  v.object({
    kind: v.literal("request"),
    event: v.variant("type", [signalReceived, cancelRequested, workflowTerminated]),
  }),
  v.object({ kind: v.literal("check"), at: number }),
]);

const addressed = {
  schema: number,
  namespace: text,
  workflow_id: text,
  run_id: text,
  message_id: text,
  from: number,
};

const workflowTask: Schema<WorkflowTaskMessage> = v.object({
  ...addressed,
  type: v.literal("workflow_task"),
  announces: announcement,
});

const activityTask: Schema<ActivityTaskMessage> = v.object({
  ...addressed,
  type: v.literal("activity_task"),
  workflow_type: text,
  sequence: number,
  attempt: number,
  activity_type: text,
  arguments: payloadSchema,
  options: optionsSchema,
  scheduled_at: number,
  schedule_to_close_deadline_at: v.exactOptional(number),
  last_heartbeat: v.exactOptional(payloadSchema),
});

const versioned = v.object({ schema: number });
const messageSchema: Schema<Message> = v.union([workflowTask, activityTask]);

/**
 * Reads the body of a message, from a queue or from the timers.
 * @returns undefined when it is no message of Pawl
 * @throws PawlError schema_unknown when a newer version wrote it: it must wait, not be dropped
 */
export function parseMessage(body: string): Message | undefined {
  const value = parsedJson(body);
  const schema = v.safeParse(versioned, value);
  if (!schema.success) return undefined;
  if (schema.output.schema > SCHEMA_VERSION)
    throw pawlError("schema_unknown", { what: `a message of schema ${schema.output.schema}` });
  return v.is(messageSchema, value) ? value : undefined;
}

export const runSchema: Schema<RunRow> = v.object({
  namespace: text,
  workflow_id: text,
  run_id: text,
  workflow_type: text,
  status: v.picklist(["pending", "running", "completed", "failed", "cancelled", "terminated"]),
  input: payloadSchema,
  seed: text,
  request_id: text,
  started_at: number,
  closed_at: v.exactOptional(number),
  output: v.exactOptional(payloadSchema),
  failure: v.exactOptional(failureSchema),
  check_at: v.exactOptional(number),
  check_every_ms: v.exactOptional(number),
  task_failure: v.exactOptional(v.object({ code: text, message: text, at: number, count: number })),
});

export const attemptSchema: Schema<AttemptRow> = v.object({
  namespace: text,
  workflow_id: text,
  run_id: text,
  sequence: number,
  attempt: number,
  activity_type: text,
  owner: text,
  worker: text,
  started_at: number,
  until: number,
  heartbeat_at: v.exactOptional(number),
  heartbeat: v.exactOptional(payloadSchema),
  outcome: v.exactOptional(outcomeSchema),
});

/**
 * Reads a record that Pawl itself wrote. One that does not have its shape is a damaged table.
 * @param what names the record in the error; the error shows where it is wrong, never its values
 * @throws InvariantError
 */
export function recordOf<T>(schema: Schema<T>, value: unknown, what: string): T {
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  const where = v.getDotPath(result.issues[0]) ?? "its root";
  invariant(false, `${what} is damaged at ${where}`);
}

/** JSON text as a value; undefined when it is none. */
export function parsedJson(json: unknown): unknown {
  if (typeof json !== "string") return undefined;
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

/**
 * Events from a history export, as far as a replay needs them: the way back from `history.ts`. Reads
 * what came from outside, so every field is looked at before it is believed.
 */
import type { EventView } from "../api.ts";
import { type PawlError, pawlError } from "../errors.ts";
import type { HistoryEvent, RetryReason, TimeoutKind } from "../events.ts";
import { FAILURE_CATEGORIES, type Failure } from "../failure.ts";
import type { Payload } from "../payload.ts";

type Fields = Readonly<Record<string, unknown>>;

/** @throws PawlError schema_unknown when an event is of a type that this version does not know (A13) */
export function importEvents(views: readonly EventView[]): readonly HistoryEvent[] {
  return views.map(importEvent);
}

function importEvent(view: EventView): HistoryEvent {
  const event = importRunEvent(view) ?? importActivityEvent(view);
  if (event !== undefined) return event;
  throw pawlError("schema_unknown", { what: `an event of type ${view.type}` });
}

function importRunEvent({
  type,
  recorded_at: recordedAt,
  payload,
}: EventView): HistoryEvent | undefined {
  const at = time(recordedAt, "recorded_at");
  switch (type) {
    case "WorkflowStarted":
      return {
        type,
        at,
        workflow_type: text(payload, "workflow_type"),
        workflow_id: text(payload, "workflow_id"),
        run_id: text(payload, "run_id"),
        seed: text(payload, "seed"),
        input: value(payload["input"]),
      };
    case "WorkflowCompleted":
      return { type, at, output: value(payload["output"]) };
    case "WorkflowFailed":
      return { type, at, failure: failure(payload) };
    case "WorkflowCancelled":
    case "LeaseRenewed":
      return { type, at };
    case "WorkflowTerminated":
    case "CancelRequested":
      return { type, at, request_id: text(payload, "workflow_command_id") };
    case "SignalReceived":
      return {
        type,
        at,
        signal_id: text(payload, "signal_id"),
        signal_name: text(payload, "signal_name"),
        arguments: value(payload["arguments"]),
      };
    case "TimerScheduled":
      return {
        type,
        at,
        sequence: number(payload, "sequence"),
        delay_ms: milliseconds(payload, "delay_seconds"),
        fire_at: time(payload["fire_at"], "fire_at"),
      };
    case "TimerFired":
    case "TimerCancelled":
      return { type, at, sequence: number(payload, "sequence") };
    case "SideEffectRecorded": {
      const sequence = number(payload, "sequence");
      if (payload["exception"] !== undefined)
        return { type, at, sequence, failure: failure(payload) };
      return { type, at, sequence, result: value(payload["result"]) };
    }
    default:
      return undefined;
  }
}

function importActivityEvent({
  type,
  recorded_at: recordedAt,
  payload,
}: EventView): HistoryEvent | undefined {
  const at = time(recordedAt, "recorded_at");
  switch (type) {
    case "ActivityScheduled":
      return {
        type,
        at,
        ...activity(payload),
        arguments: value(payload["arguments"]),
        options: {},
      };
    case "ActivityStarted":
    case "ActivityRetryDue":
    case "ActivityCancelled":
      return { type, at, ...attempt(payload) };
    case "ActivityHeartbeatRecorded":
      return {
        type,
        at,
        ...attempt(payload),
        progress: value(payload["progress"]),
        lease_expires_at: at,
      };
    case "ActivityRetryScheduled":
      return {
        type,
        at,
        ...attempt(payload),
        retry_reason: retryReason(payload["retry_reason"]),
        retry_available_at: time(payload["retry_available_at"], "retry_available_at"),
        retry_backoff_ms: milliseconds(payload, "retry_backoff_seconds"),
      };
    case "ActivityCompleted":
      return { type, at, ...attempt(payload), result: value(payload["result"]) };
    case "ActivityFailed":
      return { type, at, ...attempt(payload), failure: failure(payload) };
    case "ActivityTimedOut":
      return {
        type,
        at,
        ...attempt(payload),
        failure: failure(payload),
        timeout_kind: timeoutKind(payload["timeout_kind"]),
      };
    default:
      return undefined;
  }
}

function retryReason(reason: unknown): RetryReason {
  return reason === "cold_replay" || reason === "timeout" ? reason : "failure";
}

function activity(payload: Fields) {
  const local = payload["local_activity"] === true;
  return {
    sequence: number(payload, "sequence"),
    activity_type: text(payload, "activity_type"),
    execution_mode: local ? ("local" as const) : ("queued" as const),
    local_activity: local,
  };
}

function attempt(payload: Fields) {
  return { ...activity(payload), attempt_number: number(payload, "attempt_number") };
}

function timeoutKind(kind: unknown): TimeoutKind {
  return kind === "schedule_to_close" || kind === "schedule_to_start" || kind === "heartbeat"
    ? kind
    : "start_to_close";
}

/** The failure as workflow code saw it: what a replay throws again. */
function failure(payload: Fields): Failure {
  const { exception } = payload;
  const view = isFields(exception) ? exception : {};
  return {
    type: text(payload, "exception_type"),
    message: text(payload, "message"),
    non_retryable: payload["non_retryable"] === true,
    ...failureDetails(view),
  };
}

function failureDetails({ category, details, cause }: Fields) {
  return {
    category: FAILURE_CATEGORIES.find((known) => known === category) ?? "application",
    ...(details === undefined ? {} : { details: JSON.stringify(details) }),
    ...(isFields(cause) ? { cause: causeOf(cause) } : {}),
  };
}

function causeOf(view: Fields): Failure {
  return {
    type: text(view, "type"),
    message: text(view, "message"),
    non_retryable: view["non_retryable"] === true,
    ...failureDetails(view),
  };
}

function isFields(field: unknown): field is Fields {
  return typeof field === "object" && field !== null;
}

function value(shown: unknown): Payload {
  return { json: JSON.stringify(shown ?? null) };
}

function text(payload: Fields, name: string): string {
  const field = payload[name];
  if (typeof field === "string") return field;
  throw missing(name);
}

function number(payload: Fields, name: string): number {
  const field = payload[name];
  if (typeof field === "number") return field;
  throw missing(name);
}

function time(field: unknown, name: string): number {
  const at = typeof field === "string" ? Date.parse(field) : Number.NaN;
  if (Number.isNaN(at)) throw missing(name);
  return at;
}

/** The log holds whole milliseconds; seconds with a fraction do not come back exactly. */
function milliseconds(payload: Fields, name: string): number {
  return Math.round(number(payload, name) * 1_000);
}

function missing(name: string): PawlError {
  return pawlError("invalid_request", { reason: `an event of the history has no ${name}` });
}

/** How times, failures and payloads look in the HTTP API: ISO 8601, seconds, JSON values. */
import type { FailureView } from "../api.ts";
import type { HistoryEvent } from "../events.ts";
import type { Failure } from "../failure.ts";
import type { Payload } from "../payload.ts";

/** How values are encoded, by the contract's name. */
export const PAYLOAD_CODEC = "json";

/** Shows a stored value as JSON; the caller has loaded what is not inline. */
export type ShowValue = (payload: Payload) => unknown;

/** Milliseconds since the epoch as ISO 8601 in UTC. */
export function isoTime(atMs: number): string {
  return new Date(atMs).toISOString();
}

export function isoTimeOrNull(atMs: number | undefined): string | null {
  return atMs === undefined ? null : isoTime(atMs);
}

export function seconds(ms: number): number {
  return ms / 1_000;
}

/** A failure without its stack: what a caller may see (S10). */
export function failureView(failure: Failure): FailureView {
  const { type, message, category, non_retryable, details, cause, activity } = failure;
  return {
    type,
    message,
    category,
    non_retryable,
    ...(details === undefined ? {} : { details: JSON.parse(details) as unknown }),
    ...(cause === undefined ? {} : { cause: failureView(cause) }),
    ...(activity === undefined ? {} : { activity: activityFields(activity) }),
  };
}

function activityFields(
  fields: NonNullable<Failure["activity"]>,
): NonNullable<FailureView["activity"]> {
  return {
    activity_type: fields.activity_type,
    sequence: fields.sequence,
    attempts: fields.attempts,
    outcome: fields.outcome,
    ...(fields.timeout_kind === undefined ? {} : { timeout_kind: fields.timeout_kind }),
  };
}

/** The stored values of an event, to be loaded before it is shown. */
export function payloadsOf(event: HistoryEvent): readonly Payload[] {
  switch (event.type) {
    case "WorkflowStarted":
      return [event.input];
    case "WorkflowCompleted":
      return [event.output];
    case "ActivityScheduled":
    case "SignalReceived":
      return [event.arguments];
    case "ActivityHeartbeatRecorded":
      return [event.progress];
    case "ActivityCompleted":
      return [event.result, ...lastHeartbeat(event)];
    case "ActivityRetryScheduled":
    case "ActivityFailed":
    case "ActivityTimedOut":
    case "ActivityCancelled":
      return lastHeartbeat(event);
    case "SideEffectRecorded":
      return event.result === undefined ? [] : [event.result];
    default:
      return [];
  }
}

function lastHeartbeat({
  last_heartbeat: payload,
}: {
  readonly last_heartbeat?: Payload;
}): readonly Payload[] {
  return payload === undefined ? [] : [payload];
}

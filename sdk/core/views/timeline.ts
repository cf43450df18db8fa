/**
 * A run's timeline (requirements 2.7, S-06): its events in log order, without values and each with
 * one line that says what happened, and the attempts of activities as spans of time, local ones apart
 * from queued ones.
 */
import type { AttemptSpan, EventView, TimelineEntry } from "../api.ts";
import type { RunKey } from "../events.ts";
import { activityId, attemptId } from "../ids.ts";
import type { ActivityFacts, AttemptFacts } from "./activity-facts.ts";
import { isoTime, isoTimeOrNull } from "./values.ts";

/** What an entry repeats of its event's payload. */
const REPEATED = [
  "activity_execution_id",
  "activity_attempt_id",
  "activity_type",
  "activity_class",
  "execution_mode",
  "local_activity",
  "attempt_number",
  "retry_task_id",
  "retry_reason",
  "retry_available_at",
  "retry_backoff_seconds",
  "retry_policy",
  "retry_after_attempt_id",
  "retry_after_attempt",
  "timeout_kind",
  "failure_id",
  "exception_type",
  "exception_class",
  "message",
  "timer_id",
  "delay_seconds",
  "fire_at",
  "signal_id",
  "signal_name",
] as const;

/** @param view the event as the history shows it; its values are not looked at */
export function timelineEntry(run: RunKey, view: EventView): TimelineEntry {
  const { payload } = view;
  const source = sourceOf(run, view);
  const activity = recordOf(payload["activity"]);
  return {
    id: `${run.run_id}/timeline/${view.sequence}`,
    workflow_run_id: run.run_id,
    workflow_instance_id: run.workflow_id,
    history_event_id: view.id,
    sequence: view.sequence,
    type: view.type,
    kind: source.kind,
    entry_kind: "point",
    source_kind: source.kind,
    source_id: source.id,
    summary: summaryOf(view),
    recorded_at: view.recorded_at,
    command_id: textOrNull(payload["workflow_command_id"]),
    task_id: textOrNull(payload["workflow_task_id"]),
    workflow_sequence: typeof payload["sequence"] === "number" ? payload["sequence"] : null,
    activity_status: textOrNull(activity["status"]),
    ...(payload["max_attempts"] === undefined
      ? {}
      : { retry_max_attempts: payload["max_attempts"] }),
    ...Object.fromEntries(
      REPEATED.filter((name) => payload[name] !== undefined).map((name) => [name, payload[name]]),
    ),
  };
}

/** Every attempt of an activity as a span; one that runs has no end. */
export function attemptSpans(runId: string, facts: ActivityFacts): readonly AttemptSpan[] {
  return [...facts.attempts.values()].map((attempt) => attemptSpan(runId, facts, attempt));
}

function attemptSpan(
  runId: string,
  { scheduled }: ActivityFacts,
  attempt: AttemptFacts,
): AttemptSpan {
  const { startedAt, closedAt, retry } = attempt;
  return {
    id: attemptId(runId, scheduled.sequence, attempt.number),
    activity_execution_id: activityId(runId, scheduled.sequence),
    workflow_sequence: scheduled.sequence,
    activity_type: scheduled.activity_type,
    execution_mode: scheduled.execution_mode,
    local_activity: scheduled.local_activity,
    attempt_number: attempt.number,
    status: attempt.status,
    started_at: isoTime(startedAt),
    closed_at: isoTimeOrNull(closedAt),
    duration_ms: closedAt === undefined ? null : closedAt - startedAt,
    retry_reason: retry?.retry_reason ?? null,
    retry_available_at: isoTimeOrNull(retry?.retry_available_at),
    timeout_kind: attempt.timeoutKind ?? null,
    task_id: attempt.owner ?? null,
  };
}

function sourceOf(
  run: RunKey,
  { type, sequence, payload }: EventView,
): { readonly kind: TimelineEntry["kind"]; readonly id: string } {
  if (type.startsWith("Activity"))
    return { kind: "activity_execution", id: String(payload["activity_execution_id"]) };
  if (type.startsWith("Timer")) return { kind: "timer", id: String(payload["timer_id"]) };
  if (type === "SideEffectRecorded")
    return { kind: "side_effect", id: `${run.run_id}/event/${sequence}` };
  if (type === "SignalReceived") return { kind: "signal", id: String(payload["signal_id"]) };
  if (type === "CancelRequested")
    return { kind: "command", id: String(payload["workflow_command_id"]) };
  if (type === "LeaseRenewed") return { kind: "task", id: run.run_id };
  return { kind: "workflow_run", id: run.run_id };
}

/** Names and numbers only: what a caller's values hold is in the history. */
function summaryOf({ type, payload }: EventView): string {
  const activity = `${payload["local_activity"] === true ? "local" : "queued"} activity ${payload["activity_type"]} (${payload["sequence"]})`;
  const attempt = `attempt ${payload["attempt_number"]} of ${activity}`;
  const timer = `timer ${payload["sequence"]}`;
  switch (type) {
    case "ActivityScheduled":
      return `${activity} scheduled`;
    case "ActivityStarted":
      return `${attempt} started`;
    case "ActivityHeartbeatRecorded":
      return `${attempt} sent a heartbeat`;
    case "ActivityRetryScheduled":
      return `${attempt} ended by ${payload["retry_reason"]}, again in ${payload["retry_backoff_seconds"]} s`;
    case "ActivityRetryDue":
      return `${activity} is due again`;
    case "ActivityCompleted":
      return `${activity} completed`;
    case "ActivityFailed":
      return `${activity} failed: ${payload["exception_type"]}`;
    case "ActivityTimedOut":
      return `${activity} timed out: ${payload["timeout_kind"]}`;
    case "ActivityCancelled":
      return `${activity} cancelled`;
    case "TimerScheduled":
      return `${timer} of ${payload["delay_seconds"]} s started`;
    case "TimerFired":
      return `${timer} fired`;
    case "TimerCancelled":
      return `${timer} cancelled`;
    case "SideEffectRecorded":
      return `side effect ${payload["sequence"]} recorded`;
    case "SignalReceived":
      return `signal ${payload["signal_name"]} received`;
    case "CancelRequested":
      return "cancel requested";
    case "LeaseRenewed":
      return "the workflow task renewed its lease";
    case "WorkflowStarted":
      return `workflow ${payload["workflow_type"]} started`;
    case "WorkflowCompleted":
      return "workflow completed";
    case "WorkflowFailed":
      return `workflow failed: ${payload["exception_type"]}`;
    case "WorkflowCancelled":
      return "workflow cancelled";
    case "WorkflowTerminated":
      return "workflow terminated";
  }
}

function textOrNull(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  // Any object can be read by key.
  return typeof value === "object" && value !== null ? { ...value } : {};
}

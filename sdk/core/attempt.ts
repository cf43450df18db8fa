/**
 * What follows the end of an attempt: the one place that decides between an outcome and a retry,
 * for local and queued activities alike. Pure: the caller passes the time.
 */

import type { ActivityState } from "./activity-state.ts";
import type {
  ActivityCancelled,
  ActivityCompleted,
  ActivityFailed,
  ActivityRetryScheduled,
  ActivityTimedOut,
  QueuedAttemptFields,
  RetryReason,
  TimeoutKind,
} from "./events.ts";
import type { Failure } from "./failure.ts";
import type { AttemptEnd } from "./messages.ts";
import { backoffMs, fullPolicy } from "./retry.ts";

/** How an attempt ended; `interrupted`: its process died before an outcome was recorded. */
export type AttemptEnding = AttemptEnd | { readonly kind: "interrupted" };

export type AttemptConclusion =
  | ActivityCompleted
  | ActivityFailed
  | ActivityTimedOut
  | ActivityCancelled
  | ActivityRetryScheduled;

export interface ConclusionContext {
  readonly at: number;
  readonly runId: string;
  readonly attempt: number;
  /** The run was asked to cancel after this activity was scheduled (J-02, J-04). */
  readonly cancelRequested: boolean;
  /** What nothing but the conclusion records of the attempt. */
  readonly recorded?: QueuedAttemptFields;
}

/** The event that an attempt's end leads to, under the activity's policy and deadlines. */
export function concludeAttempt(
  activity: ActivityState,
  ending: AttemptEnding,
  context: ConclusionContext,
): AttemptConclusion {
  const base = baseFields(activity, context);
  if (context.cancelRequested || ending.kind === "cancelled")
    return { type: "ActivityCancelled", ...base };
  switch (ending.kind) {
    case "completed":
      return { type: "ActivityCompleted", ...base, result: ending.result };
    case "failed":
      return afterFailure(activity, ending.failure, context);
    case "timed_out":
      return afterTimeout(activity, ending.timeout_kind, context);
    case "interrupted":
      return afterInterruption(activity, context);
  }
}

function afterFailure(
  activity: ActivityState,
  failure: Failure,
  context: ConclusionContext,
): AttemptConclusion {
  const policy = fullPolicy(activity.options.retry_policy);
  const nonRetryable =
    failure.non_retryable || policy.non_retryable_error_types.includes(failure.type);
  const retry = nonRetryable ? undefined : nextAttempt(activity, "failure", context);
  if (retry !== undefined) return { ...retry, failure };
  return {
    type: "ActivityFailed",
    ...baseFields(activity, context),
    failure: { ...failure, non_retryable: nonRetryable },
  };
}

function afterTimeout(
  activity: ActivityState,
  kind: TimeoutKind,
  context: ConclusionContext,
): AttemptConclusion {
  const failure = timeoutFailure(activity, kind);
  const final = kind === "schedule_to_close" || kind === "schedule_to_start";
  const retry = final ? undefined : nextAttempt(activity, "timeout", context);
  if (retry !== undefined) return { ...retry, timeout_kind: kind, failure };
  return {
    type: "ActivityTimedOut",
    ...baseFields(activity, context),
    timeout_kind: kind,
    failure,
  };
}

function afterInterruption(activity: ActivityState, context: ConclusionContext): AttemptConclusion {
  const { schedule_to_close_deadline_at: deadline } = activity;
  if (deadline !== undefined && deadline <= context.at)
    return afterTimeout(activity, "schedule_to_close", context);
  const retry = nextAttempt(activity, "cold_replay", context);
  if (retry !== undefined) return retry;
  const failure: Failure = {
    type: "ActivityInterrupted",
    message: `the process that ran attempt ${context.attempt} of activity ${activity.activity_type} died, and no attempt or time is left`,
    category: "activity",
    non_retryable: false,
  };
  return { type: "ActivityFailed", ...baseFields(activity, context), failure };
}

/** The retry, or undefined when attempts or time are spent (H-02: no attempt starts after the deadline). */
function nextAttempt(
  activity: ActivityState,
  reason: RetryReason,
  context: ConclusionContext,
): ActivityRetryScheduled | undefined {
  const policy = fullPolicy(activity.options.retry_policy);
  if (context.attempt >= policy.max_attempts) return undefined;
  const delayMs = backoffMs(policy, context.attempt, `${context.runId}/${activity.sequence}`);
  const availableAt = context.at + delayMs;
  const deadline = activity.schedule_to_close_deadline_at;
  if (deadline !== undefined && availableAt >= deadline) return undefined;
  return {
    type: "ActivityRetryScheduled",
    ...baseFields(activity, context),
    retry_reason: reason,
    retry_available_at: availableAt,
    retry_backoff_ms: delayMs,
  };
}

export function timeoutFailure(
  activity: Pick<ActivityState, "activity_type" | "options">,
  kind: TimeoutKind,
): Failure {
  const limits = {
    start_to_close: activity.options.start_to_close_ms,
    schedule_to_close: activity.options.schedule_to_close_ms,
    schedule_to_start: activity.options.schedule_to_start_ms,
    heartbeat: activity.options.heartbeat_ms,
  } satisfies Record<TimeoutKind, number | undefined>;
  const limit = limits[kind];
  const within = limit === undefined ? "the time of its function" : `${limit} ms`;
  return {
    type: "TimeoutError",
    message: `activity ${activity.activity_type} exceeded its ${kind} timeout of ${within}`,
    category: "timeout",
    non_retryable: false,
  };
}

function baseFields(activity: ActivityState, context: ConclusionContext) {
  return {
    at: context.at,
    sequence: activity.sequence,
    activity_type: activity.activity_type,
    execution_mode: activity.execution_mode,
    local_activity: activity.local_activity,
    attempt_number: context.attempt,
    ...context.recorded,
  };
}

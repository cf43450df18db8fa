/** The activities of a run and their attempts as callers see them (requirements 2.8, S-04, S-10). */
import type { ActivityView, AttemptView } from "../api.ts";
import { activityId, attemptId } from "../ids.ts";
import { DEFAULT_QUEUE } from "../options.ts";
import type { Payload } from "../payload.ts";
import { fullPolicy } from "../retry.ts";
import type { ActivityFacts, AttemptFacts } from "./activity-facts.ts";
import { activityOptionsView, retryPolicyView } from "./activity-options.ts";
import { failureView, isoTime, isoTimeOrNull, type ShowValue } from "./values.ts";

export function activityView(runId: string, facts: ActivityFacts, show: ShowValue): ActivityView {
  const { scheduled } = facts;
  const attempts = [...facts.attempts.values()].sort((a, b) => a.number - b.number);
  const views = attempts.map((attempt) =>
    attemptView(attemptId(runId, scheduled.sequence, attempt.number), attempt, show),
  );
  const beaten = attempts.findLast((attempt) => attempt.progress !== undefined);
  const id = activityId(runId, scheduled.sequence);
  const local = scheduled.execution_mode === "local";
  return {
    id,
    idempotency_key: id,
    sequence: scheduled.sequence,
    type: scheduled.activity_type,
    class: scheduled.activity_type,
    execution_mode: scheduled.execution_mode,
    local_activity: scheduled.local_activity,
    history_authority: "typed_history",
    diagnostic_only: false,
    history_event_types: [...facts.eventTypes],
    history_unsupported_reason: null,
    status: facts.status,
    row_status: facts.status,
    attempt_id: views.at(-1)?.id ?? null,
    attempt_count: attempts.at(-1)?.number ?? 0,
    max_attempts: fullPolicy(scheduled.options.retry_policy).max_attempts,
    retry_policy: retryPolicyView(scheduled.options),
    connection: null,
    queue: local ? null : (scheduled.options.queue ?? DEFAULT_QUEUE),
    activity_options: activityOptionsView(scheduled.execution_mode, scheduled.options),
    arguments: show(scheduled.arguments),
    result: facts.result === undefined ? null : show(facts.result),
    failure: facts.failure === undefined ? null : failureView(facts.failure),
    created_at: isoTime(scheduled.at),
    started_at: isoTimeOrNull(attempts[0]?.startedAt),
    closed_at: isoTimeOrNull(facts.closedAt),
    last_heartbeat_at: isoTimeOrNull(beaten?.heartbeatAt),
    last_heartbeat_progress: showOrNull(beaten?.progress, show),
    next_attempt_at: isoTimeOrNull(facts.retry?.retry_available_at),
    attempts: views,
  };
}

function attemptView(id: string, attempt: AttemptFacts, show: ShowValue): AttemptView {
  return {
    id,
    attempt_number: attempt.number,
    status: attempt.status,
    lease_owner: attempt.owner ?? null,
    started_at: isoTime(attempt.startedAt),
    closed_at: isoTimeOrNull(attempt.closedAt),
    lease_expires_at: isoTimeOrNull(attempt.leaseUntil),
    last_heartbeat_at: isoTimeOrNull(attempt.heartbeatAt),
    last_heartbeat_progress: showOrNull(attempt.progress, show),
    retry_reason: attempt.retry?.retry_reason ?? null,
    timeout_kind: attempt.timeoutKind ?? null,
    failure: attempt.failure === undefined ? null : failureView(attempt.failure),
  };
}

function showOrNull(payload: Payload | undefined, show: ShowValue): unknown {
  return payload === undefined ? null : show(payload);
}

/** The stored values of an activity, to be loaded before it is shown. */
export function activityPayloads(facts: ActivityFacts): readonly Payload[] {
  const progress = [...facts.attempts.values()].map((attempt) => attempt.progress);
  return [facts.scheduled.arguments, facts.result, ...progress].filter(
    (payload) => payload !== undefined,
  );
}

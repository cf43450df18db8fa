/**
 * The activities of a run and their attempts (requirements 2.8, S-04, S-10): a fold of the log, plus
 * the rows of queued attempts that the log does not know yet.
 */
import type { ActivityView, AttemptView } from "../api.ts";
import { InvariantError } from "../errors.ts";
import type {
  ActivityScheduled,
  Batch,
  HistoryEvent,
  QueuedAttemptFields,
  RetryReason,
  TimeoutKind,
} from "../events.ts";
import type { Failure } from "../failure.ts";
import { activityId, attemptId } from "../ids.ts";
import type { AttemptOutcome } from "../messages.ts";
import { DEFAULT_QUEUE } from "../options.ts";
import type { Payload } from "../payload.ts";
import { fullPolicy } from "../retry.ts";
import { activityOptionsView } from "./activity-options.ts";
import { failureView, isoTime, isoTimeOrNull, type ShowValue } from "./values.ts";

/** What the view needs of a queued attempt's row. */
export interface LiveAttempt {
  readonly sequence: number;
  readonly attempt: number;
  readonly worker: string;
  readonly started_at: number;
  readonly until: number;
  readonly heartbeat_at?: number;
  readonly heartbeat?: Payload;
  readonly outcome?: AttemptOutcome;
}

/** An attempt as far as it is known. */
export interface AttemptFacts {
  readonly number: number;
  status: AttemptView["status"];
  owner?: string | undefined;
  startedAt?: number | undefined;
  closedAt?: number | undefined;
  leaseUntil?: number | undefined;
  heartbeatAt?: number | undefined;
  progress?: Payload | undefined;
  retryReason?: RetryReason | undefined;
  timeoutKind?: TimeoutKind | undefined;
  failure?: Failure | undefined;
}

/** An activity as far as it is known. */
export interface ActivityFacts {
  readonly scheduled: ActivityScheduled;
  readonly attempts: Map<number, AttemptFacts>;
  status: ActivityView["status"];
  result?: Payload;
  failure?: Failure;
  closedAt?: number;
  nextAttemptAt?: number | undefined;
}

type AttemptEvent = Extract<HistoryEvent, { readonly attempt_number: number }>;

/** Folds a run's log, then its queued attempts' rows, to facts in the order of scheduling. */
export function foldActivities(
  batches: readonly Batch[],
  live: readonly LiveAttempt[],
): readonly ActivityFacts[] {
  const activities = new Map<number, ActivityFacts>();
  let runClosedAt: number | undefined;
  for (const batch of batches) {
    for (const event of batch.events) {
      if (event.type === "ActivityScheduled") {
        activities.set(event.sequence, {
          scheduled: event,
          attempts: new Map(),
          status: "pending",
        });
      } else if ("attempt_number" in event) {
        foldAttemptEvent(activityOf(activities, event), event);
      }
      if (batch.closed) runClosedAt = event.at;
    }
  }
  for (const row of live) {
    const activity = activities.get(row.sequence);
    if (activity !== undefined) addLiveAttempt(activity, row);
  }
  if (runClosedAt !== undefined)
    for (const activity of activities.values()) closeWithRun(activity, runClosedAt);
  return [...activities.values()];
}

function activityOf(
  activities: ReadonlyMap<number, ActivityFacts>,
  event: AttemptEvent,
): ActivityFacts {
  const activity = activities.get(event.sequence);
  if (activity === undefined)
    throw new InvariantError(
      `${event.type} of activity ${event.sequence}, which was not scheduled`,
    );
  return activity;
}

function foldAttemptEvent(activity: ActivityFacts, event: AttemptEvent): void {
  switch (event.type) {
    case "ActivityStarted":
      activity.status = "running";
      activity.nextAttemptAt = undefined;
      activity.attempts.set(event.attempt_number, {
        number: event.attempt_number,
        status: "running",
        owner: event.workflow_task_id,
        startedAt: event.at,
        leaseUntil: event.lease_expires_at,
      });
      return;
    case "ActivityHeartbeatRecorded": {
      const attempt = activity.attempts.get(event.attempt_number);
      if (attempt === undefined) return;
      attempt.heartbeatAt = event.at;
      attempt.progress = event.progress;
      attempt.leaseUntil = event.lease_expires_at;
      return;
    }
    case "ActivityRetryDue":
      return;
    case "ActivityRetryScheduled":
      endAttempt(activity, event, event.retry_reason === "failure" ? "failed" : "expired");
      activity.status = "pending";
      activity.nextAttemptAt = event.retry_available_at;
      return;
    case "ActivityCompleted":
      endActivity(activity, event, "completed");
      activity.result = event.result;
      return;
    case "ActivityFailed":
    case "ActivityTimedOut":
      endActivity(activity, event, "failed");
      activity.failure = event.failure;
      return;
    case "ActivityCancelled":
      endActivity(activity, event, "cancelled");
      return;
  }
}

function endActivity(
  activity: ActivityFacts,
  event: AttemptEvent,
  status: "completed" | "failed" | "cancelled",
): void {
  endAttempt(activity, event, event.type === "ActivityTimedOut" ? "expired" : status);
  activity.status = status;
  activity.closedAt = event.at;
  activity.nextAttemptAt = undefined;
}

/** An attempt that never started (a schedule-to-start timeout, a cancel before the start) is none. */
function endAttempt(
  activity: ActivityFacts,
  event: AttemptEvent & QueuedAttemptFields,
  status: AttemptView["status"],
): void {
  const known = activity.attempts.get(event.attempt_number);
  if (known === undefined && event.started_at === undefined) return;
  const attempt: AttemptFacts = known ?? { number: event.attempt_number, status };
  attempt.status = status;
  attempt.closedAt = event.at;
  attempt.startedAt = event.started_at ?? attempt.startedAt;
  attempt.owner = event.worker ?? attempt.owner;
  attempt.progress = event.last_heartbeat ?? attempt.progress;
  if (event.type === "ActivityRetryScheduled") attempt.retryReason = event.retry_reason;
  if ("timeout_kind" in event) attempt.timeoutKind = event.timeout_kind;
  if ("failure" in event) attempt.failure = event.failure;
  activity.attempts.set(event.attempt_number, attempt);
}

function addLiveAttempt(activity: ActivityFacts, row: LiveAttempt): void {
  const known = activity.attempts.get(row.attempt);
  if (known !== undefined && known.status !== "running") {
    // The log has the outcome; only the row knows these.
    known.heartbeatAt ??= row.heartbeat_at;
    known.progress ??= row.heartbeat;
    known.leaseUntil ??= row.until;
    return;
  }
  const over = activity.closedAt !== undefined;
  activity.attempts.set(row.attempt, {
    number: row.attempt,
    status: over ? "cancelled" : liveStatus(row.outcome),
    owner: row.worker,
    startedAt: row.started_at,
    closedAt: over ? activity.closedAt : undefined,
    leaseUntil: row.until,
    heartbeatAt: row.heartbeat_at,
    progress: row.heartbeat,
    failure: row.outcome?.kind === "failed" ? row.outcome.failure : undefined,
    timeoutKind: row.outcome?.kind === "timed_out" ? row.outcome.timeout_kind : undefined,
  });
  if (!over) {
    activity.status = "running";
    activity.nextAttemptAt = undefined;
  }
}

/** The worker's outcome stands in the row and is on its way into the log. */
function liveStatus(outcome: AttemptOutcome | undefined): AttemptView["status"] {
  if (outcome === undefined) return "running";
  return outcome.kind === "timed_out" ? "expired" : outcome.kind;
}

/** The end of a run ends what it still had open: later outcomes leave no event (E9). */
function closeWithRun(activity: ActivityFacts, closedAt: number): void {
  if (activity.closedAt !== undefined) return;
  activity.status = "cancelled";
  activity.closedAt = closedAt;
  activity.nextAttemptAt = undefined;
  for (const attempt of activity.attempts.values()) {
    if (attempt.status !== "running") continue;
    attempt.status = "cancelled";
    attempt.closedAt = closedAt;
  }
}

export function activityView(runId: string, facts: ActivityFacts, show: ShowValue): ActivityView {
  const { scheduled } = facts;
  const attempts = [...facts.attempts.values()].sort((a, b) => a.number - b.number);
  const beaten = attempts.findLast((attempt) => attempt.progress !== undefined);
  const id = activityId(runId, scheduled.sequence);
  const local = scheduled.execution_mode === "local";
  return {
    id,
    idempotency_key: id,
    sequence: scheduled.sequence,
    type: scheduled.activity_type,
    execution_mode: scheduled.execution_mode,
    local_activity: scheduled.local_activity,
    status: facts.status,
    attempt_count: attempts.at(-1)?.number ?? 0,
    max_attempts: fullPolicy(scheduled.options.retry_policy).max_attempts,
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
    next_attempt_at: isoTimeOrNull(facts.nextAttemptAt),
    attempts: attempts.map((attempt) =>
      attemptView(attemptId(runId, scheduled.sequence, attempt.number), attempt, show),
    ),
  };
}

function attemptView(id: string, attempt: AttemptFacts, show: ShowValue): AttemptView {
  return {
    id,
    attempt_number: attempt.number,
    status: attempt.status,
    lease_owner: attempt.owner ?? null,
    started_at: isoTimeOrNull(attempt.startedAt),
    closed_at: isoTimeOrNull(attempt.closedAt),
    lease_expires_at: isoTimeOrNull(attempt.leaseUntil),
    last_heartbeat_at: isoTimeOrNull(attempt.heartbeatAt),
    last_heartbeat_progress: showOrNull(attempt.progress, show),
    retry_reason: attempt.retryReason ?? null,
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

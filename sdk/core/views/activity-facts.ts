/**
 * What a log says about its activities and their attempts: the fold behind run details, exports,
 * timelines and the projected rows, so that they never differ.
 */
import type { ActivityView, AttemptView } from "../api.ts";
import { InvariantError } from "../errors.ts";
import {
  type ActivityRetryScheduled,
  type ActivityScheduled,
  type AttemptEvent,
  type Batch,
  type HistoryEvent,
  type HistoryEventType,
  isTerminal,
  type QueuedAttemptFields,
  type TimeoutKind,
} from "../events.ts";
import type { Failure } from "../failure.ts";
import type { AttemptOutcome } from "../messages.ts";
import type { Payload } from "../payload.ts";

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
  /** When an event last said something about it. */
  updatedAt: number;
  owner?: string | undefined;
  startedAt: number;
  closedAt?: number | undefined;
  /** When a local attempt ends at the latest. */
  closeDeadlineAt?: number | undefined;
  leaseUntil?: number | undefined;
  heartbeatAt?: number | undefined;
  progress?: Payload | undefined;
  /** The retry that follows it. */
  retry?: ActivityRetryScheduled | undefined;
  timeoutKind?: TimeoutKind | undefined;
  failure?: Failure | undefined;
}

/** An activity as far as it is known. */
export interface ActivityFacts {
  readonly scheduled: ActivityScheduled;
  /** By number, in the order of their start. */
  readonly attempts: Map<number, AttemptFacts>;
  readonly eventTypes: Set<HistoryEventType>;
  status: ActivityView["status"];
  /** When an event last said something about it. */
  updatedAt: number;
  result?: Payload;
  failure?: Failure;
  closedAt?: number;
  /** The retry that it waits for. */
  retry?: ActivityRetryScheduled | undefined;
}

/** Folds events in the order of the log, from its beginning. */
export class ActivityFold {
  /** In the order of scheduling. */
  readonly activities: Map<number, ActivityFacts> = new Map();

  /** Folds one event. Answers the activities that it changed. */
  fold(event: HistoryEvent): readonly ActivityFacts[] {
    if (isTerminal(event)) return this.closeAll(event.at);
    if (event.type === "ActivityScheduled") {
      const facts: ActivityFacts = {
        scheduled: event,
        attempts: new Map(),
        eventTypes: new Set([event.type]),
        status: "pending",
        updatedAt: event.at,
      };
      this.activities.set(event.sequence, facts);
      return [facts];
    }
    if (!("attempt_number" in event)) return [];
    const activity = this.activities.get(event.sequence);
    if (activity === undefined)
      throw new InvariantError(
        `${event.type} of activity ${event.sequence}, which was not scheduled`,
      );
    activity.eventTypes.add(event.type);
    // It says nothing that its ActivityRetryScheduled has not said.
    if (event.type === "ActivityRetryDue") return [];
    activity.updatedAt = event.at;
    foldAttemptEvent(activity, event);
    return [activity];
  }

  /** The end of a run ends what it still had open: later outcomes leave no event (E9). */
  closeAll(closedAt: number): readonly ActivityFacts[] {
    const open = [...this.activities.values()].filter(({ closedAt: at }) => at === undefined);
    for (const activity of open) {
      activity.status = "cancelled";
      activity.closedAt = closedAt;
      activity.updatedAt = closedAt;
      activity.retry = undefined;
      for (const attempt of activity.attempts.values()) {
        if (attempt.status !== "running") continue;
        attempt.status = "cancelled";
        attempt.closedAt = closedAt;
        attempt.updatedAt = closedAt;
      }
    }
    return open;
  }
}

/** Folds a run's log, then its queued attempts' rows, to facts in the order of scheduling. */
export function foldActivities(
  batches: readonly Batch[],
  live: readonly LiveAttempt[],
): readonly ActivityFacts[] {
  const fold = new ActivityFold();
  let terminal: HistoryEvent | undefined;
  for (const event of batches.flatMap((batch) => batch.events)) {
    if (isTerminal(event)) terminal = event;
    else fold.fold(event);
  }
  for (const row of live) {
    const activity = fold.activities.get(row.sequence);
    if (activity !== undefined) addLiveAttempt(activity, row);
  }
  if (terminal !== undefined) fold.fold(terminal);
  return [...fold.activities.values()];
}

type TellingEvent = Exclude<AttemptEvent, { readonly type: "ActivityRetryDue" }>;

function foldAttemptEvent(activity: ActivityFacts, event: TellingEvent): void {
  switch (event.type) {
    case "ActivityStarted":
      activity.status = "running";
      activity.retry = undefined;
      activity.attempts.set(event.attempt_number, {
        number: event.attempt_number,
        status: "running",
        updatedAt: event.at,
        owner: event.workflow_task_id,
        startedAt: event.at,
        closeDeadlineAt: event.close_deadline_at,
        leaseUntil: event.lease_expires_at,
      });
      return;
    case "ActivityHeartbeatRecorded": {
      const attempt = activity.attempts.get(event.attempt_number);
      if (attempt === undefined) return;
      attempt.heartbeatAt = event.at;
      attempt.progress = event.progress;
      attempt.leaseUntil = event.lease_expires_at;
      attempt.updatedAt = event.at;
      return;
    }
    case "ActivityRetryScheduled":
      endAttempt(activity, event, event.retry_reason === "failure" ? "failed" : "expired");
      activity.status = "pending";
      activity.retry = event;
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
  event: TellingEvent,
  status: "completed" | "failed" | "cancelled",
): void {
  const isExpired =
    event.type === "ActivityTimedOut" ||
    (event.type === "ActivityFailed" && isInterruption(event.failure));
  endAttempt(activity, event, isExpired ? "expired" : status);
  activity.status = status;
  activity.closedAt = event.at;
  activity.retry = undefined;
}

/** The process that ran the attempt died, and no attempt is left. */
function isInterruption({ type, category }: Failure): boolean {
  return type === "ActivityInterrupted" && category === "activity";
}

/**
 * An attempt that never started (a schedule-to-start timeout, a cancel before the start) is none; one
 * that is over (a cancel or a deadline during the backoff behind it) stays as it ended.
 */
function endAttempt(
  activity: ActivityFacts,
  event: TellingEvent & QueuedAttemptFields,
  status: AttemptView["status"],
): void {
  const known = activity.attempts.get(event.attempt_number);
  const startedAt = event.started_at ?? known?.startedAt;
  if (startedAt === undefined || (known !== undefined && known.status !== "running")) return;
  const updatedAt = event.at;
  const attempt: AttemptFacts = known ?? {
    number: event.attempt_number,
    status,
    startedAt,
    updatedAt,
  };
  attempt.status = status;
  attempt.updatedAt = updatedAt;
  attempt.closedAt = event.at;
  attempt.startedAt = startedAt;
  attempt.owner = event.worker ?? attempt.owner;
  attempt.progress = event.last_heartbeat ?? attempt.progress;
  if (event.type === "ActivityRetryScheduled") attempt.retry = event;
  if ("timeout_kind" in event) attempt.timeoutKind = event.timeout_kind;
  if ("failure" in event) attempt.failure = event.failure;
  activity.attempts.set(event.attempt_number, attempt);
}

function addLiveAttempt(activity: ActivityFacts, row: LiveAttempt): void {
  // Concluded before any worker claimed it: no attempt.
  if (row.worker === "") return;
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
    updatedAt: row.heartbeat_at ?? row.started_at,
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
    activity.retry = undefined;
  }
}

/** The worker's outcome stands in the row and is on its way into the log. */
function liveStatus(outcome: AttemptOutcome | undefined): AttemptView["status"] {
  if (outcome === undefined) return "running";
  return outcome.kind === "timed_out" ? "expired" : outcome.kind;
}

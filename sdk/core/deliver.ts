/**
 * What an announced event becomes in the log: the events to append, or "void" when the log already
 * answers it (its attempt, timer or retry is over; R5). The same for every appender.
 */

import type { ActivityState } from "./activity-state.ts";
import { concludeAttempt } from "./attempt.ts";
import type { ActivityStarted, HistoryEvent, QueuedAttemptFields } from "./events.ts";
import type { Announcement, AttemptOutcome } from "./messages.ts";
import type { RunState } from "./run.ts";

export type Delivery = readonly HistoryEvent[] | "void";

/** @param at milliseconds since the epoch: becomes the events' time */
export function deliver(
  state: RunState,
  announces: Announcement,
  at: number,
  runId: string,
): Delivery {
  switch (announces.kind) {
    case "start":
      // WorkflowStarted itself is put first into the log by whoever writes the first batch (R12).
      return [];
    case "check":
      return [];
    case "request":
      return [{ ...announces.event, at }];
    case "timer":
      return state.openTimers.has(announces.sequence)
        ? [{ type: "TimerFired", at, sequence: announces.sequence }]
        : "void";
    case "retry":
      return retryDue(state, announces.sequence, announces.attempt, at);
    case "outcome":
      return outcome(state, announces, at, runId);
    case "deadline":
      return deadline(state, announces, at, runId);
  }
}

/** True when workflow code sees nothing of these events: they need no turn of their own. */
export function isSelfContained(events: readonly HistoryEvent[]): boolean {
  return events.some((event) => event.type === "ActivityRetryScheduled");
}

/** The run was asked to cancel after this activity was scheduled: later ones are its cleaning up. */
export function isCancelled(state: RunState, activity: ActivityState): boolean {
  return state.cancelRequestedAt !== undefined && activity.scheduled_in < state.cancelRequestedAt;
}

/** What a cancel request ends: local bodies that run are left out, they end themselves (J-01). */
export function cancellable(state: RunState): readonly ActivityState[] {
  return [...state.openActivities.values()].filter(
    (activity) =>
      isCancelled(state, activity) && !(activity.local_activity && activity.phase === "started"),
  );
}

/** After a cancel request, something is open that it ends: the request is not inert. */
export function hasCancellable(state: RunState): boolean {
  return cancellable(state).length > 0;
}

function retryDue(state: RunState, sequence: number, attempt: number, at: number): Delivery {
  const activity = state.openActivities.get(sequence);
  if (activity?.phase !== "backing_off" || activity.attempt !== attempt || activity.retry_due)
    return "void";
  return [{ type: "ActivityRetryDue", at, ...activityFields(activity), attempt_number: attempt }];
}

function outcome(
  state: RunState,
  announces: {
    readonly sequence: number;
    readonly attempt: number;
    readonly outcome: AttemptOutcome;
  },
  at: number,
  runId: string,
): Delivery {
  const activity = state.openActivities.get(announces.sequence);
  if (activity === undefined || activity.local_activity || activity.attempt !== announces.attempt)
    return "void";
  return concludeQueued(state, activity, announces.outcome, { at, runId });
}

function concludeQueued(
  state: RunState,
  activity: ActivityState,
  ended: AttemptOutcome,
  context: { readonly at: number; readonly runId: string },
): readonly HistoryEvent[] {
  const { started_at: startedAt, worker, last_heartbeat: heartbeat } = ended;
  const recorded: QueuedAttemptFields = {
    ...(startedAt === undefined ? {} : { started_at: startedAt }),
    ...(worker === undefined ? {} : { worker }),
    ...(heartbeat === undefined ? {} : { last_heartbeat: heartbeat }),
  };
  const conclusion = concludeAttempt(activity, ended, {
    ...context,
    attempt: activity.attempt,
    cancelRequested: isCancelled(state, activity),
    recorded,
  });
  if (startedAt === undefined) return [conclusion];
  // The start of a queued attempt is recorded together with its outcome (design section 4).
  const started: ActivityStarted = {
    type: "ActivityStarted",
    at: context.at,
    ...activityFields(activity),
    attempt_number: activity.attempt,
    ...(worker === undefined ? {} : { workflow_task_id: worker }),
  };
  return [started, conclusion];
}

function deadline(
  state: RunState,
  announces: {
    readonly sequence: number;
    readonly timeout_kind: "schedule_to_start" | "schedule_to_close";
  },
  at: number,
  runId: string,
): Delivery {
  const activity = state.openActivities.get(announces.sequence);
  if (activity === undefined || activity.local_activity) return "void";
  if (announces.timeout_kind === "schedule_to_start" && activity.attempt !== 1) return "void";
  return concludeQueued(
    state,
    activity,
    { kind: "timed_out", timeout_kind: announces.timeout_kind },
    { at, runId },
  );
}

export function activityFields(activity: ActivityState) {
  return {
    sequence: activity.sequence,
    activity_type: activity.activity_type,
    execution_mode: activity.execution_mode,
    local_activity: activity.local_activity,
  };
}

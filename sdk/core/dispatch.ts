/**
 * What committed batches announce and nobody has answered yet: the messages to send, or to send
 * again. Repeating a dispatch is always safe: ids and keys are the same every time.
 */

import { type ActivityState, retryAt } from "./activity-state.ts";
import type { RunKey } from "./events.ts";
import { SCHEMA_VERSION } from "./events.ts";
import type { ActivityTaskMessage, Announcement, WorkflowTaskMessage } from "./messages.ts";
import { activityTaskId, DEADLINE_ATTEMPT, eventKey } from "./messages.ts";
import { type CancelledAttempt, type RunState } from "./run.ts";

export interface Dispatch {
  readonly message: WorkflowTaskMessage | ActivityTaskMessage;
  /** When the message shall be seen, milliseconds since the epoch; undefined means at once. */
  readonly due?: number;
}

/** Open dispatches that batches with sequences from `from` to `to` announced (protocol section 3). */
export function openDispatches(
  run: RunKey,
  state: RunState,
  from: number,
  to: number,
): readonly Dispatch[] {
  if (state.closed) return [];
  const dispatches: Dispatch[] = [];
  for (const activity of state.openActivities.values()) {
    if (isWithin(activity.announced_in, from, to))
      dispatches.push(...activityDispatches(run, state, activity));
    if (isWithin(activity.scheduled_batch, from, to))
      dispatches.push(...deadlineDispatches(run, activity));
  }
  for (const timer of state.openTimers.values()) {
    if (!isWithin(timer.announced_in, from, to)) continue;
    const message = wakeUp(
      run,
      { kind: "timer", sequence: timer.sequence, due: timer.fire_at },
      timer.announced_in,
    );
    dispatches.push({ message, due: timer.fire_at });
  }
  return dispatches;
}

/** Queued attempts that batches with sequences from `from` to `to` cancelled. */
export function cancelledAttempts(
  state: RunState,
  from: number,
  to: number,
): readonly CancelledAttempt[] {
  return state.cancelledAttempts.filter(({ batch }) => isWithin(batch, from, to));
}

/** A workflow-task message; its id follows from what it announces, so a repeat has the same. */
export function wakeUp(run: RunKey, announces: Announcement, from: number): WorkflowTaskMessage {
  return {
    schema: SCHEMA_VERSION,
    type: "workflow_task",
    message_id: `${run.run_id}/${eventKey(announces)}`,
    namespace: run.namespace,
    workflow_id: run.workflow_id,
    run_id: run.run_id,
    announces,
    from,
  };
}

function activityDispatches(
  run: RunKey,
  state: RunState,
  activity: ActivityState,
): readonly Dispatch[] {
  if (activity.local_activity)
    return activity.phase === "backing_off" ? [localRetry(run, activity)] : [];
  const message = activityTask(run, state.begin().workflow_type, activity);
  return [
    activity.retry_available_at === undefined
      ? { message }
      : { message, due: activity.retry_available_at },
  ];
}

function localRetry(run: RunKey, activity: ActivityState): Dispatch {
  const due = retryAt(activity);
  const announces: Announcement = {
    kind: "retry",
    sequence: activity.sequence,
    attempt: activity.attempt,
    due,
  };
  return { message: wakeUp(run, announces, activity.announced_in), due };
}

function activityTask(
  run: RunKey,
  workflowType: string,
  activity: ActivityState,
): ActivityTaskMessage {
  const { schedule_to_close_deadline_at: deadline, last_heartbeat: heartbeat } = activity;
  return {
    schema: SCHEMA_VERSION,
    type: "activity_task",
    message_id: activityTaskId(run.run_id, activity.sequence, activity.attempt),
    namespace: run.namespace,
    workflow_id: run.workflow_id,
    run_id: run.run_id,
    workflow_type: workflowType,
    sequence: activity.sequence,
    attempt: activity.attempt,
    activity_type: activity.activity_type,
    arguments: activity.arguments,
    options: activity.options,
    scheduled_at: activity.scheduled_at,
    from: activity.announced_in,
    ...(deadline === undefined ? {} : { schedule_to_close_deadline_at: deadline }),
    ...(heartbeat === undefined ? {} : { last_heartbeat: heartbeat }),
  };
}

/** Wake-ups that end a queued activity which nobody picks up or finishes in time (H-02, C14). */
function deadlineDispatches(run: RunKey, activity: ActivityState): readonly Dispatch[] {
  if (activity.local_activity) return [];
  const dispatches: Dispatch[] = [];
  const add = (kind: "schedule_to_start" | "schedule_to_close", due: number): void => {
    const announces: Announcement = {
      kind: "deadline",
      sequence: activity.sequence,
      timeout_kind: kind,
      attempt: DEADLINE_ATTEMPT,
      due,
    };
    dispatches.push({ message: wakeUp(run, announces, activity.scheduled_batch), due });
  };
  const { schedule_to_start_ms: startWithin } = activity.options;
  if (startWithin !== undefined && activity.attempt === 1)
    add("schedule_to_start", activity.scheduled_at + startWithin);
  if (activity.schedule_to_close_deadline_at !== undefined)
    add("schedule_to_close", activity.schedule_to_close_deadline_at);
  return dispatches;
}

function isWithin(sequence: number, from: number, to: number): boolean {
  return sequence >= from && sequence <= to;
}

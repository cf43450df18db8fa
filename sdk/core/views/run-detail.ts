/** Run lists and run details: the row, corrected and completed by the log. */
import {
  DETAIL_ACTIVITIES_MAX,
  type RunDetail,
  type WorkflowStatus,
  type WorkflowSummary,
} from "../api.ts";
import type { Batch, HistoryEvent, RunKey } from "../events.ts";
import type { Payload } from "../payload.ts";
import { activityPayloads, activityView } from "./activities.ts";
import type { ActivityFacts } from "./activity-facts.ts";
import { closingOf, outcomeOf } from "./closing.ts";
import { isoTime, isoTimeOrNull, type ShowValue } from "./values.ts";

/** What the views need of a run's row. */
export interface RunFacts extends RunKey {
  readonly workflow_type: string;
  readonly status: WorkflowStatus;
  readonly input: Payload;
  readonly started_at: number;
  readonly closed_at?: number;
  readonly task_failure?: {
    readonly code: string;
    readonly message: string;
    readonly at: number;
    readonly count: number;
  };
}

export function workflowSummary(run: RunFacts): WorkflowSummary {
  return {
    workflow_id: run.workflow_id,
    run_id: run.run_id,
    workflow_type: run.workflow_type,
    status: run.status,
    started_at: isoTime(run.started_at),
    closed_at: isoTimeOrNull(run.closed_at),
  };
}

/** The row as the log has it: closed as the log says, running once there is a log at all. */
export function runAsLogged(run: RunFacts, batches: readonly Batch[]): RunFacts {
  const closing = closingOf(batches.at(-1));
  if (closing !== undefined)
    return { ...run, status: closing.status, closed_at: closing.closed_at };
  return run.status === "pending" && batches.length > 0 ? { ...run, status: "running" } : run;
}

/** The activities that the detail shows: the newest ones. */
export function shownActivities(activities: readonly ActivityFacts[]): readonly ActivityFacts[] {
  return activities.slice(-DETAIL_ACTIVITIES_MAX);
}

/** The stored values of a detail, the most wanted first. */
export function detailPayloads(
  run: RunFacts,
  batches: readonly Batch[],
  activities: readonly ActivityFacts[],
): readonly Payload[] {
  const output = closingOf(batches.at(-1))?.output;
  return [
    ...(output === undefined ? [] : [output]),
    run.input,
    ...shownActivities(activities).flatMap(activityPayloads),
  ];
}

export function runDetail(
  row: RunFacts,
  batches: readonly Batch[],
  activities: readonly ActivityFacts[],
  show: ShowValue,
): RunDetail {
  const run = runAsLogged(row, batches);
  const events = batches.flatMap((batch) => batch.events);
  const open = run.status === "pending" || run.status === "running";
  const failure = open ? standingFailure(run, batches) : undefined;
  return {
    ...workflowSummary(run),
    input: show(run.input),
    outcome: outcomeOf(batches.at(-1), show) ?? null,
    history_length: events.length,
    task_failure: failure === undefined ? null : { ...failure, at: isoTime(failure.at) },
    cancel_requested: events.some((event) => event.type === "CancelRequested"),
    activity_count: activities.length,
    activities: shownActivities(activities).map((facts) => activityView(run.run_id, facts, show)),
    timers: timerViews(events),
    signals: signalViews(events),
  };
}

/** The last failure of the run's task, unless a task has written since: then it is over. */
function standingFailure(run: RunFacts, batches: readonly Batch[]): RunFacts["task_failure"] {
  const written = batches.findLast(({ kind }) => kind === "task")?.events.at(-1)?.at;
  const { task_failure: failure } = run;
  return failure !== undefined && written !== undefined && written > failure.at
    ? undefined
    : failure;
}

function timerViews(events: readonly HistoryEvent[]): RunDetail["timers"] {
  const timers = new Map<number, RunDetail["timers"][number]>();
  for (const event of events) {
    if (event.type === "TimerScheduled") {
      timers.set(event.sequence, {
        sequence: event.sequence,
        status: "open",
        fire_at: isoTime(event.fire_at),
      });
    } else if (event.type === "TimerFired" || event.type === "TimerCancelled") {
      const timer = timers.get(event.sequence);
      const status = event.type === "TimerFired" ? "fired" : "cancelled";
      if (timer !== undefined) timers.set(event.sequence, { ...timer, status });
    }
  }
  return [...timers.values()];
}

function signalViews(events: readonly HistoryEvent[]): RunDetail["signals"] {
  return events
    .filter((event) => event.type === "SignalReceived")
    .map((event) => ({
      signal_id: event.signal_id,
      signal_name: event.signal_name,
      received_at: isoTime(event.at),
    }));
}

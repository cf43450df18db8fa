/**
 * What a run counts of its activities (S-07, S-08): a fold of its log, whose result stands in the
 * header of every batch, so that the last batch alone says it. Operator metrics are sums of these.
 */
import type { ActivityState } from "./activity-state.ts";
import { type HistoryEvent, isTerminal } from "./events.ts";

export interface RunCounters {
  /** Local activities, whatever became of them. */
  readonly local: number;
  /** Local activities that wait for an attempt. */
  readonly local_pending: number;
  /** Local activities whose attempt runs. */
  readonly local_running: number;
  /** Attempts of local activities that started. */
  readonly local_attempts: number;
  /** Attempts of local activities that failed, timed out or were lost with their process. */
  readonly local_failed_attempts: number;
  readonly queued: number;
  /** Queued activities without an end. Whether a worker has one is not in the log. */
  readonly queued_open: number;
  /** Attempts of queued activities whose start is recorded. */
  readonly queued_attempts: number;
  readonly queued_failed_attempts: number;
  /** Open activities behind their first attempt. */
  readonly retrying: number;
  /** The most attempts that one activity took. */
  readonly max_attempt_count: number;
}

export const COUNTER_NAMES = [
  "local",
  "local_pending",
  "local_running",
  "local_attempts",
  "local_failed_attempts",
  "queued",
  "queued_open",
  "queued_attempts",
  "queued_failed_attempts",
  "retrying",
  "max_attempt_count",
] as const satisfies readonly (keyof RunCounters)[];

export const NO_COUNTERS: RunCounters = {
  local: 0,
  local_pending: 0,
  local_running: 0,
  local_attempts: 0,
  local_failed_attempts: 0,
  queued: 0,
  queued_open: 0,
  queued_attempts: 0,
  queued_failed_attempts: 0,
  retrying: 0,
  max_attempt_count: 0,
};

/** What an event needs to know of its activity, as it stood before. */
export type CountedActivity = Pick<ActivityState, "phase" | "attempt">;

/** The counters behind an event. */
export function counted(
  counters: RunCounters,
  event: HistoryEvent,
  before: CountedActivity | undefined,
): RunCounters {
  if (isTerminal(event)) return atEnd(counters);
  if (event.type === "ActivityScheduled") return scheduled(counters, event.local_activity);
  if (before === undefined) return counters;
  switch (event.type) {
    case "ActivityStarted":
      return started(counters, event.local_activity, event.attempt_number);
    case "ActivityRetryScheduled":
      return {
        ...counters,
        ...(event.local_activity ? moved(counters, before, "pending") : {}),
        ...failedAttempt(counters, event, before),
        retrying: counters.retrying + (isRetrying(before) ? 0 : 1),
      };
    case "ActivityCompleted":
    case "ActivityFailed":
    case "ActivityTimedOut":
    case "ActivityCancelled":
      return ended(counters, event, before);
    default:
      return counters;
  }
}

/** The end of a run ends what it still had open. */
export function atEnd(counters: RunCounters): RunCounters {
  return { ...counters, local_pending: 0, local_running: 0, queued_open: 0, retrying: 0 };
}

export function sameCounters(one: RunCounters, other: RunCounters): boolean {
  return COUNTER_NAMES.every((name) => one[name] === other[name]);
}

function scheduled(counters: RunCounters, isLocal: boolean): RunCounters {
  return isLocal
    ? { ...counters, local: counters.local + 1, local_pending: counters.local_pending + 1 }
    : { ...counters, queued: counters.queued + 1, queued_open: counters.queued_open + 1 };
}

function started(counters: RunCounters, isLocal: boolean, attempt: number): RunCounters {
  const most = { max_attempt_count: Math.max(counters.max_attempt_count, attempt) };
  if (!isLocal) return { ...counters, ...most, queued_attempts: counters.queued_attempts + 1 };
  return {
    ...counters,
    ...most,
    local_pending: counters.local_pending - 1,
    local_running: counters.local_running + 1,
    local_attempts: counters.local_attempts + 1,
  };
}

type EndingEvent = Extract<
  HistoryEvent,
  {
    readonly type:
      | "ActivityRetryScheduled"
      | "ActivityCompleted"
      | "ActivityFailed"
      | "ActivityTimedOut"
      | "ActivityCancelled";
  }
>;

function ended(counters: RunCounters, event: EndingEvent, before: CountedActivity): RunCounters {
  const isFailure = event.type === "ActivityFailed" || event.type === "ActivityTimedOut";
  return {
    ...counters,
    ...(event.local_activity
      ? moved(counters, before, "over")
      : { queued_open: counters.queued_open - 1 }),
    ...(isFailure ? failedAttempt(counters, event, before) : {}),
    retrying: counters.retrying - (isRetrying(before) ? 1 : 0),
  };
}

/** A local activity leaves its phase. */
function moved(counters: RunCounters, before: CountedActivity, to: "pending" | "over") {
  const wasRunning = before.phase === "started";
  const pending = counters.local_pending - (wasRunning ? 0 : 1) + (to === "pending" ? 1 : 0);
  const running = counters.local_running - (wasRunning ? 1 : 0);
  return { local_pending: pending, local_running: running };
}

/** Only what started can fail: a deadline may end an activity before, or between attempts. */
function failedAttempt(counters: RunCounters, event: EndingEvent, before: CountedActivity) {
  if (event.local_activity)
    return before.phase === "started"
      ? { local_failed_attempts: counters.local_failed_attempts + 1 }
      : {};
  return event.started_at === undefined
    ? {}
    : { queued_failed_attempts: counters.queued_failed_attempts + 1 };
}

function isRetrying({ phase, attempt }: CountedActivity): boolean {
  return phase === "backing_off" || attempt > 1;
}

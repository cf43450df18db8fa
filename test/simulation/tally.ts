/** What many seeds came to: sums, and the seeds that broke an invariant. */
import { ALL_FAULTS } from "./faults.ts";
import type { SimulationResult } from "./simulation.ts";
import type { Violation } from "./violations.ts";

/** A run that broke an invariant, and how to run it again. */
export interface Failure {
  /** Arguments of `npm run simulate --` that repeat it. */
  readonly again: string;
  readonly programs: readonly string[];
  readonly violations: readonly Violation[];
}

/** Plain data, so that it travels between processes. */
export interface Tally {
  runs: number;
  operations: number;
  virtualMs: number;
  readonly fired: Record<string, number>;
  readonly succeeded: Record<string, number>;
  readonly events: Record<string, number>;
  readonly answers: Record<string, number>;
  readonly failures: Failure[];
}

export function emptyTally(): Tally {
  return {
    runs: 0,
    operations: 0,
    virtualMs: 0,
    fired: {},
    succeeded: {},
    events: {},
    answers: {},
    failures: [],
  };
}

export function addResult(tally: Tally, result: SimulationResult, again: string): void {
  const failures =
    result.violations.length === 0
      ? []
      : [{ again, programs: result.programs, violations: result.violations.slice(0, 5) }];
  mergeTally(tally, {
    runs: 1,
    operations: result.operations,
    virtualMs: result.virtualMs,
    fired: Object.fromEntries(result.fired),
    succeeded: Object.fromEntries(result.succeeded),
    events: Object.fromEntries(result.events),
    answers: Object.fromEntries(result.answers),
    failures,
  });
}

export function mergeTally(into: Tally, from: Tally): void {
  into.runs += from.runs;
  into.operations += from.operations;
  into.virtualMs += from.virtualMs;
  for (const name of ["fired", "succeeded", "events", "answers"] as const)
    for (const [key, count] of Object.entries(from[name]))
      into[name][key] = (into[name][key] ?? 0) + count;
  into.failures.push(...from.failures);
}

/** Everything that a range of seeds must have done at least once, or it shows nothing. */
const CALLS: readonly string[] = [
  "PutItem history_events",
  "Query history_events",
  "PutItem workflow_runs",
  "GetItem workflow_runs",
  "UpdateItem workflow_runs",
  "Query workflow_runs",
  "PutItem activity_attempts",
  "UpdateItem activity_attempts",
  "BatchWriteItem activity_executions",
  "BatchWriteItem activity_attempts",
  "SendMessageBatch workflow-tasks",
  "SendMessageBatch activity-tasks-default",
  "ChangeMessageVisibility workflow-tasks",
  "ChangeMessageVisibility activity-tasks-default",
  "ReceiveMessage workflow-tasks-dead",
  "SendMessage workflow-tasks",
  "DeleteMessage workflow-tasks-dead",
  "PutObject payloads",
  "GetObject payloads",
  "Invoke workflow-task",
];

const EVENTS: readonly string[] = [
  "WorkflowStarted",
  "WorkflowCompleted",
  "WorkflowFailed",
  "WorkflowCancelled",
  "WorkflowTerminated",
  "ActivityScheduled",
  "ActivityStarted",
  "ActivityHeartbeatRecorded",
  "ActivityRetryScheduled",
  "ActivityRetryDue",
  "ActivityCompleted",
  "ActivityFailed",
  "ActivityTimedOut",
  "ActivityCancelled",
  "TimerScheduled",
  "TimerFired",
  "TimerCancelled",
  "SideEffectRecorded",
  "SignalReceived",
  "CancelRequested",
  "LeaseRenewed",
];

const ANSWERS: readonly string[] = [
  "start 201",
  "start 409",
  "signal 202",
  "signal 409",
  "cancel 202",
  "terminate 202",
  "query 200",
  "describe 200",
  "history 200",
  "list 200",
];

/** What never happened although it should have (anti-vacuity); empty when all is well. */
export function neverHappened(tally: Tally): readonly string[] {
  return [
    ...missing("fault", ALL_FAULTS, tally.fired),
    ...missing("call", CALLS, tally.succeeded),
    ...missing("event", EVENTS, tally.events),
    ...missing("answer", ANSWERS, tally.answers),
  ];
}

function missing(
  what: string,
  names: readonly string[],
  counts: Readonly<Record<string, number>>,
): readonly string[] {
  return names.filter((name) => (counts[name] ?? 0) === 0).map((name) => `${what} ${name}`);
}

/** What many seeds came to: sums, and the seeds that broke an invariant. */
import { ALL_FAULTS } from "./faults.ts";
import type { NodeKind } from "./program.ts";
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
  readonly kinds: Record<string, number>;
  readonly nodes: Record<string, number>;
  readonly answers: Record<string, number>;
  readonly failures: Failure[];
}

const SUMS = ["fired", "succeeded", "events", "kinds", "nodes", "answers"] as const;

export function emptyTally(): Tally {
  return {
    runs: 0,
    operations: 0,
    virtualMs: 0,
    fired: {},
    succeeded: {},
    events: {},
    kinds: {},
    nodes: {},
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
    kinds: Object.fromEntries(result.kinds),
    nodes: Object.fromEntries(result.nodes),
    answers: Object.fromEntries(result.answers),
    failures,
  });
}

export function mergeTally(into: Tally, from: Tally): void {
  into.runs += from.runs;
  into.operations += from.operations;
  into.virtualMs += from.virtualMs;
  for (const name of SUMS)
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
  "PutItem timers",
  "Query timers",
  "DeleteItem timers",
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

const LOCAL_AND_QUEUED = ["local", "queued"] as const;

/** Told apart within events. */
const KINDS: readonly string[] = [
  ...LOCAL_AND_QUEUED.flatMap((mode) => [
    `retry failure ${mode}`,
    `retry timeout ${mode}`,
    `long retry ${mode}`,
    `timeout start_to_close ${mode}`,
    `timeout heartbeat ${mode}`,
    `timeout schedule_to_close ${mode}`,
    `failed StageFright ${mode}`,
    `failed StageFire ${mode}`,
    `failed payload_not_serializable ${mode}`,
    `ActivityCompleted ${mode}`,
    `ActivityCancelled ${mode}`,
  ]),
  "retry cold_replay local",
  "failed ActivityInterrupted local",
  "timeout schedule_to_start queued",
  "heartbeat kept queued",
  "long timer",
  "side effect",
  "side effect that throws",
];

/** Nodes of programs that came to their end. */
const NODES: readonly NodeKind[] = [
  "local",
  "regular",
  "timer",
  "effect",
  "clock",
  "signal",
  "handle",
  "heard",
  "sequence",
  "all",
  "race",
  "wide",
  "locally",
  "attempt",
  "cleanup",
  "stubborn",
];

const ANSWERS: readonly string[] = [
  "start 200",
  "start 201",
  "start 202",
  "start 409",
  "signal 202",
  "signal 409",
  "cancel 202",
  "terminate 202",
  "query 200",
  "describe 200",
  "history 200",
  "list 200",
  "result 200",
  "result 202",
];

/** What never happened although it should have (anti-vacuity); empty when all is well. */
export function neverHappened(tally: Tally): readonly string[] {
  return [
    ...missing("fault", [...ALL_FAULTS, "deadLettered"], tally.fired),
    ...missing("call", CALLS, tally.succeeded),
    ...missing("event", EVENTS, tally.events),
    ...missing("kind of event", KINDS, tally.kinds),
    ...missing("node", NODES, tally.nodes),
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

/** Counted requests at list price: us-east-1, on demand, no free tier. */
import type { Counts } from "../../sdk/core/test-points.ts";

/** Dollars per unit. */
const PRICE = {
  writeUnit: 0.625e-6,
  /** A strongly consistent read of up to 4 KB. */
  readUnit: 0.125e-6,
  sqsRequest: 0.4e-6,
  lambdaRequest: 0.2e-6,
  lambdaGbSecondArm: 1.33334e-5,
} as const;

/** What Lambda's time is reckoned from: memory of a task function, and milliseconds of it. */
const MEMORY_GB = 0.5;
const MS_PER_CALL = 5;
const MS_PER_INVOCATION = 3;
const MILLION = 1_000_000;
/** Rows of `workflow_runs` stand in indexes too: each write of a row also writes these. */
const INDEXES_PER_RUN_WRITE = 2;

/** Write units of an average item, by table. */
export type WriteUnits = Readonly<Record<string, number>>;

export interface Cost {
  /** Dollars per million activities. */
  readonly total: number;
  /** Without the projected rows of local activities. */
  readonly withoutRows: number;
  readonly parts: Readonly<
    Record<"history" | "run_row" | "totals" | "rows" | "reads" | "sqs" | "lambda", number>
  >;
}

/**
 * The cost of what the task functions did; the API's requests and its waiting are not in it. A message
 * is one send in a batch call, one receive and one delete: the worst case of an event source.
 */
export function costOf(
  counts: Counts,
  units: WriteUnits,
  done: { readonly workflows: number; readonly activities: number },
): Cost {
  const perMillion = (dollars: number): number => (dollars / done.activities) * MILLION;
  const written = (table: string): number =>
    perMillion((counts.store[table]?.writes ?? 0) * (units[table] ?? 1) * PRICE.writeUnit);
  const rowUnits = (units["workflow_runs"] ?? 1) * (1 + INDEXES_PER_RUN_WRITE);
  const parts = {
    history: written("history_events"),
    run_row: perMillion(rowWrites(counts) * rowUnits * PRICE.writeUnit),
    // Whenever the sweeper comes: one write of each row, and of the index that it leaves.
    totals: perMillion(done.workflows * (rowUnits + 1) * PRICE.writeUnit),
    rows: written("activity_executions") + written("activity_attempts"),
    reads: perMillion(taskCalls(counts, /: (Query|GetItem) /) * PRICE.readUnit),
    sqs: perMillion(sqsRequests(counts) * PRICE.sqsRequest),
    lambda: perMillion(lambdaDollars(counts)),
  };
  const total = Object.values(parts).reduce((sum, part) => sum + part, 0);
  return { total, withoutRows: total - parts.rows, parts };
}

function rowWrites({ calls }: Counts): number {
  const pattern = /^(?:api|workflow-task): (?:PutItem|UpdateItem) workflow_runs$/;
  return Object.entries(calls).reduce(
    (sum, [name, count]) => (pattern.test(name) ? sum + count : sum),
    0,
  );
}

function sqsRequests({ queue, calls }: Counts): number {
  const sent = Object.values(queue).reduce((sum, one) => sum + one.calls + 2 * one.messages, 0);
  return sent + taskCallsOf(calls, /: ChangeMessageVisibility /);
}

function lambdaDollars(counts: Counts): number {
  const { invocations } = counts;
  const requests = invocations["workflow-task"] + invocations["activity-task"];
  const ms = requests * MS_PER_INVOCATION + taskCalls(counts, /./) * MS_PER_CALL;
  return requests * PRICE.lambdaRequest + (ms / 1_000) * MEMORY_GB * PRICE.lambdaGbSecondArm;
}

function taskCalls({ calls }: Counts, pattern: RegExp): number {
  return taskCallsOf(calls, pattern);
}

function taskCallsOf(calls: Counts["calls"], pattern: RegExp): number {
  return Object.entries(calls).reduce(
    (sum, [name, count]) => (name.includes("-task: ") && pattern.test(name) ? sum + count : sum),
    0,
  );
}

/** Operator metrics at rest: headers, rows and totals say what a recount of every log says (S-07, S-08). */
import { dynamoCounting } from "../../sdk/adapters/dynamodb/counting.ts";
import { SORT_KEY, TABLES } from "../../sdk/adapters/dynamodb/layout.ts";
import { COUNTER_NAMES, NO_COUNTERS, type RunCounters } from "../../sdk/core/counters.ts";
import { isTerminal } from "../../sdk/core/events.ts";
import {
  NO_TOTALS,
  plus,
  runTotals,
  sameTotals,
  TOTAL_NAMES,
  type Totals,
} from "../../sdk/core/totals.ts";
import { foldActivities } from "../../sdk/core/views/activity-facts.ts";
import type { CountedTotals, Share } from "../../sdk/ports/counting.ts";
import type { World } from "../../sdk/testing/world/world.ts";
import { NAMESPACE } from "./gate.ts";
import type { LogBook } from "./log-book.ts";
import type { RunLog } from "./run-log.ts";
import type { Violations } from "./violations.ts";

export interface CountedOptions {
  readonly world: World;
  readonly book: LogBook;
  readonly violations: Violations;
}

export async function checkCounted({ world, book, violations }: CountedOptions): Promise<void> {
  const { workflow_runs: runs, activity_attempts: attempts } = TABLES;
  const client = { send: world.dynamo.send.bind(world.dynamo) };
  const counting = dynamoCounting({
    runs: { client, name: runs.name },
    attempts: { client, name: attempts.name },
  });
  const logs = [...book.runs.values()];
  for (const log of logs) checkHeader(log, violations);
  const totals = await counting.totals(NAMESPACE);
  const [seen, held] = [[NO_TOTALS], [NO_TOTALS]];
  const current = world.dynamo.items(runs.name).filter((item) => item[SORT_KEY] === "current");
  for (const { workflow_id: id } of current) {
    const share = await counting.share(NAMESPACE, String(id));
    if (share === undefined) continue;
    const log = logs.find(({ key }) => key.run_id === share.row.run_id);
    const value = valueOf(share, log);
    const folded = heldOf(totals, share);
    seen.push(value);
    held.push(folded);
    violations.expect(
      share.count_at !== undefined || sameTotals(value, folded),
      "M1",
      () => `${String(id)} has no mark, and the totals are behind: ${differing(value, folded)}`,
    );
  }
  const sums = held.reduce(plus);
  violations.expect(
    sameTotals(sums, totals.sums),
    "M2",
    () => `the totals are not what the rows say they hold: ${differing(totals.sums, sums)}`,
  );
  const all = logs.map((log) => runTotals(statusOf(log), recount(log))).reduce(plus, NO_TOTALS);
  const counted = { ...seen.reduce(plus), pending_runs: 0 };
  violations.expect(
    sameTotals(counted, all),
    "M3",
    () => `the rows count otherwise than the logs: ${differing(counted, all)}`,
  );
}

function checkHeader(log: RunLog, violations: Violations): void {
  const header = log.batches.at(-1)?.counters ?? NO_COUNTERS;
  const counters = recount(log);
  violations.expect(
    COUNTER_NAMES.every((name) => header[name] === counters[name]),
    "M4",
    () =>
      `${log.options.name}: the header counts ${differing(runTotals("running", header), runTotals("running", counters))}`,
  );
}

function valueOf({ row, past }: Share, log: RunLog | undefined): Totals {
  if (row.closed_at !== undefined)
    return plus(past, runTotals(row.status, row.counters ?? NO_COUNTERS));
  const tail = log?.batches.at(-1);
  if (log === undefined || tail === undefined) return plus(past, runTotals("pending", NO_COUNTERS));
  return plus(past, runTotals(statusOf(log), tail.counters));
}

/** The last step's row may not know of it yet. */
function heldOf(totals: CountedTotals, { row, folded, folds }: Share): Totals {
  const step = totals.batch.find(({ workflow_id: id }) => id === row.workflow_id);
  return step?.folds === folds ? step.value : folded;
}

function statusOf({ events }: RunLog) {
  const last = events.findLast(isTerminal);
  switch (last?.type) {
    case "WorkflowCompleted":
      return "completed";
    case "WorkflowFailed":
      return "failed";
    case "WorkflowCancelled":
      return "cancelled";
    case "WorkflowTerminated":
      return "terminated";
    default:
      return "running";
  }
}

function recount({ batches }: RunLog): RunCounters {
  const activities = foldActivities(batches, []);
  const counters: Record<keyof RunCounters, number> = { ...NO_COUNTERS };
  for (const { scheduled, attempts, status, retry } of activities) {
    const all = [...attempts.values()];
    const failed = all.filter((one) => one.status === "failed" || one.status === "expired").length;
    const isOpen = status === "pending" || status === "running";
    if (scheduled.local_activity) {
      counters.local++;
      if (status === "pending") counters.local_pending++;
      if (status === "running") counters.local_running++;
      counters.local_attempts += all.length;
      counters.local_failed_attempts += failed;
    } else {
      counters.queued++;
      if (isOpen) counters.queued_open++;
      counters.queued_attempts += all.length;
      counters.queued_failed_attempts += failed;
    }
    if (isOpen && (retry !== undefined || all.length > 1)) counters.retrying++;
    counters.max_attempt_count = Math.max(counters.max_attempt_count, all.at(-1)?.number ?? 0);
  }
  return counters;
}

function differing(one: Totals, other: Totals): string {
  return TOTAL_NAMES.filter((name) => one[name] !== other[name])
    .map((name) => `${name} ${one[name]} for ${other[name]}`)
    .join(", ");
}

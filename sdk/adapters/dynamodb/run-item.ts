/** How a run's row stands in `workflow_runs`: its keys, its index attributes, its values as JSON text. */
import type { CountedClosing, RunRow, RunStatus } from "../../ports/runs.ts";
import { parsedJson, recordOf, runSchema } from "../wire.ts";
import { countersOf, textOfCounters } from "./counts.ts";
import { key, shardOf } from "./layout.ts";
import type { Item, ItemKey } from "./table.ts";

/** The one row per workflow id under which the idempotent start races. */
export function currentKey(namespace: string, workflowId: string): ItemKey {
  return { pk: key(namespace, workflowId), sk: "current" };
}

/** The row of a run that is no longer the current one. */
export function earlierKey(namespace: string, workflowId: string, runId: string): ItemKey {
  return { pk: key(namespace, workflowId), sk: key("run", runId) };
}

export function statusPartition(namespace: string, status: RunStatus, shard: number): string {
  return key(namespace, status, String(shard));
}

export function typePartition(namespace: string, type: string, shard: number): string {
  return key(namespace, type, String(shard));
}

/** Of the indexes that are not narrowed: by start and by check. */
export function shardPartition(namespace: string, shard: number): string {
  return key(namespace, String(shard));
}

export function runItem(at: ItemKey, row: RunRow): Item {
  const { input, output, failure, task_failure, counters, ...plain } = row;
  const shard = shardOf(row.run_id);
  return {
    ...plain,
    ...at,
    input: JSON.stringify(input),
    output: optionalJson(output),
    failure: optionalJson(failure),
    task_failure: optionalJson(task_failure),
    counters: counters === undefined ? undefined : textOfCounters(counters),
    by_start_pk: shardPartition(row.namespace, shard),
    by_status_pk: statusPartition(row.namespace, row.status, shard),
    by_type_pk: typePartition(row.namespace, row.workflow_type, shard),
    // Sparse: a row without a look at it does not enter the index at all.
    by_check_pk: row.check_at === undefined ? undefined : shardPartition(row.namespace, shard),
  };
}

/** The attributes that a closing changes. */
export function closingItem(namespace: string, runId: string, closing: CountedClosing): Item {
  return {
    status: closing.status,
    closed_at: closing.closed_at,
    output: optionalJson(closing.output),
    failure: optionalJson(closing.failure),
    counters: textOfCounters(closing.counters),
    by_status_pk: statusPartition(namespace, closing.status, shardOf(runId)),
  };
}

/** Brings a row into the index of those that the totals may be behind. */
export function countMark(namespace: string, runId: string, countAt: number): Item {
  return { by_count_pk: shardPartition(namespace, shardOf(runId)), count_at: countAt };
}

/** @throws InvariantError when the item is not a run's row */
export function runOf(item: Item): RunRow {
  const what = "a row of workflow_runs";
  const { counters, ...plain } = item;
  const texts = ["input", "output", "failure", "task_failure"] as const;
  const parsed = texts
    .filter((name) => item[name] !== undefined)
    .map((name) => [name, parsedJson(item[name])] as const);
  const row = recordOf(runSchema, { ...plain, ...Object.fromEntries(parsed) }, what);
  return counters === undefined ? row : { ...row, counters: countersOf(counters, what) };
}

function optionalJson(value: unknown): string | undefined {
  return value === undefined ? undefined : JSON.stringify(value);
}

/**
 * Every table, key and index of the store: the whole schema on one screen. The adapters, the CDK
 * construct and the embedded stack read it; key schemas never change between versions.
 *
 * | table               | PK                          | SK                                      |
 * |---------------------|-----------------------------|-----------------------------------------|
 * | workflow_runs       | pk = key(namespace, id)     | sk = "current", "run#<run id>" or       |
 * |                     |                             |      "guard#<run id>#<request id>"      |
 * | – the totals        | pk = key(ns, "__totals")    | sk = "totals"                           |
 * | history_events      | pk = key(ns, id, run)       | sk (number) = first sequence of a batch |
 * | activity_executions | pk = key(ns, id, run)       | sk = padded sequence                    |
 * | activity_attempts   | pk = key(ns, id, run)       | sk = padded sequence "#" padded attempt |
 * | timers              | pk = key(ns, shard)         | sk = padded due time "#" entry id       |
 *
 * All attributes are strings, numbers, booleans, null, or a map of those (`lease`); values of users
 * are JSON text. Indexes serve listing, the sweeper and metrics only, because they lag; they project
 * everything, or keys only where they say so.
 *
 * What the adapters use of DynamoDB, which is all that a fake has to know:
 * - commands of lib-dynamodb: Put, Get, Query, Update, Delete (one item each) and BatchWrite (puts);
 * - conditions and filters: `attribute_exists(#a)`, `attribute_not_exists(#a)`, `#a op :v` with op
 *   one of `= <> < <= > >=`, `AND`, `OR`, `NOT`, parentheses;
 * - key conditions: `#pk = :pk`, optionally `AND #sk op :v` with op one of `= < <= > >=`;
 * - updates: `SET #a = :a, #b = if_not_exists(#b, :b)` and `REMOVE #a, #b`, one clause of each;
 * - `#name` is always the attribute `name`; names and values that are not used are not sent;
 * - `ReturnValues: ALL_NEW` on updates; `ReturnValuesOnConditionCheckFailure: ALL_OLD`, whose `Item`
 *   on the exception `ConditionalCheckFailedException` is in DynamoDB's own form
 *   (`{ pk: { S: "a" } }`) and may be missing;
 * - `ConsistentRead`, `ScanIndexForward`, `Limit` (before the filter), `LastEvaluatedKey`, and
 *   `ExclusiveStartKey`, also one whose item is no longer there.
 */
import type { RunKey } from "../../core/events.ts";
import { INDEX_SHARDS } from "../../core/limits.ts";

export interface IndexLayout {
  readonly name: string;
  readonly partitionKey: string;
  readonly sortKey: string;
  readonly sortKeyType: "S" | "N";
  /** The index holds keys only: what is found is read from the table. Default: everything. */
  readonly keysOnly?: boolean;
}

export interface TableLayout {
  readonly name: string;
  readonly sortKeyType: "S" | "N";
  readonly indexes: readonly IndexLayout[];
  /** The attribute of DynamoDB's time to live, seconds since the epoch; only ever for cleaning up. */
  readonly ttlAttribute?: string;
}

export const PARTITION_KEY = "pk";
export const SORT_KEY = "sk";

export const RUNS_BY_START: IndexLayout = {
  name: "by_start",
  partitionKey: "by_start_pk",
  sortKey: "started_at",
  sortKeyType: "N",
};
export const RUNS_BY_STATUS: IndexLayout = {
  name: "by_status",
  partitionKey: "by_status_pk",
  sortKey: "started_at",
  sortKeyType: "N",
};
export const RUNS_BY_TYPE: IndexLayout = {
  name: "by_type",
  partitionKey: "by_type_pk",
  sortKey: "started_at",
  sortKeyType: "N",
};
/** Sparse: only open runs carry `by_check_pk` and `check_at`. */
export const RUNS_BY_CHECK: IndexLayout = {
  name: "by_check",
  partitionKey: "by_check_pk",
  sortKey: "check_at",
  sortKeyType: "N",
};

/** Sparse: only rows that the totals may be behind carry `by_count_pk` and `count_at`. */
export const RUNS_BY_COUNT: IndexLayout = {
  name: "by_count",
  partitionKey: "by_count_pk",
  sortKey: "count_at",
  sortKeyType: "N",
  keysOnly: true,
};
/** Sparse: claims of queued attempts without an outcome. */
export const ATTEMPTS_RUNNING: IndexLayout = {
  name: "by_running",
  partitionKey: "by_running_pk",
  sortKey: "started_at",
  sortKeyType: "N",
  keysOnly: true,
};

export const TABLES = {
  workflow_runs: {
    name: "workflow_runs",
    sortKeyType: "S",
    indexes: [RUNS_BY_START, RUNS_BY_STATUS, RUNS_BY_TYPE, RUNS_BY_CHECK, RUNS_BY_COUNT],
    ttlAttribute: "expires_at",
  },
  history_events: { name: "history_events", sortKeyType: "N", indexes: [] },
  activity_executions: { name: "activity_executions", sortKeyType: "S", indexes: [] },
  activity_attempts: { name: "activity_attempts", sortKeyType: "S", indexes: [ATTEMPTS_RUNNING] },
  timers: { name: "timers", sortKeyType: "S", indexes: [] },
} as const satisfies Record<string, TableLayout>;

export type TableName = keyof typeof TABLES;

/**
 * Joins parts into one key so that two different lists never collide (L6): `%` and `#` inside a
 * part are escaped, `#` joins.
 */
export function key(...parts: readonly string[]): string {
  return parts.map((part) => part.replaceAll("%", "%25").replaceAll("#", "%23")).join("#");
}

/** The part of a key at this position, as it was joined. */
export function keyPart(joined: string, position: number): string | undefined {
  return joined.split("#")[position]?.replaceAll("%23", "#").replaceAll("%25", "%");
}

/** A number as text that sorts like the number. */
export function padded(value: number, digits: number = 10): string {
  return String(value).padStart(digits, "0");
}

/** FNV-1a over UTF-16 units. Stable for ever: rows stay in the shard in which they were written. */
export function hash32(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++)
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193) >>> 0;
  return hash;
}

/** The shard of a run in the indexes, or of an entry among the timers. */
export function shardOf(id: string): number {
  return hash32(id) % INDEX_SHARDS;
}

export const SHARDS: readonly number[] = Array.from({ length: INDEX_SHARDS }, (_, shard) => shard);

/** The partition of everything that belongs to one run. */
export function runPartition(run: RunKey): string {
  return key(run.namespace, run.workflow_id, run.run_id);
}

/**
 * Every table, key and index of the store: the whole schema on one screen. The adapters, the CDK
 * construct and the embedded stack read it; key schemas never change between versions.
 *
 * | table               | PK                          | SK                                      |
 * |---------------------|-----------------------------|-----------------------------------------|
 * | workflow_runs       | pk = key(namespace, id)     | sk = "current", "run#<run id>" or       |
 * |                     |                             |      "guard#<run id>#<request id>"      |
 * | history_events      | pk = key(ns, id, run)       | sk (number) = first sequence of a batch |
 * | activity_executions | pk = key(ns, id, run)       | sk = padded sequence                    |
 * | activity_attempts   | pk = key(ns, id, run)       | sk = padded sequence "#" padded attempt |
 * | timers              | pk = key(ns, shard, bucket) | sk = padded due time "#" entry id       |
 */
export interface IndexLayout {
  readonly name: string;
  readonly partitionKey: string;
  readonly sortKey: string;
  readonly sortKeyType: "S" | "N";
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

export const TABLES = {
  workflow_runs: {
    name: "workflow_runs",
    sortKeyType: "S",
    indexes: [RUNS_BY_START, RUNS_BY_STATUS, RUNS_BY_TYPE, RUNS_BY_CHECK],
    ttlAttribute: "expires_at",
  },
  history_events: { name: "history_events", sortKeyType: "N", indexes: [] },
  activity_executions: { name: "activity_executions", sortKeyType: "S", indexes: [] },
  activity_attempts: { name: "activity_attempts", sortKeyType: "S", indexes: [] },
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

/** A number as text that sorts like the number. */
export function padded(value: number, digits: number = 10): string {
  return String(value).padStart(digits, "0");
}

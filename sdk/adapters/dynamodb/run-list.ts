/**
 * Lists of runs: the index that fits the filter best, all shards at once, merged newest first. The
 * cursor holds where each shard goes on; it is checked, and it can never leave the caller's namespace
 * because no partition is taken from it.
 */
import { Buffer } from "node:buffer";
import * as v from "valibot";
import { pawlError } from "../../core/errors.ts";
import { INDEX_SHARDS, LIST_PAGE_MAX, LIST_SHARD_PAGES_MAX } from "../../core/limits.ts";
import type { RunFilter, RunPage, RunRow } from "../../ports/runs.ts";
import { parsedJson } from "../wire.ts";
import {
  hash32,
  type IndexLayout,
  key,
  RUNS_BY_START,
  RUNS_BY_STATUS,
  RUNS_BY_TYPE,
  SHARDS,
} from "./layout.ts";
import { runOf, shardPartition, statusPartition, typePartition } from "./run-item.ts";
import { type Item, queryPage, type Table } from "./table.ts";

/** The item behind which a shard goes on: start time, partition key without the namespace, sort key. */
const positionSchema = v.strictTuple([v.pipe(v.number(), v.safeInteger()), v.string(), v.string()]);
type Position = v.InferOutput<typeof positionSchema>;

/** Of a shard: not begun, at its end, or behind an item. */
const progressSchema = v.union([v.literal("start"), v.literal("end"), positionSchema]);
type Progress = v.InferOutput<typeof progressSchema>;

const cursorSchema = v.strictObject({
  filter: v.number(),
  /** Where shards that have not begun start: a run that starts between two pages is on none of them. */
  before: v.nullable(v.pipe(v.number(), v.safeInteger())),
  shards: v.pipe(v.array(progressSchema), v.length(INDEX_SHARDS)),
});

type Cursor = v.InferOutput<typeof cursorSchema>;

interface Found {
  readonly row: RunRow;
  readonly position: Position;
}

/** What was read of one shard, newest first, and where it goes on behind the last row read. */
interface ShardRead {
  readonly found: readonly Found[];
  readonly rest: Progress;
}

/** Eventually consistent. @throws PawlError invalid_cursor */
export async function listRuns(table: Table, filter: RunFilter): Promise<RunPage> {
  const limit = Math.max(1, Math.min(filter.limit, LIST_PAGE_MAX));
  const cursor = cursorOf(filter);
  const begin = { ...filter, ...earlier(filter.started_before, cursor.before) };
  const reads = await Promise.all(
    SHARDS.map((shard) => {
      const from = cursor.shards[shard] ?? "start";
      return readShard(table, { ...(from === "start" ? begin : filter), limit }, shard, from);
    }),
  );
  const { runs, shards } = merge(reads, cursor.shards, limit);
  if (shards.every((shard) => shard === "end")) return { runs };
  const last = runs.at(-1);
  const before = last === undefined ? cursor.before : last.started_at + 1;
  return {
    runs,
    next_cursor: cursorText({ filter: filterMark(filter), before, shards: [...shards] }),
  };
}

async function readShard(
  table: Table,
  filter: RunFilter,
  shard: number,
  from: Progress,
): Promise<ShardRead> {
  const { index, partition } = placeOf(filter, shard);
  const oldest = filter.started_after ?? Number.NEGATIVE_INFINITY;
  const found: Found[] = [];
  let rest = from;
  for (let pages = 0; pages < LIST_SHARD_PAGES_MAX && rest !== "end"; pages++) {
    const page = await queryPage(table, {
      index: index.name,
      ...conditionsOf(filter, index),
      values: valuesOf(filter, partition),
      descending: true,
      limit: filter.limit,
      after: rest === "start" ? undefined : startKey(filter, index, partition, rest),
    });
    for (const item of page.items) {
      const row = runOf(item);
      if (row.started_at >= oldest) found.push({ row, position: positionOf(filter, item) });
    }
    const next = page.next === undefined ? undefined : positionOf(filter, page.next);
    // Newest first: behind an item that is too old there are only older ones.
    rest = next === undefined || next[0] < oldest ? "end" : next;
    if (found.length >= filter.limit) break;
  }
  return { found, rest };
}

/**
 * Takes the newest of all shards until the page is full, or until a shard has no row left although
 * it is not at its end: what it has not read may be newer than what the others offer.
 */
function merge(
  reads: readonly ShardRead[],
  before: readonly Progress[],
  limit: number,
): { readonly runs: readonly RunRow[]; readonly shards: readonly Progress[] } {
  const runs = new Map<string, RunRow>();
  const taken = reads.map(() => 0);
  while (runs.size < limit) {
    const shard = newestShard(reads, taken);
    const next = shard === undefined ? undefined : reads[shard]?.found[taken[shard] ?? 0];
    if (shard === undefined || next === undefined) break;
    taken[shard] = (taken[shard] ?? 0) + 1;
    // A run that is being replaced stands in two rows for a moment.
    runs.set(next.row.run_id, next.row);
  }
  const shards = reads.map((read, shard): Progress => {
    const count = taken[shard] ?? 0;
    if (count === read.found.length) return read.rest;
    return read.found[count - 1]?.position ?? before[shard] ?? "start";
  });
  return { runs: [...runs.values()], shards };
}

function newestShard(reads: readonly ShardRead[], taken: readonly number[]): number | undefined {
  let newest: number | undefined;
  let newestAt = Number.NEGATIVE_INFINITY;
  for (const [shard, read] of reads.entries()) {
    const next = read.found[taken[shard] ?? 0];
    if (next !== undefined && next.row.started_at > newestAt) {
      newest = shard;
      newestAt = next.row.started_at;
    }
  }
  const isHidden = reads.some(({ found, rest }, shard) => {
    if (found.length > (taken[shard] ?? 0) || rest === "end") return false;
    return rest === "start" || rest[0] > newestAt;
  });
  return isHidden ? undefined : newest;
}

function placeOf(
  filter: RunFilter,
  shard: number,
): { readonly index: IndexLayout; readonly partition: string } {
  const { namespace, status, workflow_type } = filter;
  if (status !== undefined)
    return { index: RUNS_BY_STATUS, partition: statusPartition(namespace, status, shard) };
  if (workflow_type !== undefined)
    return { index: RUNS_BY_TYPE, partition: typePartition(namespace, workflow_type, shard) };
  return { index: RUNS_BY_START, partition: shardPartition(namespace, shard) };
}

function conditionsOf(filter: RunFilter, index: IndexLayout) {
  const partition = `#${index.partitionKey} = :pk`;
  // A key condition takes one comparison; with both limits the lower one is seen while reading.
  const time =
    filter.started_before !== undefined
      ? " AND #started_at < :before"
      : filter.started_after !== undefined
        ? " AND #started_at >= :after"
        : "";
  const keys = `${partition}${time}`;
  return isTypeFiltered(filter) ? { keys, filter: "#workflow_type = :type" } : { keys };
}

function valuesOf(filter: RunFilter, partition: string): Item {
  const { started_before, started_after } = filter;
  return {
    pk: partition,
    ...(started_before !== undefined
      ? { before: started_before }
      : started_after !== undefined
        ? { after: started_after }
        : {}),
    ...(isTypeFiltered(filter) ? { type: filter.workflow_type } : {}),
  };
}

/** The status chose the index, so the type is left to a filter. */
function isTypeFiltered(filter: RunFilter): boolean {
  return filter.status !== undefined && filter.workflow_type !== undefined;
}

/** From a row or from the key at which a page ended: both have the table's and the index's key. */
function positionOf(filter: RunFilter, item: Item): Position {
  const { pk, sk, started_at } = item;
  const rest = String(pk).slice(key(filter.namespace).length + 1);
  return [Number(started_at), rest, String(sk)];
}

function startKey(
  filter: RunFilter,
  index: IndexLayout,
  partition: string,
  [startedAt, rest, sk]: Position,
): Item {
  const pk = `${key(filter.namespace)}#${rest}`;
  return { pk, sk, [index.partitionKey]: partition, started_at: startedAt };
}

function cursorText(cursor: Cursor): string {
  return Buffer.from(JSON.stringify(cursor), "utf8").toString("base64url");
}

function cursorOf(filter: RunFilter): Cursor {
  const mark = filterMark(filter);
  if (filter.cursor === undefined)
    return { filter: mark, before: null, shards: SHARDS.map(() => "start") };
  const text = Buffer.from(filter.cursor, "base64url").toString("utf8");
  const parsed = v.safeParse(cursorSchema, parsedJson(text));
  const isIssued =
    parsed.success &&
    parsed.output.filter === mark &&
    parsed.output.shards.every((progress) => isSound(filter, progress));
  if (!isIssued) throw pawlError("invalid_cursor");
  return parsed.output;
}

/**
 * Every row is `current` or an earlier run, and DynamoDB refuses a position outside of the query:
 * keys of more than 2,048 and 1,024 bytes, and start times that the filter leaves out.
 */
function isSound(filter: RunFilter, progress: Progress): boolean {
  if (typeof progress === "string") return true;
  const [startedAt, rest, sk] = progress;
  const { started_after = startedAt, started_before = startedAt + 1 } = filter;
  const isRow = sk === "current" || sk.startsWith("run#");
  const isInside = startedAt >= started_after && startedAt < started_before;
  const pkBytes = Buffer.byteLength(key(filter.namespace)) + 1 + Buffer.byteLength(rest);
  return isRow && isInside && rest.length > 0 && pkBytes <= 2_048 && Buffer.byteLength(sk) <= 1_024;
}

function earlier(one: number | undefined, other: number | null): Pick<RunFilter, "started_before"> {
  const before = Math.min(one ?? Number.POSITIVE_INFINITY, other ?? Number.POSITIVE_INFINITY);
  return before === Number.POSITIVE_INFINITY ? {} : { started_before: before };
}

/** A cursor goes on with the list that issued it, not with another one. */
function filterMark(filter: RunFilter): number {
  const { namespace, status, workflow_type, started_after, started_before } = filter;
  return hash32(JSON.stringify([namespace, status, workflow_type, started_after, started_before]));
}

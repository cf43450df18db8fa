/**
 * One table: items sorted per partition, their past for stale reads, and its indexes, computed from
 * the items when asked.
 */
import {
  type IndexLayout,
  PARTITION_KEY,
  SORT_KEY,
  type TableLayout,
} from "../../adapters/dynamodb/layout.ts";
import { utf8Bytes } from "../../core/payload.ts";
import { validationError } from "./aws-errors.ts";
import { compareValues, type Item, itemBytes, type Value } from "./item.ts";

const PARTITION_KEY_BYTES_MAX = 2_048;
const SORT_KEY_BYTES_MAX = 1_024;
const PAGE_BYTES_MAX = 1_048_576;

export interface Key {
  readonly partition: string;
  readonly sort: string | number;
}

/** The attributes that order a table or one of its indexes. */
export interface KeySchema {
  readonly index: string | undefined;
  readonly partition: string;
  readonly sort: string;
  /** Whether the index projects nothing but keys. */
  readonly keysOnly?: boolean;
}

interface Stored {
  readonly key: Key;
  item: Item | undefined;
  /** Earlier states, oldest first, each with the time at which it ended. */
  past: { readonly item: Item | undefined; readonly endedAt: number }[];
}

export interface PageRequest {
  readonly schema: KeySchema;
  readonly partition: string;
  /** Whether the sort key is asked for. */
  readonly matches: (sort: Value) => boolean;
  readonly forward: boolean;
  readonly limit: number;
  readonly after: Item | undefined;
  /** The state as of this time, milliseconds since the epoch; undefined for the newest. */
  readonly asOf: number | undefined;
}

export interface Page {
  /** The items that were looked at, before any filter. */
  readonly items: readonly Item[];
  /** Whether the page ended before the query did. */
  readonly cut: boolean;
}

export class Table {
  readonly layout: TableLayout;
  readonly schema: KeySchema = { index: undefined, partition: PARTITION_KEY, sort: SORT_KEY };
  readonly #partitions = new Map<string, Stored[]>();
  /** Milliseconds for which earlier states are kept. */
  readonly #pastMs: number;

  constructor(layout: TableLayout, pastMs: number) {
    this.layout = layout;
    this.#pastMs = pastMs;
  }

  index(name: string): KeySchema {
    const index = this.layout.indexes.find((candidate) => candidate.name === name);
    if (index === undefined)
      throw validationError(`The table does not have the specified index: ${name}`);
    return {
      index: name,
      partition: index.partitionKey,
      sort: index.sortKey,
      keysOnly: index.keysOnly === true,
    };
  }

  get(key: Key, asOf?: number): Item | undefined {
    const stored = this.#find(key);
    return stored === undefined ? undefined : stateOf(stored, asOf);
  }

  /** Replaces the item under the key, or removes it with undefined. */
  set(key: Key, item: Item | undefined, now: number): void {
    const partition = this.#partitions.get(key.partition) ?? [];
    if (partition.length === 0) this.#partitions.set(key.partition, partition);
    const at = position(partition, key.sort);
    const found = partition[at];
    const isThere = found !== undefined && found.key.sort === key.sort;
    const stored = isThere ? found : { key, item: undefined, past: [] };
    if (!isThere) partition.splice(at, 0, stored);
    if (this.#pastMs > 0) {
      stored.past = stored.past.filter(({ endedAt }) => endedAt > now - this.#pastMs);
      stored.past.push({ item: stored.item, endedAt: now });
    }
    stored.item = item;
    if (item === undefined && stored.past.length === 0) partition.splice(at, 1);
  }

  /** All items, in no particular order. */
  *all(asOf?: number): Generator<Item> {
    for (const partition of this.#partitions.values())
      for (const stored of partition) {
        const item = stateOf(stored, asOf);
        if (item !== undefined) yield item;
      }
  }

  page(request: PageRequest): Page {
    const { schema } = request;
    const candidates = schema.index === undefined ? this.#inTable(request) : this.#inIndex(request);
    if (!request.forward) candidates.reverse();
    const start = request.after;
    const items: Item[] = [];
    let bytes = 0;
    for (const item of candidates) {
      if (start !== undefined && order(item, start, schema) * (request.forward ? 1 : -1) <= 0)
        continue;
      bytes += itemBytes(item);
      if (items.length === request.limit || bytes > PAGE_BYTES_MAX) return { items, cut: true };
      items.push(item);
    }
    return { items, cut: items.length === request.limit };
  }

  #inTable(request: PageRequest): Item[] {
    const items: Item[] = [];
    for (const stored of this.#partitions.get(request.partition) ?? []) {
      if (!request.matches(stored.key.sort)) continue;
      const item = stateOf(stored, request.asOf);
      if (item !== undefined) items.push(item);
    }
    return items;
  }

  #inIndex({ schema, partition, matches, asOf }: PageRequest): Item[] {
    const items: Item[] = [];
    for (const item of this.all(asOf)) {
      const sort = item[schema.sort];
      if (item[schema.partition] === partition && sort !== undefined && matches(sort))
        items.push(schema.keysOnly ? keysOf(item, schema) : item);
    }
    return items.sort((left, right) => order(left, right, schema));
  }

  #find(key: Key): Stored | undefined {
    const partition = this.#partitions.get(key.partition) ?? [];
    const found = partition[position(partition, key.sort)];
    return found !== undefined && found.key.sort === key.sort ? found : undefined;
  }
}

/** What an index that projects keys only holds of an item. */
function keysOf(item: Item, schema: KeySchema): Item {
  const names = [PARTITION_KEY, SORT_KEY, schema.partition, schema.sort];
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = item[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

function stateOf(stored: Stored, asOf: number | undefined): Item | undefined {
  if (asOf === undefined) return stored.item;
  const earlier = stored.past.find(({ endedAt }) => endedAt > asOf);
  return earlier === undefined ? stored.item : earlier.item;
}

/** The index of the first entry that is not before `sort`. */
function position(partition: readonly Stored[], sort: string | number): number {
  let [low, high] = [0, partition.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const candidate = partition[middle];
    if (candidate !== undefined && (compareValues(candidate.key.sort, sort) ?? 0) < 0)
      low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The order within one partition of a table or index; equal index keys by the table's key. */
function order(left: Item, right: Item, schema: KeySchema): number {
  const names = schema.index === undefined ? [schema.sort] : [schema.sort, PARTITION_KEY, SORT_KEY];
  for (const name of names) {
    const difference = compareValues(left[name] ?? null, right[name] ?? null) ?? 0;
    if (difference !== 0) return difference;
  }
  return 0;
}

/** The key of an item or of a `Key` parameter; refuses what the service refuses. */
export function keyOf(layout: TableLayout, item: Item, exact: boolean): Key {
  if (exact && Object.keys(item).length !== 2)
    throw validationError("The provided key element does not match the schema");
  const missing = exact
    ? "The provided key element does not match the schema"
    : "One or more parameter values were invalid: Missing the key in the item";
  const [partition, sort] = [item[PARTITION_KEY], item[SORT_KEY]];
  if (partition === undefined || sort === undefined) throw validationError(missing);
  const mismatch = "One or more parameter values were invalid: Type mismatch for key";
  if (typeof partition !== "string") throw validationError(mismatch);
  if (typeof sort !== (layout.sortKeyType === "S" ? "string" : "number"))
    throw validationError(mismatch);
  if (typeof sort !== "string" && typeof sort !== "number") throw validationError(mismatch);
  checkKeySize(PARTITION_KEY, partition, PARTITION_KEY_BYTES_MAX);
  checkKeySize(SORT_KEY, sort, SORT_KEY_BYTES_MAX);
  return { partition, sort };
}

/** Refuses an item whose index attributes have a type or size that no index can hold. */
export function checkIndexKeys(layout: TableLayout, item: Item): void {
  for (const index of layout.indexes) {
    checkIndexKey(index, index.partitionKey, item[index.partitionKey], "S");
    checkIndexKey(index, index.sortKey, item[index.sortKey], index.sortKeyType);
  }
}

function checkIndexKey(
  index: IndexLayout,
  name: string,
  value: Value | undefined,
  type: "S" | "N",
): void {
  if (value === undefined) return;
  if (typeof value !== (type === "S" ? "string" : "number"))
    throw validationError(
      `One or more parameter values were invalid: Type mismatch for Index Key ${name} Expected: ${type} IndexName: ${index.name}`,
    );
  checkKeySize(
    name,
    value,
    name === index.partitionKey ? PARTITION_KEY_BYTES_MAX : SORT_KEY_BYTES_MAX,
  );
}

function checkKeySize(name: string, value: Value, bytesMax: number): void {
  if (typeof value !== "string") return;
  if (value === "")
    throw validationError(
      `One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: ${name}`,
    );
  if (utf8Bytes(value) > bytesMax)
    throw validationError(
      `One or more parameter values were invalid: Size of key ${name} has exceeded the maximum size limit of ${bytesMax} bytes`,
    );
}

/**
 * Messages that are due later than a queue can delay them. One partition per namespace and shard,
 * sorted by due time: what is due is always the beginning of a partition, so an entry that was
 * overlooked for weeks is the first one found, with no bucket to remember and no index to lag.
 * Handled entries are deleted, so the beginning stays short.
 */

import { PawlError } from "../../core/errors.ts";
import type { Telemetry } from "../../ports/telemetry.ts";
import type { TimerEntry, Timers } from "../../ports/timers.ts";
import { parseMessage } from "../wire.ts";
import { key, padded, SHARDS, shardOf } from "./layout.ts";
import { deleteItem, type Item, type ItemKey, putItem, queryPage, type Table } from "./table.ts";

/** Enough digits for milliseconds until the year 5138. */
const DUE_DIGITS = 14;

/** @param telemetry told of entries that cannot be read; they stay, and never hold up the others */
export function dynamoTimers(table: Table, telemetry: Telemetry): Timers {
  return {
    async put(entry) {
      // Without a condition: an equal id with an equal due time is the same entry.
      await putItem(table, {
        ...keyOf(entry),
        id: entry.id,
        namespace: entry.namespace,
        due: entry.due,
        nonce: entry.nonce,
        message: JSON.stringify(entry.message),
      });
    },

    async due(namespace, until, limit) {
      const shards = await Promise.all(
        SHARDS.map((shard) => readShard(table, telemetry, { namespace, shard, until, limit })),
      );
      return shards
        .flat()
        .toSorted((one, other) => one.due - other.due)
        .slice(0, limit);
    },

    async remove(entry) {
      // Whoever got the message too early has put the entry again: that one stays.
      await deleteItem(table, keyOf(entry), {
        expression: "#nonce = :if_nonce",
        values: { if_nonce: entry.nonce },
      });
    },
  };
}

interface ShardQuery {
  readonly namespace: string;
  readonly shard: number;
  readonly until: number;
  readonly limit: number;
}

async function readShard(
  table: Table,
  telemetry: Telemetry,
  { namespace, shard, until, limit }: ShardQuery,
): Promise<readonly TimerEntry[]> {
  const entries: TimerEntry[] = [];
  let after: Item | undefined;
  do {
    const page = await queryPage(table, {
      keys: "#pk = :pk AND #sk < :until",
      values: { pk: key(namespace, String(shard)), until: padded(Math.max(0, until), DUE_DIGITS) },
      limit,
      after,
    });
    for (const item of page.items) {
      const entry = entryOf(item);
      if (entry === undefined)
        telemetry.error("a timer cannot be read", { id: String(item["id"]) });
      else entries.push(entry);
    }
    after = page.next;
  } while (after !== undefined && entries.length < limit);
  return entries;
}

function keyOf(entry: TimerEntry): ItemKey {
  const shard = shardOf(entry.id);
  return {
    pk: key(entry.namespace, String(shard)),
    sk: `${padded(Math.max(0, Math.ceil(entry.due)), DUE_DIGITS)}#${key(entry.id)}`,
  };
}

function entryOf(item: Item): TimerEntry | undefined {
  const { id, namespace, due, nonce, message: body } = item;
  const message = typeof body === "string" ? readable(body) : undefined;
  if (typeof id !== "string" || typeof namespace !== "string") return undefined;
  if (typeof due !== "number" || typeof nonce !== "string") return undefined;
  return message === undefined ? undefined : { id, namespace, due, nonce, message };
}

/** A message of a newer version waits here until that version is back. */
function readable(body: string): TimerEntry["message"] | undefined {
  try {
    return parseMessage(body);
  } catch (error) {
    if (error instanceof PawlError && error.code === "schema_unknown") return undefined;
    throw error;
  }
}

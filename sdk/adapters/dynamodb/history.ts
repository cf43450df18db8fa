/**
 * The run's log in DynamoDB: one item per batch under (run, sequence of its first event). The header
 * stands in attributes, the events as one JSON text, or as a pointer to it when it is too large for
 * an item: a batch is never split.
 */
import * as v from "valibot";
import { invariant, pawlError } from "../../core/errors.ts";
import { type Batch, type HistoryEvent, type RunKey, SCHEMA_VERSION } from "../../core/events.ts";
import { BATCH_INLINE_BYTES_MAX, BLOB_READS_MAX } from "../../core/limits.ts";
import { utf8Bytes } from "../../core/payload.ts";
import type { Blobs } from "../../ports/blobs.ts";
import type { History } from "../../ports/history.ts";
import { eventTypeOf, isHistoryEvent, isKnownEvent, parsedJson, recordOf } from "../wire.ts";
import { countersOf, textOfCounters } from "./counts.ts";
import { runPartition } from "./layout.ts";
import { ABSENT, type Item, putItem, queryAll, queryPage, type Table } from "./table.ts";

const headerSchema = v.object({
  sk: v.pipe(v.number(), v.integer(), v.minValue(1)),
  schema: v.number(),
  kind: v.picklist(["task", "inbound"]),
  n_events: v.pipe(v.number(), v.integer(), v.minValue(1)),
  lease: v.nullable(v.object({ owner: v.string(), until: v.number(), alarm: v.string() })),
  turn_from: v.nullable(v.number()),
  closed: v.boolean(),
  nonce: v.string(),
  basis: v.number(),
  pending_signals: v.number(),
  counters: v.string(),
  generation: v.number(),
  events: v.exactOptional(v.string()),
  events_blob: v.exactOptional(v.string()),
});

export function dynamoHistory(table: Table, blobs: Blobs): History {
  return {
    async append(run, batch) {
      invariant(batch.events.length > 0, `a batch of run ${run.run_id} has no event`);
      const item = await itemOf(run, batch, blobs);
      // Event n is written only where nothing stands: of all writers at this sequence one wins.
      const written = await putItem(table, item, ABSENT);
      if (written.kind === "written") return "appended";
      return written.item?.["nonce"] === batch.nonce ? "appended" : "lost";
    },

    async readFrom(run, sequence) {
      const items = await queryAll(table, {
        keys: "#pk = :pk AND #sk >= :from",
        values: { pk: runPartition(run), from: sequence },
      });
      const batches = await batchesOf(run, items, blobs);
      assertContiguous(run, sequence, batches);
      return batches;
    },

    async readTail(run) {
      const { items } = await queryPage(table, {
        keys: "#pk = :pk",
        values: { pk: runPartition(run) },
        descending: true,
        limit: 1,
      });
      const [batch] = await batchesOf(run, items, blobs);
      return batch;
    },
  };
}

/** Everything that this run wrote to the blob store is under one prefix, so that it is collected with it. */
function blobKey(run: RunKey, batch: Batch): string {
  const prefix = `${encodeURIComponent(run.namespace)}/${encodeURIComponent(run.run_id)}`;
  // With the nonce, two writers who race for one sequence write two blobs and change neither.
  return `${prefix}/batches/${batch.sequence}-${encodeURIComponent(batch.nonce)}.json`;
}

async function itemOf(run: RunKey, batch: Batch, blobs: Blobs): Promise<Item> {
  const { schema, sequence, kind, events, lease, turn_from, closed } = batch;
  const { nonce, basis, pending_signals, counters, generation } = batch;
  const header = {
    schema,
    kind,
    lease,
    turn_from,
    closed,
    pending_signals,
    counters: textOfCounters(counters),
    nonce,
    basis,
    generation,
  };
  const json = JSON.stringify(events);
  const item = { pk: runPartition(run), sk: sequence, n_events: events.length, ...header };
  if (utf8Bytes(json) <= BATCH_INLINE_BYTES_MAX) return { ...item, events: json };
  const pointer = blobKey(run, batch);
  // Before the item: whoever reads the pointer finds the text.
  await blobs.put(pointer, json);
  return { ...item, events_blob: pointer };
}

async function batchesOf(
  run: RunKey,
  items: readonly Item[],
  blobs: Blobs,
): Promise<readonly Batch[]> {
  const batches: Batch[] = [];
  for (let index = 0; index < items.length; index += BLOB_READS_MAX) {
    const slice = items.slice(index, index + BLOB_READS_MAX);
    batches.push(...(await Promise.all(slice.map((item) => batchOf(run, item, blobs)))));
  }
  return batches;
}

async function batchOf(run: RunKey, item: Item, blobs: Blobs): Promise<Batch> {
  const schema = item["schema"];
  if (typeof schema === "number" && schema > SCHEMA_VERSION)
    throw pawlError("schema_unknown", { what: `a batch of schema ${schema}` });
  const what = `a batch of run ${run.run_id}`;
  const { sk, n_events, events, events_blob, ...header } = recordOf(headerSchema, item, what);
  const json = events_blob === undefined ? events : await blobs.get(events_blob);
  const parsed = eventsOf(parsedJson(json), `batch ${sk} of run ${run.run_id}`);
  invariant(parsed.length === n_events, `batch ${sk} of run ${run.run_id} misses events`);
  return { ...header, sequence: sk, events: parsed, counters: countersOf(header.counters, what) };
}

function eventsOf(value: unknown, what: string): readonly HistoryEvent[] {
  invariant(Array.isArray(value), `the events of ${what} are not a JSON array`);
  return value.map((event: unknown) => {
    if (isHistoryEvent(event)) return event;
    const type = eventTypeOf(event);
    if (type !== undefined && !isKnownEvent(type))
      throw pawlError("schema_unknown", { what: `an event ${type}` });
    invariant(false, `an event ${type ?? "without a type"} of ${what} is damaged`);
  });
}

function assertContiguous(run: RunKey, from: number, batches: readonly Batch[]): void {
  let expected = from <= 1 ? 1 : batches[0]?.sequence;
  for (const { sequence, events } of batches) {
    const gap = `the log of run ${run.run_id} has a gap: ${sequence} follows where ${expected} was expected`;
    invariant(sequence === expected, gap);
    expected = sequence + events.length;
  }
}

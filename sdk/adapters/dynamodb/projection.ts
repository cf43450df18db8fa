/** The projected rows of local activities, under the contract's attribute names (requirements 2.3). */
import { BatchWriteCommand } from "@aws-sdk/lib-dynamodb";
import { InfrastructureError } from "../../core/errors.ts";
import { BATCH_RETRY_MS, BATCH_TRIES_MAX, WRITE_BATCH_MAX } from "../../core/limits.ts";
import type { ActivityExecutionRow, LocalAttemptRow } from "../../core/views/activity-rows.ts";
import type { Projection } from "../../ports/attempts.ts";
import type { Host } from "../../ports/host.ts";
import { calling } from "../faults.ts";
import { attemptSortKey } from "./attempts.ts";
import { padded, runPartition } from "./layout.ts";
import type { Item, Table } from "./table.ts";

const MODE = { execution_mode: "local", local_activity: true } as const;

/** Calls under way at the same time: a run of many activities leaves many rows. */
const CALLS_AT_ONCE = 4;

interface Put {
  readonly table: Table;
  readonly item: Item;
}

export function dynamoProjection(
  tables: { readonly executions: Table; readonly attempts: Table },
  host: Host,
): Projection {
  return {
    async write(executions, attempts) {
      const puts: readonly Put[] = [
        ...executions.map((row) => ({ table: tables.executions, item: executionItem(row) })),
        ...attempts.map((row) => ({ table: tables.attempts, item: attemptItem(row) })),
      ];
      // One call takes a key once; the last row of a key is the one that counts.
      const latest = [...new Map(puts.map((put) => [keyOf(put), put])).values()];
      const batches: (readonly Put[])[] = [];
      for (let index = 0; index < latest.length; index += WRITE_BATCH_MAX)
        batches.push(latest.slice(index, index + WRITE_BATCH_MAX));
      for (let index = 0; index < batches.length; index += CALLS_AT_ONCE)
        await Promise.all(
          batches.slice(index, index + CALLS_AT_ONCE).map((batch) => putBatch(batch, host)),
        );
    },
  };
}

/** Namespace and workflow id stand in the key: a row shall fit into one write unit. */
function executionItem(row: ActivityExecutionRow): Item {
  const { namespace: _namespace, workflow_id: _workflowId, ...fields } = row;
  return {
    ...fields,
    ...MODE,
    pk: partitionOf(row),
    sk: padded(row.sequence),
    arguments: JSON.stringify(row.arguments),
    ...(row.result === undefined ? {} : { result: JSON.stringify(row.result) }),
    ...(row.exception === undefined ? {} : { exception: JSON.stringify(row.exception) }),
  };
}

function attemptItem(row: LocalAttemptRow): Item {
  const { namespace: _namespace, workflow_id: _workflowId, ...fields } = row;
  return {
    ...fields,
    ...MODE,
    pk: partitionOf(row),
    sk: attemptSortKey(row.sequence, row.attempt_number),
    ...(row.last_heartbeat_progress === undefined
      ? {}
      : { last_heartbeat_progress: JSON.stringify(row.last_heartbeat_progress) }),
  };
}

function partitionOf(row: ActivityExecutionRow | LocalAttemptRow): string {
  const { namespace, workflow_id, workflow_run_id: run_id } = row;
  return runPartition({ namespace, workflow_id, run_id });
}

function keyOf({ table, item }: Put): string {
  return `${table.name} ${item["pk"]} ${item["sk"]}`;
}

/** A batch call answers with what it did not get to: that part is sent again, later and later. */
async function putBatch(batch: readonly Put[], host: Host): Promise<void> {
  const [first] = batch;
  if (first === undefined) return;
  const byName = Map.groupBy(batch, ({ table }) => table.name);
  const what = `DynamoDB BatchWriteItem on ${[...byName.keys()].join(" and ")}`;
  let open = new Map([...byName].map(([name, puts]) => [name, puts.map(({ item }) => item)]));
  for (let tries = 0; tries < BATCH_TRIES_MAX; tries++) {
    if (tries > 0) await host.sleep(BATCH_RETRY_MS * 2 ** (tries - 1) * (0.5 + host.random() / 2));
    const requests = [...open].map(([name, items]) => [
      name,
      items.map((item) => ({ PutRequest: { Item: item } })),
    ]);
    const command = new BatchWriteCommand({ RequestItems: Object.fromEntries(requests) });
    const output = await calling(what, () => first.table.client.send(command));
    open = unprocessedOf(output.UnprocessedItems ?? {});
    if (open.size === 0) return;
  }
  const left = [...open.values()].flat().length;
  throw new InfrastructureError(`${what} left ${left} items unwritten`, { maybeApplied: true });
}

function unprocessedOf(tables: Readonly<Record<string, readonly unknown[]>>): Map<string, Item[]> {
  const open = new Map<string, Item[]>();
  for (const [name, requests] of Object.entries(tables)) {
    const items = itemsOf(requests);
    if (items.length > 0) open.set(name, items);
  }
  return open;
}

function itemsOf(requests: readonly unknown[]): Item[] {
  return requests.flatMap((request) => {
    const put = isRecord(request) ? request["PutRequest"] : undefined;
    const item = isRecord(put) ? put["Item"] : undefined;
    return isRecord(item) ? [item] : [];
  });
}

function isRecord(value: unknown): value is Item {
  return typeof value === "object" && value !== null;
}

/** The projected rows of local activities, under the contract's attribute names (requirements 2.3). */
import { BatchWriteCommand } from "@aws-sdk/lib-dynamodb";
import { InfrastructureError } from "../../core/errors.ts";
import { BATCH_RETRY_MS, BATCH_TRIES_MAX, WRITE_BATCH_MAX } from "../../core/limits.ts";
import type { ActivityExecutionRow, LocalAttemptRow, Projection } from "../../ports/attempts.ts";
import type { Host } from "../../ports/host.ts";
import { calling } from "../faults.ts";
import { attemptSortKey } from "./attempts.ts";
import { padded, runPartition } from "./layout.ts";
import type { Item, Table } from "./table.ts";

const MODE = { execution_mode: "local", local_activity: true } as const;

export function dynamoProjection(
  tables: { readonly executions: Table; readonly attempts: Table },
  host: Host,
): Projection {
  return {
    async write(executions, attempts) {
      await putAll(tables.executions, executions.map(executionItem), host);
      await putAll(tables.attempts, attempts.map(attemptItem), host);
    },
  };
}

function executionItem(row: ActivityExecutionRow): Item {
  return { ...row, ...MODE, pk: runPartition(row), sk: padded(row.sequence) };
}

function attemptItem(row: LocalAttemptRow): Item {
  const sk = attemptSortKey(row.sequence, row.attempt_number);
  return { ...row, ...MODE, pk: runPartition(row), sk };
}

async function putAll(table: Table, items: readonly Item[], host: Host): Promise<void> {
  // One call takes a key once; the last row of a key is the one that counts.
  const latest = [...new Map(items.map((item) => [`${item["pk"]} ${item["sk"]}`, item])).values()];
  for (let index = 0; index < latest.length; index += WRITE_BATCH_MAX)
    await putBatch(table, latest.slice(index, index + WRITE_BATCH_MAX), host);
}

/** A batch call answers with what it did not get to: that part is sent again, later and later. */
async function putBatch(table: Table, items: readonly Item[], host: Host): Promise<void> {
  const what = `DynamoDB BatchWriteItem on ${table.name}`;
  let open: readonly Item[] = items;
  for (let tries = 0; tries < BATCH_TRIES_MAX; tries++) {
    if (tries > 0) await host.sleep(BATCH_RETRY_MS * 2 ** (tries - 1) * (0.5 + host.random() / 2));
    const requests = open.map((item) => ({ PutRequest: { Item: item } }));
    const command = new BatchWriteCommand({ RequestItems: { [table.name]: requests } });
    const output = await calling(what, () => table.client.send(command));
    open = unprocessedOf(output.UnprocessedItems?.[table.name] ?? []);
    if (open.length === 0) return;
  }
  throw new InfrastructureError(`${what} left ${open.length} items unwritten`, {
    maybeApplied: true,
  });
}

function unprocessedOf(requests: readonly unknown[]): readonly Item[] {
  return requests.flatMap((request) => {
    const put = isRecord(request) ? request["PutRequest"] : undefined;
    const item = isRecord(put) ? put["Item"] : undefined;
    return isRecord(item) ? [item] : [];
  });
}

function isRecord(value: unknown): value is Item {
  return typeof value === "object" && value !== null;
}

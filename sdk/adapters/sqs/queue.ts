/**
 * The queues: messages out in batches of ten, ASCII JSON only, and a received message made invisible
 * for a while. Whoever sends knows nothing of URLs: the message says to which queue it belongs.
 */
import { ChangeMessageVisibilityCommand, SendMessageBatchCommand } from "@aws-sdk/client-sqs";
import { InfrastructureError, invariant, pawlError } from "../../core/errors.ts";
import {
  BATCH_RETRY_MS,
  BATCH_TRIES_MAX,
  QUEUE_BATCH_MAX,
  QUEUE_BYTES_MAX,
  QUEUE_DELAY_MS_MAX,
  VISIBILITY_MS_MAX,
} from "../../core/limits.ts";
import { DEFAULT_QUEUE } from "../../core/options.ts";
import type { Host } from "../../ports/host.ts";
import type { Message, Outgoing, Queue } from "../../ports/queue.ts";
import { calling, faultName } from "../faults.ts";

/** What the adapter needs of `SQSClient`; fakes stand here. */
export interface SqsClient {
  send(command: SendMessageBatchCommand | ChangeMessageVisibilityCommand): Promise<SqsOutput>;
}

/** The parts of the commands' outputs that the adapter reads. */
export interface SqsOutput {
  readonly Failed?:
    | readonly {
        readonly Id?: string | undefined;
        readonly SenderFault?: boolean | undefined;
        readonly Code?: string | undefined;
      }[]
    | undefined;
}

export interface QueueUrls {
  readonly workflow: string;
  /** By the queue names of activities; always has "default". */
  readonly activities: Readonly<Record<string, string>>;
}

interface Entry {
  readonly Id: string;
  readonly MessageBody: string;
  readonly DelaySeconds: number;
}

/** Batch calls under way at the same time. */
const CALLS_AT_ONCE = 10;

/** The names of a receipt handle whose message was deleted, or has become visible again. */
const GONE: ReadonlySet<string> = new Set([
  "AWS.SimpleQueueService.MessageNotInflight",
  "MessageNotInflight",
  "ReceiptHandleIsInvalid",
]);

export function sqsQueue(client: SqsClient, urls: QueueUrls, host: Host): Queue {
  return {
    async send(messages) {
      const byUrl = new Map<string, Entry[]>();
      for (const [index, outgoing] of messages.entries()) {
        const url = urlOf(outgoing.message, urls);
        const entries = byUrl.get(url) ?? [];
        entries.push(entryOf(outgoing, index));
        byUrl.set(url, entries);
      }
      const batches = [...byUrl].flatMap(([url, entries]) =>
        batchesOf(entries).map((batch) => ({ url, batch })),
      );
      // A standard queue keeps no order, so a fan-out need not wait for one call after the other.
      for (let index = 0; index < batches.length; index += CALLS_AT_ONCE)
        await Promise.all(
          batches
            .slice(index, index + CALLS_AT_ONCE)
            .map(({ url, batch }) => sendBatch(client, url, batch, host)),
        );
    },

    async defer({ message, handle }, ms) {
      // A message of a direct invocation has no handle: there is nothing to make visible (R16).
      if (handle === undefined) return;
      const command = new ChangeMessageVisibilityCommand({
        QueueUrl: urlOf(message, urls),
        ReceiptHandle: handle,
        VisibilityTimeout: seconds(ms, VISIBILITY_MS_MAX),
      });
      await calling("SQS ChangeMessageVisibility", async () => {
        try {
          await client.send(command);
        } catch (error) {
          if (!isGone(error)) throw error;
        }
      });
    },
  };
}

/** The body as ASCII JSON: SQS refuses some characters of Unicode, escapes are never refused. */
export function messageBody(message: Message): string {
  return JSON.stringify(message).replaceAll(
    /[^\x20-\x7e]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function urlOf(message: Message, urls: QueueUrls): string {
  if (message.type === "workflow_task") return urls.workflow;
  const queue = message.options.queue ?? DEFAULT_QUEUE;
  const url = Object.hasOwn(urls.activities, queue) ? urls.activities[queue] : undefined;
  if (url === undefined)
    throw pawlError("queue_unknown", { queue, known: Object.keys(urls.activities).join(", ") });
  return url;
}

function entryOf({ message, delayMs }: Outgoing, index: number): Entry {
  const body = messageBody(message);
  invariant(body.length <= QUEUE_BYTES_MAX, `message ${message.message_id} is too large for SQS`);
  return {
    Id: String(index),
    MessageBody: body,
    DelaySeconds: seconds(delayMs, QUEUE_DELAY_MS_MAX),
  };
}

/** Rounded up: nothing is delivered before its time. */
function seconds(ms: number, msMax: number): number {
  return Math.ceil(Math.max(0, Math.min(ms, msMax)) / 1_000);
}

/** At most ten, and at most 1 MiB together; the bodies are ASCII, so characters are bytes. */
function batchesOf(entries: readonly Entry[]): readonly (readonly Entry[])[] {
  const batches: Entry[][] = [];
  let bytes = 0;
  for (const entry of entries) {
    const last = batches.at(-1);
    bytes += entry.MessageBody.length;
    if (last !== undefined && last.length < QUEUE_BATCH_MAX && bytes <= QUEUE_BYTES_MAX) {
      last.push(entry);
    } else {
      batches.push([entry]);
      bytes = entry.MessageBody.length;
    }
  }
  return batches;
}

/** A batch call may refuse a part of its entries: that part is sent again, later and later. */
async function sendBatch(
  client: SqsClient,
  url: string,
  batch: readonly Entry[],
  host: Host,
): Promise<void> {
  let open = batch;
  for (let tries = 0; tries < BATCH_TRIES_MAX; tries++) {
    if (tries > 0) await host.sleep(BATCH_RETRY_MS * 2 ** (tries - 1) * (0.5 + host.random() / 2));
    const command = new SendMessageBatchCommand({ QueueUrl: url, Entries: [...open] });
    const { Failed: failed = [] } = await calling("SQS SendMessageBatch", () =>
      client.send(command),
    );
    const fault = failed.find(({ SenderFault }) => SenderFault === true);
    if (fault !== undefined) throw new Error(`SQS refused a message: ${fault.Code ?? "no reason"}`);
    const failedIds = new Set(failed.map(({ Id }) => Id));
    open = open.filter(({ Id }) => failedIds.has(Id));
    if (open.length === 0) return;
  }
  throw new InfrastructureError(`SQS did not take ${open.length} of ${batch.length} messages`, {
    maybeApplied: true,
  });
}

function isGone(error: unknown): boolean {
  if (GONE.has(faultName(error))) return true;
  // What SQS says of a handle whose message is gone has no name of its own.
  const isParameter = faultName(error).includes("InvalidParameterValue");
  return (
    isParameter && error instanceof Error && /does not exist|not available/.test(error.message)
  );
}

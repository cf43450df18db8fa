/** SQS records in, partial batch response out: the rules of reliability section 5, row 8. */
import type { Context, SQSBatchResponse, SQSEvent, SQSRecord } from "aws-lambda";
import type { Verdict } from "../sdk/engine/run-task.ts";
import type { Invocation } from "../sdk/ports/host.ts";
import type { Ports } from "../sdk/ports/ports.ts";
import type { Message } from "../sdk/ports/queue.ts";
import { parseMessage } from "./compose.ts";

const UNDECIDED_MS_FIRST = 2_000;
const UNDECIDED_MS_MAX = 60_000;

/** A record and what becomes of it; a record without a verdict returns to its queue. */
export interface ReceivedRecord<M extends Message> {
  readonly record: SQSRecord;
  readonly message: M;
  readonly handle: string;
  verdict?: Verdict;
}

/** The invocation as the engine sees it. */
export function invocationOf(context: Context): Invocation {
  const remainingMs = (): number => context.getRemainingTimeInMillis();
  return { id: context.awsRequestId, budgetMs: remainingMs(), remainingMs };
}

/** The records that hold a message of this type; others return and end in the dead-letter queue (C9). */
export function receive<T extends Message["type"]>(
  event: SQSEvent,
  type: T,
  ports: Ports,
): readonly ReceivedRecord<Extract<Message, { readonly type: T }>>[] {
  return event.Records.flatMap((record) => {
    const message = readMessage(record, ports);
    if (message === undefined || !isOfType(message, type)) return [];
    return [{ record, message, handle: record.receiptHandle }];
  });
}

/** Undefined for what this version cannot read: it concerns its own record only, and is not lost. */
function readMessage(record: SQSRecord, ports: Ports): Message | undefined {
  const fields = { queue_message_id: record.messageId };
  try {
    const message = parseMessage(record.body);
    if (message !== undefined) return message;
    ports.telemetry.error(
      "a message of the queue is malformed and goes to the dead-letter queue",
      fields,
    );
  } catch (error) {
    ports.telemetry.error("a message of the queue cannot be read by this version", {
      ...fields,
      error: String(error),
    });
  }
  return undefined;
}

/** Defers what asks for it; everything that is not to be deleted is a failure of its item only. */
export async function respond(
  event: SQSEvent,
  received: readonly ReceivedRecord<Message>[],
  ports: Ports,
): Promise<SQSBatchResponse> {
  const deleted = new Set<string>();
  await Promise.all(
    received.map(async ({ record, message, handle, verdict }) => {
      if (verdict?.kind === "delete") {
        deleted.add(record.messageId);
        return;
      }
      try {
        await ports.queue.defer({ message, handle }, verdict?.ms ?? pauseMs(record));
      } catch (error) {
        // It comes back at the end of its visibility: later than asked for, not lost.
        ports.telemetry.warn("a message could not be deferred", {
          queue_message_id: record.messageId,
          error: String(error),
        });
      }
    }),
  );
  const failed = event.Records.filter((record) => !deleted.has(record.messageId));
  return { batchItemFailures: failed.map((record) => ({ itemIdentifier: record.messageId })) };
}

/** An undecided message comes back soon, not at the end of the queue's visibility; later each time. */
function pauseMs(record: SQSRecord): number {
  const receives = Number(record.attributes.ApproximateReceiveCount);
  return Math.min(UNDECIDED_MS_FIRST * 2 ** Math.max(0, receives - 1), UNDECIDED_MS_MAX);
}

function isOfType<T extends Message["type"]>(
  message: Message,
  type: T,
): message is Extract<Message, { readonly type: T }> {
  return message.type === type;
}

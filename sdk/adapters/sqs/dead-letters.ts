/** Dead-letter queues: read by the sweeper, which sends their messages back unchanged (R13). */
import {
  DeleteMessageCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
} from "@aws-sdk/client-sqs";
import { QUEUE_BATCH_MAX } from "../../core/limits.ts";
import type { DeadLetters } from "../../ports/dead-letters.ts";
import type { Message } from "../../ports/queue.ts";
import { calling } from "../faults.ts";
import { parseMessage } from "../wire.ts";

/** What the adapter needs of `SQSClient`; fakes stand here. */
export interface SqsReceiveClient {
  send(
    command: ReceiveMessageCommand | SendMessageCommand | DeleteMessageCommand,
  ): Promise<ReceiveOutput>;
}

/** The parts of the commands' outputs that the adapter reads. */
export interface ReceiveOutput {
  readonly Messages?:
    | readonly { readonly Body?: string | undefined; readonly ReceiptHandle?: string | undefined }[]
    | undefined;
}

/** Seconds for which a received dead letter is hidden: longer than one pass of the sweeper. */
const HIDDEN_SECONDS = 120;

/** A message of a newer version stays where it is until that version runs again. */
function readable(body: string): Message | undefined {
  try {
    return parseMessage(body);
  } catch {
    return undefined;
  }
}

/** @param queues URL of a dead-letter queue to the URL of the queue it belongs to */
export function sqsDeadLetters(
  client: SqsReceiveClient,
  queues: () => Readonly<Record<string, string>>,
): DeadLetters {
  return {
    async receive() {
      const perQueue = await Promise.all(
        Object.entries(queues()).map(async ([deadLetterQueueUrl, queueUrl]) => {
          const answer = await calling("SQS ReceiveMessage", () =>
            client.send(
              new ReceiveMessageCommand({
                QueueUrl: deadLetterQueueUrl,
                MaxNumberOfMessages: QUEUE_BATCH_MAX,
                VisibilityTimeout: HIDDEN_SECONDS,
              }),
            ),
          );
          return (answer.Messages ?? []).flatMap(({ Body: body, ReceiptHandle: handle }) =>
            body === undefined || handle === undefined
              ? []
              : [{ deadLetterQueueUrl, queueUrl, body, handle, message: readable(body) }],
          );
        }),
      );
      return perQueue.flat();
    },

    async redrive({ deadLetterQueueUrl, queueUrl, body, handle }) {
      await calling("SQS SendMessage", () =>
        client.send(new SendMessageCommand({ QueueUrl: queueUrl, MessageBody: body })),
      );
      await calling("SQS DeleteMessage", () =>
        client.send(
          new DeleteMessageCommand({ QueueUrl: deadLetterQueueUrl, ReceiptHandle: handle }),
        ),
      );
    },
  };
}

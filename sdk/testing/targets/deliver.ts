/** One more copy of a message, as SQS itself may make one. */
import { SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { messageBody } from "../../adapters/sqs/queue.ts";
import { DEFAULT_QUEUE } from "../../core/options.ts";
import { activityQueue, WORKFLOW_QUEUE } from "../../dev/embedded/deployment.ts";
import type { Message } from "../../ports/queue.ts";

/** The queue of a message on the targets whose names are those of the embedded deployment. */
export function queueOf(message: Message): string {
  return message.type === "workflow_task"
    ? WORKFLOW_QUEUE
    : activityQueue(message.options.queue ?? DEFAULT_QUEUE);
}

/** Sends it through the SQS of an emulator. */
export async function sendCopy(
  endpoint: string,
  queueUrl: string,
  message: Message,
): Promise<void> {
  const client = emulatedSqs(endpoint);
  try {
    const body = messageBody(message);
    await client.send(new SendMessageCommand({ QueueUrl: queueUrl, MessageBody: body }));
  } finally {
    client.destroy();
  }
}

export function emulatedSqs(endpoint: string): SQSClient {
  return new SQSClient({
    endpoint,
    region: "us-east-1",
    credentials: { accessKeyId: "test", secretAccessKey: "test" },
    useQueueUrlAsEndpoint: false,
  });
}

/** The queues of a stack behind an endpoint, as far as a test puts messages into them. */
import { SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { messageBody } from "../../adapters/sqs/queue.ts";
import type { WorkflowTaskMessage } from "../../core/messages.ts";

function clientOf(endpoint: string): SQSClient {
  return new SQSClient({
    endpoint,
    region: "us-east-1",
    credentials: { accessKeyId: "test", secretAccessKey: "test" },
    useQueueUrlAsEndpoint: false,
  });
}

export async function deliverTo(
  endpoint: string,
  queueUrl: string,
  message: WorkflowTaskMessage,
): Promise<void> {
  const client = clientOf(endpoint);
  await client.send(
    new SendMessageCommand({ QueueUrl: queueUrl, MessageBody: messageBody(message) }),
  );
  client.destroy();
}

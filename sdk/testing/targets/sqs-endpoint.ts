/** The queues of a stack behind an endpoint, as far as a test puts messages into them. */
import { ListQueuesCommand, SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
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

/** The queue of a deployed stack whose name contains `part`. @throws Error when there is none */
export async function findQueue(
  endpoint: string,
  stackName: string,
  part: RegExp,
): Promise<string> {
  const client = clientOf(endpoint);
  const { QueueUrls } = await client.send(new ListQueuesCommand({ QueueNamePrefix: stackName }));
  client.destroy();
  const url = QueueUrls?.find((candidate) => part.test(candidate));
  if (url === undefined)
    throw new Error(
      `the stack ${stackName} has no queue like ${part.source}; it has ${QueueUrls?.join(", ") ?? "none"}`,
    );
  return url;
}

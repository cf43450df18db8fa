/** What queues hold, as far as a test asks. */
import {
  GetQueueAttributesCommand,
  paginateListQueues,
  type QueueAttributeName,
  type SQSClient,
} from "@aws-sdk/client-sqs";

const COUNTS: readonly QueueAttributeName[] = [
  "ApproximateNumberOfMessages",
  "ApproximateNumberOfMessagesNotVisible",
  "ApproximateNumberOfMessagesDelayed",
];

/** Messages in all queues: visible, in flight, delayed and dead. */
export async function messagesIn(client: SQSClient): Promise<number> {
  let sum = 0;
  for await (const { QueueUrls = [] } of paginateListQueues({ client }, {}))
    for (const QueueUrl of QueueUrls) {
      const command = new GetQueueAttributesCommand({ QueueUrl, AttributeNames: [...COUNTS] });
      const { Attributes = {} } = await client.send(command);
      for (const value of Object.values(Attributes)) sum += Number(value);
    }
  return sum;
}

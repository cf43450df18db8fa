/** Ports over the emulators of the embedded stack: a DynamoDB from npm, SQS and S3 in this process. */

import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { S3Client } from "@aws-sdk/client-s3";
import { ReceiveMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";
import { startFauxqs } from "fauxqs";
import { createPorts } from "../../functions/compose.ts";
import { ENV } from "../../functions/environment.ts";
import { createTables } from "../../sdk/adapters/dynamodb/create-tables.ts";
import type { DynamoClient } from "../../sdk/adapters/dynamodb/table.ts";
import { nodeHost } from "../../sdk/adapters/lambda/host.ts";
import { startDynamoDb } from "../../sdk/dev/embedded/dynamodb.ts";
import type { PortsUnderTest, ReceivedBody } from "./fixtures.ts";
import { recordingTelemetry } from "./recording-telemetry.ts";

const NAMES = {
  workflow_runs: "contract-runs",
  history_events: "contract-history",
  activity_executions: "contract-executions",
  activity_attempts: "contract-attempts",
  timers: "contract-timers",
} as const;

const account = {
  region: "us-east-1",
  credentials: { accessKeyId: "emulator", secretAccessKey: "emulator" },
  maxAttempts: 1,
};

/** @param through what stands between the adapters and the DynamoDB client */
export async function emulators(
  through: (client: DynamoClient) => DynamoClient = (client) => client,
): Promise<PortsUnderTest> {
  const dynamo = await startDynamoDb(undefined);
  const faux = await startFauxqs({ port: 0, logger: false });
  const client = new DynamoDBClient({ ...account, endpoint: dynamo.endpoint });
  await createTables(client, NAMES);
  // Twice: a stack that starts again finds its tables and leaves them as they are.
  await createTables(client, NAMES);
  const sqs = new SQSClient({ ...account, endpoint: faux.address, useQueueUrlAsEndpoint: false });
  const s3 = new S3Client({ ...account, endpoint: faux.address, forcePathStyle: true });
  const urls = {
    workflow: faux.createQueue("workflow").queueUrl,
    default: faux.createQueue("default").queueUrl,
  };
  faux.createBucket("payloads");
  const ports = createPorts({
    environment: {
      [ENV.namespace]: "contract",
      [ENV.version]: "0.0.0",
      [ENV.runsTable]: NAMES.workflow_runs,
      [ENV.historyTable]: NAMES.history_events,
      [ENV.executionsTable]: NAMES.activity_executions,
      [ENV.attemptsTable]: NAMES.activity_attempts,
      [ENV.timersTable]: NAMES.timers,
      [ENV.payloadBucket]: "payloads",
      [ENV.workflowQueueUrl]: urls.workflow,
      [ENV.activityQueueUrls]: JSON.stringify({ default: urls.default }),
    },
    clients: {
      dynamo: through(DynamoDBDocumentClient.from(client)),
      sqs,
      s3,
      lambda: { send: () => Promise.reject(new Error("there is no Lambda here")) },
    },
    host: nodeHost(),
    telemetry: recordingTelemetry().telemetry,
  });
  return {
    ports,
    receive: (queue) => receiveAll(sqs, urls[queue]),
    async close() {
      client.destroy();
      sqs.destroy();
      s3.destroy();
      await faux.stop();
      await dynamo.stop();
    },
  };
}

async function receiveAll(sqs: SQSClient, url: string): Promise<readonly ReceivedBody[]> {
  const received: ReceivedBody[] = [];
  for (;;) {
    const command = new ReceiveMessageCommand({ QueueUrl: url, MaxNumberOfMessages: 10 });
    const { Messages: messages = [] } = await sqs.send(command);
    if (messages.length === 0) return received;
    for (const { Body: body = "", ReceiptHandle: handle = "" } of messages)
      received.push({ body, handle });
  }
}

/** SQS and S3 of the embedded stack: fauxqs inside this process, bound to the loopback interface. */
import diagnostics from "node:diagnostics_channel";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import {
  ChangeMessageVisibilityCommand,
  SetQueueAttributesCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import type { FauxqsServer } from "fauxqs";
import { PAYLOAD_BUCKET, type QueueSetup, queueUrl, REGION } from "./deployment.ts";

export interface Queues {
  readonly endpoint: string;
  readonly client: SQSClient;
  stop(): Promise<void>;
}

/** Starts the queues and the payload bucket; `folder` keeps messages and payloads. */
export async function startQueues(
  setups: readonly QueueSetup[],
  folder: string | undefined,
): Promise<Queues> {
  if (folder !== undefined) await prepareStore(folder);
  const server = await startOnLoopback(folder);
  const endpoint = `http://127.0.0.1:${server.port}`;
  const client = new SQSClient({
    region: REGION,
    endpoint,
    credentials: { accessKeyId: "embedded", secretAccessKey: "embedded" },
    // Its own queue URLs name a host that only some systems resolve.
    useQueueUrlAsEndpoint: false,
  });
  server.createBucket(PAYLOAD_BUCKET);
  for (const setup of setups) await setUp(server, client, endpoint, setup);
  return {
    endpoint,
    client,
    async stop() {
      client.destroy();
      await server.stop();
    },
  };
}

async function startOnLoopback(folder: string | undefined): Promise<FauxqsServer> {
  // Loaded here, so that it overlaps with the bundling that start.ts began before.
  const { startFauxqs } = await import("fauxqs");
  // fauxqs listens on every interface, and an open queue would start workflows for the whole
  // network. Fastify announces each new server; this one gets its host corrected.
  const bindToLoopback = (message: unknown): void => {
    const { fastify } = announcement(message);
    const listen = fastify.listen.bind(fastify);
    fastify.listen = (options) => listen({ ...options, host: "127.0.0.1" });
  };
  diagnostics.subscribe("fastify.initialization", bindToLoopback);
  try {
    return await startFauxqs({
      port: 0,
      logger: false,
      defaultRegion: REGION,
      ...(folder === undefined ? {} : { dataDir: folder, s3StorageDir: join(folder, "payloads") }),
    });
  } finally {
    diagnostics.unsubscribe("fastify.initialization", bindToLoopback);
  }
}

interface Announcement {
  readonly fastify: { listen(options: object): Promise<string> };
}
function announcement(message: unknown): Announcement {
  // The channel's message is typed unknown; its shape is part of Fastify's documentation.
  return message as Announcement;
}

async function setUp(
  server: FauxqsServer,
  client: SQSClient,
  endpoint: string,
  { name, attributes }: QueueSetup,
): Promise<void> {
  const QueueUrl = queueUrl(endpoint, name);
  const kept = server.inspectQueue(name);
  if (kept === undefined) {
    server.createQueue(name, { region: REGION, attributes: { ...attributes } });
    return;
  }
  // Creating it again would delete its messages.
  await client.send(new SetQueueAttributesCommand({ QueueUrl, Attributes: { ...attributes } }));
  // Whoever had received these messages is dead: nothing is gained by waiting for their timeouts.
  await Promise.all(
    kept.messages.inflight.map(({ receiptHandle: ReceiptHandle }) =>
      client.send(
        new ChangeMessageVisibilityCommand({ QueueUrl, ReceiptHandle, VisibilityTimeout: 0 }),
      ),
    ),
  );
}

/**
 * fauxqs 2.4 writes NULL into a NOT NULL column when a message's visibility is set to 0, and the
 * message is lost. Its tables are created only when they do not exist: this one is created before,
 * with a column that takes its default instead.
 */
async function prepareStore(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const database = new DatabaseSync(join(folder, "fauxqs.db"));
  database.exec(`CREATE TABLE IF NOT EXISTS sqs_messages (
    message_id TEXT PRIMARY KEY,
    queue_name TEXT NOT NULL REFERENCES sqs_queues(name) ON DELETE CASCADE,
    body TEXT NOT NULL,
    md5_of_body TEXT NOT NULL,
    message_attributes TEXT NOT NULL,
    md5_of_message_attributes TEXT NOT NULL,
    sent_timestamp INTEGER NOT NULL,
    approximate_receive_count INTEGER NOT NULL ON CONFLICT REPLACE DEFAULT 0,
    approximate_first_receive_timestamp INTEGER,
    delay_until INTEGER,
    message_group_id TEXT,
    message_deduplication_id TEXT,
    sequence_number TEXT,
    receipt_handle TEXT,
    visibility_deadline INTEGER
  )`);
  database.close();
}

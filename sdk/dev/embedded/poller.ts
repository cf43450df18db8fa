/**
 * The event-source poller: receives batches from a queue, invokes the function with Lambda's SQS
 * event, and deletes exactly the messages that the function reports as done.
 */

import { setTimeout as delay } from "node:timers/promises";
import {
  DeleteMessageBatchCommand,
  type Message,
  type MessageAttributeValue,
  ReceiveMessageCommand,
  type SQSClient,
} from "@aws-sdk/client-sqs";
import type { SQSEvent, SQSMessageAttributes, SQSRecord } from "aws-lambda";
import { batchOutcome } from "./batch-response.ts";
import { type EventSource, queueArn, REGION } from "./deployment.ts";
import { type Log, stackLine } from "./log.ts";
import type { InvocationResult } from "./wire.ts";

export interface Poller {
  /** Receives nothing more; batches in work are not waited for. */
  stop(): Promise<void>;
}

export interface PollerOptions {
  readonly client: SQSClient;
  readonly url: string;
  readonly source: EventSource;
  readonly log: Log;
  invoke(event: SQSEvent): Promise<InvocationResult>;
}

/** Seconds of one long poll: SQS's longest. */
const WAIT_SECONDS = 20;
const AFTER_ERROR_MS = 500;
/**
 * Milliseconds for which messages are gathered into a batch while another one is in work. Without it
 * the outcomes of a fan-out come one by one into functions that race for the same run's log.
 */
const GATHER_MS = 25;

export function startPoller(options: PollerOptions): Poller {
  const stopping = new AbortController();
  const polling = poll(options, stopping.signal);
  return {
    async stop() {
      stopping.abort();
      await polling;
    },
  };
}

// One receiver, so that a message wakes one long poll; it waits while all batches are in work.
async function poll(options: PollerOptions, stopping: AbortSignal): Promise<void> {
  const working = new Set<Promise<void>>();
  while (!stopping.aborted) {
    if (working.size >= options.source.concurrencyMax) {
      await Promise.race([...working, aborted(stopping)]);
      continue;
    }
    if (working.size > 0 && options.source.batchSizeMax > 1)
      await Promise.race([...working, delay(GATHER_MS), aborted(stopping)]);
    const messages = await receive(options, stopping);
    if (messages.length === 0) continue;
    const work = handleBatch(options, messages, stopping);
    working.add(work);
    void work.finally(() => working.delete(work));
  }
}

async function receive(
  { client, url, source, log }: PollerOptions,
  stopping: AbortSignal,
): Promise<readonly Message[]> {
  try {
    const { Messages } = await client.send(
      new ReceiveMessageCommand({
        QueueUrl: url,
        MaxNumberOfMessages: source.batchSizeMax,
        WaitTimeSeconds: WAIT_SECONDS,
        MessageSystemAttributeNames: ["All"],
        MessageAttributeNames: ["All"],
      }),
      { abortSignal: stopping },
    );
    return Messages ?? [];
  } catch (error) {
    if (stopping.aborted) return [];
    log(stackLine("error", `receiving from ${source.queue} failed: ${String(error)}`));
    await delay(AFTER_ERROR_MS);
    return [];
  }
}

async function handleBatch(
  options: PollerOptions,
  messages: readonly Message[],
  stopping: AbortSignal,
): Promise<void> {
  const { source, log } = options;
  const records = messages.map((message) => sqsRecord(message, source.queue));
  const result = await options.invoke({ Records: records });
  if (stopping.aborted) return;
  const done = doneMessages(result, records, (reason) =>
    log(stackLine("error", `a batch of ${source.queue} failed: ${reason}`)),
  );
  if (done.length === 0) return;
  try {
    await options.client.send(
      new DeleteMessageBatchCommand({
        QueueUrl: options.url,
        Entries: done.map(({ receiptHandle }, index) => ({
          Id: String(index),
          ReceiptHandle: receiptHandle,
        })),
      }),
    );
  } catch (error) {
    // They come back: a message is delivered at least once.
    if (!stopping.aborted)
      log(stackLine("error", `deleting from ${source.queue} failed: ${String(error)}`));
  }
}

function doneMessages(
  result: InvocationResult,
  records: readonly SQSRecord[],
  onFailure: (reason: string) => void,
): readonly SQSRecord[] {
  if (result.kind === "failed") {
    onFailure(`${result.error.errorType}: ${result.error.errorMessage}`);
    return [];
  }
  const answer: unknown = JSON.parse(result.payload);
  const { succeeded, malformed } = batchOutcome(
    answer,
    records.map(({ messageId }) => messageId),
  );
  if (malformed !== undefined) onFailure(`its answer is malformed: ${malformed}`);
  return records.filter(({ messageId }) => succeeded.includes(messageId));
}

function sqsRecord(message: Message, queue: string): SQSRecord {
  const system = message.Attributes ?? {};
  return {
    messageId: message.MessageId ?? "",
    receiptHandle: message.ReceiptHandle ?? "",
    body: message.Body ?? "",
    attributes: {
      ...system,
      ApproximateReceiveCount: system.ApproximateReceiveCount ?? "1",
      SentTimestamp: system.SentTimestamp ?? "0",
      SenderId: system.SenderId ?? "",
      ApproximateFirstReceiveTimestamp: system.ApproximateFirstReceiveTimestamp ?? "0",
    },
    messageAttributes: messageAttributes(message.MessageAttributes ?? {}),
    md5OfBody: message.MD5OfBody ?? "",
    eventSource: "aws:sqs",
    eventSourceARN: queueArn(queue),
    awsRegion: REGION,
  };
}

function messageAttributes(
  attributes: Readonly<Record<string, MessageAttributeValue>>,
): SQSMessageAttributes {
  return Object.fromEntries(
    Object.entries(attributes).map(([name, { StringValue, BinaryValue, DataType }]) => [
      name,
      {
        ...(StringValue === undefined ? {} : { stringValue: StringValue }),
        ...(BinaryValue === undefined
          ? {}
          : { binaryValue: Buffer.from(BinaryValue).toString("base64") }),
        stringListValues: [],
        binaryListValues: [],
        dataType: DataType ?? "String",
      },
    ]),
  );
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

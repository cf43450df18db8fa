/**
 * Lambda's event-source mapping from a queue to a function: batches, the rules of partial batch
 * responses, and a limit of concurrent invocations.
 */
import type { SQSEvent, SQSRecord } from "aws-lambda";
import type { Gate } from "./gate.ts";
import type { FakeLambda, InvocationResult } from "./lambda.ts";
import type { Scheduler } from "./scheduler.ts";
import { type FakeQueue, type ReceivedMessage, systemAttributes } from "./sqs-queue.ts";

export interface EventSourceOptions {
  readonly queue: FakeQueue;
  readonly functionName: string;
  /** At most 10. */
  readonly batchSize: number;
  /** Milliseconds that a first message waits for company. */
  readonly windowMs: number;
  readonly concurrencyMax: number;
}

export class EventSource {
  readonly #options: EventSourceOptions;
  readonly #lambda: FakeLambda;
  readonly #scheduler: Scheduler;
  readonly #gate: Gate;
  #isScheduled = false;
  #running = 0;

  constructor(
    options: EventSourceOptions,
    world: { readonly lambda: FakeLambda; readonly scheduler: Scheduler; readonly gate: Gate },
  ) {
    this.#options = options;
    this.#lambda = world.lambda;
    this.#scheduler = world.scheduler;
    this.#gate = world.gate;
    options.queue.onVisible = () => this.#schedule(options.windowMs);
  }

  /** Whether an invocation of this mapping runs now. */
  get running(): number {
    return this.#running;
  }

  #schedule(delayMs: number): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#scheduler.at(delayMs, () => {
      this.#isScheduled = false;
      this.#poll();
    });
  }

  #poll(): void {
    while (this.#running < this.#options.concurrencyMax) {
      const messages = this.#options.queue.receive(this.#options.batchSize);
      if (messages.length === 0) return;
      this.#running += 1;
      void this.#work(messages).finally(() => {
        this.#running -= 1;
        this.#schedule(0);
      });
    }
  }

  async #work(messages: readonly ReceivedMessage[]): Promise<void> {
    const { queue, functionName } = this.#options;
    const result = await this.#lambda.invoke(functionName, sqsEvent(queue, messages));
    for (const message of succeeded(messages, result)) {
      const operation = {
        service: "sqs",
        action: "DeleteMessage",
        resource: queue.options.name,
        call: `DeleteMessage ${queue.options.name}`,
        input: { ReceiptHandle: message.receiptHandle },
        process: undefined,
      } as const;
      await this.#gate(operation, () => queue.delete(message.receiptHandle));
    }
  }
}

/**
 * The messages that the mapping deletes. A handler that failed returns all of them to the queue; so
 * does a response that names an unknown message or has a wrong entry. A response without a list of
 * failures, whatever else it is, counts as success for all.
 */
export function succeeded(
  messages: readonly ReceivedMessage[],
  result: InvocationResult,
): readonly ReceivedMessage[] {
  if (result.kind === "failed") return [];
  const failures = failureList(result.payload);
  if (failures === undefined) return messages;
  const known = new Set(messages.map(({ messageId }) => messageId));
  const failed = new Set<string>();
  for (const failure of failures) {
    const id = identifierOf(failure);
    if (id === undefined || !known.has(id)) return [];
    failed.add(id);
  }
  return messages.filter(({ messageId }) => !failed.has(messageId));
}

function failureList(payload: unknown): readonly unknown[] | undefined {
  if (typeof payload !== "object" || payload === null) return undefined;
  if (!("batchItemFailures" in payload)) return undefined;
  return Array.isArray(payload.batchItemFailures) ? payload.batchItemFailures : undefined;
}

function identifierOf(failure: unknown): string | undefined {
  if (typeof failure !== "object" || failure === null || !("itemIdentifier" in failure))
    return undefined;
  const id = failure.itemIdentifier;
  return typeof id === "string" && id !== "" ? id : undefined;
}

/** The event as Lambda builds it. */
export function sqsEvent(queue: FakeQueue, messages: readonly ReceivedMessage[]): SQSEvent {
  return {
    Records: messages.map(
      (message): SQSRecord => ({
        messageId: message.messageId,
        receiptHandle: message.receiptHandle,
        body: message.body,
        attributes: systemAttributes(message),
        messageAttributes: {},
        md5OfBody: message.md5,
        eventSource: "aws:sqs",
        eventSourceARN: queue.arn,
        awsRegion: queue.arn.split(":")[3] ?? "",
      }),
    ),
  };
}

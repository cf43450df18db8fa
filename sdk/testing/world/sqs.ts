/**
 * A fake SQS at the level of the client's `send(command)`: standard queues with delay, visibility
 * timeout, receive count, dead-letter queue, and the service's limits and refusals.
 */
import { utf8Bytes } from "../../core/payload.ts";
import { METADATA, serviceError } from "./aws-errors.ts";
import { type Command, checkParameters, commandName, UnsupportedByFake } from "./gate.ts";
import type { Scheduler } from "./scheduler.ts";
import {
  FakeQueue,
  type MovedMessage,
  md5,
  type QueueOptions,
  systemAttributes,
} from "./sqs-queue.ts";

const MESSAGE_BYTES_MAX = 1_048_576;
const DELAY_SECONDS_MAX = 900;
const VISIBILITY_SECONDS_MAX = 43_200;
const BATCH_MAX = 10;
/** What XML 1.0 and therefore SQS allows in a body. */
const FORBIDDEN = /[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/u;
const ACTIONS: Readonly<Record<string, readonly string[]>> = {
  SendMessage: ["QueueUrl", "MessageBody", "DelaySeconds"],
  SendMessageBatch: ["QueueUrl", "Entries"],
  ChangeMessageVisibility: ["QueueUrl", "ReceiptHandle", "VisibilityTimeout"],
  DeleteMessage: ["QueueUrl", "ReceiptHandle"],
  ReceiveMessage: [
    "QueueUrl",
    "MaxNumberOfMessages",
    "VisibilityTimeout",
    "MessageSystemAttributeNames",
    "WaitTimeSeconds",
  ],
  GetQueueAttributes: ["QueueUrl", "AttributeNames"],
};

export class FakeSqs {
  readonly #queues = new Map<string, FakeQueue>();

  /** @param url makes a queue's URL from its name, which is its last part */
  constructor(
    queues: readonly QueueOptions[],
    url: (name: string) => string,
    scheduler: Scheduler,
  ) {
    for (const options of queues) {
      const deadLetter = (message: MovedMessage): void => {
        this.queue(options.deadLetter?.queue ?? "").send(message.body, 0, message);
      };
      const queue = new FakeQueue(options, url(options.name), scheduler, deadLetter);
      this.#queues.set(options.name, queue);
    }
  }

  queue(name: string): FakeQueue {
    const queue = this.#queues.get(name);
    if (queue === undefined)
      throw serviceError("QueueDoesNotExist", "The specified queue does not exist.");
    return queue;
  }

  queues(): readonly FakeQueue[] {
    return [...this.#queues.values()];
  }

  /** Understands a command: the action, the queue's name and how many messages it would send. */
  request(command: Command): SqsRequest {
    const action = commandName(command).replace(/Command$/, "");
    const parameters = ACTIONS[action];
    if (parameters === undefined) throw new UnsupportedByFake(`the SQS command ${action}`);
    checkParameters(action, command.input, parameters);
    const input: Input = { ...command.input };
    const queue = String(input["QueueUrl"]).split("/").at(-1) ?? "";
    return { action, queue, input };
  }

  perform({ action, queue: name, input }: SqsRequest): SqsOutput {
    const queue = this.queue(name);
    switch (action) {
      case "SendMessage":
        return sendOne(queue, input);
      case "SendMessageBatch":
        return sendBatch(queue, input);
      case "DeleteMessage":
        queue.delete(text(input, "ReceiptHandle"));
        return { $metadata: METADATA };
      case "ChangeMessageVisibility":
        queue.changeVisibility(
          text(input, "ReceiptHandle"),
          1_000 * seconds(input, "VisibilityTimeout", VISIBILITY_SECONDS_MAX, 0),
        );
        return { $metadata: METADATA };
      case "ReceiveMessage":
        return receive(queue, input);
      default: {
        const { visible, delayed, inFlight } = queue.depth();
        return {
          $metadata: METADATA,
          Attributes: {
            QueueArn: queue.arn,
            ApproximateNumberOfMessages: String(visible),
            ApproximateNumberOfMessagesDelayed: String(delayed),
            ApproximateNumberOfMessagesNotVisible: String(inFlight),
          },
        };
      }
    }
  }

  async send(command: Command): Promise<SqsOutput> {
    return this.perform(this.request(command));
  }
}

type Input = Readonly<Record<string, unknown>>;
type BatchResult = Readonly<Record<string, string | boolean | undefined>>;
/** The parts of the commands' outputs that are imitated. */
export interface SqsOutput {
  readonly $metadata: object;
  readonly MessageId?: string;
  readonly MD5OfMessageBody?: string;
  readonly Successful?: readonly BatchResult[];
  readonly Failed?: readonly BatchFailure[];
  readonly Messages?: readonly object[];
  readonly Attributes?: Readonly<Record<string, string>>;
}
interface BatchFailure {
  readonly Id: string;
  readonly Code: string;
  readonly Message: string;
  readonly SenderFault: boolean;
}
export interface SqsRequest {
  readonly action: string;
  /** The queue's name. */
  readonly queue: string;
  readonly input: Input;
}

function sendOne(queue: FakeQueue, input: Input): SqsOutput {
  const body = text(input, "MessageBody");
  const delay = seconds(input, "DelaySeconds", DELAY_SECONDS_MAX, 0);
  checkBody(body);
  if (utf8Bytes(body) > MESSAGE_BYTES_MAX)
    throw serviceError(
      "InvalidParameterValue",
      `One or more parameters are invalid. Reason: Message must be shorter than ${MESSAGE_BYTES_MAX} bytes.`,
    );
  const id = queue.send(body, 1_000 * delay);
  return { $metadata: METADATA, MessageId: id, MD5OfMessageBody: md5(body) };
}

function sendBatch(queue: FakeQueue, input: Input): SqsOutput {
  const entries = batchEntries(input["Entries"]);
  const successful: BatchResult[] = [];
  const failed: BatchFailure[] = [];
  for (const entry of entries) {
    const id = text(entry, "Id");
    try {
      const { MessageId, MD5OfMessageBody } = sendOne(queue, entry);
      successful.push({ Id: id, MessageId, MD5OfMessageBody });
    } catch (error) {
      if (!(error instanceof Error) || error instanceof UnsupportedByFake) throw error;
      failed.push({ Id: id, Code: error.name, Message: error.message, SenderFault: true });
    }
  }
  return {
    $metadata: METADATA,
    ...(successful.length === 0 ? {} : { Successful: successful }),
    ...(failed.length === 0 ? {} : { Failed: failed }),
  };
}

function batchEntries(value: unknown): readonly Input[] {
  const entries: readonly unknown[] = Array.isArray(value) ? value : [];
  if (entries.length === 0)
    throw serviceError("EmptyBatchRequest", "The batch request doesn't contain any entries.");
  if (entries.length > BATCH_MAX)
    throw serviceError("TooManyEntriesInBatchRequest", `At most ${BATCH_MAX} entries are allowed.`);
  const inputs = entries.map((entry): Input => ({ ...(typeof entry === "object" ? entry : {}) }));
  for (const entry of inputs)
    checkParameters("SendMessageBatch", entry, ["Id", "MessageBody", "DelaySeconds"]);
  const ids = inputs.map((entry) => text(entry, "Id"));
  if (!ids.every((id) => /^[\w-]{1,80}$/.test(id)))
    throw serviceError("InvalidBatchEntryId", "A batch entry id has 1 to 80 of A-Z a-z 0-9 _ -");
  if (new Set(ids).size !== ids.length)
    throw serviceError("BatchEntryIdsNotDistinct", "Two batch entries have the same id.");
  const bytes = inputs.reduce((sum, entry) => sum + utf8Bytes(text(entry, "MessageBody")), 0);
  if (bytes > MESSAGE_BYTES_MAX)
    throw serviceError(
      "BatchRequestTooLong",
      `Batch requests cannot be longer than ${MESSAGE_BYTES_MAX} bytes.`,
    );
  return inputs;
}

function receive(queue: FakeQueue, input: Input): SqsOutput {
  const count = input["MaxNumberOfMessages"] ?? 1;
  if (typeof count !== "number" || count < 1 || count > BATCH_MAX)
    throw serviceError("InvalidParameterValue", "MaxNumberOfMessages must be between 1 and 10.");
  if (input["WaitTimeSeconds"] !== undefined && input["WaitTimeSeconds"] !== 0)
    throw new UnsupportedByFake("long polling: WaitTimeSeconds above 0");
  const timeout = input["VisibilityTimeout"];
  const messages = queue.receive(
    count,
    timeout === undefined
      ? undefined
      : 1_000 * seconds(input, "VisibilityTimeout", VISIBILITY_SECONDS_MAX, 0),
  );
  return {
    $metadata: METADATA,
    ...(messages.length === 0
      ? {}
      : {
          Messages: messages.map((message) => ({
            MessageId: message.messageId,
            ReceiptHandle: message.receiptHandle,
            Body: message.body,
            MD5OfBody: message.md5,
            Attributes: systemAttributes(message),
          })),
        }),
  };
}

function checkBody(body: string): void {
  if (body === "")
    throw serviceError("MissingParameter", "The request must contain the parameter MessageBody.");
  if (FORBIDDEN.test(body) || !body.isWellFormed())
    throw serviceError(
      "InvalidMessageContents",
      "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF",
    );
}

function text(input: Input, name: string): string {
  const value = input[name];
  if (typeof value !== "string")
    throw serviceError("MissingParameter", `The request must contain the parameter ${name}.`);
  return value;
}

function seconds(input: Input, name: string, max: number, otherwise: number): number {
  const value = input[name] ?? otherwise;
  if (typeof value !== "number" || !Number.isInteger(value) || value < 0 || value > max)
    throw serviceError(
      "InvalidParameterValue",
      `Value ${String(value)} for parameter ${name} is invalid. Reason: ${name} must be >= 0 and <= ${max}.`,
    );
  return value;
}

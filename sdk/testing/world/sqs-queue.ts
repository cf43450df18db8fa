/** One standard queue: delay, visibility timeout, receive count, dead letters. */
import { createHash } from "node:crypto";
import { serviceError } from "./aws-errors.ts";
import type { Scheduled, Scheduler } from "./scheduler.ts";

const ACCOUNT = "000000000000";
const REGION = "us-east-1";

export interface QueueOptions {
  readonly name: string;
  readonly visibilityTimeoutMs: number;
  /** The queue that takes messages received more often than `maxReceiveCount`. */
  readonly deadLetter?: { readonly queue: string; readonly maxReceiveCount: number };
}

interface Message {
  readonly id: string;
  readonly body: string;
  readonly sentAt: number;
  readonly ordinal: number;
  firstReceivedAt: number | undefined;
  receives: number;
  visibleAt: number;
  /** The newest handle: older ones neither delete nor defer once the message was received again. */
  handle: string | undefined;
  wake: Scheduled | undefined;
}

/** A message that comes from another queue: it keeps its id and age. */
export interface MovedMessage {
  readonly body: string;
  readonly id: string;
  readonly sentAt: number;
}

/** A message as a consumer gets it. */
export interface ReceivedMessage {
  readonly messageId: string;
  readonly receiptHandle: string;
  readonly body: string;
  readonly md5: string;
  readonly sentAt: number;
  readonly firstReceivedAt: number;
  readonly receives: number;
}

/** What SQS is allowed to do to a message; a simulation makes it do so. */
export interface QueueDisturbance {
  /** Milliseconds for which a message is hidden once it was sent or received, given those asked for. */
  hideMs(ms: number, why: "sent" | "received"): number;
  /** Whether a delete with an older handle removes the message after all. */
  deletesByOlderHandle(): boolean;
}

const UNDISTURBED: QueueDisturbance = {
  hideMs: (ms) => ms,
  deletesByOlderHandle: () => false,
};

export interface QueueDepth {
  readonly visible: number;
  readonly delayed: number;
  readonly inFlight: number;
}

export class FakeQueue {
  readonly options: QueueOptions;
  readonly url: string;
  readonly arn: string;
  readonly #scheduler: Scheduler;
  readonly #messages = new Map<string, Message>();
  readonly #deadLetter: (message: MovedMessage) => void;
  #ordinal = 0;
  disturbance: QueueDisturbance = UNDISTURBED;
  /** Called when a message has become visible. */
  onVisible: () => void = () => {};
  /** Called when a message was deleted. */
  onDelete: (body: string) => void = () => {};

  /** @param url the queue's URL; its last part is the name */
  constructor(
    options: QueueOptions,
    url: string,
    scheduler: Scheduler,
    deadLetter: (message: MovedMessage) => void,
  ) {
    this.options = options;
    this.url = url;
    this.arn = `arn:aws:sqs:${REGION}:${ACCOUNT}:${options.name}`;
    this.#scheduler = scheduler;
    this.#deadLetter = deadLetter;
  }

  send(body: string, delayMs: number, moved?: MovedMessage): string {
    const ordinal = this.#ordinal++;
    const id = moved?.id ?? messageId(this.options.name, ordinal);
    const now = this.#scheduler.now();
    const message: Message = {
      id,
      body,
      sentAt: moved?.sentAt ?? now,
      ordinal,
      firstReceivedAt: undefined,
      receives: 0,
      visibleAt: now,
      handle: undefined,
      wake: undefined,
    };
    this.#messages.set(id, message);
    this.#hide(message, this.disturbance.hideMs(delayMs, "sent"));
    return id;
  }

  /** Takes up to `count` visible messages, oldest first, and hides them for the visibility timeout. */
  receive(count: number, visibilityMs?: number): readonly ReceivedMessage[] {
    const now = this.#scheduler.now();
    const visible = [...this.#messages.values()]
      .filter((message) => message.visibleAt <= now)
      .sort((left, right) => left.visibleAt - right.visibleAt || left.ordinal - right.ordinal);
    const received: ReceivedMessage[] = [];
    for (const message of visible) {
      if (received.length === count) break;
      const dead = this.options.deadLetter;
      if (dead !== undefined && message.receives >= dead.maxReceiveCount) {
        this.#remove(message);
        this.#deadLetter(message);
        continue;
      }
      message.receives += 1;
      message.firstReceivedAt ??= now;
      message.handle = `${message.id}#${message.receives}`;
      const hiddenMs = visibilityMs ?? this.options.visibilityTimeoutMs;
      this.#hide(message, this.disturbance.hideMs(hiddenMs, "received"));
      received.push(asReceived(message, message.handle, message.firstReceivedAt));
    }
    return received;
  }

  /**
   * Deletes by the newest handle. An older one is accepted and deletes nothing, which SQS allows
   * itself; so is one whose message is gone.
   */
  delete(handle: string): void {
    const message = this.#byHandle(handle);
    if (message === undefined) return;
    if (message.handle !== handle && !this.disturbance.deletesByOlderHandle()) return;
    this.#remove(message);
    this.onDelete(message.body);
  }

  changeVisibility(handle: string, ms: number): void {
    const message = this.#byHandle(handle);
    if (message === undefined || message.handle !== handle)
      throw serviceError(
        "InvalidParameterValue",
        "Value for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change.",
      );
    if (message.visibleAt <= this.#scheduler.now())
      throw serviceError("MessageNotInflight", "The specified message isn't in flight.");
    this.#hide(message, ms);
  }

  /** Removes every message, those in flight and delayed ones included. */
  purge(): void {
    for (const message of this.#messages.values()) this.#remove(message);
  }

  depth(): QueueDepth {
    const now = this.#scheduler.now();
    let [visible, delayed, inFlight] = [0, 0, 0];
    for (const message of this.#messages.values()) {
      if (message.visibleAt <= now) visible += 1;
      else if (message.receives > 0) inFlight += 1;
      else delayed += 1;
    }
    return { visible, delayed, inFlight };
  }

  bodies(): readonly string[] {
    return [...this.#messages.values()].map(({ body }) => body);
  }

  #byHandle(handle: string): Message | undefined {
    const at = handle.lastIndexOf("#");
    if (at === -1)
      throw serviceError("ReceiptHandleIsInvalid", "The input receipt handle is invalid.");
    return this.#messages.get(handle.slice(0, at));
  }

  #hide(message: Message, ms: number): void {
    message.wake?.cancel();
    message.visibleAt = this.#scheduler.now() + Math.max(0, Math.ceil(ms));
    message.wake = this.#scheduler.at(ms, () => this.onVisible());
  }

  #remove(message: Message): void {
    message.wake?.cancel();
    this.#messages.delete(message.id);
  }
}

/** The attributes that a consumer sees, all of them text. */
export function systemAttributes(message: ReceivedMessage) {
  return {
    ApproximateReceiveCount: String(message.receives),
    SentTimestamp: String(message.sentAt),
    SenderId: "AIDAFAKE",
    ApproximateFirstReceiveTimestamp: String(message.firstReceivedAt),
  };
}

function asReceived(
  message: Message,
  receiptHandle: string,
  firstReceivedAt: number,
): ReceivedMessage {
  const { id, body, sentAt, receives } = message;
  const md5OfBody = md5(body);
  return { messageId: id, receiptHandle, body, md5: md5OfBody, sentAt, firstReceivedAt, receives };
}

/** A UUID made of the queue's name and the message's number there: the same in every run. */
function messageId(queue: string, ordinal: number): string {
  const hex = md5(`${queue}/${ordinal}`);
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20),
  ].join("-");
}

export function md5(body: string): string {
  return createHash("md5").update(body).digest("hex");
}

import type { Message } from "./queue.ts";

/** A message that was delivered too often without being deleted. */
export interface DeadLetter {
  /** Undefined when the body is not a message: it stays where it is, seen by the queue's alarm. */
  readonly message: Message | undefined;
  readonly deadLetterQueueUrl: string;
  readonly queueUrl: string;
  readonly body: string;
  readonly handle: string;
}

export interface DeadLetters {
  /** Some messages of every dead-letter queue, made invisible for a while. */
  receive(): Promise<readonly DeadLetter[]>;
  /** Sends the unchanged body back to its queue, then deletes it from the dead-letter queue (R13). */
  redrive(letter: DeadLetter): Promise<void>;
}

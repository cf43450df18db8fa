import type { ActivityTaskMessage, WorkflowTaskMessage } from "../core/messages.ts";

export type Message = WorkflowTaskMessage | ActivityTaskMessage;

export interface Outgoing {
  readonly message: Message;
  /** Milliseconds, at most QUEUE_DELAY_MS_MAX. */
  readonly delayMs: number;
}

export interface Queue {
  /**
   * Sends messages, in batches of ten per queue: workflow tasks to their queue, activity tasks to
   * the queue that their options name. @throws InfrastructureError when any may not have been sent
   */
  send(messages: readonly Outgoing[]): Promise<void>;
  /** Makes a received message visible again after `ms`. A message that is gone is not an error. */
  defer(received: Received, ms: number): Promise<void>;
}

/** A message as the function received it. `handle` is absent when it came by a direct invocation. */
export interface Received {
  readonly message: Message;
  readonly handle?: string;
}

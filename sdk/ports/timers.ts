import type { ActivityTaskMessage, WorkflowTaskMessage } from "../core/messages.ts";

/** A message that is due later than the queue can delay (15 minutes). */
export interface TimerEntry {
  /** Equal ids are one entry: putting it again changes its nonce alone. */
  readonly id: string;
  readonly namespace: string;
  readonly due: number;
  /** Fresh for every put: who removes an entry removes the one that it has read. */
  readonly nonce: string;
  readonly message: WorkflowTaskMessage | ActivityTaskMessage;
}

export interface Timers {
  put(entry: TimerEntry): Promise<void>;
  /** Entries due before `until`, oldest first, strongly consistent. */
  due(namespace: string, until: number, limit: number): Promise<readonly TimerEntry[]>;
  /** Removes an entry, unless it was put again since it was read. */
  remove(entry: TimerEntry): Promise<void>;
}

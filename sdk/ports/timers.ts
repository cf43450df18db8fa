import type { ActivityTaskMessage, WorkflowTaskMessage } from "../core/messages.ts";

/** A message that is due later than the queue can delay (15 minutes). */
export interface TimerEntry {
  /** Equal ids are one entry: putting it again changes nothing. */
  readonly id: string;
  readonly namespace: string;
  readonly due: number;
  readonly message: WorkflowTaskMessage | ActivityTaskMessage;
}

export interface Timers {
  put(entry: TimerEntry): Promise<void>;
  /** Entries due before `until`, oldest first, strongly consistent. */
  due(namespace: string, until: number, limit: number): Promise<readonly TimerEntry[]>;
  remove(entry: TimerEntry): Promise<void>;
}

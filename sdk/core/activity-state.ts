/** One open activity of a run, as the fold of its events says. */
import { invariant } from "./errors.ts";
import type { ActivityFields } from "./events.ts";
import type { ActivityOptionsSnapshot } from "./options.ts";
import type { Payload } from "./payload.ts";

export interface ActivityState extends ActivityFields {
  readonly options: ActivityOptionsSnapshot;
  readonly arguments: Payload;
  readonly scheduled_at: number;
  /** The position in the log of its ActivityScheduled. */
  readonly scheduled_in: number;
  readonly schedule_to_close_deadline_at?: number;
  /**
   * scheduled: its first dispatch is out (queued) or it waits for a free place (local).
   * started: a local attempt runs under the lease. backing_off: a retry waits for its time.
   */
  phase: "scheduled" | "started" | "backing_off";
  /** Queued: the attempt that is handed out. Local: the last attempt that started; 0 before. */
  attempt: number;
  /** The sequence of the batch that announced the current dispatch. */
  announced_in: number;
  /** The sequence of the batch that holds its ActivityScheduled, which announced its deadlines. */
  readonly scheduled_batch: number;
  retry_available_at?: number;
  /** The retry's wake-up was recorded while another invocation held the lease (R7). */
  retry_due: boolean;
  started_at?: number;
  close_deadline_at?: number;
  heartbeat_at?: number;
  last_heartbeat?: Payload;
}

/** When the retry of an activity that backs off may start, milliseconds since the epoch. */
export function retryAt({ sequence, retry_available_at: at }: ActivityState): number {
  invariant(at !== undefined, `activity ${sequence} waits for no retry`);
  return at;
}

/** Whether an attempt of a local activity can start at this time. */
export function isStartable(activity: ActivityState, now: number): boolean {
  switch (activity.phase) {
    case "scheduled":
      return true;
    case "backing_off":
      return activity.retry_due || retryAt(activity) <= now;
    case "started":
      return false;
  }
}

/** What the body of an activity can ask of the attempt that runs it, queued or local. */
import type { ActivityInfo } from "../ports/user-code.ts";
import { activityScope } from "./scope.ts";

/** What is known of the running attempt; `idempotencyKey` is the same for all attempts (B-14). @throws PawlError outside_activity */
export function activityInfo(): ActivityInfo {
  return activityScope("activityInfo()").runtime.info;
}

/**
 * Says that the attempt is alive and how far it is (I-01, I-02): any JSON of at most 65,536 bytes,
 * or nothing. Renews the attempt's lease. Resolves once the beat is durable; not awaited, at most
 * one beat a second is written.
 *
 * @throws PawlError outside_activity
 * @throws CancelledFailure when the attempt should stop: cancelled, over time, or superseded (J-02)
 */
export function heartbeat(details?: unknown): Promise<void> {
  return activityScope("heartbeat()").runtime.heartbeat(details);
}

/** The details of the previous attempt's last heartbeat, to go on from there (I-05); else undefined. @throws PawlError outside_activity */
export function heartbeatDetails<T = unknown>(): T | undefined {
  // The author of the activity wrote them: the type is theirs to know.
  return activityScope("heartbeatDetails()").runtime.heartbeatDetails as T | undefined;
}

/** Aborts when the attempt should stop: give it to fetch and the like. @throws PawlError outside_activity */
export function abortSignal(): AbortSignal {
  return activityScope("abortSignal()").runtime.signal;
}

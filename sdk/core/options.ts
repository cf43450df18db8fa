/**
 * Activity options as recorded: normalised, in milliseconds, only what differs from the defaults.
 * Parsing of what users write is in `parse-options.ts`.
 */

/** How the delays of retries are spread; drawn from run, activity and attempt, so replays agree. */
export const JITTERS = ["none", "equal", "full"] as const;
export type Jitter = (typeof JITTERS)[number];

export interface RetryPolicySnapshot {
  /** Attempts in all, the first included (G-01). Default {@link DEFAULT_MAX_ATTEMPTS}. */
  readonly max_attempts?: number;
  /** Default 1,000. */
  readonly initial_interval_ms?: number;
  /** Default 2. */
  readonly backoff_coefficient?: number;
  /** Default 60,000. */
  readonly maximum_interval_ms?: number;
  /** Overrides interval and coefficient; the last one repeats (C-13). */
  readonly backoff_ms?: readonly number[];
  readonly non_retryable_error_types?: readonly string[];
  /** Default "none". */
  readonly jitter?: Jitter;
}

/** What an activity call was scheduled with; stored in ActivityScheduled. */
export interface ActivityOptionsSnapshot {
  readonly retry_policy?: RetryPolicySnapshot;
  readonly start_to_close_ms?: number;
  readonly schedule_to_close_ms?: number;
  /** Queued activities only. */
  readonly schedule_to_start_ms?: number;
  readonly heartbeat_ms?: number;
  /** The task queue of a queued activity; absent means the default queue. */
  readonly queue?: string;
}

export const DEFAULT_QUEUE = "default";

/** Retry policies to delays. Pure: jitter is drawn from what the run, activity and attempt are called. */
import { DEFAULT_MAX_ATTEMPTS } from "./limits.ts";
import type { RetryPolicySnapshot } from "./options.ts";
import { seededRandom } from "./random.ts";

/** A policy with its defaults filled in (design section 4). */
export interface RetryPolicy {
  readonly max_attempts: number;
  readonly initial_interval_ms: number;
  readonly backoff_coefficient: number;
  readonly maximum_interval_ms: number;
  readonly backoff_ms: readonly number[];
  readonly non_retryable_error_types: readonly string[];
  readonly jitter: "none" | "equal" | "full";
}

const DEFAULTS: RetryPolicy = {
  max_attempts: DEFAULT_MAX_ATTEMPTS,
  initial_interval_ms: 1_000,
  backoff_coefficient: 2,
  maximum_interval_ms: 60_000,
  backoff_ms: [],
  non_retryable_error_types: [],
  jitter: "none",
};

export function fullPolicy(snapshot: RetryPolicySnapshot | undefined): RetryPolicy {
  return { ...DEFAULTS, ...snapshot };
}

/**
 * Milliseconds between the end of `attempt` (from 1) and the next one (G-02, C-13).
 * @param seed names run and activity, so that every replay draws the same jitter
 */
export function backoffMs(policy: RetryPolicy, attempt: number, seed: string): number {
  const plain = plainBackoffMs(policy, attempt);
  switch (policy.jitter) {
    case "none":
      return plain;
    case "equal":
      return Math.round(plain / 2 + (plain / 2) * seededRandom(`${seed}/${attempt}`)());
    case "full":
      return Math.round(plain * seededRandom(`${seed}/${attempt}`)());
  }
}

function plainBackoffMs(policy: RetryPolicy, attempt: number): number {
  const listed = policy.backoff_ms[Math.min(attempt, policy.backoff_ms.length) - 1];
  if (listed !== undefined) return listed;
  const exponential = policy.initial_interval_ms * policy.backoff_coefficient ** (attempt - 1);
  return Math.min(exponential, policy.maximum_interval_ms);
}

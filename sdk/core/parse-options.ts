/**
 * What authors write as options, to what is recorded: validated, in milliseconds, only what differs
 * from the defaults (C-01 to C-15). Decides which options exist and which values they take; how
 * attempts follow from them is decided in `retry.ts` and `attempt.ts`.
 */
import type { Duration } from "./duration.ts";
import { pawlError } from "./errors.ts";
import { compact, OptionReader } from "./option-reader.ts";
import {
  type ActivityOptionsSnapshot,
  DEFAULT_QUEUE,
  type Jitter,
  type RetryPolicySnapshot,
} from "./options.ts";
import { fullPolicy } from "./retry.ts";

/** How often and how soon an activity is tried again (C-03, C-04, C-13, G-09). */
export interface RetryPolicyOptions {
  /** Attempts in all, the first included: 1 to 10,000. Default 3. */
  readonly maxAttempts?: number;
  /** The delay before the second attempt. Default one second. */
  readonly initialInterval?: Duration;
  /** What each delay is multiplied by, at least 1. Default 2. */
  readonly backoffCoefficient?: number;
  /** No delay is longer. Default one minute. */
  readonly maximumInterval?: Duration;
  /** One delay for all retries, or a list whose last value repeats; replaces interval and coefficient. */
  readonly backoff?: Duration | readonly Duration[];
  /** Types (or names) of errors that are never retried; no duplicates. */
  readonly nonRetryableErrorTypes?: readonly string[];
  /** How delays are spread: not, over their upper half, or over all of it. Default "none". */
  readonly jitter?: Jitter;
}

/**
 * At most `maxExecution` executions per window, shared by all workers (N-01 to N-04).
 * Without `key` the pool is the activity's own; with it, that of all activities with the key.
 */
export type RateLimitOptions = { readonly maxExecution: number; readonly key?: string } & (
  | { readonly timeWindow: Duration; readonly timeWindowInSec?: never }
  | { readonly timeWindowInSec: number; readonly timeWindow?: never }
);

/** What a call can say about an activity, in its definition or with `.with()` (C-15). */
export interface ActivityCallOptions {
  /**
   * The limit of one attempt, at least one second (H-01). Always give one: without it a hung attempt
   * is only stopped by the budget of the function that runs it (H-06).
   */
  readonly startToCloseTimeout?: Duration;
  /** The limit of the whole activity, retries included, at least one second (H-02). */
  readonly scheduleToCloseTimeout?: Duration;
  /** How long a queued activity may wait for its first attempt, at least one second. Ignored in local execution. */
  readonly scheduleToStartTimeout?: Duration;
  /** The longest gap between heartbeats, at least one second (H-03). Ignored in local execution (E-05, V-01). */
  readonly heartbeatTimeout?: Duration;
  /** The task queue: 1 to 64 letters, digits, `-`, `_`. Default "default". Ignored in local execution. */
  readonly queue?: string;
  /** Validated and kept; routes to no particular worker before sticky sessions exist. Ignored in local execution. */
  readonly stickyToWorker?: boolean;
  /** Validated and kept; limits nothing before rate limits exist. Ignored in local execution (N-06). */
  readonly rateLimit?: RateLimitOptions;
  readonly retryPolicy?: RetryPolicyOptions;
}

/** The six options of a local activity (C-09), and by type the ones it must not have (C-10). */
export interface LocalActivityOptionFields {
  /** Attempts in all, the first included: 1 to 10,000. */
  readonly maxAttempts?: number;
  /** One delay for all retries, or a list whose last value repeats. */
  readonly backoff?: Duration | readonly Duration[];
  readonly startToCloseTimeout?: Duration;
  readonly scheduleToCloseTimeout?: Duration;
  /** Enforced, other than the definition's (V-01). */
  readonly heartbeatTimeout?: Duration;
  readonly nonRetryableErrorTypes?: readonly string[];
  readonly connection?: never;
  readonly queue?: never;
  readonly workerSession?: never;
  readonly stickyToWorker?: never;
  readonly rateLimit?: never;
  readonly scheduleToStartTimeout?: never;
}

export interface RateLimitSettings {
  readonly timeWindowMs: number;
  readonly maxExecution: number;
  readonly key?: string;
}

/** Options as read: defaults that were written out are still in `snapshot`, so that they override. */
export interface ActivitySettings {
  readonly snapshot: ActivityOptionsSnapshot;
  readonly stickyToWorker?: boolean;
  readonly rateLimit?: RateLimitSettings;
}

/** What a local call is scheduled with, and the options that were left out because it is local (E-05). */
export interface LocalSettings {
  readonly options: ActivityOptionsSnapshot;
  readonly ignored: readonly string[];
}

const ATTEMPTS_MAX = 10_000;
const RATE_LIMIT_MAX = 1_000_000;
const QUEUE_NAME = /^[A-Za-z0-9_-]{1,64}$/;
const KEY = /^.+$/;

const ACTIVITY_OPTIONS = [
  "startToCloseTimeout",
  "scheduleToCloseTimeout",
  "scheduleToStartTimeout",
  "heartbeatTimeout",
  "queue",
  "stickyToWorker",
  "rateLimit",
  "retryPolicy",
] as const satisfies readonly (keyof ActivityCallOptions)[];
const LOCAL_OPTIONS = [
  "maxAttempts",
  "backoff",
  "startToCloseTimeout",
  "scheduleToCloseTimeout",
  "heartbeatTimeout",
  "nonRetryableErrorTypes",
] as const satisfies readonly (keyof LocalActivityOptionFields)[];
const RETRY_OPTIONS = [
  "maxAttempts",
  "initialInterval",
  "backoffCoefficient",
  "maximumInterval",
  "backoff",
  "nonRetryableErrorTypes",
  "jitter",
] as const satisfies readonly (keyof RetryPolicyOptions)[];
const RATE_LIMIT_OPTIONS = ["timeWindow", "timeWindowInSec", "maxExecution", "key"] as const;

/**
 * Reads the options of an activity's definition or of one call.
 * @param where names the activity in errors
 * @param own further options that the caller reads itself, such as `name`
 * @throws PawlError invalid_option, unknown_option
 */
export function parseActivityOptions(
  options: unknown,
  where: string,
  own: readonly string[] = [],
): ActivitySettings {
  const read = new OptionReader(options, { where, path: "", known: [...own, ...ACTIVITY_OPTIONS] });
  const policy = read.nested("retryPolicy", RETRY_OPTIONS);
  const window = read.nested("rateLimit", RATE_LIMIT_OPTIONS);
  const snapshot: ActivityOptionsSnapshot = compact({
    start_to_close_ms: read.timeout("startToCloseTimeout"),
    schedule_to_close_ms: read.timeout("scheduleToCloseTimeout"),
    schedule_to_start_ms: read.timeout("scheduleToStartTimeout"),
    heartbeat_ms: read.timeout("heartbeatTimeout"),
    queue: read.text("queue", QUEUE_NAME, "must be 1 to 64 letters, digits, - or _"),
    retry_policy: policy === undefined ? undefined : parseRetryPolicy(policy),
  });
  return compact({
    snapshot,
    stickyToWorker: read.flag("stickyToWorker"),
    rateLimit: window === undefined ? undefined : parseRateLimit(window),
  });
}

/**
 * Reads the options of one local call.
 * @throws PawlError local_activity_option_rejected for anything but the six options, invalid_option
 */
export function parseLocalActivityOptions(options: unknown): ActivityOptionsSnapshot {
  const where = "LocalActivityOptions";
  const unknown = (option: string, known: readonly string[]) =>
    pawlError("local_activity_option_rejected", { option, expected: known.join(", ") });
  const read = new OptionReader(options, { where, path: "", known: LOCAL_OPTIONS, unknown });
  const policy: RetryPolicySnapshot = compact({
    max_attempts: read.count("maxAttempts", ATTEMPTS_MAX),
    backoff_ms: read.delays("backoff"),
    non_retryable_error_types: read.errorTypes("nonRetryableErrorTypes"),
  });
  return compact({
    start_to_close_ms: read.timeout("startToCloseTimeout"),
    schedule_to_close_ms: read.timeout("scheduleToCloseTimeout"),
    heartbeat_ms: read.timeout("heartbeatTimeout"),
    retry_policy: Object.keys(policy).length === 0 ? undefined : policy,
  });
}

/** The later settings win, field by field, those of the retry policy included (C-15). */
export function overrideSettings(base: ActivitySettings, over: ActivitySettings): ActivitySettings {
  return { ...base, ...over, snapshot: overrideSnapshot(base.snapshot, over.snapshot) };
}

/** What a queued call is recorded with. */
export function queuedOptions(settings: ActivitySettings): ActivityOptionsSnapshot {
  return withoutDefaults(settings.snapshot);
}

/**
 * What a local call is recorded with: routing, rate limit, stickiness and the definition's heartbeat
 * timeout do not apply and are named (E-05); the call's own options do, heartbeat included (V-01).
 */
export function localOptions(
  settings: ActivitySettings,
  call: ActivityOptionsSnapshot = {},
): LocalSettings {
  const { queue, schedule_to_start_ms, heartbeat_ms, ...applicable } = settings.snapshot;
  const ignorable: readonly (readonly [name: string, given: boolean])[] = [
    ["queue", queue !== undefined],
    ["scheduleToStartTimeout", schedule_to_start_ms !== undefined],
    ["heartbeatTimeout", heartbeat_ms !== undefined],
    ["stickyToWorker", settings.stickyToWorker === true],
    ["rateLimit", settings.rateLimit !== undefined],
  ];
  return {
    options: withoutDefaults(overrideSnapshot(applicable, call)),
    ignored: ignorable.filter(([, given]) => given).map(([name]) => name),
  };
}

function parseRetryPolicy(read: OptionReader): RetryPolicySnapshot {
  return compact({
    max_attempts: read.count("maxAttempts", ATTEMPTS_MAX),
    initial_interval_ms: read.interval("initialInterval"),
    backoff_coefficient: read.factor("backoffCoefficient"),
    maximum_interval_ms: read.interval("maximumInterval"),
    backoff_ms: read.delays("backoff"),
    non_retryable_error_types: read.errorTypes("nonRetryableErrorTypes"),
    jitter: read.jitter("jitter"),
  });
}

function parseRateLimit(read: OptionReader): RateLimitSettings {
  const window = read.interval("timeWindow");
  const seconds = read.seconds("timeWindowInSec");
  const maxExecution = read.count("maxExecution", RATE_LIMIT_MAX);
  if (maxExecution === undefined) throw read.refuse("maxExecution", "must be given");
  if (window !== undefined && seconds !== undefined)
    throw read.refuse("timeWindow", "and timeWindowInSec are given both");
  const timeWindowMs = window ?? seconds;
  if (timeWindowMs === undefined) throw read.refuse("timeWindow", "must be given");
  return compact({
    timeWindowMs,
    maxExecution,
    key: read.text("key", KEY, "must be a text of 1 to 256 characters"),
  });
}

function overrideSnapshot(
  base: ActivityOptionsSnapshot,
  over: ActivityOptionsSnapshot,
): ActivityOptionsSnapshot {
  const { retry_policy, ...rest } = { ...base, ...over };
  if (retry_policy === undefined) return rest;
  return { ...rest, retry_policy: overridePolicy(base.retry_policy, over.retry_policy) };
}

function overridePolicy(
  base: RetryPolicySnapshot = {},
  over: RetryPolicySnapshot = {},
): RetryPolicySnapshot {
  const exponential =
    over.initial_interval_ms ?? over.backoff_coefficient ?? over.maximum_interval_ms;
  if (exponential === undefined) return { ...base, ...over };
  // A call that asks for growing delays must not lose to a list in the definition.
  const { backoff_ms: _replaced, ...kept } = base;
  return { ...kept, ...over };
}

function withoutDefaults(snapshot: ActivityOptionsSnapshot): ActivityOptionsSnapshot {
  const { queue, retry_policy, ...rest } = snapshot;
  const policy = retry_policy === undefined ? {} : policyWithoutDefaults(retry_policy);
  return compact({
    ...rest,
    queue: queue === DEFAULT_QUEUE ? undefined : queue,
    retry_policy: Object.keys(policy).length === 0 ? undefined : policy,
  });
}

function policyWithoutDefaults(policy: RetryPolicySnapshot): RetryPolicySnapshot {
  const defaults = fullPolicy(undefined);
  const types = policy.non_retryable_error_types;
  return compact({
    max_attempts: unless(policy.max_attempts, defaults.max_attempts),
    initial_interval_ms: unless(policy.initial_interval_ms, defaults.initial_interval_ms),
    backoff_coefficient: unless(policy.backoff_coefficient, defaults.backoff_coefficient),
    maximum_interval_ms: unless(policy.maximum_interval_ms, defaults.maximum_interval_ms),
    backoff_ms: policy.backoff_ms,
    non_retryable_error_types: types?.length === 0 ? undefined : types,
    jitter: unless(policy.jitter, defaults.jitter),
  });
}

function unless<T>(value: T | undefined, standard: T): T | undefined {
  return value === standard ? undefined : value;
}

/**
 * Failures as data: how an error is recorded, and how workflow code sees it again on every replay.
 */

import { PawlError } from "./errors.ts";
import type { RetryReason, TimeoutKind } from "./events.ts";

/** The contract's categories that Pawl uses (requirements 2.3). */
export const FAILURE_CATEGORIES = [
  "application",
  "cancelled",
  "timeout",
  "activity",
  "task_failure",
  "structural_limit",
  "internal",
] as const;
export type FailureCategory = (typeof FAILURE_CATEGORIES)[number];

/** A recorded failure: plain data, equal on every replay. */
export interface Failure {
  /** The error's type: its `type` when it is an ApplicationFailure, else its name. */
  readonly type: string;
  readonly message: string;
  readonly category: FailureCategory;
  readonly non_retryable: boolean;
  /** JSON text of the details that the thrower gave. */
  readonly details?: string;
  readonly stack?: string;
  readonly cause?: Failure;
  /** Set when the failure is that of an activity which workflow code did not catch. */
  readonly activity?: ActivityFailureFields;
}

export interface ActivityFailureFields {
  readonly activity_type: string;
  readonly sequence: number;
  readonly attempts: number;
  readonly outcome: "failed" | "timed_out" | "cancelled";
  readonly timeout_kind?: TimeoutKind;
  readonly retry_reason?: RetryReason;
}

const MESSAGE_LENGTH_MAX = 2_000;
const STACK_LENGTH_MAX = 2_000;
/** Characters of the JSON of a failure's details. */
const DETAILS_LENGTH_MAX = 16_384;
const CAUSES_MAX = 3;

/**
 * The error to throw for a failure of the application: `type` is what retry policies match,
 * `nonRetryable` stops retries (G-09), `details` travel with it.
 */
export class ApplicationFailure extends Error {
  override readonly name = "ApplicationFailure";
  readonly type: string;
  readonly nonRetryable: boolean;
  readonly details: unknown;

  constructor(
    message: string,
    options: {
      readonly type?: string;
      readonly nonRetryable?: boolean;
      readonly details?: unknown;
      readonly cause?: unknown;
    } = {},
  ) {
    super(message, { cause: options.cause });
    this.type = options.type ?? "ApplicationFailure";
    this.nonRetryable = options.nonRetryable ?? false;
    this.details = options.details;
  }

  /** A failure that is never retried. */
  static nonRetryable(message: string, type?: string, details?: unknown): ApplicationFailure {
    return new ApplicationFailure(message, {
      nonRetryable: true,
      details,
      ...(type === undefined ? {} : { type }),
    });
  }
}

/** What workflow code catches when an activity ended without a result. */
export class ActivityFailure extends Error {
  override readonly name: string = "ActivityFailure";
  /** The type of the error that the last attempt ended with. */
  readonly type: string;
  readonly nonRetryable: boolean;
  readonly activityType: string;
  readonly attempts: number;
  readonly details: unknown;
  readonly failure: Failure;

  constructor(failure: Failure, fields: ActivityFailureFields) {
    super(failure.message);
    this.type = failure.type;
    this.nonRetryable = failure.non_retryable;
    this.activityType = fields.activity_type;
    this.attempts = fields.attempts;
    this.details = failure.details === undefined ? undefined : JSON.parse(failure.details);
    this.failure = { ...failure, activity: fields };
  }
}

/** An activity exceeded one of its time limits and is not retried. */
export class ActivityTimeout extends ActivityFailure {
  override readonly name: string = "ActivityTimeout";
  readonly timeoutKind: TimeoutKind;

  constructor(failure: Failure, fields: ActivityFailureFields) {
    super(failure, fields);
    this.timeoutKind = fields.timeout_kind ?? "start_to_close";
  }
}

/** An activity ended because of a cancel request. */
export class ActivityCancellation extends ActivityFailure {
  override readonly name: string = "ActivityCancellation";
}

/** Thrown into workflow code, and given to abort signals, when the run was asked to cancel. */
export class CancelledFailure extends Error {
  override readonly name = "CancelledFailure";
}

/** The error that workflow code sees for a recorded failure of an activity. */
export function activityError(failure: Failure, fields: ActivityFailureFields): ActivityFailure {
  switch (fields.outcome) {
    case "failed":
      return new ActivityFailure(failure, fields);
    case "timed_out":
      return new ActivityTimeout(failure, fields);
    case "cancelled":
      return new ActivityCancellation(failure, fields);
  }
}

/** Records whatever was thrown. Never throws itself: a strange error still becomes a failure. */
export function toFailure(thrown: unknown, depth: number = 0): Failure {
  if (thrown instanceof ActivityFailure) return thrown.failure;
  if (!(thrown instanceof Error)) {
    return {
      type: typeof thrown,
      message: clip(describe(thrown), MESSAGE_LENGTH_MAX),
      category: "application",
      non_retryable: false,
    };
  }
  const application = thrown instanceof ApplicationFailure ? thrown : undefined;
  const details = application === undefined ? undefined : detailsJson(application.details);
  return {
    // The catalogue's code says what a name that all its errors share does not.
    type: application?.type ?? (thrown instanceof PawlError ? thrown.code : thrown.name),
    message: clip(String(thrown.message), MESSAGE_LENGTH_MAX),
    category: thrown instanceof CancelledFailure ? "cancelled" : "application",
    non_retryable: application?.nonRetryable ?? false,
    ...(details === undefined ? {} : { details }),
    ...(typeof thrown.stack === "string" ? { stack: clip(thrown.stack, STACK_LENGTH_MAX) } : {}),
    ...(thrown.cause === undefined || depth >= CAUSES_MAX
      ? {}
      : { cause: toFailure(thrown.cause, depth + 1) }),
  };
}

/** A failure that Pawl itself found, such as a result over the limit: typed and not retried. */
export function structuralFailure(error: PawlError): Failure {
  const category =
    error.code === "payload_too_large" || error.code === "payload_too_deep"
      ? "structural_limit"
      : "application";
  return { type: error.code, message: error.message, category, non_retryable: true };
}

/** A value that cannot be recorded fails the call by name, the same on every replay. */
export function refusal(error: PawlError): ApplicationFailure {
  return ApplicationFailure.nonRetryable(error.message, error.code);
}

/** What a recorded cancellation of an activity is to workflow code. */
export function cancelledActivity(activityType: string): Failure {
  return {
    type: "CancelledFailure",
    message: `activity ${activityType} was cancelled`,
    category: "cancelled",
    non_retryable: true,
  };
}

function detailsJson(details: unknown): string | undefined {
  if (details === undefined) return undefined;
  try {
    const json = JSON.stringify(details);
    // A failure travels in rows and messages: what does not fit there must not hide the failure.
    if (json === undefined || json.length <= DETAILS_LENGTH_MAX) return json;
    return JSON.stringify(`details of ${json.length} characters, more than a failure can carry`);
  } catch {
    return JSON.stringify("details that cannot be stored as JSON");
  }
}

function describe(thrown: unknown): string {
  try {
    return typeof thrown === "string" ? thrown : (JSON.stringify(thrown) ?? String(thrown));
  } catch {
    return "a value that cannot be shown";
  }
}

function clip(text: string, lengthMax: number): string {
  return text.length <= lengthMax ? text : `${text.slice(0, lengthMax)}…`;
}

/** The error of a side effect, the same on every replay. */
export function thrownAgain(failure: Failure | undefined): ApplicationFailure {
  return new ApplicationFailure(failure?.message ?? "the side effect failed", {
    type: failure?.type ?? "Error",
    nonRetryable: failure?.non_retryable ?? false,
  });
}

/** What the client throws: an answer that refuses, no answer at all, and how a run ended badly. */
import type { FailureView } from "../core/api.ts";
import { type ErrorCode, pawlError } from "../core/errors.ts";

/** The API answered with status 400 or above. Nothing of the request was done, unless it is a 5xx. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  /** A code of the catalogue; an answer that is not Pawl's gets `unexpected_answer` or `not_authorized`. */
  readonly code: string;
  /** What to do next. */
  readonly hint: string;
  /** The HTTP status. */
  readonly status: number;
  /** The id to look for in the logs of the api function; empty when the answer has none. */
  readonly requestId: string;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(fields: {
    readonly code: string;
    readonly message: string;
    readonly hint: string;
    readonly status: number;
    readonly requestId: string;
    readonly details?: Readonly<Record<string, unknown>>;
  }) {
    super(fields.message);
    this.code = fields.code;
    this.hint = fields.hint;
    this.status = fields.status;
    this.requestId = fields.requestId;
    this.details = fields.details ?? {};
  }
}

/** No answer came, after every retry. The request may have been applied; repeating it is safe. */
export class ConnectionError extends Error {
  override readonly name = "ConnectionError";
  readonly code: ErrorCode = "connection_failed";
  readonly hint: string;

  constructor(url: string, cause: unknown) {
    const entry = pawlError("connection_failed", { url, reason: reasonOf(cause) });
    super(entry.message, { cause });
    this.hint = entry.hint;
  }
}

/** The run ended with a failure that workflow code did not handle. */
export class WorkflowFailedError extends Error {
  override readonly name = "WorkflowFailedError";
  readonly workflowId: string;
  readonly runId: string;
  /** The failure as the API shows it; `failure.type` is what the workflow threw. */
  readonly failure: FailureView;

  constructor(workflowId: string, runId: string, failure: FailureView) {
    super(`workflow ${workflowId} failed: ${failure.type}: ${failure.message}`);
    this.workflowId = workflowId;
    this.runId = runId;
    this.failure = failure;
  }
}

/** The run ended because it was asked to cancel. */
export class WorkflowCancelledError extends Error {
  override readonly name = "WorkflowCancelledError";
  readonly workflowId: string;
  readonly runId: string;

  constructor(workflowId: string, runId: string) {
    super(`workflow ${workflowId} was cancelled`);
    this.workflowId = workflowId;
    this.runId = runId;
  }
}

/** The run was stopped at once, without its code having a say. */
export class WorkflowTerminatedError extends Error {
  override readonly name = "WorkflowTerminatedError";
  readonly workflowId: string;
  readonly runId: string;
  readonly reason: string | null;

  constructor(workflowId: string, runId: string, reason: string | null) {
    super(`workflow ${workflowId} was terminated${reason === null ? "" : `: ${reason}`}`);
    this.workflowId = workflowId;
    this.runId = runId;
    this.reason = reason;
  }
}

/** The run was still open when the caller's timeout ended. The run goes on. */
export class ResultTimeoutError extends Error {
  override readonly name = "ResultTimeoutError";
  readonly workflowId: string;
  readonly timeoutSeconds: number;

  constructor(workflowId: string, timeoutSeconds: number) {
    super(`workflow ${workflowId} is still open after ${timeoutSeconds} s`);
    this.workflowId = workflowId;
    this.timeoutSeconds = timeoutSeconds;
  }
}

/** `fetch failed` says nothing: the reason is one level below. */
function reasonOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  if (thrown.cause instanceof Error) {
    const text = reasonOf(thrown.cause);
    return text === "" ? thrown.message : text;
  }
  if ("code" in thrown && typeof thrown.code === "string" && thrown.message === "")
    return thrown.code;
  return thrown.message;
}

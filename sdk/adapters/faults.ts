/**
 * What AWS exceptions mean to the engine: the only place that knows their names. A fault of the
 * service (throttling, timeouts, 5xx, a broken connection) becomes an InfrastructureError, which
 * redelivery repairs; everything else is a defect of ours or of the deployment and keeps its name.
 */
import { InfrastructureError, InvariantError, PawlError } from "../core/errors.ts";

/** Refused before anything was done, so a single try of these was surely not applied. */
const REFUSED: ReadonlySet<string> = new Set([
  "ProvisionedThroughputExceededException",
  "RequestLimitExceeded",
  "RequestThrottled",
  "RequestThrottledException",
  "SlowDown",
  "ThrottledException",
  "Throttling",
  "ThrottlingException",
  "TooManyRequestsException",
  "AWS.SimpleQueueService.RequestThrottled",
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
]);

/** No answer came, or it broke off: the call may have been applied. */
const UNANSWERED: ReadonlySet<string> = new Set([
  "AbortError",
  "ECONNABORTED",
  "ECONNRESET",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "EPIPE",
  "ETIMEDOUT",
  "InternalFailure",
  "InternalServerError",
  "NetworkingError",
  "RequestTimeout",
  "RequestTimeoutException",
  "ServiceUnavailable",
  "ServiceUnavailableException",
  "TimeoutError",
  "TransactionConflictException",
  "UND_ERR_SOCKET",
]);

/**
 * Runs one call of a service and translates what it throws.
 * @param what names the call in the error, such as "DynamoDB PutItem on history_events"
 * @throws InfrastructureError when the service failed or did not answer
 */
export async function calling<T>(what: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw translated(what, error);
  }
}

/** The exception's name or system code; "" when it has none. */
export function faultName(error: unknown): string {
  if (!(error instanceof Error)) return "";
  if ("code" in error && typeof error.code === "string" && error.name === "Error")
    return error.code;
  return error.name;
}

function translated(what: string, error: unknown): unknown {
  const isOurs =
    error instanceof InfrastructureError ||
    error instanceof InvariantError ||
    error instanceof PawlError;
  if (isOurs) return error;
  const names = [faultName(error), systemCode(error)];
  const refused = names.some((name) => REFUSED.has(name));
  const unanswered = names.some((name) => UNANSWERED.has(name)) || statusOf(error) >= 500;
  const reason = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  if (!refused && !unanswered) return new Error(`${what} failed: ${reason}`, { cause: error });
  // The client retries by itself: a refusal of its last try says nothing about the tries before.
  const maybeApplied = unanswered || metadataNumber(error, "attempts") > 1;
  return new InfrastructureError(`${what} did not succeed: ${reason}`, {
    maybeApplied,
    cause: error,
  });
}

function systemCode(error: unknown): string {
  if (!(error instanceof Error) || !("code" in error)) return "";
  return typeof error.code === "string" ? error.code : "";
}

function statusOf(error: unknown): number {
  return metadataNumber(error, "httpStatusCode");
}

function metadataNumber(error: unknown, field: "attempts" | "httpStatusCode"): number {
  if (!(error instanceof Error) || !("$metadata" in error)) return 0;
  const metadata: unknown = error.$metadata;
  if (typeof metadata !== "object" || metadata === null) return 0;
  const value: unknown = Reflect.get(metadata, field);
  return typeof value === "number" ? value : 0;
}

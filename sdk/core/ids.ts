/** Ids that callers give: what is accepted, and why the rest is refused. */
import { type PawlError, pawlError } from "./errors.ts";
import { ID_LENGTH_MAX } from "./limits.ts";

/**
 * Checks an id or name from outside (workflow id, request id, signal name; L6).
 * Everything printable is allowed, `#`, `/` and `..` included: keys escape, URLs encode.
 * @returns the error, or undefined when the id is fine
 */
export function idProblem(what: string, value: string): PawlError | undefined {
  const reason = problemOf(value);
  if (reason === undefined) return undefined;
  return pawlError("invalid_id", { what, value: JSON.stringify(value.slice(0, 80)), reason });
}

function problemOf(value: string): string | undefined {
  if (value.length === 0) return "it is empty";
  if (value.length > ID_LENGTH_MAX)
    return `it has ${value.length} characters, at most ${ID_LENGTH_MAX} are allowed`;
  if (value.startsWith("__")) return "the prefix __ is reserved";
  if (value === "." || value === "..") return "URLs cannot hold it, encoded or not";
  if (!value.isWellFormed()) return "it has half a surrogate pair";
  // They would forge log lines and break queue messages.
  if (/[\p{Cc}\u2028\u2029]/u.test(value)) return "it has a control character";
  return undefined;
}

/** The id of an activity execution: its run and the position of the call (B-14: the idempotency key). */
export function activityId(runId: string, sequence: number): string {
  return `${runId}/${sequence}`;
}

/** The id of one attempt. */
export function attemptId(runId: string, sequence: number, attempt: number): string {
  return `${runId}/${sequence}/${attempt}`;
}

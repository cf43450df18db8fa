/** Answers that refuse: every one has a code, a message, a hint and the request's id (S10). */
import type { ErrorResponse } from "../../sdk/core/api.ts";
import {
  type ErrorBody,
  InfrastructureError,
  PawlError,
  pawlError,
} from "../../sdk/core/errors.ts";
import { ReportedError } from "../../sdk/engine/operations/query.ts";
import type { Telemetry } from "../../sdk/ports/telemetry.ts";

export interface Refusal {
  readonly status: number;
  readonly body: ErrorResponse;
}

/** Turns whatever was thrown into an answer; what a caller cannot act on stays in the log. */
export function refuse(thrown: unknown, requestId: string, telemetry: Telemetry): Refusal {
  const { status, body } = catalogued(thrown, requestId);
  const fields = { request_id: requestId, code: body.code, status };
  if (status >= 500) telemetry.error("a request failed", { ...fields, ...origin(thrown) });
  else telemetry.info("a request was refused", fields);
  return { status, body: { ...body, request_id: requestId } };
}

function catalogued(
  thrown: unknown,
  requestId: string,
): { readonly status: number; readonly body: ErrorBody } {
  if (thrown instanceof ReportedError) return { status: thrown.status, body: thrown.body };
  const error =
    thrown instanceof PawlError
      ? thrown
      : thrown instanceof InfrastructureError
        ? pawlError("unavailable")
        : pawlError("internal", { request_id: requestId });
  return { status: error.status, body: error.toJSON() };
}

/** Where an error came from. Its message is left out: it may hold a caller's values (S8). */
function origin(thrown: unknown): { readonly error: string; readonly stack?: string } {
  if (!(thrown instanceof Error)) return { error: typeof thrown };
  const frames = thrown.stack?.split("\n").filter((line) => /^\s+at /.test(line));
  return { error: thrown.name, ...(frames === undefined ? {} : { stack: frames.join("\n") }) };
}

/**
 * Validation of inputs and outputs by a schema of the author's choice (B-10). The interface is that
 * of Standard Schema version 1, declared by its shape, so that no library is needed for it.
 */
import { ApplicationFailure } from "../core/failure.ts";

/** Any schema of a library that implements Standard Schema 1 (Zod, Valibot, ArkType …). */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (
      value: unknown,
      ...rest: readonly never[]
    ) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
    /** Types only. */
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] };

interface SchemaIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** Issues that a failure carries; the rest is only counted. */
const ISSUES_MAX = 20;

/**
 * The value as the schema returns it.
 * @throws ApplicationFailure of type ValidationError, never retried, with the issues as details
 */
export async function validated(
  schema: StandardSchema,
  value: unknown,
  what: string,
): Promise<unknown> {
  return accept(await schema["~standard"].validate(value), what);
}

/**
 * The same for workflow code, which must not wait for a promise that is not durable.
 * @throws ApplicationFailure of type ValidationError, also when the schema answers with a promise
 */
export function validatedNow(schema: StandardSchema, value: unknown, what: string): unknown {
  const result = schema["~standard"].validate(value);
  if (result instanceof Promise) {
    result.catch(() => undefined);
    throw ApplicationFailure.nonRetryable(
      `${what} has an asynchronous schema; a workflow's schema must answer at once`,
      "ValidationError",
    );
  }
  return accept(result, what);
}

function accept(result: SchemaResult<unknown>, what: string): unknown {
  if (result.issues === undefined) return result.value;
  const issues = result.issues.slice(0, ISSUES_MAX).map((issue) => ({
    message: issue.message,
    path: (issue.path ?? []).map((step) => String(typeof step === "object" ? step.key : step)),
  }));
  const first = issues[0];
  const at = first === undefined || first.path.length === 0 ? "" : ` at ${first.path.join(".")}`;
  const more = result.issues.length > 1 ? ` (and ${result.issues.length - 1} more)` : "";
  throw ApplicationFailure.nonRetryable(
    `${what} is not valid${at}: ${first?.message ?? "no reason given"}${more}`,
    "ValidationError",
    { issues },
  );
}

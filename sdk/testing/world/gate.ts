/**
 * The one place that every I/O of every process passes: where operations are counted, crashes
 * happen, and a simulation puts its faults.
 */
import type { Process } from "./process.ts";

export type Service = "dynamodb" | "sqs" | "s3" | "lambda";

export interface Operation {
  readonly service: Service;
  /** The action, such as PutItem. */
  readonly action: string;
  /** Table, queue, bucket or function; several tables of one batch are joined by "+". */
  readonly resource: string;
  /** `action` and `resource`, as crash points name them: "PutItem history_events". */
  readonly call: string;
  readonly input: Readonly<Record<string, unknown>>;
  /** Who asks; absent when the platform itself does (an event source that deletes a message). */
  readonly process: Process | undefined;
}

/**
 * Performs one operation by calling `apply`, or does not, or does not say so. The default calls it
 * at once.
 */
export type Gate = <T>(operation: Operation, apply: () => T | Promise<T>) => Promise<T>;

export const openGate: Gate = async (_operation, apply) => apply();

/** The error of the AWS SDK when no answer came in time. */
export function timeoutError(call: string): Error {
  const error = new Error(`${call}: the connection timed out`);
  error.name = "TimeoutError";
  return error;
}

/** A command of the AWS SDK, as far as the fakes look into it. */
export interface Command {
  readonly input: object;
}

export function commandName(command: Command): string {
  return command.constructor.name;
}

/** Something that the fakes do not imitate: a gap of the fake, never an answer of the service. */
export class UnsupportedByFake extends Error {
  override readonly name = "UnsupportedByFake";
}

/** Fails when a command carries a parameter that the fake would silently ignore. */
export function checkParameters(call: string, input: object, known: readonly string[]): void {
  for (const [name, value] of Object.entries(input)) {
    if (value !== undefined && !known.includes(name))
      throw new UnsupportedByFake(`${call}: the parameter ${name} is not imitated`);
  }
}

/**
 * What `activity()` and `workflow()` made: their records, found by the value that authors hold and
 * export. Knows nothing of scopes and calls nothing, so that a client can hold definitions too.
 */
import { pawlError } from "../core/errors.ts";
import { idProblem } from "../core/ids.ts";
import type { ActivityOptionsSnapshot } from "../core/options.ts";
import { type ActivitySettings, type LocalSettings } from "../core/parse-options.ts";
import type { StandardSchema } from "./schema.ts";

/** An author's function, called with arguments that were decoded from JSON. */
export type AuthorFunction = (...args: readonly unknown[]) => unknown;

export interface ActivityRecord {
  readonly kind: "activity";
  /** Equal for an activity and all that `.with()` made of it. */
  readonly identity: object;
  readonly nameOption: string | undefined;
  /** The function's own name, or undefined when it has none. */
  readonly functionName: string | undefined;
  readonly call: AuthorFunction;
  readonly settings: ActivitySettings;
  readonly queued: ActivityOptionsSnapshot;
  readonly local: LocalSettings;
  readonly input: StandardSchema | undefined;
  readonly output: StandardSchema | undefined;
}

export interface WorkflowRecord {
  readonly kind: "workflow";
  readonly identity: object;
  readonly nameOption: string | undefined;
  readonly functionName: string | undefined;
  readonly call: AuthorFunction;
  readonly guard: boolean;
  readonly input: StandardSchema | undefined;
  readonly output: StandardSchema | undefined;
}

const records = new WeakMap<object, ActivityRecord | WorkflowRecord>();
const registeredNames = new WeakMap<object, string>();

export function addRecord(value: object, record: ActivityRecord | WorkflowRecord): void {
  records.set(value, record);
}

/** The record behind an exported value, or undefined when it is something else. */
export function recordOf(value: unknown): ActivityRecord | WorkflowRecord | undefined {
  const isObject = (typeof value === "object" && value !== null) || typeof value === "function";
  return isObject ? records.get(value) : undefined;
}

/** Remembers under which name a registry has found a definition, for what runs in this process. */
export function nameRegistered(record: ActivityRecord | WorkflowRecord, name: string): void {
  registeredNames.set(record.identity, name);
}

/** The name as far as this process knows it: the option, what a registry found, the function's own. */
export function knownName(record: ActivityRecord | WorkflowRecord): string | undefined {
  return record.nameOption ?? registeredNames.get(record.identity) ?? record.functionName;
}

/** @throws PawlError invalid_option when it is no text, invalid_id */
export function parseName(value: unknown, where: string): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== "string")
    throw pawlError("invalid_option", { where, option: "name", reason: "must be a text" });
  const problem = idProblem("the name", value);
  if (problem !== undefined) throw problem;
  return value;
}

/** @throws PawlError invalid_option when it is no Standard Schema */
export function parseSchema(
  value: unknown,
  where: string,
  option: string,
): StandardSchema | undefined {
  if (value === undefined) return undefined;
  if (isSchema(value)) return value;
  const reason = "must be a schema of a library that implements Standard Schema";
  throw pawlError("invalid_option", { where, option, reason });
}

function isSchema(value: unknown): value is StandardSchema {
  if ((typeof value !== "object" && typeof value !== "function") || value === null) return false;
  if (!("~standard" in value)) return false;
  const standard = value["~standard"];
  return (
    typeof standard === "object" &&
    standard !== null &&
    "validate" in standard &&
    typeof standard.validate === "function"
  );
}

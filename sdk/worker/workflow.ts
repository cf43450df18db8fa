/** Defining workflows. What their code can ask for is in `workflow-calls.ts`. */
import { showValue } from "../core/duration.ts";
import { pawlError } from "../core/errors.ts";
import { localActivity } from "./activity.ts";
import {
  type AuthorFunction,
  addRecord,
  knownName,
  parseName,
  parseSchema,
  type WorkflowRecord,
} from "./definition.ts";
import type { StandardSchema } from "./schema.ts";

/** The options of a workflow's definition; none is needed. */
export interface WorkflowOptions {
  /** The workflow's type in the API and the history. Default: the name of the export. */
  readonly name?: string;
  /**
   * False switches the determinism guard off for this workflow (P-08): the clock, random numbers,
   * timers, files and network are then the real ones, and keeping replays equal is the author's part.
   * Default true.
   */
  readonly determinismGuard?: boolean;
}

/** A workflow's definition: exported from the entry module, and given to a client to start it. */
export interface Workflow<Input = never, Result = unknown> {
  readonly kind: "workflow";
  /** The name option, or the name that a registry in this process or the function gives it. */
  readonly name: string | undefined;
  /** Carries the types. Only the engine runs a workflow: a call throws outside_workflow. */
  readonly run: (input: Input) => Promise<Result>;
}

/** The input of a workflow; void when it takes none. */
export type WorkflowInput<W extends Workflow> =
  W extends Workflow<infer Input, unknown> ? Input : never;
/** What a workflow returns. */
export type WorkflowResult<W extends Workflow> = Awaited<ReturnType<W["run"]>>;

type InputOf<Args extends readonly unknown[]> = Args extends readonly [] ? void : Args[0];

/**
 * Makes a workflow of an asynchronous function of at most one input.
 *
 * The function is run again from the top whenever its history is replayed, so it only coordinates:
 * it awaits activities, `sleep`, signals and conditions, and everything that touches the world is an
 * activity (B-01). The clock, random numbers and `setTimeout` are replay-stable inside; network,
 * files and processes raise nondeterministic_call (P-07, P-08, A11).
 *
 * `input` and `output` are Standard Schemas (B-10) that must answer at once and always the same; a
 * value that does not pass fails the workflow with an ApplicationFailure of type ValidationError.
 *
 * @throws PawlError invalid_option, unknown_option, invalid_id
 */
export function workflow<Args extends readonly [input?: unknown], Result>(
  call: (...args: Args) => Result | Promise<Result>,
): Workflow<InputOf<Args>, Result>;
export function workflow<Args extends readonly [input?: unknown], Result>(
  options: WorkflowOptions & { readonly input?: never; readonly output?: StandardSchema<Result> },
  call: (...args: Args) => Result | Promise<Result>,
): Workflow<InputOf<Args>, Result>;
export function workflow<Input, Read, Result>(
  options: WorkflowOptions & {
    readonly input: StandardSchema<Input, Read>;
    readonly output?: StandardSchema<Result>;
  },
  call: (input: Read) => Result | Promise<Result>,
): Workflow<Input, Result>;
export function workflow(first: object, second?: AuthorFunction): Workflow {
  const record =
    second === undefined ? recordFor({}, functionOf(first)) : recordFor(first, functionOf(second));
  const definition: Workflow = {
    kind: "workflow",
    get name() {
      return knownName(record);
    },
    run: () => {
      throw pawlError("outside_workflow", {
        what: `workflow ${knownName(record) ?? ""}`.trimEnd(),
      });
    },
  };
  addRecord(definition, record);
  return definition;
}

/** The same primitives as functions of one object (F-02). */
export const Workflow = { localActivity, executeLocalActivity: localActivity } as const;

const WORKFLOW_OPTIONS: readonly string[] = ["name", "determinismGuard", "input", "output"];

function recordFor(options: object, call: AuthorFunction): WorkflowRecord {
  const given = new Map<string, unknown>(Object.entries(options));
  const name = given.get("name");
  const functionName = call.name === "" ? undefined : call.name;
  const shown = typeof name === "string" ? name : functionName;
  const where = shown === undefined ? "workflow()" : `workflow ${shown}`;
  for (const option of given.keys()) {
    if (!WORKFLOW_OPTIONS.includes(option))
      throw pawlError("unknown_option", { where, option, expected: WORKFLOW_OPTIONS.join(", ") });
  }
  const guard = given.get("determinismGuard") ?? true;
  if (typeof guard !== "boolean")
    throw pawlError("invalid_option", {
      where,
      option: "determinismGuard",
      reason: `must be true or false; received ${showValue(guard)}`,
    });
  return {
    kind: "workflow",
    identity: {},
    nameOption: parseName(name, where),
    functionName,
    call,
    guard,
    input: parseSchema(given.get("input"), where, "input"),
    output: parseSchema(given.get("output"), where, "output"),
  };
}

function functionOf(value: unknown): AuthorFunction {
  // The overloads have checked the parameters; at run time they come as decoded JSON.
  if (typeof value === "function") return value as AuthorFunction;
  throw pawlError("invalid_option", {
    where: "workflow()",
    option: "function",
    reason: `must be a function; received ${showValue(value)}`,
  });
}

/** Defining and calling activities: what a call does depends on where it stands (B-04, E-01, K-01). */
import { pawlError } from "../core/errors.ts";
import type { ActivityOptionsSnapshot } from "../core/options.ts";
import {
  type ActivityCallOptions,
  type LocalActivityOptionFields,
  localOptions,
  overrideSettings,
  parseActivityOptions,
  parseLocalActivityOptions,
  queuedOptions,
} from "../core/parse-options.ts";
import {
  type ActivityRecord,
  type AuthorFunction,
  addRecord,
  knownName,
  parseName,
  parseSchema,
  recordOf,
} from "./definition.ts";
import { callWithDependencies, type WithoutInjected } from "./dependencies.ts";
import { type StandardSchema, validated } from "./schema.ts";
import {
  commandScope,
  currentScope,
  runInScope,
  runOutsideScope,
  type WorkflowScope,
} from "./scope.ts";

/** The options of an activity's definition; none is needed. */
export interface ActivityOptions extends ActivityCallOptions {
  /** The name in history, logs and metrics (B-05). Default: the name of the export. */
  readonly name?: string;
}

/**
 * An activity. Called in a workflow, it is scheduled: queued, or local inside
 * {@link runActivitiesLocally}. Called in an activity, it is a plain call: only the outer activity is
 * retried and recorded (K-01 to K-05). Called anywhere else, such as in a unit test, it is a plain call.
 *
 * Arguments and results travel as JSON, at most 2,097,152 bytes each way: trailing arguments that
 * are undefined are left out, so that default values apply; an undefined one before others arrives
 * as null, and so does the result of a void activity.
 */
export interface Activity<Args extends readonly unknown[] = never, Result = unknown> {
  (...args: Args): Promise<Result>;
  /** The same activity with options that override those of its definition, field by field (C-15). */
  with(options: ActivityCallOptions): Activity<Args, Result>;
}

// Inferred from the function as a whole: a list of parameters as the type parameter would give those
// with a default value and no annotation the type unknown.
type ArgumentsOf<F> = F extends (...args: infer Args) => unknown ? Args : never;
type ResultOf<F> = F extends (...args: never) => infer Returned ? Awaited<Returned> : never;

/**
 * Makes an activity of a function, asynchronous or not (B-02). The function may do anything: it is
 * run at least once, and again after a failure, a timeout or a lost worker, so it must be safe to
 * run again. What it throws is retried by its policy unless it is an `ApplicationFailure` with
 * `nonRetryable`, or its type is listed.
 *
 * `input` and `output` are Standard Schemas of the one argument and of the result (B-10); the body
 * gets what `input` returns, the workflow what `output` returns. A value that does not pass ends the
 * activity with an ApplicationFailure of type ValidationError that is not retried.
 *
 * @throws PawlError invalid_option, unknown_option, invalid_id
 */
export function activity<F extends CallableFunction>(
  call: F,
): Activity<WithoutInjected<ArgumentsOf<F>>, ResultOf<F>>;
export function activity<F extends CallableFunction, Output = unknown>(
  options: ActivityOptions & { readonly input?: never; readonly output?: StandardSchema<Output> },
  call: ResultOf<F> extends Output ? F : never,
): Activity<WithoutInjected<ArgumentsOf<F>>, ResultOf<F>>;
export function activity<Input, Read, Result>(
  options: ActivityOptions & {
    readonly input: StandardSchema<Input, Read>;
    readonly output?: StandardSchema<Result>;
  },
  call: (input: Read) => Result | Promise<Result>,
): Activity<[input: Input], Result>;
export function activity(first: object, second?: AuthorFunction): Activity {
  if (second === undefined) return activityOf(recordFor({}, functionOf(first)));
  return activityOf(recordFor(first, functionOf(second)));
}

/** The options of one local call (C-09); recognised by its class, never by its shape. */
export class LocalActivityOptions {
  readonly #snapshot: ActivityOptionsSnapshot;

  /** @throws PawlError local_activity_option_rejected for any other option (C-10), invalid_option */
  constructor(options: LocalActivityOptionFields = {}) {
    this.#snapshot = parseLocalActivityOptions(options);
  }

  /** The options as they are recorded. */
  static snapshotOf(options: LocalActivityOptions): ActivityOptionsSnapshot {
    return options.#snapshot;
  }
}

/**
 * Runs an activity in the process of the workflow task, without a queue (F-01 to F-12). Its history,
 * retries and timeouts are those of every activity; of its definition's options queue,
 * stickyToWorker, rateLimit, heartbeatTimeout and scheduleToStartTimeout do not apply and are named
 * in a diagnostic (E-05). For short, idempotent work.
 *
 * Options are recognised only as a {@link LocalActivityOptions}; a plain object in their place is
 * the first argument.
 *
 * @throws PawlError outside_workflow, read_only_scope; ActivityFailure when the activity failed
 */
export function localActivity<Args extends readonly unknown[], Result>(
  activity: Activity<Args, Result>,
  options: LocalActivityOptions,
  ...args: Args
): Promise<Result>;
export function localActivity<Args extends readonly unknown[], Result>(
  activity: Activity<Args, Result>,
  ...args: Args
): Promise<Result>;
export function localActivity(called: unknown, ...rest: readonly unknown[]): Promise<unknown> {
  const record = recordOf(called);
  if (record?.kind !== "activity")
    throw pawlError("invalid_option", {
      where: "localActivity",
      option: "activity",
      reason: "must be an activity made by activity(...)",
    });
  const scope = commandScope("localActivity()");
  const [first, ...args] = rest;
  if (first instanceof LocalActivityOptions) return scheduleLocal(scope, record, args, first);
  return scheduleLocal(scope, record, rest);
}

/**
 * Every activity called inside runs locally, in the process of the workflow task (E-01); what runs
 * in parallel outside of the function, and what comes after it, is queued as before (E-02, E-03).
 * @throws PawlError outside_workflow, read_only_scope
 */
export async function runActivitiesLocally<T>(call: () => T | Promise<T>): Promise<T> {
  const scope = commandScope("runActivitiesLocally()");
  return await runInScope({ ...scope, local: true }, call);
}

/** Calls an activity's body: validates, makes its dependencies, and calls the function. */
export async function callActivity(
  record: ActivityRecord,
  args: readonly unknown[],
): Promise<unknown> {
  const name = knownName(record) ?? "an activity without a name";
  const given = await validatedArguments(record, args, name);
  const result = await callWithDependencies(() => record.call(...given));
  if (record.output === undefined) return result;
  return await validated(record.output, result, `the result of activity ${name}`);
}

async function validatedArguments(
  record: ActivityRecord,
  args: readonly unknown[],
  name: string,
): Promise<readonly unknown[]> {
  if (record.input === undefined) return args;
  const [first, ...rest] = args;
  return [await validated(record.input, first, `the input of activity ${name}`), ...rest];
}

function recordFor(options: object, call: AuthorFunction): ActivityRecord {
  const given: { readonly name?: unknown; readonly input?: unknown; readonly output?: unknown } =
    options;
  const functionName = call.name === "" ? undefined : call.name;
  const shown = typeof given.name === "string" ? given.name : functionName;
  const where = shown === undefined ? "activity()" : `activity ${shown}`;
  const settings = parseActivityOptions(options, where, ["name", "input", "output"]);
  return {
    kind: "activity",
    identity: {},
    nameOption: parseName(given.name, where),
    functionName,
    call,
    settings,
    queued: queuedOptions(settings),
    local: localOptions(settings),
    input: parseSchema(given.input, where, "input"),
    output: parseSchema(given.output, where, "output"),
  };
}

function activityOf(record: ActivityRecord): Activity {
  const callable = (...args: readonly unknown[]): Promise<unknown> => callInPlace(record, args);
  const override = (options: ActivityCallOptions): Activity => {
    const where = `activity ${knownName(record) ?? ""}`.trimEnd();
    const settings = overrideSettings(record.settings, parseActivityOptions(options, where));
    const queued = queuedOptions(settings);
    return activityOf({ ...record, settings, queued, local: localOptions(settings) });
  };
  const made: Activity = Object.assign(callable, { with: override });
  Object.defineProperty(made, "name", { value: record.nameOption ?? record.functionName ?? "" });
  addRecord(made, record);
  return made;
}

function callInPlace(record: ActivityRecord, args: readonly unknown[]): Promise<unknown> {
  if (currentScope()?.kind !== "workflow") return callActivity(record, args);
  const scope = commandScope(`activity ${knownName(record) ?? ""}`.trimEnd());
  if (scope.local) return scheduleLocal(scope, record, args);
  return runOutsideScope(() =>
    scope.context.scheduleActivity({
      activityType: scope.activityType(record),
      mode: "queued",
      args: withoutTrailingUndefined(args),
      options: record.queued,
    }),
  );
}

function scheduleLocal(
  scope: WorkflowScope,
  record: ActivityRecord,
  args: readonly unknown[],
  call?: LocalActivityOptions,
): Promise<unknown> {
  const { options, ignored } =
    call === undefined
      ? record.local
      : localOptions(record.settings, LocalActivityOptions.snapshotOf(call));
  return runOutsideScope(() =>
    scope.context.scheduleActivity({
      activityType: scope.activityType(record),
      mode: "local",
      args: withoutTrailingUndefined(args),
      options,
      ...(ignored.length === 0 ? {} : { ignoredOptions: ignored }),
    }),
  );
}

/** JSON has no undefined: a trailing one that is left out still gets its default value (B-07). */
function withoutTrailingUndefined(args: readonly unknown[]): readonly unknown[] {
  let length = args.length;
  while (length > 0 && args[length - 1] === undefined) length--;
  return args.slice(0, length);
}

function functionOf(value: unknown): AuthorFunction {
  // The overloads have checked the parameters; at run time they come as decoded JSON.
  if (typeof value === "function") return value as AuthorFunction;
  throw pawlError("invalid_option", {
    where: "activity()",
    option: "function",
    reason: "must be a function",
  });
}

/**
 * Which workflow or activity the running code belongs to, by async context: it follows awaits,
 * callbacks and timers, and never reaches parallel branches or callers (E-03).
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { pawlError } from "../core/errors.ts";
import type { WorkflowContext } from "../core/workflow-context.ts";
import type { ActivityRuntime } from "../ports/user-code.ts";
import type { ActivityRecord } from "./definition.ts";

export interface WorkflowScope {
  readonly kind: "workflow";
  readonly context: WorkflowContext;
  /** False when the workflow switched the determinism guard off (P-08). */
  readonly guard: boolean;
  /** The type that the registry knows an activity by. */
  readonly activityType: (activity: ActivityRecord) => string;
  /** True inside runActivitiesLocally. */
  readonly local: boolean;
  /** Set in code that may read the workflow's state and nothing else: what that code is. */
  readonly readOnlyIn?: string;
}

interface ActivityScope {
  readonly kind: "activity";
  readonly runtime: ActivityRuntime;
}

type Scope = WorkflowScope | ActivityScope;

const storage = new AsyncLocalStorage<Scope>();

export function currentScope(): Scope | undefined {
  return storage.getStore();
}

/** Calls `call` and everything that follows from it inside `scope`. */
export function runInScope<T>(scope: Scope, call: () => T): T {
  return storage.run(scope, call);
}

/** Calls `call` as if no workflow or activity were running: for the engine's code and for snapshots. */
export function runOutsideScope<T>(call: () => T): T {
  return storage.exit(call);
}

/** @throws PawlError outside_workflow */
export function workflowScope(what: string): WorkflowScope {
  const scope = storage.getStore();
  if (scope?.kind !== "workflow") throw pawlError("outside_workflow", { what });
  return scope;
}

/**
 * The scope of code that may ask for something durable, or may draw from the run's random sequence.
 * @throws PawlError outside_workflow, read_only_scope
 */
export function commandScope(what: string): WorkflowScope {
  const scope = workflowScope(what);
  if (scope.readOnlyIn !== undefined)
    throw pawlError("read_only_scope", { what, where: scope.readOnlyIn });
  return scope;
}

/** @throws PawlError outside_activity */
export function activityScope(what: string): ActivityScope {
  const scope = storage.getStore();
  if (scope?.kind !== "activity") throw pawlError("outside_activity", { what });
  return scope;
}

/** A function of the author that may only look: a query handler or the predicate of a condition. */
export function readOnly<Args extends readonly unknown[], Result>(
  scope: WorkflowScope,
  readOnlyIn: string,
  call: (...args: Args) => Result,
): (...args: Args) => Result {
  const inner: WorkflowScope = { ...scope, readOnlyIn };
  return (...args) => storage.run(inner, () => call(...args));
}

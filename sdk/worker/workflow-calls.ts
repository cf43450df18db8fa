/** What workflow code can ask for besides activities: time, signals, queries, conditions, snapshots. */
import { type Duration, durationMs } from "../core/duration.ts";
import { pawlError } from "../core/errors.ts";
import { idProblem } from "../core/ids.ts";
import type { WorkflowInfo } from "../core/workflow-context.ts";
import { uuidFrom } from "./random-bytes.ts";
import { commandScope, readOnly, runOutsideScope, workflowScope } from "./scope.ts";

/** A signal: the name it is sent under, and the types of its arguments. */
export interface Signal<Args extends readonly unknown[] = readonly unknown[]> {
  readonly kind: "signal";
  readonly name: string;
  /** Types only, never set. */
  readonly args?: Args;
}

/** A query: the name it is asked under, the types of its arguments and its answer. */
export interface Query<Result = unknown, Args extends readonly unknown[] = readonly unknown[]> {
  readonly kind: "query";
  readonly name: string;
  /** Types only, never set. */
  readonly args?: Args;
  readonly result?: Result;
}

/** Declares a signal for workflow code and clients. @throws PawlError invalid_id */
export function defineSignal<Args extends readonly unknown[] = []>(name: string): Signal<Args> {
  return { kind: "signal", name: checkedName("the signal name", name) };
}

/** Declares a query for workflow code and clients. @throws PawlError invalid_id */
export function defineQuery<Result, Args extends readonly unknown[] = []>(
  name: string,
): Query<Result, Args> {
  return { kind: "query", name: checkedName("the query name", name) };
}

/**
 * Registers what a signal or query does; a later handler of the same name replaces it.
 *
 * A signal's handler is called for every signal of the name in log order, those that came before
 * included; it may be asynchronous and start activities, and an error in it fails the workflow. A
 * query's handler answers at once from the workflow's state and must not change it.
 *
 * @throws PawlError outside_workflow, read_only_scope
 */
export function setHandler<Args extends readonly unknown[]>(
  signal: Signal<Args>,
  handler: (...args: NoInfer<Args>) => unknown,
): void;
export function setHandler<Result, Args extends readonly unknown[]>(
  query: Query<Result, Args>,
  handler: (...args: NoInfer<Args>) => Result,
): void;
export function setHandler(
  definition: Signal | Query,
  handler: (...args: readonly unknown[]) => unknown,
): void {
  const scope = commandScope("setHandler()");
  const { name } = definition;
  switch (definition.kind) {
    case "signal":
      // Called by the engine inside the workflow's own scope, now for signals that wait already.
      return runOutsideScope(() => scope.context.onSignal(name, handler));
    case "query": {
      const reader = readOnly(scope, "a query handler", handler);
      return runOutsideScope(() => scope.context.onQuery(name, reader));
    }
  }
}

/**
 * Waits for the next signal of this name that nothing has taken, and takes it: resolves with its
 * argument. For signals of one parameter or none, so that what a sender adds never changes the shape
 * of the answer; give several values as one object, or use {@link setHandler}.
 *
 * @throws PawlError outside_workflow, read_only_scope; CancelledFailure when the run is asked to cancel
 */
export async function waitForSignal<Args extends readonly [value?: unknown]>(
  signal: Signal<Args>,
): Promise<Args extends readonly [] ? void : Args[0]> {
  const scope = commandScope("waitForSignal()");
  const args = await runOutsideScope(() => scope.context.nextSignal(signal.name));
  // What clients send has the type of the definition that they share with the workflow.
  return args[0] as Args extends readonly [] ? void : Args[0];
}

/**
 * A durable wait: survives crashes and deployments, from nothing to 36,500 days.
 * @throws PawlError invalid_option, outside_workflow, read_only_scope
 * @throws CancelledFailure when the run is asked to cancel
 */
export async function sleep(duration: Duration): Promise<void> {
  const scope = commandScope("sleep()");
  const delayMs = durationMs(duration, { where: "sleep()", option: "duration" });
  await runOutsideScope(() => scope.context.startTimer(delayMs)).fired;
}

/**
 * Waits until `predicate` holds, which is looked at after every event of the run and must only look.
 * With a timeout it resolves with false when the time is over first; true means it held.
 *
 * @throws PawlError invalid_option, outside_workflow, read_only_scope; what the predicate throws
 * @throws CancelledFailure when the run is asked to cancel
 */
export function condition(predicate: () => boolean): Promise<true>;
export function condition(predicate: () => boolean, timeout: Duration): Promise<boolean>;
export async function condition(predicate: () => boolean, timeout?: Duration): Promise<boolean> {
  const scope = commandScope("condition()");
  const holds = readOnly(scope, "the predicate of a condition", predicate);
  const place = { where: "condition()", option: "timeout" };
  const timeoutMs = timeout === undefined ? undefined : durationMs(timeout, place);
  if (holds()) return true;
  if (timeoutMs === undefined) {
    await runOutsideScope(() => scope.context.waitUntil(holds));
    return true;
  }
  let timedOut = false;
  const timer = runOutsideScope(() => scope.context.startTimer(timeoutMs));
  // Over, it counts as held, so that the context forgets it.
  const held = runOutsideScope(() => scope.context.waitUntil(() => timedOut || holds()));
  const first = await Promise.race([held.then(() => true), timer.fired.then(() => false)]);
  if (first) runOutsideScope(() => timer.cancel());
  else timedOut = true;
  return first;
}

/**
 * Runs `produce` once and records what it returns; every replay gets the recorded value (Q-01 to
 * The determinism guard is off inside. For snapshots such as a setting or a fresh id: there is
 * no retry, timeout, heartbeat or cancellation, a throw fails the workflow, and a promise is refused,
 * because asynchronous work belongs into an activity.
 *
 * @throws PawlError outside_workflow, read_only_scope
 */
export async function sideEffect<T>(
  produce: () => T extends PromiseLike<unknown> ? never : T,
): Promise<T> {
  const scope = commandScope("sideEffect()");
  const snapshot = () => runOutsideScope(() => refusePromise(produce()));
  const value = await runOutsideScope(() => scope.context.sideEffect(snapshot));
  // The recorded value is what `produce` returned, through JSON.
  return value as T;
}

/** Ids, type and start time of the running workflow. @throws PawlError outside_workflow */
export function workflowInfo(): WorkflowInfo {
  return workflowScope("workflowInfo()").context.info;
}

/** True once the run was asked to cancel (J-01). @throws PawlError outside_workflow */
export function cancelRequested(): boolean {
  return workflowScope("cancelRequested()").context.cancelRequested();
}

/** The workflow's clock, milliseconds since the epoch: the same on every replay. @throws PawlError outside_workflow */
export function now(): number {
  return workflowScope("now()").context.now();
}

/** A number from 0 to below 1 of the run's own sequence. @throws PawlError outside_workflow, read_only_scope */
export function random(): number {
  return commandScope("random()").context.random();
}

/** A version 4 UUID of the run's own random sequence. @throws PawlError outside_workflow, read_only_scope */
export function uuid(): string {
  const scope = commandScope("uuid()");
  return uuidFrom(() => scope.context.random());
}

function refusePromise(value: unknown): unknown {
  if (!(value instanceof Promise)) return value;
  value.catch(() => undefined);
  throw pawlError("payload_not_serializable", {
    what: "the value of sideEffect()",
    where: "a promise (do asynchronous work in an activity)",
  });
}

function checkedName(what: string, name: string): string {
  const problem = idProblem(what, name);
  if (problem !== undefined) throw problem;
  return name;
}

/**
 * What workflow code can ask of the engine. `sdk/core/replay.ts` implements it, `sdk/worker` gives
 * it to user code.
 */
import type { ExecutionMode } from "./events.ts";
import type { ActivityOptionsSnapshot } from "./options.ts";

export interface WorkflowInfo {
  readonly namespace: string;
  readonly workflowId: string;
  readonly runId: string;
  readonly workflowType: string;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
}

export interface ActivityRequest {
  readonly activityType: string;
  readonly mode: ExecutionMode;
  readonly args: readonly unknown[];
  readonly options: ActivityOptionsSnapshot;
  /** Options that do not apply in local mode and were ignored (E-05); reported once as a diagnostic. */
  readonly ignoredOptions?: readonly string[];
}

export interface DurableTimer {
  /** Resolves when the timer fired; rejects with CancelledFailure when the run is asked to cancel. */
  readonly fired: Promise<void>;
  /** Cancels the timer: `fired` then never settles. */
  cancel(): void;
}

/** What workflow code can ask for; every call is made inside the workflow's own async context. */
export interface WorkflowContext {
  readonly info: WorkflowInfo;
  /** The workflow's clock: the time of the event that is being worked, milliseconds since the epoch. */
  now(): number;
  /** The next number of the run's seeded sequence, from 0 to below 1. */
  random(): number;
  scheduleActivity(request: ActivityRequest): Promise<unknown>;
  startTimer(delayMs: number): DurableTimer;
  /** Runs `produce` once and records what it returns; a replay returns the recorded value. */
  sideEffect(produce: () => unknown): Promise<unknown>;
  /** Resolves with the arguments of the next signal of this name that nobody has taken, in log order. */
  nextSignal(name: string): Promise<readonly unknown[]>;
  /** Calls `handler` for every signal of this name, those that arrived before included. */
  onSignal(name: string, handler: (...args: readonly unknown[]) => unknown): void;
  onQuery(name: string, handler: (...args: readonly unknown[]) => unknown): void;
  /** Resolves once `predicate` holds; looked at after every event. */
  waitUntil(predicate: () => boolean): Promise<void>;
  /** True once the run was asked to cancel. */
  cancelRequested(): boolean;
  /** Reports a diagnostic once, live only, never on replay. */
  diagnose(message: string): void;
}

/**
 * The border between the engine and user code: how the engine calls workflow functions and activity
 * bodies, and what it gives to them. `sdk/worker` implements {@link UserCode}; `sdk/engine`
 * implements {@link ActivityRuntime}.
 */
import type { ActivityOptionsSnapshot } from "../core/options.ts";
import type { WorkflowContext } from "../core/workflow-context.ts";

export interface ActivityInfo {
  readonly activityId: string;
  readonly activityType: string;
  readonly attempt: number;
  readonly isLocal: boolean;
  readonly namespace: string;
  readonly workflowId: string;
  readonly runId: string;
  readonly workflowType: string;
  /** The same for every attempt of this activity (B-14). */
  readonly idempotencyKey: string;
  readonly options: ActivityOptionsSnapshot;
  readonly scheduledAt: number;
  readonly startedAt: number;
  /** When this attempt ends at the latest, milliseconds since the epoch. */
  readonly deadline: number;
}

/** What a running attempt can do. */
export interface ActivityRuntime {
  readonly info: ActivityInfo;
  /** Aborts at the deadline, on cancel, and when the attempt is superseded. */
  readonly signal: AbortSignal;
  /** Details of the previous attempt's last heartbeat, or undefined (I-05). */
  readonly heartbeatDetails: unknown;
  /** Resolves when the beat is durable. @throws CancelledFailure when the attempt should stop */
  heartbeat(details: unknown): Promise<void>;
  /** True once the attempt has ended: nothing that its body still does concerns it. */
  isOver(): boolean;
  /** Ends the attempt with an error that no promise of its body carried (B15); nothing when it is over. */
  fail(error: unknown): void;
}

export interface WorkflowDefinition {
  readonly kind: "workflow";
  readonly name: string;
  /** False switches the determinism guard off for this workflow (P-08). */
  readonly guard: boolean;
}

export interface ActivityDefinition {
  readonly kind: "activity";
  readonly name: string;
  readonly options: ActivityOptionsSnapshot;
}

/** The registry of one entry module, and the only way by which the engine calls user code. */
export interface UserCode {
  readonly workflowTypes: readonly string[];
  readonly activityTypes: readonly string[];
  workflow(type: string): WorkflowDefinition | undefined;
  activity(type: string): ActivityDefinition | undefined;
  /** Calls the workflow function inside its context and guard. Never throws synchronously. */
  runWorkflow(
    definition: WorkflowDefinition,
    context: WorkflowContext,
    input: unknown,
  ): Promise<unknown>;
  /** Calls a synchronous handler (signal, query, condition) inside the workflow's context and guard. */
  runInWorkflow<T>(definition: WorkflowDefinition, context: WorkflowContext, call: () => T): T;
  /** Resolves dependencies, then calls the activity's function inside its own context. */
  runActivity(
    definition: ActivityDefinition,
    runtime: ActivityRuntime,
    args: readonly unknown[],
  ): Promise<unknown>;
}

/**
 * What the client needs to know of the author's definitions, by shape only: it takes the
 * definitions of `pawl`, and never calls workflow code.
 */
import { pawlError } from "../core/errors.ts";

/** A workflow definition as `workflow()` makes it; `run` gives the types and is not called. */
export interface WorkflowLike<Input = never, Result = unknown> {
  readonly kind: "workflow";
  /** The `name` option; without it the type is the name of the export, which no client can see. */
  readonly name?: string | undefined;
  readonly run: (input: Input) => Result | Promise<Result>;
}

/** A signal definition: its arguments, and the name they are sent under. */
export interface SignalLike<Args extends readonly unknown[] = readonly unknown[]> {
  readonly kind: "signal";
  readonly name: string;
  /** Types only, never set. */
  readonly args?: Args;
}

/** A query definition: its arguments, its answer, and its name. */
export interface QueryLike<Args extends readonly unknown[] = readonly unknown[], Result = unknown> {
  readonly kind: "query";
  readonly name: string;
  /** Types only, never set. */
  readonly args?: Args;
  readonly result?: Result;
}

/** The type that a workflow is registered under. @throws PawlError workflow_unnamed */
export function workflowType(workflow: { readonly name?: string | undefined } | string): string {
  if (typeof workflow === "string") return workflow;
  if (workflow.name === undefined || workflow.name === "") throw pawlError("workflow_unnamed");
  return workflow.name;
}

import type { ErrorBody } from "../core/errors.ts";
import type { RunKey } from "../core/events.ts";
import type { WorkflowTaskMessage } from "../core/messages.ts";
import type { Payload } from "../core/payload.ts";
import type { RunClosing } from "./runs.ts";

/** What the API asks of the workflow-task function synchronously. */
export type DirectRequest =
  /** Direct start (R16): the start message itself, already sent with a delay. */
  | { readonly kind: "task"; readonly message: WorkflowTaskMessage }
  | {
      readonly kind: "query";
      readonly run: RunKey;
      readonly name: string;
      readonly arguments: Payload;
    }
  /** What the entry module registers, so that a start of an unknown type is refused at once. */
  | { readonly kind: "types" };

export type DirectAnswer =
  | { readonly kind: "task"; readonly closing?: RunClosing }
  | { readonly kind: "query"; readonly result: Payload }
  | {
      readonly kind: "types";
      readonly workflow_types: readonly string[];
      readonly activity_types: readonly string[];
    }
  | { readonly kind: "error"; readonly error: ErrorBody & { readonly status: number } };

export interface WorkflowFunction {
  /** Invokes the workflow-task function and waits. @throws InfrastructureError on timeout or crash */
  invoke(request: DirectRequest): Promise<DirectAnswer>;
}

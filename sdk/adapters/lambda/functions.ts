/** The workflow-task function, asked synchronously by the API: direct start and queries. */
import type * as Lambda from "@aws-sdk/client-lambda";
import * as v from "valibot";
import { ERRORS, type ErrorCode, InfrastructureError } from "../../core/errors.ts";
import type { DirectAnswer, WorkflowFunction } from "../../ports/functions.ts";
import { calling } from "../faults.ts";
import { failureSchema, parsedJson, payloadSchema } from "../wire.ts";

/** What the adapter needs of `LambdaClient`; fakes stand here. */
export interface LambdaInvokeClient {
  send(command: Lambda.InvokeCommand): Promise<LambdaOutput>;
}

/** The parts of the command's output that the adapter reads. */
export interface LambdaOutput {
  readonly FunctionError?: string | undefined;
  readonly Payload?: Uint8Array | undefined;
}

let commands: Promise<typeof Lambda> | undefined;

/** Lambda's package is loaded with the first invocation: only the API needs it. */
export function loadLambda(): Promise<typeof Lambda> {
  commands ??= import("@aws-sdk/client-lambda");
  return commands;
}

/** @param functionName gives the name or ARN, or throws where the process may not invoke */
export function lambdaWorkflowFunction(
  client: LambdaInvokeClient,
  functionName: () => string,
): WorkflowFunction {
  return {
    async invoke(request) {
      const name = functionName();
      const { InvokeCommand } = await loadLambda();
      const command = new InvokeCommand({
        FunctionName: name,
        InvocationType: "RequestResponse",
        Payload: new TextEncoder().encode(JSON.stringify(request)),
      });
      const output = await calling("Lambda Invoke", () => client.send(command));
      // A crash or a timeout of the function: what it did before is not known (R16).
      if (output.FunctionError !== undefined)
        throw new InfrastructureError(`the workflow-task function ended: ${output.FunctionError}`, {
          maybeApplied: true,
        });
      const answer: unknown = parsedJson(new TextDecoder().decode(output.Payload));
      if (v.is(answerSchema, answer)) return answer;
      throw new InfrastructureError("the workflow-task function gave no answer of its contract", {
        maybeApplied: true,
      });
    },
  };
}

const closingSchema = v.object({
  status: v.picklist(["completed", "failed", "cancelled", "terminated"]),
  closed_at: v.number(),
  output: v.exactOptional(payloadSchema),
  failure: v.exactOptional(failureSchema),
});

const errorCode = v.custom<ErrorCode>(
  (value) => typeof value === "string" && Object.hasOwn(ERRORS, value),
);

const answerSchema: v.GenericSchema<DirectAnswer> = v.variant("kind", [
  v.object({ kind: v.literal("task"), closing: v.exactOptional(closingSchema) }),
  v.object({ kind: v.literal("query"), result: payloadSchema }),
  v.object({
    kind: v.literal("types"),
    workflow_types: v.array(v.string()),
    activity_types: v.array(v.string()),
  }),
  v.object({
    kind: v.literal("error"),
    error: v.object({
      code: errorCode,
      message: v.string(),
      hint: v.string(),
      status: v.number(),
    }),
  }),
]);

/** The workflow-task function: messages of the workflow queue, and direct requests of the API. */
import type { Context, SQSBatchResponse, SQSEvent } from "aws-lambda";
import { CACHED_RUNS_MAX } from "../sdk/core/limits.ts";
import { RunCache } from "../sdk/engine/run-cache.ts";
import { workDirectly, workMessages } from "../sdk/engine/workflow-task.ts";
import type { DirectAnswer, DirectRequest } from "../sdk/ports/functions.ts";
import type { Ports } from "../sdk/ports/ports.ts";
import type { UserCode } from "../sdk/ports/user-code.ts";
import { createRegistry } from "../sdk/worker/registry.ts";
import { attributeStrayErrors } from "../sdk/worker/stray-errors.ts";
import { portsFromEnvironment } from "./compose.ts";
import { invocationOf, receive, respond } from "./records.ts";

export type WorkflowTaskHandler = (
  event: SQSEvent | DirectRequest,
  context: Context,
) => Promise<SQSBatchResponse | DirectAnswer>;

/** The handler over given ports; its cache of suspended runs lives as long as the handler. */
export function createWorkflowTaskHandler(userCode: UserCode, ports: Ports): WorkflowTaskHandler {
  const cache = new RunCache(CACHED_RUNS_MAX);
  return async (event, context) => {
    const invocation = invocationOf(context);
    const task = { ports, userCode, cache, invocation };
    if (!("Records" in event)) return await workDirectly(task, event);
    const received = receive(event, "workflow_task", ports);
    await workMessages(task, received);
    return await respond(event, received, ports);
  };
}

/** The handler of a bundled entry module. @throws PawlError registry_* at start-up */
export function workflowTask(entry: Readonly<Record<string, unknown>>): WorkflowTaskHandler {
  const userCode = createRegistry(entry);
  const ports = portsFromEnvironment();
  attributeStrayErrors(ports.telemetry);
  return createWorkflowTaskHandler(userCode, ports);
}

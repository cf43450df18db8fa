/** Answers a query by replaying the run without appending anything (A10, F-10). */
import { PawlError, pawlError } from "../core/errors.ts";
import { decode, encode } from "../core/payload.ts";
import type { WorkflowInstance } from "../core/replay.ts";
import type { DirectAnswer, DirectRequest } from "../ports/functions.ts";
import { LoadedRun } from "./loaded-run.ts";
import { PayloadVault } from "./payload-vault.ts";
import type { TaskContext } from "./run-task.ts";

type QueryRequest = Extract<DirectRequest, { readonly kind: "query" }>;

export async function answerQuery(
  context: TaskContext,
  request: QueryRequest,
): Promise<DirectAnswer> {
  try {
    return await query(context, request);
  } catch (error) {
    if (!(error instanceof PawlError)) throw error;
    return { kind: "error", error: { ...error.toJSON(), status: error.status } };
  }
}

async function query(context: TaskContext, request: QueryRequest): Promise<DirectAnswer> {
  const { ports, userCode } = context;
  const run = new LoadedRun(ports, userCode, request.run);
  await run.load();
  if (run.state.started === undefined) {
    throw pawlError("query_unknown", {
      workflow_id: request.run.workflow_id,
      name: request.name,
      known: "none, its first task has not run",
    });
  }
  const instance = await run.replay(() => Promise.reject(new Error("the log has its first event")));
  const { arguments: args } = request;
  const argumentsJson = "json" in args ? args.json : await run.vault.fetch(args.blob);
  const value = call({ context, run, instance, request, argumentsJson });
  const encoded = encode(value, `the result of query ${request.name}`);
  if (encoded.kind === "refused") throw encoded.error;
  const vault = new PayloadVault(ports.blobs, ports.host, request.run);
  return { kind: "query", result: await vault.keep(encoded.json, encoded.bytes) };
}

interface Call {
  readonly context: TaskContext;
  readonly run: LoadedRun;
  readonly instance: WorkflowInstance;
  readonly request: QueryRequest;
  readonly argumentsJson: string;
}

function call({ context, run, instance, request, argumentsJson }: Call): unknown {
  const handler = instance.queryHandlers.get(request.name);
  if (handler === undefined) {
    const known = [...instance.queryHandlers.keys()].join(", ") || "none";
    throw pawlError("query_unknown", {
      workflow_id: request.run.workflow_id,
      name: request.name,
      known,
    });
  }
  const decoded = decode(argumentsJson);
  const args: readonly unknown[] = Array.isArray(decoded) ? decoded : [decoded];
  const commandsBefore = instance.unrecorded().length;
  let value: unknown;
  try {
    value = context.userCode.runInWorkflow(
      run.definition(instance.info.workflowType),
      instance,
      () => handler(...args),
    );
  } catch (error) {
    throw pawlError("query_failed", {
      name: request.name,
      reason: error instanceof Error ? error.message : String(error),
    });
  }
  if (value instanceof Promise) {
    value.catch(() => undefined);
    throw pawlError("query_failed", { name: request.name, reason: "its handler is asynchronous" });
  }
  if (instance.unrecorded().length > commandsBefore) {
    throw pawlError("query_failed", {
      name: request.name,
      reason: "its handler starts an activity or a timer",
    });
  }
  return value;
}

/**
 * A function's process: loads the bundled handler once and calls it with Lambda's events, as the stack
 * sends them. Arguments: the bundle's file, the process id of the emulator.
 */
import { flushCompileCache } from "node:module";
import { pathToFileURL } from "node:url";
import type { FromFunction, FunctionError, InvocationContext, ToFunction } from "./wire.ts";

type Handler = (event: unknown, context: object) => unknown;

// The stack has been killed: nothing goes on without it, whatever user code does at exit. The emulator
// cannot notice by itself.
process.on("disconnect", () => {
  killIfThere(Number(process.argv[3]));
  process.kill(process.pid, "SIGKILL");
});

const loading = load(process.argv[2] ?? "");
process.on("message", (message: ToFunction) => {
  if (message.kind === "invoke") void invoke(message.id, message.event, message.context);
});
await announce();

async function load(file: string): Promise<Handler> {
  const module: { readonly handler?: unknown } = await import(pathToFileURL(file).href);
  if (!isHandler(module.handler)) throw new Error(`${file} has no export named handler`);
  return module.handler;
}

async function announce(): Promise<void> {
  try {
    await loading;
    say({ kind: "ready" });
    // So that the next process of this function starts faster, even when this one is killed.
    flushCompileCache();
  } catch (error) {
    say({ kind: "load_failed", error: describe(error) });
  }
}

async function invoke(id: string, event: unknown, context: InvocationContext): Promise<void> {
  try {
    const handler = await loading;
    const answer = await handler(event, lambdaContext(context));
    say({ kind: "answered", id, payload: JSON.stringify(answer) ?? "null" });
  } catch (error) {
    say({ kind: "threw", id, error: describe(error) });
  }
}

function lambdaContext({ deadline, ...context }: InvocationContext): object {
  return {
    ...context,
    callbackWaitsForEmptyEventLoop: true,
    getRemainingTimeInMillis: () => Math.max(0, deadline - Date.now()),
  };
}

function describe(error: unknown): FunctionError {
  if (!(error instanceof Error)) return { errorType: "string", errorMessage: String(error) };
  return {
    errorType: error.name,
    errorMessage: error.message,
    trace: (error.stack ?? "").split("\n"),
  };
}

function isHandler(value: unknown): value is Handler {
  return typeof value === "function";
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // another function's process was faster
  }
}

function say(message: FromFunction): void {
  process.send?.(message);
}

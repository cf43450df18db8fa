/**
 * Errors that leave user code by no promise that anybody holds: a rejection of a floating promise, a
 * throw in a callback of a timer. Left alone they end the process, and the attempts of other runs with
 * it (B15). They are told apart by the async context that they come from:
 *
 * - of an activity: its attempt fails with the error, like a throw of its body; of one whose attempt
 *   is over the error is only logged;
 * - of a workflow: only logged, since a promise that is awaited later is no failure;
 * - of anything else: what happens without this.
 */
import { syncBuiltinESMExports } from "node:module";
import process from "node:process";
import type { Telemetry } from "../ports/telemetry.ts";
import { currentScope } from "./scope.ts";

type Event = "unhandledRejection" | "uncaughtException";
type Listener = (error: unknown, ...rest: readonly unknown[]) => void;

let isInstalled = false;

/** Once per process of a function, before any event; further calls do nothing. */
export function attributeStrayErrors(telemetry: Pick<Telemetry, "warn">): void {
  if (isInstalled) return;
  isInstalled = true;
  attribute("unhandledRejection", telemetry, (error) => {
    // As without a listener: an exception that nobody caught.
    throw error;
  });
  attribute("uncaughtException", telemetry, endProcess);
  keepFromExiting();
}

/** The platform's own listeners, if any, get what is no user code's. */
function attribute(event: Event, telemetry: Pick<Telemetry, "warn">, otherwise: Listener): void {
  // They take the same arguments for both events; the types of Node.js tell them apart.
  const platform = process.rawListeners(event) as unknown as readonly Listener[];
  process.removeAllListeners(event);
  process.on(event, (error: unknown, ...rest: readonly unknown[]) => {
    if (isOfUserCode(error, event, telemetry)) return;
    if (platform.length === 0) otherwise(error, ...rest);
    for (const listener of platform) listener(error, ...rest);
  });
}

function isOfUserCode(error: unknown, event: Event, telemetry: Pick<Telemetry, "warn">): boolean {
  const scope = currentScope();
  if (scope === undefined) return false;
  const fields = { event, error_type: error instanceof Error ? error.name : typeof error };
  if (scope.kind === "workflow") {
    telemetry.warn("workflow code left a rejected promise to nobody", fields);
    return true;
  }
  const { info } = scope.runtime;
  const attempt = {
    workflow_id: info.workflowId,
    run_id: info.runId,
    activity_type: info.activityType,
    attempt: info.attempt,
  };
  if (scope.runtime.isOver()) {
    telemetry.warn("an attempt that is over left an error behind; no other attempt has it", {
      ...attempt,
      ...fields,
    });
    return true;
  }
  telemetry.warn("an error left an activity by no promise: it ends the attempt", {
    ...attempt,
    ...fields,
  });
  scope.runtime.fail(error);
  return true;
}

/** What Node.js does when nobody listens. */
function endProcess(error: unknown): void {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`${text}\n`);
  process.exit(1);
}

/** An attempt that runs may end its process, and is counted. One that is over would end another's. */
function keepFromExiting(): void {
  const exit = process.exit.bind(process);
  process.exit = (code?: number | string | null): never => {
    const scope = currentScope();
    if (scope?.kind === "activity" && scope.runtime.isOver())
      throw new Error("process.exit was called by an attempt that is over");
    return exit(code);
  };
  // Named imports of built-in modules are bindings of their own until they are told.
  syncBuiltinESMExports();
}

/** Replacing functions of the platform so that they act differently in guarded workflow code only. */
import { type PawlError, pawlError } from "../../core/errors.ts";
import { currentScope, type WorkflowScope } from "../scope.ts";

/** What a replaced function does in workflow code. */
export type InWorkflow = (
  scope: WorkflowScope,
  args: readonly unknown[],
  original: () => unknown,
) => unknown;

/** The scope of the running workflow code, when it is guarded. */
export function guardedScope(): WorkflowScope | undefined {
  const scope = currentScope();
  return scope?.kind === "workflow" && scope.guard ? scope : undefined;
}

/** Replaces the function `owner[key]`; does nothing when this platform has none. */
export function intercept(owner: object, key: string, inWorkflow: InWorkflow): void {
  const original: unknown = Reflect.get(owner, key);
  if (typeof original !== "function") return;
  const replacement = function (this: unknown, ...args: readonly unknown[]): unknown {
    const scope = guardedScope();
    if (scope === undefined) return Reflect.apply(original, this, args);
    return inWorkflow(scope, args, () => Reflect.apply(original, this, args));
  };
  replaceFunction(owner, key, original, replacement);
}

/** Puts `replacement` in the place of `original`, with its name and its further properties. */
function replaceFunction(owner: object, key: string, original: object, replacement: object): void {
  for (const name of Reflect.ownKeys(original)) {
    const property = Reflect.getOwnPropertyDescriptor(original, name);
    // A function's `prototype` cannot be defined again, and no constructor is replaced here.
    if (property !== undefined && name !== "prototype")
      Object.defineProperty(replacement, name, property);
  }
  const place = Object.getOwnPropertyDescriptor(owner, key);
  Object.defineProperty(owner, key, {
    value: replacement,
    writable: true,
    configurable: true,
    enumerable: place?.enumerable ?? true,
  });
}

/** Refuses each of the functions by name in workflow code. */
export function refuse(
  owner: object,
  keys: readonly string[],
  { prefix, instead }: { readonly prefix: string; readonly instead: string },
): void {
  for (const key of keys) {
    intercept(owner, key, () => {
      throw refusal(`${prefix}${key}()`, instead);
    });
  }
}

export function refusal(what: string, instead: string): PawlError {
  return pawlError("nondeterministic_call", { what, instead });
}

/** Numbers of the run's random sequence. @throws PawlError read_only_scope, where a draw would shift the sequence */
export function drawFrom(scope: WorkflowScope, what: string): () => number {
  requireCommands(scope, what);
  return () => scope.context.random();
}

/** @throws PawlError read_only_scope in a query handler or a predicate */
export function requireCommands(scope: WorkflowScope, what: string): void {
  if (scope.readOnlyIn !== undefined)
    throw pawlError("read_only_scope", { what, where: scope.readOnlyIn });
}

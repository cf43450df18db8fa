/** `setTimeout` of guarded workflow code is a durable timer; timers that cannot be durable are refused. */
import timers from "node:timers";
import timersPromises from "node:timers/promises";
import { CancelledFailure } from "../../core/failure.ts";
import type { DurableTimer } from "../../core/workflow-context.ts";
import { runOutsideScope, type WorkflowScope } from "../scope.ts";
import { intercept, refusal, refuse, requireCommands } from "./intercept.ts";

const INSTEAD = "use sleep() or condition() of pawl";

export function guardTimers(): void {
  for (const owner of [globalThis, timers]) {
    intercept(owner, "setTimeout", (scope, [callback, delayMs, ...args]) => {
      if (typeof callback !== "function") throw new TypeError("setTimeout needs a function");
      return new DurableTimeout(scope, delayOf(delayMs), () =>
        Reflect.apply(callback, undefined, args),
      );
    });
    intercept(owner, "clearTimeout", (_scope, [timeout], original) =>
      timeout instanceof DurableTimeout ? timeout.close() : original(),
    );
    refuse(owner, ["setInterval", "setImmediate"], { prefix: "", instead: INSTEAD });
  }
  intercept(timersPromises, "setTimeout", (scope, [delayMs, value, options]) => {
    if (hasSignal(options)) throw refusal("setTimeout() with an abort signal", INSTEAD);
    return new Promise((resolve) => {
      new DurableTimeout(scope, delayOf(delayMs), () => resolve(value));
    });
  });
  refuse(timersPromises, ["setInterval", "setImmediate"], {
    prefix: "node:timers/promises ",
    instead: INSTEAD,
  });
  refuse(Object.getPrototypeOf(timersPromises.scheduler), ["wait", "yield"], {
    prefix: "scheduler.",
    instead: INSTEAD,
  });
  refuse(AbortSignal, ["timeout"], { prefix: "AbortSignal.", instead: INSTEAD });
}

/**
 * What `setTimeout` returns in workflow code. It is no point of cancellation, as in Node: a cancel
 * request, which ends durable timers, leaves it waiting for the rest of its time.
 */
class DurableTimeout {
  readonly #scope: WorkflowScope;
  readonly #delayMs: number;
  readonly #callback: () => void;
  /** The timer that will call; none once closed. */
  #timer: DurableTimer | undefined;
  #fireAt: number;

  constructor(scope: WorkflowScope, delayMs: number, callback: () => void) {
    requireCommands(scope, "setTimeout()");
    this.#scope = scope;
    this.#delayMs = delayMs;
    this.#callback = callback;
    this.#fireAt = scope.context.now() + delayMs;
    this.#timer = this.#start(delayMs);
  }

  close(): this {
    const timer = this.#timer;
    this.#timer = undefined;
    if (timer !== undefined) runOutsideScope(() => timer.cancel());
    return this;
  }

  refresh(): this {
    this.close();
    this.#fireAt = this.#scope.context.now() + this.#delayMs;
    this.#timer = this.#start(this.#delayMs);
    return this;
  }

  // A run has no process to keep alive.
  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  hasRef(): boolean {
    return true;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #start(delayMs: number): DurableTimer {
    const timer = runOutsideScope(() => this.#scope.context.startTimer(delayMs));
    // Continued in the workflow's scope, in which the callback belongs. What the callback throws is
    // an unhandled rejection, as it would be an uncaught exception in Node.
    timer.fired.then(this.#callback, (reason: unknown) => {
      if (!(reason instanceof CancelledFailure) || timer !== this.#timer) return;
      this.#timer = this.#start(Math.max(1, this.#fireAt - this.#scope.context.now()));
    });
    return timer;
  }
}

/** As Node reads it: what is no number of at least one millisecond is one. */
function delayOf(delayMs: unknown): number {
  const ms = Number(delayMs);
  return ms >= 1 ? Math.round(ms) : 1;
}

function hasSignal(options: unknown): boolean {
  return typeof options === "object" && options !== null && "signal" in options;
}

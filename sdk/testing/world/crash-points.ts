/** Crash points over the gate: the one armed call kills its process, or seems to get no answer. */
import type { CrashHandle, CrashPoint, FunctionName } from "../../core/test-points.ts";
import { type Gate, type Operation, timeoutError } from "./gate.ts";
import { never, type Process } from "./process.ts";

interface Armed {
  readonly point: CrashPoint;
  /** Such calls that are still to pass before it works. */
  left: number;
  readonly reached: () => void;
}

export interface CrashPointOptions {
  readonly kill: (process: Process) => void;
  readonly kindOf: (process: Process) => FunctionName;
  /** Told about every call that is made. */
  readonly onCall: (kind: FunctionName, operation: Operation) => void;
}

export class CrashPoints {
  readonly #armed = new Set<Armed>();
  readonly #options: CrashPointOptions;

  constructor(options: CrashPointOptions) {
    this.#options = options;
  }

  arm(point: CrashPoint): CrashHandle {
    const { promise, resolve } = Promise.withResolvers<void>();
    const armed: Armed = { point, left: (point.nth ?? 1) - 1, reached: resolve };
    this.#armed.add(armed);
    return { reached: promise, disarm: () => this.#armed.delete(armed) };
  }

  readonly gate: Gate = async (operation, apply) => {
    const { process } = operation;
    if (process === undefined) return apply();
    const kind = this.#options.kindOf(process);
    if (this.#passes(kind, operation, "before")) return this.#kill(process);
    this.#options.onCall(kind, operation);
    const [outcome] = await Promise.allSettled([(async () => apply())()]);
    if (this.#passes(kind, operation, "after")) return this.#kill(process);
    if (this.#passes(kind, operation, "applied")) throw timeoutError(operation.call);
    if (outcome.status === "rejected") throw outcome.reason;
    return outcome.value;
  };

  #kill(process: Process): Promise<never> {
    this.#options.kill(process);
    return never();
  }

  /** Counts the call at every point that waits for it; true when one of them works now. */
  #passes(kind: FunctionName, operation: Operation, when: CrashPoint["when"]): boolean {
    let works = false;
    for (const armed of this.#armed) {
      const { point } = armed;
      if (point.function !== kind || point.call !== operation.call || point.when !== when) continue;
      if (armed.left > 0 || works) {
        armed.left -= 1;
        continue;
      }
      works = true;
      this.#armed.delete(armed);
      armed.reached();
    }
    return works;
  }
}

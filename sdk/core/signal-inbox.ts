/** The signals of one run by name: taken by who waits first, else kept, in log order (G1). */
import { type Deferred, deferred } from "./deferred.ts";

export type Arguments = readonly unknown[];
export type Handler = (...args: Arguments) => unknown;

export class SignalInbox {
  private readonly kept = new Map<string, Arguments[]>();
  private readonly waits = new Map<string, Deferred<Arguments>[]>();
  private readonly handlers = new Map<string, Handler>();
  private readonly call: (name: string, handler: Handler, args: Arguments) => void;

  /** @param call calls a handler inside the workflow */
  constructor(call: (name: string, handler: Handler, args: Arguments) => void) {
    this.call = call;
  }

  deliver(name: string, args: Arguments): void {
    const handler = this.handlers.get(name);
    if (handler !== undefined) {
      this.call(name, handler, args);
      return;
    }
    const waits = this.waits.get(name);
    const wait = waits?.shift();
    if (waits?.length === 0) this.waits.delete(name);
    if (wait !== undefined) wait.resolve(args);
    else this.kept.set(name, [...(this.kept.get(name) ?? []), args]);
  }

  /** The next signal of this name that nobody has taken. */
  next(name: string): Promise<Arguments> {
    const args = this.kept.get(name)?.shift();
    if (args !== undefined) return Promise.resolve(args);
    return deferred((ends) => this.waits.set(name, [...(this.waits.get(name) ?? []), ends]));
  }

  /** Gives every signal of this name to `handler`, those that were kept included. */
  handle(name: string, handler: Handler): void {
    this.handlers.set(name, handler);
    const kept = this.kept.get(name) ?? [];
    this.kept.delete(name);
    for (const args of kept) this.call(name, handler, args);
  }

  /** Ends every wait with an error. */
  rejectWaits(error: unknown): void {
    const waits = [...this.waits.values()].flat();
    this.waits.clear();
    for (const wait of waits) wait.reject(error);
  }

  /** The names that the code waits for. */
  awaited(): readonly string[] {
    return [...this.waits.keys()];
  }

  /** How many signals nobody has taken. */
  keptCount(): number {
    let count = 0;
    for (const kept of this.kept.values()) count += kept.length;
    return count;
  }
}

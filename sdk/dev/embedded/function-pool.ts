/**
 * The environments of one function: started on demand up to its concurrency, kept warm, replaced
 * when they die. Callers beyond the concurrency wait in order.
 */
import type { DeployedFunction } from "./deployment.ts";
import { type FunctionCode, FunctionProcess, type ProcessEvents } from "./function-process.ts";
import type { FunctionError, InvocationResult } from "./wire.ts";

/** Milliseconds after its last invocation in which a process beyond the warm ones ends. */
const IDLE_MS = 30_000;
const STOPPED: InvocationResult = {
  kind: "failed",
  error: { errorType: "Stack.Stopped", errorMessage: "the stack has been stopped" },
};

export interface PreparedCode {
  /** Why the code does not load: to be discarded. */
  readonly failure: FunctionError | undefined;
  commit(): void;
  discard(): void;
}

export class FunctionPool {
  readonly fn: DeployedFunction;
  readonly #events: ProcessEvents;
  /** Every process, with the invocations that it has. */
  readonly #processes = new Map<FunctionProcess, number>();
  /** With old code: they end after their invocations. */
  readonly #retired = new Set<FunctionProcess>();
  /** With new code that is not in use yet. */
  readonly #spare = new Set<FunctionProcess>();
  readonly #idleTimers = new Map<FunctionProcess, NodeJS.Timeout>();
  readonly #waiting: ((process: FunctionProcess) => void)[] = [];
  #code: FunctionCode;
  #stopped = false;
  #invocations = 0;

  constructor(fn: DeployedFunction, code: FunctionCode, events: ProcessEvents) {
    this.fn = fn;
    this.#code = code;
    this.#events = events;
  }

  /** Invocations since the start. */
  get invocations(): number {
    return this.#invocations;
  }
  get processes(): readonly FunctionProcess[] {
    return [...this.#processes.keys()];
  }

  async invoke(event: unknown): Promise<InvocationResult> {
    if (this.#stopped) return STOPPED;
    const process = await this.#take();
    this.#invocations += 1;
    const result = await process.invoke(event);
    this.#giveBack(process);
    return result;
  }

  /** Starts the warm processes that are missing; the error when the function's code does not load. */
  async warmUp(): Promise<FunctionError | undefined> {
    const missing = Math.max(0, this.fn.warm - this.#usable().length);
    const started = Array.from({ length: missing }, () => this.#start(this.#code));
    const failures = await Promise.all(started.map(({ loaded }) => loaded));
    return failures.find((failure) => failure !== undefined);
  }

  /**
   * Starts one process with new code and waits until it has loaded. `commit` makes it the code of every
   * invocation from then on, the old processes end after theirs; `discard` changes nothing.
   */
  async prepare(code: FunctionCode): Promise<PreparedCode> {
    const first = this.#start(code);
    this.#spare.add(first);
    const failure = await first.loaded;
    return {
      failure,
      commit: () => {
        this.#code = code;
        for (const process of this.#usable()) this.#retire(process);
        this.#spare.delete(first);
        this.#serveWaiting();
      },
      discard: () => first.kill(),
    };
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    const exits = this.processes.map((process) => {
      process.kill();
      return process.exited;
    });
    await Promise.all(exits);
  }

  #take(): Promise<FunctionProcess> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#serveWaiting();
    });
  }

  #serveWaiting(): void {
    while (this.#waiting.length > 0) {
      const process = this.#withRoom();
      if (process === undefined) return;
      this.#processes.set(process, this.#invocationsOf(process) + 1);
      this.#waiting.shift()?.(process);
    }
  }

  /** The oldest process that takes one more invocation, so that the others can end; else a new one. */
  #withRoom(): FunctionProcess | undefined {
    const usable = this.#usable();
    const room = usable.find(
      (process) => this.#invocationsOf(process) < this.fn.invocationsPerProcess,
    );
    if (room !== undefined) return room;
    return usable.length < this.fn.processesMax ? this.#start(this.#code) : undefined;
  }

  #giveBack(process: FunctionProcess): void {
    const left = this.#invocationsOf(process) - 1;
    // A dead one may have been removed already; it is replaced where its exit is seen.
    if (this.#processes.has(process)) this.#processes.set(process, left);
    if (left === 0 && this.#retired.has(process)) process.kill();
    this.#serveWaiting();
    this.#idleTimers.get(process)?.refresh();
  }

  /** Ends a process that has nothing to do, when there are enough others. */
  #shrink(process: FunctionProcess): void {
    const usable = this.#usable();
    const isIdle = usable.includes(process) && this.#invocationsOf(process) === 0;
    if (isIdle && usable.length > this.fn.warm) process.kill();
    else this.#idleTimers.get(process)?.refresh();
  }

  #retire(process: FunctionProcess): void {
    this.#retired.add(process);
    if (this.#invocationsOf(process) === 0) process.kill();
  }

  #usable(): readonly FunctionProcess[] {
    return this.processes.filter(
      (process) => process.alive && !this.#retired.has(process) && !this.#spare.has(process),
    );
  }

  #invocationsOf(process: FunctionProcess): number {
    return this.#processes.get(process) ?? 0;
  }

  #start(code: FunctionCode): FunctionProcess {
    const process = new FunctionProcess(this.fn, code, this.#events);
    this.#processes.set(process, 0);
    this.#idleTimers.set(process, setTimeout(() => this.#shrink(process), IDLE_MS).unref());
    void process.exited.then(() => this.#onExit(process));
    return process;
  }

  #onExit(process: FunctionProcess): void {
    this.#processes.delete(process);
    clearTimeout(this.#idleTimers.get(process));
    this.#idleTimers.delete(process);
    this.#retired.delete(process);
    this.#spare.delete(process);
    if (this.#stopped) return;
    this.#serveWaiting();
    // Code that ends its process before anything is asked of it would do so for ever.
    if (process.hasServed) void this.warmUp();
  }
}

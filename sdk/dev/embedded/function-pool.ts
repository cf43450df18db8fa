/**
 * The environments of one function: started on demand up to its concurrency, kept warm, replaced
 * when they die. Callers beyond the concurrency wait in order.
 */
import type { DeployedFunction } from "./deployment.ts";
import { type FunctionCode, FunctionProcess, type ProcessEvents } from "./function-process.ts";
import type { FunctionError, InvocationResult } from "./wire.ts";

/** Milliseconds after which a process beyond the warm ones ends when it has nothing to do. */
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
  readonly #all = new Set<FunctionProcess>();
  readonly #idle: FunctionProcess[] = [];
  readonly #waiting: ((process: FunctionProcess) => void)[] = [];
  readonly #idleTimers = new Map<FunctionProcess, NodeJS.Timeout>();
  #code: FunctionCode;
  /** With old code: they end after their invocation. */
  readonly #retired = new Set<FunctionProcess>();
  /** With new code that is not in use yet. */
  readonly #spare = new Set<FunctionProcess>();
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
    return [...this.#all];
  }

  async invoke(event: unknown): Promise<InvocationResult> {
    if (this.#stopped) return STOPPED;
    const process = await this.#take();
    this.#invocations += 1;
    const result = await process.invoke(event);
    this.#giveBack(process);
    return result;
  }

  /** Starts the warm processes; the error when the function's code does not load. */
  async warmUp(): Promise<FunctionError | undefined> {
    const missing = Math.max(0, this.fn.warm - this.#all.size);
    const started = Array.from({ length: missing }, () => this.#start(this.#code));
    for (const process of started) this.#giveBack(process);
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
        this.#spare.delete(first);
        for (const process of this.#all)
          if (process !== first && !this.#spare.has(process)) this.#retired.add(process);
        for (const process of this.#idle.splice(0)) process.kill();
        this.#giveBack(first);
        this.#serveWaiting();
      },
      discard: () => first.kill(),
    };
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    for (const timer of this.#idleTimers.values()) clearTimeout(timer);
    const exits = [...this.#all].map((process) => {
      process.kill();
      return process.exited;
    });
    await Promise.all(exits);
  }

  #take(): Promise<FunctionProcess> {
    for (;;) {
      const process = this.#idle.pop();
      if (process === undefined) break;
      clearTimeout(this.#idleTimers.get(process));
      if (process.alive) return Promise.resolve(process);
    }
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#serveWaiting();
    });
  }

  /** Starts processes for those who wait, as far as the concurrency allows. */
  #serveWaiting(): void {
    // Processes that are about to end, or not yet in use, do not count.
    const inUse = () => this.#all.size - this.#retired.size - this.#spare.size;
    while (this.#waiting.length > 0 && inUse() < this.fn.concurrencyMax)
      this.#waiting.shift()?.(this.#start(this.#code));
  }

  #giveBack(process: FunctionProcess): void {
    if (this.#stopped || this.#retired.has(process)) {
      process.kill();
      return;
    }
    // A dead one is replaced where its exit is seen.
    if (!process.alive) return;
    const next = this.#waiting.shift();
    if (next !== undefined) {
      next(process);
      return;
    }
    this.#idle.push(process);
    const timer = setTimeout(() => this.#shrink(process), IDLE_MS).unref();
    this.#idleTimers.set(process, timer);
  }

  #shrink(process: FunctionProcess): void {
    const index = this.#idle.indexOf(process);
    if (index < 0 || this.#idle.length <= this.fn.warm) return;
    this.#idle.splice(index, 1);
    process.kill();
  }

  #start(code: FunctionCode): FunctionProcess {
    const process = new FunctionProcess(this.fn, code, this.#events);
    this.#all.add(process);
    void process.exited.then(() => this.#onExit(process));
    return process;
  }

  #onExit(process: FunctionProcess): void {
    for (const set of [this.#all, this.#retired, this.#spare]) set.delete(process);
    clearTimeout(this.#idleTimers.get(process));
    this.#idleTimers.delete(process);
    const index = this.#idle.indexOf(process);
    if (index >= 0) this.#idle.splice(index, 1);
    if (this.#stopped) return;
    this.#serveWaiting();
    // Code that ends its process before anything is asked of it would do so for ever.
    if (process.hasServed) void this.warmUp();
  }
}

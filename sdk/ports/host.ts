/** The environment of the engine: time, randomness, waiting. The only way by which they enter. */
export interface Host {
  /** Milliseconds since the epoch, by this machine's clock. */
  now(): number;
  /** A fresh id: unique, sortable by time. */
  newId(): string;
  /** A random number from 0 to below 1, for jitter only. */
  random(): number;
  /** Resolves after `ms` milliseconds, or at once when `signal` aborts; never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Resolves when every microtask that is ready has run: workflow code has gone as far as it can. */
  settle(): Promise<void>;
  /**
   * Says for how many milliseconds the event loop was blocked, each time, until the returned function
   * is called (B-17). A virtual clock has nothing to say.
   */
  watchLoop(onBlocked: (ms: number) => void): () => void;
}

/** One invocation of a function. */
export interface Invocation {
  /** Fresh for every invocation; also its id in logs. */
  readonly id: string;
  /** Milliseconds that the whole invocation had when it began. */
  readonly budgetMs: number;
  /** Milliseconds until the platform kills the invocation. */
  remainingMs(): number;
}

/**
 * One execution environment of a function, as the world sees it: it runs, is frozen between two
 * invocations, or is gone. A killed process is abandoned: what it waits for never arrives, as if
 * the machine had been switched off. `revive` lets a gone one go on (a zombie).
 */
export type ProcessState = "running" | "frozen" | "gone";

export class Process {
  readonly id: string;
  readonly functionName: string;
  #state: ProcessState = "running";
  #parked: (() => void)[] = [];
  #waits = 0;

  constructor(id: string, functionName: string) {
    this.id = id;
    this.functionName = functionName;
  }

  get state(): ProcessState {
    return this.#state;
  }

  /** Answers that the process is known to wait for: I/O, time, a user body. */
  get waits(): number {
    return this.#waits;
  }

  /** Resolves while the process runs, at once; else when it runs again; never when it stays gone. */
  proceed(): Promise<void> {
    if (this.#state === "running") return Promise.resolve();
    return new Promise((resolve) => this.#parked.push(resolve));
  }

  /** Waits for `promise` on behalf of the process: its answer arrives only while the process runs. */
  async await<T>(promise: Promise<T>): Promise<T> {
    this.#waits += 1;
    const settled = await promise.then(
      (value) => ({ ok: true as const, value }),
      (error: unknown) => ({ ok: false as const, error }),
    );
    await this.proceed();
    this.#waits -= 1;
    if (settled.ok) return settled.value;
    throw settled.error;
  }

  freeze(): void {
    if (this.#state === "running") this.#state = "frozen";
  }

  thaw(): void {
    if (this.#state === "frozen") this.#resume();
  }

  /**
   * What a body does that never yields: the process stands still until `passed`. Then its caller goes
   * on first, with everything that needs no event loop; timers and answers that became due meanwhile
   * follow once `settled` resolves.
   */
  async block(passed: Promise<void>, settled: () => Promise<void>): Promise<void> {
    this.freeze();
    await passed;
    if (this.#state !== "frozen") return await this.proceed();
    this.#state = "running";
    const parked = this.#parked;
    this.#parked = [];
    void settled().then(() => {
      this.#parked.unshift(...parked);
      if (this.#state === "running") this.#resume();
    });
  }

  abandon(): void {
    this.#state = "gone";
  }

  /** A zombie: what a gone process waited for arrives after all. */
  revive(): void {
    if (this.#state === "gone") this.#resume();
  }

  #resume(): void {
    this.#state = "running";
    const parked = this.#parked;
    this.#parked = [];
    for (const resume of parked) resume();
  }
}

/** A promise for an answer that nobody will give. */
export function never<T>(): Promise<T> {
  return new Promise<T>(() => {});
}

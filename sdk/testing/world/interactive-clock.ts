/**
 * The interactive mode of virtual time, for tests that talk to the platform from outside:
 *
 * - what is due now runs at once;
 * - `advance` moves time on, entry by entry, as far as it is told;
 * - while a user body runs, time flows at the pace of the real clock, so that a body that hangs for
 *   real still times out;
 * - while a client waits and nothing runs, time jumps to the next entry;
 * - otherwise time stands still.
 */
import { performance } from "node:perf_hooks";
import type { Scheduler } from "./scheduler.ts";

/**
 * Real milliseconds that `advance` gives a body before it counts as one that waits for the test: a
 * body that really works must not time out because the test moves the clock.
 */
const BODY_GRACE_MS = 250;
/** Real milliseconds for which work of unknown kind (a module that loads) may hold time up. */
const UNKNOWN_WORK_MS_MAX = 5_000;

interface Advance {
  readonly until: number;
  readonly done: () => void;
}

export class InteractiveClock {
  readonly #scheduler: Scheduler;
  /** Whether a process runs without waiting for anything that is known. */
  readonly #hasUnknownWork: () => boolean;
  /** When each running user body began, on the real clock. */
  readonly #bodies = new Map<symbol, number>();
  readonly #advances: Advance[] = [];
  readonly #catchingUp: (() => void)[] = [];
  #waiting = 0;
  #unknownSince: number | undefined;
  #closed = false;
  #poke: () => void = () => {};

  constructor(scheduler: Scheduler, hasUnknownWork: () => boolean) {
    this.#scheduler = scheduler;
    this.#hasUnknownWork = hasUnknownWork;
    scheduler.onScheduled = () => this.#poke();
    void this.#pump();
  }

  /** Waits on behalf of a client: meanwhile time may jump. */
  async waiting<T>(promise: Promise<T>): Promise<T> {
    this.#waiting += 1;
    this.#poke();
    try {
      return await promise;
    } finally {
      this.#waiting -= 1;
    }
  }

  /** Resolves when everything that is due has run, as far as it can. */
  caughtUp(): Promise<void> {
    return new Promise((resolve) => {
      this.#catchingUp.push(resolve);
      this.#poke();
    });
  }

  /** A user body begins; the answer ends it, and may be called twice. */
  beginBody(): () => void {
    const body = Symbol("body");
    this.#bodies.set(body, performance.now());
    this.#poke();
    return () => {
      if (this.#bodies.delete(body)) this.#poke();
    };
  }

  /** Moves time on by `ms`; resolves when everything that was due until then has run. */
  advance(ms: number): Promise<void> {
    const last = this.#advances.at(-1)?.until ?? this.#scheduler.now();
    return new Promise((done) => {
      this.#advances.push({ until: last + ms, done });
      this.#poke();
    });
  }

  /** Stops time for good. */
  close(): void {
    this.#closed = true;
    this.#scheduler.flow(false);
    this.#poke();
  }

  async #pump(): Promise<void> {
    while (!this.#closed) {
      await this.#scheduler.drain();
      while (this.#scheduler.runDue()) await this.#scheduler.drain();
      const pauseMs = this.#proceed();
      if (pauseMs > 0) await this.#pause(pauseMs);
    }
  }

  /** Does one step of time when one is allowed. Answers for how many real milliseconds to wait. */
  #proceed(): number {
    if (this.#closed) return 0;
    const now = performance.now();
    if (this.#hasUnknownWork()) {
      this.#unknownSince ??= now;
      if (now - this.#unknownSince < UNKNOWN_WORK_MS_MAX) return 1;
    } else this.#unknownSince = undefined;
    if (this.#catchingUp.length > 0) {
      for (const resolve of this.#catchingUp.splice(0)) resolve();
      return 0;
    }
    const advance = this.#advances[0];
    if (advance !== undefined) return this.#proceedTo(advance, now);
    this.#scheduler.flow(this.#bodies.size > 0);
    if (this.#bodies.size > 0) {
      const next = this.#scheduler.nextOfAllAt() ?? Number.POSITIVE_INFINITY;
      return Math.max(1, next - this.#scheduler.now());
    }
    const next = this.#scheduler.nextAt();
    if (this.#waiting === 0 || next === undefined) return Number.POSITIVE_INFINITY;
    this.#scheduler.moveTo(next);
    return 0;
  }

  #proceedTo(advance: Advance, now: number): number {
    const youngest = Math.max(...this.#bodies.values(), Number.NEGATIVE_INFINITY);
    const graceMs = youngest + BODY_GRACE_MS - now;
    if (graceMs > 0) return graceMs;
    const next = this.#scheduler.nextAt();
    this.#scheduler.moveTo(Math.min(next ?? advance.until, advance.until));
    if (next !== undefined && next <= advance.until) return 0;
    this.#advances.shift();
    advance.done();
    return 0;
  }

  /** Waits for an entry, a body, a client, or until the time is over. */
  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = Number.isFinite(ms) ? setTimeout(() => this.#poke(), ms) : undefined;
      this.#poke = () => {
        clearTimeout(timer);
        this.#poke = () => {};
        resolve();
      };
    });
  }
}

/**
 * Virtual time: a heap of (time, ordinal). Nothing in the world reads a real clock; who waits, waits
 * for an entry of this heap. `run` is the deterministic mode; the interactive mode of the memory
 * target is `interactive-clock.ts`, which drives the same heap.
 */
import { performance } from "node:perf_hooks";

export interface Scheduled {
  /** Takes the entry out; nothing when it has run. */
  cancel(): void;
}

export interface ScheduleOptions {
  /**
   * Entries for which time does not stop on its way to the next thing that happens: they run late.
   *
   * - `poll`: looks whether the store has changed (an API call that waits). Time stops for it only
   *   when the store has changed since the entry was made.
   * - `limit`: ends something that takes too long (an API call's timeout).
   */
  readonly passive?: "poll" | "limit";
}

interface Entry {
  readonly at: number;
  readonly ordinal: number;
  /** The number of changes when a poll was made; others are never behind. */
  readonly changes: number;
  run: (() => void) | undefined;
}

export class Scheduler {
  #now: number;
  #ordinal = 0;
  #changes = 0;
  #settling = 0;
  /** Since when time flows by itself, on the real clock; undefined while it stands. */
  #flowsSince: number | undefined;
  readonly #active: Entry[] = [];
  readonly #passive: Entry[] = [];
  /** Called whenever an entry is added: wakes who waits for one. */
  onScheduled: () => void = () => {};

  /** @param startAt milliseconds since the epoch */
  constructor(startAt: number) {
    this.#now = startAt;
  }

  /** Milliseconds since the epoch, whole. */
  now(): number {
    return this.#flowsSince === undefined
      ? this.#now
      : this.#now + Math.floor(performance.now() - this.#flowsSince);
  }

  /** Runs `run` once, `delayMs` milliseconds from now, in the order of (time, call of `at`). */
  at(delayMs: number, run: () => void, options: ScheduleOptions = {}): Scheduled {
    const at = this.now() + Math.max(0, Math.ceil(delayMs));
    const changes = options.passive === "poll" ? this.#changes : Number.POSITIVE_INFINITY;
    const entry: Entry = { at, ordinal: this.#ordinal++, changes, run };
    if (options.passive !== undefined) insertSorted(this.#passive, entry);
    else heapPush(this.#active, entry);
    this.onScheduled();
    return {
      cancel: () => {
        entry.run = undefined;
      },
    };
  }

  /** Resolves after `ms` virtual milliseconds, or at once when `signal` aborts. Never rejects. */
  sleep(ms: number, signal?: AbortSignal, options: ScheduleOptions = {}): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted === true) {
        resolve();
        return;
      }
      const wake = (): void => {
        scheduled.cancel();
        signal?.removeEventListener("abort", wake);
        resolve();
      };
      const scheduled = this.at(ms, wake, options);
      signal?.addEventListener("abort", wake);
    });
  }

  /** Resolves when every microtask that is ready has run. */
  async settle(): Promise<void> {
    this.#settling += 1;
    await immediate();
    this.#settling -= 1;
  }

  /** Resolves when nothing runs any more except what waits for time (or for the outside). */
  async drain(): Promise<void> {
    do await immediate();
    while (this.#settling > 0);
  }

  /** The time of the next entry that can change anything, or undefined. */
  nextAt(): number | undefined {
    dropCancelled(this.#active);
    const active = this.#active[0]?.at;
    const awake = this.#passive.find(
      (entry) => entry.run !== undefined && entry.changes < this.#changes,
    )?.at;
    if (active === undefined && awake === undefined) return this.#firstPassive()?.at;
    return Math.min(active ?? Number.POSITIVE_INFINITY, awake ?? Number.POSITIVE_INFINITY);
  }

  /** The time of the very next entry, a passive one included. */
  nextOfAllAt(): number | undefined {
    dropCancelled(this.#active);
    const [active, passive] = [this.#active[0]?.at, this.#firstPassive()?.at];
    return active === undefined ? passive : Math.min(active, passive ?? active);
  }

  /** Runs the first entry that is due. Answers false when none is. */
  runDue(): boolean {
    dropCancelled(this.#active);
    const active = this.#active[0];
    const passive = this.#firstPassive();
    const isPassive =
      passive !== undefined && (active === undefined || compare(passive, active) < 0);
    const entry = isPassive ? passive : active;
    if (entry === undefined || entry.at > this.now()) return false;
    if (isPassive) this.#passive.shift();
    else heapPop(this.#active);
    const run = entry.run;
    entry.run = undefined;
    run?.();
    return true;
  }

  /** The store has changed: polls are worth their while again. */
  changed(): void {
    this.#changes += 1;
    this.onScheduled();
  }

  /** Moves the clock forward to `time`; never back. Runs nothing. */
  moveTo(time: number): void {
    this.#now = Math.max(this.now(), time);
    if (this.#flowsSince !== undefined) this.#flowsSince = performance.now();
  }

  /** Lets time flow at the pace of the real clock, or stops it where it is. */
  flow(on: boolean): void {
    if (on === (this.#flowsSince !== undefined)) return;
    this.#now = this.now();
    this.#flowsSince = on ? performance.now() : undefined;
  }

  /**
   * The deterministic mode: pops one entry, runs it, drains microtasks, repeats; until no entry is
   * left, `until` is reached (milliseconds since the epoch) or `stop` says so.
   */
  async run(options: { readonly until?: number; readonly stop?: () => boolean } = {}) {
    const until = options.until ?? Number.POSITIVE_INFINITY;
    for (;;) {
      await this.drain();
      if (options.stop?.() === true) return;
      const next = this.nextOfAllAt();
      if (next === undefined || next > until) break;
      this.moveTo(next);
      this.runDue();
    }
    if (Number.isFinite(until)) this.moveTo(until);
  }

  #firstPassive(): Entry | undefined {
    while (this.#passive[0] !== undefined && this.#passive[0].run === undefined)
      this.#passive.shift();
    return this.#passive[0];
  }
}

/** One turn of the event loop. */
export function immediate(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function compare(left: Entry, right: Entry): number {
  return left.at - right.at || left.ordinal - right.ordinal;
}

function insertSorted(list: Entry[], entry: Entry): void {
  const index = list.findIndex((other) => compare(entry, other) < 0);
  list.splice(index === -1 ? list.length : index, 0, entry);
}

function dropCancelled(heap: Entry[]): void {
  while (heap[0] !== undefined && heap[0].run === undefined) heapPop(heap);
}

function heapPush(heap: Entry[], entry: Entry): void {
  let index = heap.push(entry) - 1;
  while (index > 0) {
    const parentIndex = (index - 1) >> 1;
    const parent = heap[parentIndex];
    if (parent === undefined || compare(parent, entry) <= 0) break;
    heap[index] = parent;
    index = parentIndex;
  }
  heap[index] = entry;
}

function heapPop(heap: Entry[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  let index = 0;
  for (;;) {
    const left = 2 * index + 1;
    const [first, second] = [heap[left], heap[left + 1]];
    if (first === undefined) break;
    const secondIsSmaller = second !== undefined && compare(second, first) < 0;
    const child = secondIsSmaller ? second : first;
    if (compare(last, child) <= 0) break;
    heap[index] = child;
    index = secondIsSmaller ? left + 1 : left;
  }
  heap[index] = last;
}

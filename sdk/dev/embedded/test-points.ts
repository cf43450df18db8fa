/**
 * Crash points and counts, seen from the stack: functions report their calls and ask at armed ones,
 * the stack counts over all processes of a function and decides.
 */
import {
  type Counts,
  type CrashHandle,
  type CrashPoint,
  type FunctionName,
  type PointsMessage,
  type QueueCounts,
  type StoreCounts,
} from "../../core/test-points.ts";
import type { FunctionPool } from "./function-pool.ts";
import type { FunctionProcess } from "./function-process.ts";

interface Armed {
  readonly point: CrashPoint;
  /** Such calls that are still to pass before it works. */
  left: number;
  reached(): void;
}

export class TestPoints {
  readonly #pools: readonly FunctionPool[];
  readonly #armed = new Set<Armed>();
  readonly #store = new Map<string, StoreCounts>();
  readonly #queue = new Map<string, QueueCounts>();
  readonly #calls = new Map<string, number>();

  /** `pools` may still be filled after the construction. */
  constructor(pools: readonly FunctionPool[]) {
    this.#pools = pools;
  }

  arm(point: CrashPoint): CrashHandle {
    const { promise, resolve } = Promise.withResolvers<void>();
    const armed: Armed = { point, left: (point.nth ?? 1) - 1, reached: resolve };
    this.#armed.add(armed);
    this.#announce(point.function);
    return { reached: promise, disarm: () => this.#disarm(armed) };
  }

  /** A message of a function's process. */
  onMessage(kind: FunctionName, process: FunctionProcess, message: PointsMessage): void {
    if (message.kind === "listening") process.tell(this.#pointsOf(kind));
    if (message.kind === "called") this.#count(kind, message);
    if (message.kind === "asked") void this.#decide(kind, process, message);
  }

  counts(): Counts {
    const invocations = { "workflow-task": 0, "activity-task": 0, api: 0, sweeper: 0 };
    for (const pool of this.#pools) invocations[pool.fn.kind] += pool.invocations;
    return {
      store: Object.fromEntries(this.#store),
      queue: Object.fromEntries(this.#queue),
      invocations,
      calls: Object.fromEntries(this.#calls),
    };
  }

  async #decide(
    kind: FunctionName,
    process: FunctionProcess,
    { ask, call, when }: Extract<PointsMessage, { readonly kind: "asked" }>,
  ): Promise<void> {
    const due = this.#passed(kind, call, when);
    if (due === undefined) {
      process.tell({ kind: "verdict", ask, fail: false });
      return;
    }
    this.#disarm(due);
    if (when === "applied") {
      process.tell({ kind: "verdict", ask, fail: true });
    } else {
      process.kill();
      await process.exited;
    }
    due.reached();
  }

  /** Counts a call at every point that waits for it; the point whose turn it is. */
  #passed(kind: FunctionName, call: string, when: CrashPoint["when"]): Armed | undefined {
    let due: Armed | undefined;
    for (const armed of this.#armed) {
      const { point } = armed;
      if (point.function !== kind || point.call !== call || point.when !== when) continue;
      if (armed.left === 0) due ??= armed;
      else armed.left -= 1;
    }
    return due;
  }

  #disarm(armed: Armed): void {
    if (this.#armed.delete(armed)) this.#announce(armed.point.function);
  }

  #announce(kind: FunctionName): void {
    const points = this.#pointsOf(kind);
    for (const pool of this.#pools) {
      if (pool.fn.kind === kind) for (const process of pool.processes) process.tell(points);
    }
  }

  #pointsOf(kind: FunctionName): Extract<PointsMessage, { readonly kind: "points" }> {
    const points = [...this.#armed].map(({ point }) => point);
    return { kind: "points", points: points.filter((point) => point.function === kind) };
  }

  #count(
    kind: FunctionName,
    { call, store, queue }: Extract<PointsMessage, { readonly kind: "called" }>,
  ): void {
    const key = `${kind}: ${call}`;
    this.#calls.set(key, (this.#calls.get(key) ?? 0) + 1);
    for (const { table, reads, writes } of store) {
      const before = this.#store.get(table) ?? { reads: 0, writes: 0 };
      this.#store.set(table, { reads: before.reads + reads, writes: before.writes + writes });
    }
    for (const { queue: name, messages } of queue) {
      const before = this.#queue.get(name) ?? { calls: 0, messages: 0 };
      this.#queue.set(name, { calls: before.calls + 1, messages: before.messages + messages });
    }
  }
}

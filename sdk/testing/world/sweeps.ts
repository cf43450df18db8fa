/**
 * The sweeper's schedule: every minute. Minutes in which it would find nothing are left out, so that
 * a month of virtual time costs what happens in it: the schedule knows from the tables and the
 * dead-letter queues when the next look is worth its while.
 */
import {
  PARTITION_KEY,
  RUNS_BY_CHECK,
  RUNS_BY_COUNT,
  SORT_KEY,
  TABLES,
} from "../../adapters/dynamodb/layout.ts";
import { QUEUE_DELAY_MS_MAX } from "../../core/limits.ts";
import type { FakeDynamo } from "./dynamo.ts";
import type { Item } from "./item.ts";
import type { Scheduled, Scheduler } from "./scheduler.ts";
import type { FakeQueue } from "./sqs-queue.ts";

export const SWEEP_EVERY_MS = 60_000;
const [TIMERS, RUNS] = [TABLES.timers.name, TABLES.workflow_runs.name];

export interface SweepOptions {
  readonly scheduler: Scheduler;
  readonly dynamo: FakeDynamo;
  readonly deadLetterQueues: readonly FakeQueue[];
  /** Invokes the sweeper function. */
  readonly invoke: () => Promise<unknown>;
}

export class Sweeps {
  readonly #options: SweepOptions;
  readonly #startedAt: number;
  #next: { readonly at: number; readonly entry: Scheduled } | undefined;

  constructor(options: SweepOptions) {
    this.#options = options;
    this.#startedAt = options.scheduler.now();
    options.dynamo.onWrite = (table, item) => {
      options.scheduler.changed();
      this.#planFor(dueAt(table, item));
    };
    for (const queue of options.deadLetterQueues)
      queue.onVisible = () => this.#planFor(options.scheduler.now());
  }

  /** Makes sure that a sweep runs in the first full minute that is not before `time`. */
  #planFor(time: number | undefined): void {
    if (time === undefined) return;
    const now = this.#options.scheduler.now();
    const after = Math.max(time, now + 1) - this.#startedAt;
    const at = this.#startedAt + Math.ceil(after / SWEEP_EVERY_MS) * SWEEP_EVERY_MS;
    if (this.#next !== undefined && this.#next.at <= at) return;
    this.#next?.entry.cancel();
    const entry = this.#options.scheduler.at(at - now, () => void this.#sweep());
    this.#next = { at, entry };
  }

  async #sweep(): Promise<void> {
    this.#next = undefined;
    const due = this.#earliest();
    if (due === undefined) return;
    if (due <= this.#options.scheduler.now()) await this.#options.invoke();
    this.#planFor(this.#earliest());
  }

  #earliest(): number | undefined {
    const { scheduler, dynamo, deadLetterQueues } = this.#options;
    const times = [TIMERS, RUNS].flatMap((table) =>
      dynamo.items(table).flatMap((item) => dueAt(table, item) ?? []),
    );
    if (deadLetterQueues.some((queue) => queue.depth().visible > 0)) times.push(scheduler.now());
    return times.length === 0 ? undefined : times.reduce((one, other) => Math.min(one, other));
  }
}

/** When the sweeper has something to do about an item, milliseconds since the epoch. */
function dueAt(table: string, item: Item | undefined): number | undefined {
  if (item === undefined) return undefined;
  if (table === TIMERS) {
    // The sort key begins with the time; the sweeper hands entries over as soon as SQS can delay them.
    const due = Number.parseInt(String(item[SORT_KEY]), 10);
    return Number.isNaN(due) ? undefined : due - QUEUE_DELAY_MS_MAX;
  }
  if (table !== RUNS || !(PARTITION_KEY in item)) return undefined;
  const looks = [RUNS_BY_CHECK, RUNS_BY_COUNT].flatMap((index) => {
    const at = item[index.sortKey];
    return item[index.partitionKey] !== undefined && typeof at === "number" ? [at] : [];
  });
  return looks.length === 0 ? undefined : Math.min(...looks);
}

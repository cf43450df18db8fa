/** What the functions did, counted as the instrumented bundles of the other targets do. */
import { type CallCounts, countsOf, type NameOf } from "../../functions/instrument-calls.ts";
import type { Counts, FunctionName, QueueCounts, StoreCounts } from "../core/test-points.ts";

const NO_STORE: StoreCounts = { reads: 0, writes: 0 };
const NO_QUEUE: QueueCounts = { calls: 0, messages: 0 };

/** Adds up calls and invocations. */
export class CallBook {
  readonly #nameOf: NameOf;
  readonly #store = new Map<string, StoreCounts>();
  readonly #queue = new Map<string, QueueCounts>();
  readonly #calls = new Map<string, number>();
  readonly #invocations = new Map<FunctionName, number>();

  constructor(nameOf: NameOf) {
    this.#nameOf = nameOf;
  }

  invoked(kind: FunctionName): void {
    this.#invocations.set(kind, (this.#invocations.get(kind) ?? 0) + 1);
  }

  called(
    kind: FunctionName,
    operation: { readonly action: string; readonly call: string; readonly input: object },
  ): void {
    const key = `${kind}: ${operation.call}`;
    this.#calls.set(key, (this.#calls.get(key) ?? 0) + 1);
    this.#add(countsOf(operation.action, operation.input, this.#nameOf));
  }

  counts(): Counts {
    const of = (kind: FunctionName): number => this.#invocations.get(kind) ?? 0;
    return {
      store: Object.fromEntries(this.#store),
      queue: Object.fromEntries(this.#queue),
      invocations: {
        "workflow-task": of("workflow-task"),
        "activity-task": of("activity-task"),
        api: of("api"),
        sweeper: of("sweeper"),
      },
      calls: Object.fromEntries(this.#calls),
    };
  }

  #add({ store, queue }: CallCounts): void {
    for (const { table, reads, writes } of store) {
      const before = this.#store.get(table) ?? NO_STORE;
      this.#store.set(table, { reads: before.reads + reads, writes: before.writes + writes });
    }
    for (const { queue: name, messages } of queue) {
      const before = this.#queue.get(name) ?? NO_QUEUE;
      this.#queue.set(name, { calls: before.calls + 1, messages: before.messages + messages });
    }
  }
}

/**
 * What happened between two readings of `platform.counts()`. Tables, queues and calls that did
 * nothing in between are absent.
 */
export function difference(before: Counts, after: Counts): Counts {
  const { invocations } = after;
  const since = (kind: FunctionName): number => invocations[kind] - before.invocations[kind];
  return {
    store: changed(after.store, (table, now) => {
      const then = before.store[table] ?? NO_STORE;
      return { reads: now.reads - then.reads, writes: now.writes - then.writes };
    }),
    queue: changed(after.queue, (queue, now) => {
      const then = before.queue[queue] ?? NO_QUEUE;
      return { calls: now.calls - then.calls, messages: now.messages - then.messages };
    }),
    invocations: {
      "workflow-task": since("workflow-task"),
      "activity-task": since("activity-task"),
      api: since("api"),
      sweeper: since("sweeper"),
    },
    calls: changed(after.calls, (call, now) => now - (before.calls[call] ?? 0)),
  };
}

function changed<T extends number | object>(
  after: Readonly<Record<string, T>>,
  since: (name: string, now: T) => T,
): Record<string, T> {
  const entries = Object.entries(after).map(([name, now]) => [name, since(name, now)] as const);
  return Object.fromEntries(
    entries.filter(([, value]) =>
      typeof value === "number" ? value !== 0 : Object.values(value).some((count) => count !== 0),
    ),
  );
}

/** Compares a history with the list of events that a case expects, and says where they part. */
import type { EventView } from "../../sdk/core/api.ts";
import { type Bindings, type Mismatch, matchValue } from "./matcher.ts";

/** One entry of an expected history. */
export type Entry =
  /** Any number of events, also none. */
  | { readonly kind: "any"; readonly line: number }
  | {
      readonly kind: "event";
      readonly type: string;
      /** A subset of its payload; `recorded_at` and `sequence_number` are the event's own. */
      readonly fields: Readonly<Record<string, unknown>>;
      readonly line: number;
    }
  /** These events next to each other, in any order. */
  | {
      readonly kind: "unordered";
      readonly entries: readonly Extract<Entry, { kind: "event" }>[];
      readonly line: number;
    };

export interface HistoryFailure {
  /** The line of the case file whose entry has no event. */
  readonly line: number;
  readonly text: string;
}

interface Parting {
  readonly entry: number;
  readonly event: number;
  readonly mismatch: Mismatch | undefined;
}

/** Either what the variables stand for afterwards, or the parting that got furthest. */
export function matchHistory(
  entries: readonly Entry[],
  events: readonly EventView[],
  bindings: Bindings,
): { readonly bindings: Bindings } | { readonly failure: HistoryFailure } {
  const search = new Search(entries, events);
  const found = search.from({ entry: 0, event: 0 }, bindings);
  return found === undefined ? { failure: search.failure() } : { bindings: found };
}

interface Position {
  readonly entry: number;
  readonly event: number;
}

class Search {
  readonly #entries: readonly Entry[];
  readonly #events: readonly EventView[];
  #furthest: Parting = { entry: 0, event: -1, mismatch: undefined };

  constructor(entries: readonly Entry[], events: readonly EventView[]) {
    this.#entries = entries;
    this.#events = events;
  }

  from({ entry, event }: Position, bindings: Bindings): Bindings | undefined {
    const expected = this.#entries[entry];
    if (expected === undefined) {
      if (event === this.#events.length) return bindings;
      return this.#part({ entry, event, mismatch: undefined });
    }
    switch (expected.kind) {
      case "any":
        for (let next = event; next <= this.#events.length; next++) {
          const found = this.from({ entry: entry + 1, event: next }, bindings);
          if (found !== undefined) return found;
        }
        return undefined;
      case "event": {
        const match = this.#matchEvent(expected, { entry, event }, bindings);
        return match && this.from({ entry: entry + 1, event: event + 1 }, match);
      }
      case "unordered":
        return this.#permutation(expected.entries, { entry, event }, bindings);
    }
  }

  #permutation(
    rest: readonly Extract<Entry, { kind: "event" }>[],
    { entry, event }: Position,
    bindings: Bindings,
  ): Bindings | undefined {
    if (rest.length === 0) return this.from({ entry: entry + 1, event }, bindings);
    for (const one of rest) {
      const match = this.#matchEvent(one, { entry, event }, bindings);
      const others = rest.filter((other) => other !== one);
      const found = match && this.#permutation(others, { entry, event: event + 1 }, match);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #matchEvent(
    expected: Extract<Entry, { kind: "event" }>,
    { entry, event }: Position,
    bindings: Bindings,
  ): Bindings | undefined {
    const actual = this.#events[event];
    if (actual === undefined || actual.type !== expected.type)
      return this.#part({ entry, event, mismatch: undefined });
    const { recorded_at, sequence } = actual;
    const fields = { ...actual.payload, recorded_at, sequence_number: sequence };
    const match = matchValue(expected.fields, fields, bindings, { path: "", whole: false });
    if (match.bindings !== undefined) return match.bindings;
    return this.#part({ entry, event, mismatch: match.mismatch });
  }

  #part(parting: Parting): undefined {
    const { event, mismatch } = this.#furthest;
    const isFurther =
      parting.event > event ||
      // The right event with a wrong field says more than a wrong event.
      (parting.event === event && mismatch === undefined && parting.mismatch !== undefined);
    if (isFurther) this.#furthest = parting;
    return undefined;
  }

  failure(): HistoryFailure {
    const { entry, event, mismatch } = this.#furthest;
    const expected = this.#entries[entry];
    const line = expected?.line ?? this.#entries.at(-1)?.line ?? 0;
    const lines = this.#events.map((one, index) =>
      index === event ? `  ✗ ${eventLine(one)}` : `    ${eventLine(one)}`,
    );
    if (event >= this.#events.length) lines.push("  ✗ (the end of the history)");
    const wanted = expected === undefined ? "no further event" : entryText(expected);
    const detail =
      mismatch === undefined
        ? `expected here: ${wanted}`
        : `field ${mismatch.path}: expected ${mismatch.expected}, got ${mismatch.actual}`;
    return { line, text: `${detail}\n${lines.join("\n")}` };
  }
}

function entryText(entry: Entry): string {
  switch (entry.kind) {
    case "any":
      return "*";
    case "event":
      return `${entry.type} ${JSON.stringify(entry.fields)}`;
    case "unordered":
      return `in any order: ${entry.entries.map(entryText).join(", ")}`;
  }
}

const SHOWN = [
  "activity_type",
  "execution_mode",
  "attempt_number",
  "retry_reason",
  "retry_backoff_seconds",
  "timeout_kind",
  "signal_name",
  "exception_type",
] as const;

function eventLine({ sequence, type, payload }: EventView): string {
  const fields = SHOWN.filter((name) => payload[name] !== undefined).map(
    (name) => `${name}=${String(payload[name])}`,
  );
  const command = payload["sequence"] === undefined ? [] : [`sequence=${payload["sequence"]}`];
  return [`${sequence}.`, type, ...command, ...fields].join(" ");
}

/** The header of a batch that delivers events without decisions of workflow code (R11). */
import { atEnd, NO_COUNTERS, type RunCounters } from "./counters.ts";
import { invariant } from "./errors.ts";
import { type Batch, type HistoryEvent, isTerminal, SCHEMA_VERSION } from "./events.ts";

/** Where a log stands: what its last batch says (R11). */
export interface Tail
  extends Pick<
    Batch,
    "lease" | "turn_from" | "closed" | "pending_signals" | "counters" | "generation"
  > {
  /** The sequence number that the next event of the log gets, from 1. */
  readonly next: number;
}

const EMPTY: Tail = {
  next: 1,
  lease: null,
  turn_from: null,
  closed: false,
  pending_signals: 0,
  counters: NO_COUNTERS,
  generation: 0,
};

/** Where the log stands behind its last batch; undefined means that it is empty. */
export function tailOf(last: Batch | undefined): Tail {
  if (last === undefined) return EMPTY;
  const { lease, turn_from, closed, pending_signals, counters, generation } = last;
  const next = nextSequence(last);
  return { next, lease, turn_from, closed, pending_signals, counters, generation };
}

/** The sequence number that the next event of the log gets, from 1. */
export function nextSequence(last: Batch | undefined): number {
  return last === undefined ? 1 : last.sequence + last.events.length;
}

/**
 * The batch that appends delivered events behind `tail`.
 *
 * Copies lease and open turn unchanged, so that the last batch alone tells where the log stands: a
 * lease that is not carried on would be a lost worker to everyone else (R11, H12). An event that
 * closes the run ends both. `nonce` stays the same over the retries of one logical write (R9).
 * @param counters behind the events; may be left out where none of them is an activity's
 */
export function inboundBatch(
  tail: Tail,
  events: readonly HistoryEvent[],
  nonce: string,
  counters: RunCounters = events.some(isTerminal) ? atEnd(tail.counters) : tail.counters,
): Batch {
  invariant(events.length > 0, "a batch needs an event");
  invariant(!tail.closed, "nothing is appended to a closed log");
  const closed = events.some(isTerminal);
  return {
    schema: SCHEMA_VERSION,
    sequence: tail.next,
    kind: "inbound",
    events,
    lease: closed ? null : tail.lease,
    turn_from: closed ? null : tail.turn_from,
    closed,
    pending_signals:
      tail.pending_signals + events.filter(({ type }) => type === "SignalReceived").length,
    counters,
    nonce,
    basis: tail.next,
    generation: tail.generation,
  };
}

/** The header of a batch that delivers events without decisions of workflow code (R11). */
import { invariant } from "./errors.ts";
import { type Batch, type HistoryEvent, isTerminal, SCHEMA_VERSION } from "./events.ts";

/** The sequence number that the next event of the log gets, from 1. */
export function nextSequence(tail: Batch | undefined): number {
  return tail === undefined ? 1 : tail.sequence + tail.events.length;
}

/**
 * The batch that appends delivered events behind `tail`.
 *
 * Copies lease and open turn unchanged, so that the last batch alone tells where the log stands: a
 * lease that is not carried on would be a lost worker to everyone else (R11, H12). An event that
 * closes the run ends both. `nonce` stays the same over the retries of one logical write (R9).
 */
export function inboundBatch(
  tail: Batch | undefined,
  events: readonly HistoryEvent[],
  nonce: string,
): Batch {
  invariant(events.length > 0, "a batch needs an event");
  invariant(tail?.closed !== true, "nothing is appended to a closed log");
  const sequence = nextSequence(tail);
  const closed = events.some(isTerminal);
  return {
    schema: SCHEMA_VERSION,
    sequence,
    kind: "inbound",
    events,
    lease: closed ? null : (tail?.lease ?? null),
    turn_from: closed ? null : (tail?.turn_from ?? null),
    closed,
    nonce,
    basis: sequence,
    generation: tail?.generation ?? 0,
  };
}

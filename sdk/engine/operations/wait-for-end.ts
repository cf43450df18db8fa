/** Waiting for a run to close, by looking at the tail of its log. */
import type { Outcome } from "../../core/api.ts";
import type { Batch, RunKey } from "../../core/events.ts";
import { RESULT_WAIT_MS_MAX } from "../../core/limits.ts";
import { closingOf, outcomeOf } from "../../core/views/closing.ts";
import type { Ports } from "../../ports/ports.ts";
import { loadValues } from "./stored-values.ts";

/**
 * Milliseconds between two looks: short at first, for workflows that answer at once, and then a tenth
 * or so of what was waited already. A request of 20 s looks some 60 times.
 */
const POLL_MS_FIRST = 10;
const POLL_MS_MAX = 500;
const POLL_GROWTH = 1.2;

/** The milliseconds for which one request may wait. */
export function waitMs(waitSeconds: number | undefined): number {
  return Math.min((waitSeconds ?? 0) * 1_000, RESULT_WAIT_MS_MAX);
}

/** Looks until the run is closed or `deadline` has passed; answers the last tail it saw. */
export async function waitForEnd(
  ports: Ports,
  run: RunKey,
  deadline: number,
): Promise<Batch | undefined> {
  for (let delayMs = POLL_MS_FIRST; ; delayMs = Math.min(delayMs * POLL_GROWTH, POLL_MS_MAX)) {
    const tail = await ports.history.readTail(run);
    const leftMs = deadline - ports.host.now();
    if (tail?.closed === true || leftMs <= 0) return tail;
    await ports.host.sleep(Math.min(delayMs, leftMs));
  }
}

/** The outcome that the log's tail holds, with its value loaded whatever its size. */
export async function loadOutcome(
  ports: Ports,
  tail: Batch | undefined,
): Promise<Outcome | undefined> {
  const output = closingOf(tail)?.output;
  const show = await loadValues(ports, output === undefined ? [] : [output]);
  return outcomeOf(tail, show);
}

/**
 * Counters and totals as stored: their numbers in the order of their names, as one short text, so
 * that a batch that carries them costs no more to write. Later versions may add numbers at the end.
 */
import { COUNTER_NAMES, NO_COUNTERS, type RunCounters } from "../../core/counters.ts";
import { invariant } from "../../core/errors.ts";
import { NO_TOTALS, TOTAL_NAMES, type Totals } from "../../core/totals.ts";

export function textOfCounters(counters: RunCounters): string {
  return COUNTER_NAMES.map((name) => counters[name]).join(" ");
}

export function textOfTotals(totals: Totals): string {
  return TOTAL_NAMES.map((name) => totals[name]).join(" ");
}

/** @throws InvariantError when it is no text of counters; `what` names what it stands in */
export function countersOf(text: unknown, what: string): RunCounters {
  return numbersOf(COUNTER_NAMES, NO_COUNTERS, text, what);
}

export function totalsOf(text: unknown, what: string): Totals {
  return numbersOf(TOTAL_NAMES, NO_TOTALS, text, what);
}

function numbersOf<Name extends keyof Totals>(
  names: readonly Name[],
  none: Readonly<Record<Name, number>>,
  text: unknown,
  what: string,
): Record<Name, number> {
  const values = typeof text === "string" ? text.split(" ").map(Number) : [];
  const isWhole = names.every((_, index) => Number.isSafeInteger(values[index]));
  invariant(isWhole, `the counters of ${what} are damaged`);
  const fields: Record<Name, number> = { ...none };
  for (const [index, name] of names.entries()) fields[name] = values[index] ?? 0;
  return fields;
}

/**
 * Sums of what runs count: of one workflow id (all its runs) and of all of them. Sums are moved by
 * differences, so every field can be taken back but for the maximum, which only grows.
 */
import type { WorkflowStatus } from "./api.ts";
import { COUNTER_NAMES, NO_COUNTERS, type RunCounters } from "./counters.ts";

export interface Totals extends RunCounters {
  readonly pending_runs: number;
  readonly running_runs: number;
  readonly completed_runs: number;
  readonly failed_runs: number;
  readonly cancelled_runs: number;
  readonly terminated_runs: number;
}

const RUN_NAMES = [
  "pending_runs",
  "running_runs",
  "completed_runs",
  "failed_runs",
  "cancelled_runs",
  "terminated_runs",
] as const satisfies readonly (keyof Totals)[];

export const TOTAL_NAMES = [...RUN_NAMES, ...COUNTER_NAMES] as const;

export const NO_TOTALS: Totals = {
  pending_runs: 0,
  running_runs: 0,
  completed_runs: 0,
  failed_runs: 0,
  cancelled_runs: 0,
  terminated_runs: 0,
  ...NO_COUNTERS,
};

/** What one run adds. */
export function runTotals(status: WorkflowStatus, counters: RunCounters): Totals {
  return { ...NO_TOTALS, ...counters, [`${status}_runs`]: 1 };
}

export function plus(one: Totals, other: Totals): Totals {
  return {
    ...combined((name) => one[name] + other[name]),
    max_attempt_count: Math.max(one.max_attempt_count, other.max_attempt_count),
  };
}

/** What is added to a sum that holds `before` so that it holds `after`. */
export function difference(after: Totals, before: Totals): Totals {
  return {
    ...combined((name) => after[name] - before[name]),
    max_attempt_count: after.max_attempt_count,
  };
}

export function sameTotals(one: Totals, other: Totals): boolean {
  return TOTAL_NAMES.every((name) => one[name] === other[name]);
}

function combined(of: (name: keyof Totals) => number): Totals {
  const fields: Record<keyof Totals, number> = { ...NO_TOTALS };
  for (const name of TOTAL_NAMES) fields[name] = of(name);
  return fields;
}

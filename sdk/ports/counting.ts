import type { RunCounters } from "../core/counters.ts";
import type { RunKey } from "../core/events.ts";
import type { Totals } from "../core/totals.ts";
import type { RunRow } from "./runs.ts";

/**
 * What a workflow id adds to the totals, in the row of its current run: its earlier runs, and how much
 * of everything the totals hold already.
 */
export interface Share {
  /** The current run. */
  readonly row: RunRow;
  /** Earlier runs of this workflow id. */
  readonly past: Totals;
  /** What the totals hold of this workflow id, and how often that was moved. */
  readonly folded: Totals;
  readonly folds: number;
  /** When the sweeper counts this row; absent: what is folded is all there is. */
  readonly count_at?: number;
}

/** The totals' step for one workflow id: they hold `value` of it; `folds` is the count before it. */
export interface Fold {
  readonly workflow_id: string;
  readonly value: Totals;
  readonly folds: number;
}

/** The one item of the totals. `batch` may not have reached its rows yet. */
export interface CountedTotals {
  readonly version: number;
  readonly sums: Totals;
  readonly batch: readonly Fold[];
}

/** What is done with a mark that was looked at. */
export interface Settling {
  readonly run_id: string;
  /** Whether the run was open when it was read: a closing leaves a mark that stands. */
  readonly is_open: boolean;
  /** The mark as it was read: one that was renewed since stays. */
  readonly count_at: number;
  /** When it is looked at again; absent removes the mark. */
  readonly again_at?: number;
}

/** Exact sums over all runs without looking at all runs (ADR 0015). */
export interface Counting {
  /** Marks an open run to be counted at `countAt`, unless its mark is later already. */
  mark(run: RunKey, countAt: number): Promise<void>;
  /** Marked workflow ids, the earliest first, from the sparse index (eventually consistent). */
  marked(
    namespace: string,
    until: number,
    limit: number,
  ): Promise<{ readonly workflowIds: readonly string[]; readonly isAll: boolean }>;
  /** Strongly consistent; undefined when there is no such workflow. */
  share(namespace: string, workflowId: string): Promise<Share | undefined>;
  /**
   * Writes again what a closed run counts, and what its workflow id counts of earlier runs, and marks
   * them to be counted; of an open run only the mark.
   */
  restore(run: RunKey, counters: RunCounters): Promise<void>;
  /** Strongly consistent. */
  totals(namespace: string): Promise<CountedTotals>;
  /** Writes the totals under the condition that they are at `version`, one before the new one's. */
  writeTotals(namespace: string, totals: CountedTotals, nonce: string): Promise<"written" | "lost">;
  /**
   * Tells the row what the totals hold of it, once; nothing when it was told already. With `settling`
   * also what {@link settle} does, in one write where both hold.
   */
  apply(namespace: string, fold: Fold, settling?: Settling): Promise<void>;
  /** Removes or moves a mark, unless it was renewed, the run closed since or is another one. */
  settle(namespace: string, workflowId: string, settling: Settling): Promise<void>;
  /** Attempts that workers have claimed and not concluded, up to `limit` of a shard. */
  runningAttempts(
    namespace: string,
    limit: number,
  ): Promise<{ readonly count: number; readonly isAll: boolean }>;
}

/**
 * Moves what marked runs count into the totals, each exactly once and without transactions (ADR 0015):
 * complete the step that the totals name, read marked rows, write totals and step together under the
 * totals' version, tell the rows. Whoever dies in between leaves a step that the next pass completes.
 */

import { NO_COUNTERS } from "../core/counters.ts";
import type { Batch } from "../core/events.ts";
import { COUNT_MS, FOLDS_MAX, LEASE_MARGIN_MS } from "../core/limits.ts";
import { difference, plus, runTotals, sameTotals, type Totals } from "../core/totals.ts";
import { closingOf } from "../core/views/closing.ts";
import type { CountedTotals, Fold, Settling, Share } from "../ports/counting.ts";
import type { Ports } from "../ports/ports.ts";

/** Steps of one pass; what is left is due in the next one. */
const STEPS_MAX = 20;
/** Rows that are worked at the same time. */
const TOGETHER_MAX = 10;

/** What a workflow id counts by its row and its log, and the end of that log for an open run. */
export interface Counted {
  readonly value: Totals;
  readonly tail: Batch | undefined;
}

/** A closed run's row has its counters; of an open one the log's last batch says them. */
export async function count(ports: Ports, share: Share): Promise<Counted> {
  const { row, past } = share;
  if (row.closed_at !== undefined) {
    const own = runTotals(row.status, row.counters ?? NO_COUNTERS);
    return { value: plus(past, own), tail: undefined };
  }
  const tail = await ports.history.readTail(row);
  const status = tail === undefined ? "pending" : (closingOf(tail)?.status ?? "running");
  const own = runTotals(status, tail?.counters ?? NO_COUNTERS);
  return { value: plus(past, own), tail };
}

/** One pass of the sweeper. */
export async function foldTotals(ports: Ports): Promise<void> {
  const { counting, namespace, host } = ports;
  const marked = () => counting.marked(namespace, host.now() - LEASE_MARGIN_MS, FOLDS_MAX);
  let due = await marked();
  if (due.workflowIds.length === 0) return;
  let totals = await counting.totals(namespace);
  // Before any row is read: then rows say what the totals hold, or the version has moved.
  await applyAll(ports, totals.batch);
  for (let step = 1; ; step++) {
    const ids = due.workflowIds.slice(0, FOLDS_MAX);
    const next = await foldStep(ports, ids, totals);
    if (next === "lost") return;
    totals = next;
    const isLast = due.isAll && ids.length === due.workflowIds.length;
    if (isLast || step === STEPS_MAX) break;
    due = await marked();
  }
  // Its rows know: the next pass need not tell them again.
  if (totals.batch.length > 0)
    await counting.writeTotals(
      namespace,
      { ...totals, version: totals.version + 1, batch: [] },
      host.newId(),
    );
}

/** The totals behind the step; "lost" when another pass moves them: what is left is due again. */
async function foldStep(
  ports: Ports,
  ids: readonly string[],
  totals: CountedTotals,
): Promise<CountedTotals | "lost"> {
  const { counting, namespace } = ports;
  const looked: Looked[] = [];
  await together(ids, async (id) => {
    const one = await look(ports, id);
    if (one !== undefined) looked.push(one);
  });
  const folds = looked.flatMap(({ fold }) => fold ?? []);
  let next = totals;
  if (folds.length > 0) {
    const sums = looked.reduce((sum, { delta }) => plus(sum, delta), totals.sums);
    next = { version: totals.version + 1, sums, batch: folds };
    if ((await counting.writeTotals(namespace, next, ports.host.newId())) === "lost") return "lost";
  }
  await together(looked, ({ id, fold, settling }) =>
    fold === undefined
      ? counting.settle(namespace, id, settling)
      : counting.apply(namespace, fold, settling),
  );
  return next;
}

interface Looked {
  readonly id: string;
  readonly delta: Totals;
  readonly fold: Fold | undefined;
  readonly settling: Settling;
}

async function look(ports: Ports, id: string): Promise<Looked | undefined> {
  const share = await ports.counting.share(ports.namespace, id);
  if (share?.count_at === undefined) return undefined;
  const { row, folded, folds, count_at } = share;
  const { value, tail } = await count(ports, share);
  const closing = row.closed_at === undefined ? closingOf(tail) : undefined;
  // Nobody told the row yet: its mark then comes with its closing.
  if (closing !== undefined && tail !== undefined)
    await ports.runs.markClosed(row, { ...closing, counters: tail.counters });
  const again = row.closed_at === undefined ? againAt(ports, tail) : undefined;
  return {
    id,
    delta: difference(value, folded),
    fold: sameTotals(value, folded) ? undefined : { workflow_id: id, value, folds },
    settling: {
      run_id: row.run_id,
      is_open: row.closed_at === undefined,
      count_at,
      ...(again === undefined ? {} : { again_at: again }),
    },
  };
}

/**
 * An open run that has not begun, or went on just now, stays marked: its tasks count on that. A quiet
 * one loses its mark, and the task that goes on with it marks it again.
 */
function againAt({ host }: Ports, tail: Batch | undefined): number | undefined {
  const now = host.now();
  const lastAt = tail?.events.at(-1)?.at ?? now;
  return lastAt < now - COUNT_MS ? undefined : now + COUNT_MS;
}

async function applyAll({ counting, namespace }: Ports, folds: readonly Fold[]): Promise<void> {
  await together(folds, (fold) => counting.apply(namespace, fold));
}

async function together<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  for (let index = 0; index < items.length; index += TOGETHER_MAX)
    await Promise.all(items.slice(index, index + TOGETHER_MAX).map(work));
}

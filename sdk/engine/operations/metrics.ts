/**
 * Operator metrics (requirements 2.4, S-07, S-08): the totals, and what marked rows count beyond them.
 * No scan: what is read is bounded, whatever the number of runs.
 */
import type { MetricsResponse } from "../../core/api.ts";
import { STRUCTURAL_LIMITS } from "../../core/contract.ts";
import { METRICS_CLAIMS_MAX, METRICS_MARKS_MAX } from "../../core/limits.ts";
import { difference, plus, type Totals } from "../../core/totals.ts";
import { metricsView } from "../../core/views/metrics.ts";
import type { CountedTotals, Share } from "../../ports/counting.ts";
import type { Ports } from "../../ports/ports.ts";
import { count } from "../totals.ts";

/** Reads of one request until the totals stood still meanwhile. */
const READS_MAX = 3;
/** Rows that are read at the same time. */
const TOGETHER_MAX = 25;

interface Reading {
  readonly sums: Totals;
  readonly marked: number;
  readonly isComplete: boolean;
}

/** Exact once nothing runs; while runs go on, each is counted as of some moment of the request. */
export async function metrics(ports: Ports): Promise<MetricsResponse> {
  const { counting, namespace, host } = ports;
  const [reading, claims] = await Promise.all([
    readTotals(ports),
    counting.runningAttempts(namespace, METRICS_CLAIMS_MAX),
  ]);
  return metricsView({
    generatedAt: host.now(),
    sums: reading.sums,
    queuedRunning: claims.count,
    markedWorkflows: reading.marked,
    isComplete: reading.isComplete && claims.isAll,
    structuralLimits: STRUCTURAL_LIMITS,
  });
}

/** A step of the sweeper in between would count rows twice or not at all: then everything is read again. */
async function readTotals(ports: Ports): Promise<Reading> {
  const { counting, namespace } = ports;
  for (let read = 1; ; read++) {
    const before = await counting.totals(namespace);
    const marked = await counting.marked(namespace, Number.MAX_SAFE_INTEGER, METRICS_MARKS_MAX);
    const sums = await withMarked(ports, before, marked.workflowIds);
    const after = await counting.totals(namespace);
    const stoodStill = before.version === after.version;
    if (stoodStill || read === READS_MAX) {
      const isComplete = marked.isAll && stoodStill;
      return { sums, marked: marked.workflowIds.length, isComplete };
    }
  }
}

async function withMarked(
  ports: Ports,
  totals: CountedTotals,
  workflowIds: readonly string[],
): Promise<Totals> {
  let sums = totals.sums;
  for (let index = 0; index < workflowIds.length; index += TOGETHER_MAX) {
    const together = workflowIds.slice(index, index + TOGETHER_MAX);
    const deltas = await Promise.all(together.map((id) => beyond(ports, totals, id)));
    for (const delta of deltas) if (delta !== undefined) sums = plus(sums, delta);
  }
  return sums;
}

/** What a workflow id counts beyond what the totals hold of it. */
async function beyond(
  ports: Ports,
  totals: CountedTotals,
  id: string,
): Promise<Totals | undefined> {
  const share = await ports.counting.share(ports.namespace, id);
  if (share === undefined) return undefined;
  const { value } = await count(ports, share);
  return difference(value, heldOf(totals, id, share));
}

/** The last step's row may not know of it yet. */
function heldOf(totals: CountedTotals, id: string, share: Share): Totals {
  const step = totals.batch.find(({ workflow_id }) => workflow_id === id);
  return step?.folds === share.folds ? step.value : share.folded;
}

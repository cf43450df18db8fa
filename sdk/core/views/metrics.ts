/** Operator metrics under the contract's names (requirements 2.4, S-07, S-08). */
import type { MetricsResponse } from "../api.ts";
import type { Totals } from "../totals.ts";
import { isoTime } from "./values.ts";

export interface MetricsInput {
  /** Milliseconds since the epoch. */
  readonly generatedAt: number;
  readonly sums: Totals;
  /** Attempts of queued activities that workers have claimed. */
  readonly queuedRunning: number;
  readonly markedWorkflows: number;
  readonly isComplete: boolean;
  readonly structuralLimits: Readonly<Record<string, number>>;
}

export function metricsView(input: MetricsInput): MetricsResponse {
  const { sums } = input;
  // A claim is concluded a moment before its outcome reaches the log, and made a moment after.
  const queuedRunning = Math.min(input.queuedRunning, sums.queued_open);
  const queuedPending = sums.queued_open - queuedRunning;
  const localOpen = sums.local_pending + sums.local_running;
  return {
    generated_at: isoTime(input.generatedAt),
    projections: {
      complete: input.isComplete,
      marked_workflows: input.markedWorkflows,
    },
    runs: {
      total:
        sums.pending_runs +
        sums.running_runs +
        sums.completed_runs +
        sums.failed_runs +
        sums.cancelled_runs +
        sums.terminated_runs,
      pending: sums.pending_runs,
      running: sums.running_runs,
      completed: sums.completed_runs,
      failed: sums.failed_runs,
      cancelled: sums.cancelled_runs,
      terminated: sums.terminated_runs,
    },
    starts: { pending_runs: sums.pending_runs },
    activities: {
      total: sums.local + sums.queued,
      open: localOpen + sums.queued_open,
      pending: sums.local_pending + queuedPending,
      running: sums.local_running + queuedRunning,
      retrying: sums.retrying,
      attempts: sums.local_attempts + sums.queued_attempts,
      failed_attempts: sums.local_failed_attempts + sums.queued_failed_attempts,
      max_attempt_count: sums.max_attempt_count,
      local: sums.local,
      local_open: localOpen,
      local_pending: sums.local_pending,
      local_running: sums.local_running,
      local_attempts: sums.local_attempts,
      local_failed_attempts: sums.local_failed_attempts,
      queued: sums.queued,
      queued_open: sums.queued_open,
      queued_pending: queuedPending,
      queued_running: queuedRunning,
      queued_attempts: sums.queued_attempts,
      queued_failed_attempts: sums.queued_failed_attempts,
    },
    structural_limits: input.structuralLimits,
  };
}

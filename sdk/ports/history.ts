import type { Batch, RunKey } from "../core/events.ts";

/** The run's append-only log: the only authority (design section 1). */
export interface History {
  /**
   * Writes one batch under the condition that nothing stands at its sequence. A failed condition
   * whose stored nonce equals the batch's own is "appended" (R9).
   * @throws InfrastructureError when the store did not answer; the batch may have been applied
   */
  append(run: RunKey, batch: Batch): Promise<"appended" | "lost">;
  /** All batches from `sequence` on, strongly consistent, all pages, contiguity asserted. */
  readFrom(run: RunKey, sequence: number): Promise<readonly Batch[]>;
  /** The last batch, strongly consistent, without reading the rest (R11). */
  readTail(run: RunKey): Promise<Batch | undefined>;
}

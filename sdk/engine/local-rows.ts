/**
 * The rows of local activities and their attempts (F-04, S-09): a projection of the log, gathered
 * while tasks work and written off the critical path. The log can rebuild it at any time.
 */
import { type Batch, isTerminal, type RunKey } from "../core/events.ts";
import { type ActivityFacts, ActivityFold } from "../core/views/activity-facts.ts";
import { attemptRows, executionRow } from "../core/views/activity-rows.ts";
import type { Projection } from "../ports/attempts.ts";

interface Touched {
  readonly facts: ActivityFacts;
  /** The sequence of the last batch that changed it. */
  readonly batch: number;
}

export class LocalRows {
  private readonly run: RunKey;
  private fold = new ActivityFold();
  /** By activity. */
  private readonly touched = new Map<number, Touched>();
  /** By activity: the last attempt whose row was written when it was over, so that it stays. */
  private readonly settled = new Map<number, number>();
  /** Activities whose rows are behind the log, as far as this process knows. */
  private readonly behind = new Set<number>();
  /** One write after the other: of two rows of one activity the later one must win. */
  private writing: Promise<void> = Promise.resolve();

  constructor(run: RunKey) {
    this.run = run;
  }

  /** The log is read again from its start; what is behind stays so. */
  restart(): void {
    this.fold = new ActivityFold();
    this.touched.clear();
  }

  /**
   * Folds a batch.
   * @param isOwn this process appended it, so that it is the one to write the rows
   */
  note(batch: Batch, isOwn: boolean): void {
    for (const event of batch.events) {
      if ("local_activity" in event && !event.local_activity) continue;
      for (const facts of this.fold.fold(event)) {
        const { sequence } = facts.scheduled;
        this.touched.set(sequence, { facts, batch: batch.sequence });
        // Whoever closes a run from outside writes no rows: every task that sees the end does.
        if (isOwn || isTerminal(event)) this.behind.add(sequence);
      }
    }
  }

  /** The owner of the batches from `from` on died, maybe before it wrote their rows. */
  takeOver(from: number): void {
    for (const [sequence, { batch }] of this.touched) if (batch >= from) this.behind.add(sequence);
  }

  /** Forgets what is over and written, so that a run in the cache stays small (P5). */
  suspend(): void {
    for (const [sequence, facts] of this.fold.activities) {
      if (facts.closedAt === undefined || this.behind.has(sequence)) continue;
      this.fold.activities.delete(sequence);
      this.touched.delete(sequence);
      this.settled.delete(sequence);
    }
  }

  /** Writes the rows that are behind. What could not be written is tried again by the next call. */
  write(projection: Projection): Promise<void> {
    const written = this.writing.then(() => this.writeBehind(projection));
    this.writing = written.catch(() => undefined);
    return written;
  }

  private async writeBehind(projection: Projection): Promise<void> {
    const sequences = [...this.behind];
    this.behind.clear();
    const facts = sequences.flatMap((sequence) => this.fold.activities.get(sequence) ?? []);
    if (facts.length === 0) return;
    const rows = facts.map((activity) => attemptRows(this.run, activity));
    const attempts = rows.flat().filter((row) => row.attempt_number > this.settledOf(row.sequence));
    try {
      await projection.write(
        facts.map((activity) => executionRow(this.run, activity)),
        attempts,
      );
      for (const { sequence, status, attempt_number: attempt } of attempts)
        if (status !== "running") this.settled.set(sequence, attempt);
    } catch (error) {
      for (const sequence of sequences) this.behind.add(sequence);
      throw error;
    }
  }

  private settledOf(sequence: number): number {
    return this.settled.get(sequence) ?? 0;
  }
}

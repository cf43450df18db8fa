/**
 * One run's lease by the reference clock: who may decide (I10), renewals that gain nothing (I20), and
 * attempts that are declared lost while their lease lives (X1).
 */
import type { Batch } from "../../sdk/core/events.ts";
import type { Process } from "../../sdk/testing/world/process.ts";

/** Two clocks that are 1.5 s wrong each, in opposite directions. */
export const SKEW_MS_MAX = 3_000;
/** Two renewals of one owner are at least half of the shortest lease apart. */
const RENEWAL_GAIN_MS_MIN = 900;

export interface Writer {
  readonly process: Process | undefined;
  /** How far its clock is ahead. */
  readonly skewMs: number;
}

export interface LeaseOptions {
  readonly now: () => number;
  /** Records a broken invariant. */
  readonly expect: (holds: boolean, invariant: string, what: () => string) => void;
}

interface HeldLease {
  /** By the reference clock. */
  readonly until: number;
  readonly writer: Writer;
}

/** Rules about time hold between hosts whose clocks agree; one that has jumped is on its own. */
export function clocksAgree(one: Writer, other: Writer): boolean {
  return Math.abs(one.skewMs - other.skewMs) <= SKEW_MS_MAX;
}

export class Leases {
  readonly #options: LeaseOptions;
  #last: Batch | undefined;
  /** The open turn's lease, and who wrote it. */
  #lease: HeldLease | undefined;
  /** The same before the batch that is being checked. */
  #before: HeldLease | undefined;

  constructor(options: LeaseOptions) {
    this.#options = options;
  }

  note(batch: Batch, writer: Writer): void {
    this.#before = this.#lease;
    this.#checkHolder(batch, writer);
    this.#checkRenewal(batch);
    this.#last = batch;
  }

  /** Fencing (I10): a decision is written by the lease's holder, or when the lease is over. */
  #checkHolder(batch: Batch, writer: Writer): void {
    const { expect, now } = this.#options;
    const before = this.#lease;
    const isLive = before !== undefined && before.until > now();
    if (batch.kind === "task") {
      const isOwn = before?.writer.process === writer.process;
      expect(
        !isLive || isOwn || !clocksAgree(before.writer, writer),
        "I10",
        () => `${writer.process?.id} decides under the live lease of ${before?.writer.process?.id}`,
      );
      this.#lease =
        batch.lease === null ? undefined : { until: batch.lease.until - writer.skewMs, writer };
      return;
    }
    const kept = this.#last?.lease ?? null;
    expect(
      batch.closed || JSON.stringify(batch.lease) === JSON.stringify(kept),
      "I10",
      () => "an inbound batch changes the lease",
    );
    if (batch.closed) this.#lease = undefined;
  }

  /** Bounded work (I20): a batch that only renews must gain time, and not follow the last one at once. */
  #checkRenewal(batch: Batch): void {
    const last = this.#last;
    const renews = [last, batch].every(
      (one) =>
        one?.kind === "task" &&
        one.lease !== null &&
        one.events.every(({ type }) => type === "LeaseRenewed"),
    );
    if (!renews || last?.lease?.owner !== batch.lease?.owner) return;
    const gainMs = (batch.lease?.until ?? 0) - (last?.lease?.until ?? 0);
    this.#options.expect(
      gainMs >= RENEWAL_GAIN_MS_MIN,
      "I20",
      () => `a renewal gains ${gainMs} ms`,
    );
  }

  /**
   * No attempt is declared lost while its lease is live by the reference clock (X1).
   * @param unentered its own owner may give up an attempt whose body it came too late to enter (R14)
   */
  checkInterruption(writer: Writer, unentered: boolean, what: string): void {
    if (this.#before === undefined) return;
    const { until, writer: holder } = this.#before;
    const { expect, now } = this.#options;
    expect(
      (holder.process === writer.process && unentered) ||
        until <= now() ||
        !clocksAgree(holder, writer),
      "X1",
      () => `${what} is declared lost ${until - now()} ms before its lease ends`,
    );
  }
}

import type { RunKey } from "../core/events.ts";
import type { AttemptOutcome } from "../core/messages.ts";
import type { Payload } from "../core/payload.ts";
import type { ActivityExecutionRow, LocalAttemptRow } from "../core/views/activity-rows.ts";

export interface AttemptKey extends RunKey {
  readonly sequence: number;
  readonly attempt: number;
}

/** An attempt of a queued activity: claim, heartbeat and outcome in one row (design section 2). */
export interface AttemptRow extends AttemptKey {
  readonly activity_type: string;
  /** Fresh per claim; also its nonce (R9). */
  readonly owner: string;
  readonly worker: string;
  readonly started_at: number;
  /** The claim's end, milliseconds since the epoch by the claimer's clock. */
  readonly until: number;
  readonly heartbeat_at?: number;
  readonly heartbeat?: Payload;
  readonly outcome?: AttemptOutcome;
}

/** The outcome that holds, or the row of a claim that lives on. */
export type Expiry =
  | { readonly kind: "concluded"; readonly outcome: AttemptOutcome }
  | { readonly kind: "alive"; readonly row: AttemptRow };

export interface Attempts {
  /** Claims an attempt; own earlier success counts as claimed. */
  claim(
    row: AttemptRow,
  ): Promise<{ readonly kind: "claimed" } | { readonly kind: "taken"; readonly row: AttemptRow }>;
  /**
   * Writes the outcome of an attempt that has none. `owner` must match when given: a late outcome of
   * a superseded owner is refused; without it (a deadline, a cancel) only "no outcome yet" is asked.
   * Answers the row's outcome that holds.
   */
  conclude(
    key: AttemptKey,
    outcome: AttemptOutcome,
    nonce: string,
    owner?: string,
  ): Promise<AttemptOutcome>;
  /**
   * Writes the outcome of an attempt whose claim is over, as `row` shows it. A claim that was renewed
   * since then is alive: nothing is written, and its row is the answer.
   */
  expire(row: AttemptRow, outcome: AttemptOutcome, nonce: string): Promise<Expiry>;
  /** Renews the claim and records progress; "stale" when the attempt is concluded or another's. */
  heartbeat(
    key: AttemptKey,
    owner: string,
    beat: { readonly at: number; readonly until: number; readonly details?: Payload },
  ): Promise<"renewed" | "stale">;
  get(key: AttemptKey): Promise<AttemptRow | undefined>;
  /** All queued attempts of a run that have rows. */
  ofRun(run: RunKey): Promise<readonly AttemptRow[]>;
}

/** The rows of local activities: rebuildable from the log, written off the critical path. */
export interface Projection {
  /** Writes rows in batches, last writer wins; a failure is logged by the caller, never fatal. */
  write(
    executions: readonly ActivityExecutionRow[],
    attempts: readonly LocalAttemptRow[],
  ): Promise<void>;
}

import type { RunCounters } from "../core/counters.ts";
import type { RunKey } from "../core/events.ts";
import type { Failure } from "../core/failure.ts";
import type { Payload } from "../core/payload.ts";

export type RunStatus = "pending" | "running" | "completed" | "failed" | "cancelled" | "terminated";

/** A run's row: a projection of its log, written after it; where they disagree the log decides. */
export interface RunRow extends RunKey {
  readonly workflow_type: string;
  readonly status: RunStatus;
  readonly input: Payload;
  /** The seed of the run's random numbers. */
  readonly seed: string;
  /** The caller's id of the start request: a repeated request is recognised by it. */
  readonly request_id: string;
  readonly started_at: number;
  readonly closed_at?: number;
  readonly output?: Payload;
  readonly failure?: Failure;
  /** When the sweeper looks at this run next; absent once closed. */
  readonly check_at?: number;
  /** Milliseconds between the sweeper's looks; doubles. */
  readonly check_every_ms?: number;
  /** The last failure of the run's workflow task, until a task succeeds. */
  readonly task_failure?: TaskFailure;
  /** What a closed run counted of its activities. */
  readonly counters?: RunCounters;
}

export interface TaskFailure {
  readonly code: string;
  readonly message: string;
  readonly at: number;
  readonly count: number;
}

export interface RunFilter {
  readonly namespace: string;
  readonly status?: RunStatus;
  readonly workflow_type?: string;
  /** Only runs started at or after / before, milliseconds since the epoch. */
  readonly started_after?: number;
  readonly started_before?: number;
  readonly limit: number;
  readonly cursor?: string;
}

export interface RunPage {
  /** Newest start first. */
  readonly runs: readonly RunRow[];
  readonly next_cursor?: string;
}

/** How a run closed, as its log says. */
export interface RunClosing {
  readonly status: "completed" | "failed" | "cancelled" | "terminated";
  readonly closed_at: number;
  readonly output?: Payload;
  readonly failure?: Failure;
}

/** A closing with what the run's log counts, as its last batch says. */
export interface CountedClosing extends RunClosing {
  readonly counters: RunCounters;
}

/** One current row per workflow id (the idempotent start) and the rows of its earlier runs. */
export interface Runs {
  /**
   * Puts the first current row of a workflow id. Own earlier success (same run_id) is "created"; the
   * run of an earlier call with the same request_id "exists", so that its run id is answered.
   */
  create(
    row: RunRow,
  ): Promise<{ readonly kind: "created" } | { readonly kind: "exists"; readonly row: RunRow }>;
  /**
   * Replaces the current row of a closed run: keeps the old row under its run id first, then puts
   * the new one under the condition that the old run is still the current one. Own earlier success
   * (same run_id) is "created".
   */
  replace(
    row: RunRow,
    closed: RunRow,
  ): Promise<{ readonly kind: "created" } | { readonly kind: "exists"; readonly row: RunRow }>;
  /** The current run of a workflow id, strongly consistent. */
  getCurrent(namespace: string, workflowId: string): Promise<RunRow | undefined>;
  /** One run, current or earlier, strongly consistent. */
  get(run: RunKey): Promise<RunRow | undefined>;
  /** pending to running, with the first look of the sweeper at `checkAt`; nothing when it is not pending. */
  markRunning(run: RunKey, checkAt: number, checkEveryMs: number): Promise<void>;
  /** Writes the closing once; a row that is closed already stays. */
  markClosed(run: RunKey, closing: CountedClosing): Promise<void>;
  /** Records or, with undefined, removes the task failure of an open run. */
  setTaskFailure(run: RunKey, failure: TaskFailure | undefined): Promise<void>;
  /** Moves the sweeper's next look on, under the condition that it is still at `expected`. */
  moveCheck(run: RunKey, expected: number, checkAt: number, checkEveryMs: number): Promise<void>;
  /** Open runs whose look is due, oldest first, from the sparse index (eventually consistent). */
  dueChecks(namespace: string, now: number, limit: number): Promise<readonly RunRow[]>;
  /** Runs by filter, from the indexes (eventually consistent). @throws PawlError invalid_cursor */
  list(filter: RunFilter): Promise<RunPage>;
}

/** Guards of client-given request ids (R20): "nothing of this id before `from`". */
export interface RequestGuards {
  /** Puts the guard if absent; answers the `from` that holds. Kept until `expiresAt` (a hint for cleaning up). */
  guard(run: RunKey, requestId: string, from: number): Promise<number>;
}

/**
 * Every history event as one union, and the batch that carries events into the log.
 *
 * Event names and fields are those of the contract (requirements S-02 and 2.2): snake_case, times in
 * milliseconds since the epoch. What can be derived (activity ids, snapshots) is not stored; views
 * add it. A batch is the unit of commitment: one conditional write (design section 1).
 */
import type { RunCounters } from "./counters.ts";
import type { Failure } from "./failure.ts";
import type { ActivityOptionsSnapshot } from "./options.ts";
import type { Payload } from "./payload.ts";

export type ExecutionMode = "local" | "queued";
export type RetryReason = "failure" | "timeout" | "cold_replay";
export type TimeoutKind =
  | "start_to_close"
  | "schedule_to_close"
  | "schedule_to_start"
  | "heartbeat";

/** What every activity event carries: which activity of the run, and the marker of S-01. */
export interface ActivityFields {
  /** The position of the call among the run's commands, from 1: the same on every replay (P-05). */
  readonly sequence: number;
  readonly activity_type: string;
  readonly execution_mode: ExecutionMode;
  readonly local_activity: boolean;
}

interface AttemptFields extends ActivityFields {
  /** From 1. */
  readonly attempt_number: number;
}

/**
 * Where and when a queued attempt ran; recorded together with its outcome (design section 4).
 * `last_heartbeat` stands in local outcomes too: details that the attempt's end overtook.
 */
export interface QueuedAttemptFields {
  readonly started_at?: number;
  readonly worker?: string;
  readonly last_heartbeat?: Payload;
}

interface At {
  /** When the event was recorded, milliseconds since the epoch by the writer's clock. */
  readonly at: number;
}

export type WorkflowStarted = At & {
  readonly type: "WorkflowStarted";
  readonly workflow_type: string;
  readonly workflow_id: string;
  readonly run_id: string;
  readonly input: Payload;
  /** The seed of the run's random numbers. */
  readonly seed: string;
};
export type WorkflowCompleted = At & {
  readonly type: "WorkflowCompleted";
  readonly output: Payload;
};
export type WorkflowFailed = At & { readonly type: "WorkflowFailed"; readonly failure: Failure };
export type WorkflowCancelled = At & { readonly type: "WorkflowCancelled" };
export type WorkflowTerminated = At & {
  readonly type: "WorkflowTerminated";
  readonly request_id: string;
  readonly reason?: string;
};

export type ActivityScheduled = At &
  ActivityFields & {
    readonly type: "ActivityScheduled";
    readonly arguments: Payload;
    readonly options: ActivityOptionsSnapshot;
    readonly schedule_to_close_deadline_at?: number;
  };
export type ActivityStarted = At &
  AttemptFields & {
    readonly type: "ActivityStarted";
    readonly lease_expires_at?: number;
    readonly close_deadline_at?: number;
    /** The invocation that runs a local attempt (F-03, F-08). */
    readonly workflow_task_id?: string;
  };
export type ActivityHeartbeatRecorded = At &
  AttemptFields & {
    readonly type: "ActivityHeartbeatRecorded";
    readonly progress: Payload;
    readonly lease_expires_at: number;
  };
export type ActivityRetryScheduled = At &
  AttemptFields &
  QueuedAttemptFields & {
    readonly type: "ActivityRetryScheduled";
    readonly retry_reason: RetryReason;
    readonly retry_available_at: number;
    readonly retry_backoff_ms: number;
    readonly timeout_kind?: TimeoutKind;
    readonly failure?: Failure;
  };
/** A local retry became due while another invocation held the lease (R7). */
export type ActivityRetryDue = At & AttemptFields & { readonly type: "ActivityRetryDue" };
export type ActivityCompleted = At &
  AttemptFields &
  QueuedAttemptFields & { readonly type: "ActivityCompleted"; readonly result: Payload };
export type ActivityFailed = At &
  AttemptFields &
  QueuedAttemptFields & { readonly type: "ActivityFailed"; readonly failure: Failure };
export type ActivityTimedOut = At &
  AttemptFields &
  QueuedAttemptFields & {
    readonly type: "ActivityTimedOut";
    readonly timeout_kind: TimeoutKind;
    readonly failure: Failure;
  };
export type ActivityCancelled = At &
  AttemptFields &
  QueuedAttemptFields & { readonly type: "ActivityCancelled" };

export type TimerScheduled = At & {
  readonly type: "TimerScheduled";
  readonly sequence: number;
  readonly delay_ms: number;
  readonly fire_at: number;
};
export type TimerFired = At & { readonly type: "TimerFired"; readonly sequence: number };
export type TimerCancelled = At & { readonly type: "TimerCancelled"; readonly sequence: number };
export type SideEffectRecorded = At & {
  readonly type: "SideEffectRecorded";
  readonly sequence: number;
  /** Absent when the function threw: then `failure` says what. */
  readonly result?: Payload;
  readonly failure?: Failure;
};
export type SignalReceived = At & {
  readonly type: "SignalReceived";
  readonly signal_id: string;
  readonly signal_name: string;
  readonly arguments: Payload;
};
export type CancelRequested = At & {
  readonly type: "CancelRequested";
  readonly request_id: string;
  readonly reason?: string;
};
/** A batch needs an event (R11): this one carries a pure renewal or release of the lease. */
export type LeaseRenewed = At & { readonly type: "LeaseRenewed" };

export type HistoryEvent =
  | WorkflowStarted
  | WorkflowCompleted
  | WorkflowFailed
  | WorkflowCancelled
  | WorkflowTerminated
  | ActivityScheduled
  | ActivityStarted
  | ActivityHeartbeatRecorded
  | ActivityRetryScheduled
  | ActivityRetryDue
  | ActivityCompleted
  | ActivityFailed
  | ActivityTimedOut
  | ActivityCancelled
  | TimerScheduled
  | TimerFired
  | TimerCancelled
  | SideEffectRecorded
  | SignalReceived
  | CancelRequested
  | LeaseRenewed;

export type HistoryEventType = HistoryEvent["type"];

/** The version of batches and messages; a reader refuses a newer one by name (A13). */
export const SCHEMA_VERSION = 1;

/** Who drives the run's open turn (R5). */
export interface Lease {
  /** Fresh for every invocation. */
  readonly owner: string;
  /** Milliseconds since the epoch, by the owner's clock. */
  readonly until: number;
  /** The id of the message that opened the turn: never deleted while the lease lives. */
  readonly alarm: string;
}

/**
 * One commit: at least one event under the key (run, sequence of the first event).
 * The header of the last batch alone tells where the log stands (R11).
 */
export interface Batch {
  readonly schema: number;
  /** The sequence number of the first event, from 1, without gaps. */
  readonly sequence: number;
  /** `task`: decided by a workflow task. `inbound`: delivered events, no decision of workflow code. */
  readonly kind: "task" | "inbound";
  readonly events: readonly HistoryEvent[];
  /** The open turn's lease after this batch, or null when no turn is open. */
  readonly lease: Lease | null;
  /** The sequence of the batch that opened the turn still open after this batch, or null. */
  readonly turn_from: number | null;
  readonly closed: boolean;
  /** Signals that workflow code has not taken: whoever accepts one more sees it at the tail (L10). */
  readonly pending_signals: number;
  /** What the run counts of its activities, this batch included. */
  readonly counters: RunCounters;
  /** The writer's mark: equal to the stored one, a failed condition was our own success (R9). */
  readonly nonce: string;
  /** Reserved for grouped durability (R17, R18): equal to `sequence`, and 0, in strict mode. */
  readonly basis: number;
  readonly generation: number;
}

/** Identifies one run of one workflow. */
export interface RunKey {
  readonly namespace: string;
  readonly workflow_id: string;
  readonly run_id: string;
}

/** The events of an activity behind its ActivityScheduled. */
export type AttemptEvent = Extract<
  HistoryEvent,
  {
    readonly type:
      | "ActivityStarted"
      | "ActivityHeartbeatRecorded"
      | "ActivityRetryScheduled"
      | "ActivityRetryDue"
      | "ActivityCompleted"
      | "ActivityFailed"
      | "ActivityTimedOut"
      | "ActivityCancelled";
  }
>;

/** The events that close a run. */
export type TerminalEvent =
  | WorkflowCompleted
  | WorkflowFailed
  | WorkflowCancelled
  | WorkflowTerminated;

export function isTerminal(event: HistoryEvent): event is TerminalEvent {
  return (
    event.type === "WorkflowCompleted" ||
    event.type === "WorkflowFailed" ||
    event.type === "WorkflowCancelled" ||
    event.type === "WorkflowTerminated"
  );
}

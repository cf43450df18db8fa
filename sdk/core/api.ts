/**
 * The HTTP API's JSON, shared by the router, the client, the CLI and the console. Names are
 * snake_case and times are ISO 8601 strings, as in the contract (requirements 2.4 to 2.9).
 */
import type { ErrorBody } from "./errors.ts";
import type { ExecutionMode, HistoryEventType, RetryReason, TimeoutKind } from "./events.ts";

export type WorkflowStatus =
  | "pending"
  | "running"
  | "completed"
  | "failed"
  | "cancelled"
  | "terminated";

/** While a run of this id is open. */
export const DUPLICATE_POLICIES = ["reject_duplicate", "return_existing_active"] as const;
export type DuplicatePolicy = (typeof DUPLICATE_POLICIES)[number];
/** When the last run of this id is closed. */
export const ID_REUSE_POLICIES = [
  "allow_duplicate",
  "allow_duplicate_failed_only",
  "reject_duplicate",
] as const;
export type IdReusePolicy = (typeof ID_REUSE_POLICIES)[number];

/** POST /api/workflows */
export interface StartRequest {
  readonly workflow_type: string;
  /** Default: a fresh id. */
  readonly workflow_id?: string;
  /** Any JSON; default null. */
  readonly input?: unknown;
  /** Seconds to wait for the result, 0 to 20; more is cut to 20. Default 0. */
  readonly wait?: number;
  /** Default reject_duplicate. */
  readonly duplicate_policy?: DuplicatePolicy;
  /** Default allow_duplicate. */
  readonly id_reuse_policy?: IdReusePolicy;
  /** Equal for repeats of one request, so that a repeat finds the first one's run. */
  readonly request_id?: string;
}

/** 201 started, 200 found or closed within `wait`, 202 still open after `wait`. */
export interface StartResponse {
  readonly workflow_id: string;
  readonly run_id: string;
  readonly workflow_type: string;
  readonly status: WorkflowStatus;
  /** False when the run existed before. */
  readonly started: boolean;
  readonly outcome?: Outcome;
}

/** How a run closed. */
export type Outcome =
  | { readonly status: "completed"; readonly result: unknown }
  | { readonly status: "failed"; readonly failure: FailureView }
  | { readonly status: "cancelled" }
  | { readonly status: "terminated"; readonly reason: string | null };

export interface FailureView {
  readonly type: string;
  readonly message: string;
  readonly category: string;
  readonly non_retryable: boolean;
  readonly details?: unknown;
  readonly cause?: FailureView;
  readonly activity?: {
    readonly activity_type: string;
    readonly sequence: number;
    readonly attempts: number;
    readonly outcome: "failed" | "timed_out" | "cancelled";
    readonly timeout_kind?: TimeoutKind;
  };
}

/** GET /api/workflows/{id}/result?wait= and /runs/{run_id}/result: 200 closed, 202 open. */
export interface ResultResponse {
  readonly workflow_id: string;
  readonly run_id: string;
  readonly status: WorkflowStatus;
  readonly outcome?: Outcome;
}

/** GET /api/workflows?status=&workflow_type=&started_after=&started_before=&limit=&cursor= */
export interface ListResponse {
  readonly workflows: readonly WorkflowSummary[];
  readonly next_cursor: string | null;
}

export interface WorkflowSummary {
  readonly workflow_id: string;
  readonly run_id: string;
  readonly workflow_type: string;
  readonly status: WorkflowStatus;
  readonly started_at: string;
  readonly closed_at: string | null;
}

/** Activities that one run detail shows. */
export const DETAIL_ACTIVITIES_MAX = 2_000;

/** Stands for a value that did not fit into the answer; the history shows it on a page of its own. */
export interface OmittedValue {
  readonly $pawl: "omitted";
  /** Its size in UTF-8 bytes. */
  readonly bytes: number;
}

/** GET /api/workflows/{id} and /api/workflows/{id}/runs/{run_id} */
export interface RunDetail extends WorkflowSummary {
  readonly input: unknown;
  readonly outcome: Outcome | null;
  readonly history_length: number;
  /** The last failure of the workflow task, until a task succeeds again. */
  readonly task_failure: {
    readonly code: string;
    readonly message: string;
    readonly at: string;
    readonly count: number;
  } | null;
  readonly cancel_requested: boolean;
  /** Activities in all; `activities` shows the last {@link DETAIL_ACTIVITIES_MAX} of them. */
  readonly activity_count: number;
  readonly activities: readonly ActivityView[];
  readonly timers: readonly {
    readonly sequence: number;
    readonly status: "open" | "fired" | "cancelled";
    readonly fire_at: string;
  }[];
  readonly signals: readonly {
    readonly signal_id: string;
    readonly signal_name: string;
    readonly received_at: string;
  }[];
}

/** One activity of a run (requirements 2.8). */
export interface ActivityView {
  readonly id: string;
  readonly idempotency_key: string;
  readonly sequence: number;
  readonly type: string;
  /** The same as `type`: an activity is a function, which has no class. */
  readonly class: string;
  readonly execution_mode: ExecutionMode;
  readonly local_activity: boolean;
  /** Every view is a fold of the log. */
  readonly history_authority: "typed_history";
  readonly diagnostic_only: false;
  /** The types of its events, each once, in the order of their first one. */
  readonly history_event_types: readonly HistoryEventType[];
  readonly history_unsupported_reason: null;
  readonly status: "pending" | "running" | "completed" | "failed" | "cancelled";
  /** What its row says once it has followed the log. */
  readonly row_status: ActivityView["status"];
  /** The last attempt that started. */
  readonly attempt_id: string | null;
  readonly attempt_count: number;
  readonly max_attempts: number;
  readonly retry_policy: Readonly<Record<string, unknown>>;
  /** There is one: the deployment's own queues. */
  readonly connection: null;
  readonly queue: string | null;
  readonly activity_options: Readonly<Record<string, unknown>>;
  readonly arguments: unknown;
  readonly result: unknown;
  readonly failure: FailureView | null;
  readonly created_at: string;
  readonly started_at: string | null;
  readonly closed_at: string | null;
  readonly last_heartbeat_at: string | null;
  readonly last_heartbeat_progress: unknown;
  readonly next_attempt_at: string | null;
  readonly attempts: readonly AttemptView[];
}

export interface AttemptView {
  readonly id: string;
  readonly attempt_number: number;
  readonly status: "running" | "completed" | "failed" | "cancelled" | "expired";
  readonly lease_owner: string | null;
  readonly started_at: string | null;
  readonly closed_at: string | null;
  readonly lease_expires_at: string | null;
  readonly last_heartbeat_at: string | null;
  readonly last_heartbeat_progress: unknown;
  readonly retry_reason: RetryReason | null;
  readonly timeout_kind: TimeoutKind | null;
  readonly failure: FailureView | null;
}

/** GET …/history?after=&limit= : after is a sequence number. */
export interface HistoryResponse {
  readonly workflow_id: string;
  readonly run_id: string;
  readonly events: readonly EventView[];
  readonly next_after: number | null;
}

/** One event as the contract shows it: payload keys as in requirements 2.2. */
export interface EventView {
  readonly id: string;
  readonly sequence: number;
  readonly type: HistoryEventType;
  readonly recorded_at: string;
  readonly payload: Readonly<Record<string, unknown>>;
}

/** Attempts of each kind that one timeline shows. */
export const TIMELINE_ATTEMPTS_MAX = 2_000;

/** GET …/timeline?after=&limit= : after is a sequence number. */
export interface TimelineResponse {
  readonly workflow_id: string;
  readonly run_id: string;
  /** Events in log order. */
  readonly entries: readonly TimelineEntry[];
  /** The last {@link TIMELINE_ATTEMPTS_MAX} attempts of each kind, in the order of scheduling (S-06). */
  readonly attempts: {
    readonly local: readonly AttemptSpan[];
    readonly queued: readonly AttemptSpan[];
  };
  readonly next_after: number | null;
}

/**
 * One event of a timeline (requirements 2.7). What concerns its activity, retry, timer, signal or
 * failure stands beside these fields, under the names of the event's payload.
 */
export interface TimelineEntry {
  readonly id: string;
  readonly workflow_run_id: string;
  readonly workflow_instance_id: string;
  readonly history_event_id: string;
  readonly sequence: number;
  readonly type: HistoryEventType;
  readonly kind:
    | "activity_execution"
    | "timer"
    | "side_effect"
    | "signal"
    | "command"
    | "task"
    | "workflow_run";
  readonly entry_kind: "point";
  readonly source_kind: TimelineEntry["kind"];
  readonly source_id: string;
  /** One line for people. */
  readonly summary: string;
  readonly recorded_at: string;
  readonly command_id: string | null;
  readonly task_id: string | null;
  /** The position of the call among the run's commands. */
  readonly workflow_sequence: number | null;
  /** Of the activity, behind this event. */
  readonly activity_status: string | null;
  readonly activity_execution_id?: string;
  readonly activity_type?: string;
  readonly execution_mode?: ExecutionMode;
  readonly local_activity?: boolean;
  readonly attempt_number?: number;
  readonly retry_reason?: RetryReason;
  readonly [field: string]: unknown;
}

/** One attempt from its start to its end. */
export interface AttemptSpan {
  readonly id: string;
  readonly activity_execution_id: string;
  readonly workflow_sequence: number;
  readonly activity_type: string;
  readonly execution_mode: ExecutionMode;
  readonly local_activity: boolean;
  readonly attempt_number: number;
  readonly status: AttemptView["status"];
  readonly started_at: string | null;
  readonly closed_at: string | null;
  readonly duration_ms: number | null;
  /** Why the next attempt follows; null when none does. */
  readonly retry_reason: RetryReason | null;
  readonly retry_available_at: string | null;
  readonly timeout_kind: TimeoutKind | null;
  readonly task_id: string | null;
}

/** GET /api/system/metrics (requirements 2.4): sums over all runs of the deployment. */
export interface MetricsResponse {
  readonly generated_at: string;
  readonly projections: {
    /** False when more went on meanwhile than one request reads: the sums are then minutes old. */
    readonly complete: boolean;
    /** Workflows that the request read besides the totals. */
    readonly marked_workflows: number;
  };
  readonly runs: {
    readonly total: number;
    readonly pending: number;
    readonly running: number;
    readonly completed: number;
    readonly failed: number;
    readonly cancelled: number;
    readonly terminated: number;
  };
  readonly starts: { readonly pending_runs: number };
  readonly activities: ActivityMetrics;
  readonly structural_limits: Readonly<Record<string, number>>;
}

/** `open` is pending and running; without a prefix, local and queued ones together. */
export interface ActivityMetrics {
  readonly total: number;
  readonly open: number;
  readonly pending: number;
  readonly running: number;
  /** Open ones behind their first attempt. */
  readonly retrying: number;
  /** Attempts that started; queued ones once their outcome is in the log. */
  readonly attempts: number;
  /** Attempts that failed, timed out or were lost with their process. */
  readonly failed_attempts: number;
  /** The most attempts that one activity ever took. */
  readonly max_attempt_count: number;
  readonly local: number;
  readonly local_open: number;
  readonly local_pending: number;
  readonly local_running: number;
  readonly local_attempts: number;
  readonly local_failed_attempts: number;
  readonly queued: number;
  readonly queued_open: number;
  /** Waiting in a queue, for a retry, or for the workflow task that records an outcome. */
  readonly queued_pending: number;
  /** Claimed by a worker. */
  readonly queued_running: number;
  readonly queued_attempts: number;
  readonly queued_failed_attempts: number;
}

/** POST …/signal/{name}: 202 accepted = in the log. */
export interface SignalRequest {
  /** Arguments of the signal; default []. */
  readonly args?: readonly unknown[];
  /** Equal ids are one signal (R20). Default: a fresh id. */
  readonly signal_id?: string;
}
export interface AcceptedResponse {
  readonly workflow_id: string;
  readonly run_id: string;
  readonly accepted: true;
  /** The id of the signal or request. */
  readonly id: string;
}

/** POST …/query/{name} */
export interface QueryRequest {
  readonly args?: readonly unknown[];
}
export interface QueryResponse {
  readonly result: unknown;
}

/** POST …/cancel and …/terminate */
export interface StopRequest {
  readonly reason?: string;
  readonly request_id?: string;
}

/** POST …/rebuild: what was written again from the log. */
export interface RebuildResponse {
  readonly workflow_id: string;
  readonly run_id: string;
  /** Events of the log that the rows follow. */
  readonly history_length: number;
  /** Rows of local activities. */
  readonly activity_executions: number;
  readonly activity_attempts: number;
}

/** The body of every answer with status 400 or above. */
export interface ErrorResponse extends ErrorBody {
  readonly request_id: string;
}

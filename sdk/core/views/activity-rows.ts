/**
 * The rows of `activity_executions` and `activity_attempts` for local activities (requirements 2.3,
 * F-04, F-06, S-03, S-09): what the log says about one activity, under the contract's names. The same
 * log gives the same rows, whoever writes them.
 */
import type { ActivityView, AttemptView } from "../api.ts";
import type { RunKey } from "../events.ts";
import type { Failure } from "../failure.ts";
import { activityId, attemptId } from "../ids.ts";
import type { Payload } from "../payload.ts";
import type { ActivityFacts, AttemptFacts } from "./activity-facts.ts";
import { activityOptionsView, retryPolicyView } from "./activity-options.ts";
import { PAYLOAD_CODEC } from "./values.ts";

/**
 * A row of `activity_executions`. Times are milliseconds since the epoch; what is null in the
 * contract is absent. Never set for local activities: `connection`, `queue`, `schedule_deadline_at`
 * (they enter no queue) and `parallel_group_path` (the log does not tell a Promise.all from chains
 * that go on side by side).
 */
export interface ActivityExecutionRow {
  readonly namespace: string;
  readonly workflow_id: string;
  readonly workflow_run_id: string;
  readonly id: string;
  readonly sequence: number;
  readonly activity_class: string;
  readonly activity_type: string;
  readonly status: ActivityView["status"];
  readonly payload_codec: string;
  readonly arguments: Payload;
  readonly result?: Payload;
  readonly exception?: Failure;
  /** Attempts that started: 0 at creation (V-09). */
  readonly attempt_count: number;
  readonly current_attempt_id?: string;
  readonly retry_policy: Readonly<Record<string, unknown>>;
  readonly activity_options: Readonly<Record<string, unknown>>;
  /** While an attempt runs: its end at the latest. */
  readonly close_deadline_at?: number;
  readonly schedule_to_close_deadline_at?: number;
  /** While an attempt runs that has a heartbeat timeout: its last sign of life and that timeout. */
  readonly heartbeat_deadline_at?: number;
  readonly started_at?: number;
  readonly closed_at?: number;
  readonly last_heartbeat_at?: number;
  readonly created_at: number;
  readonly updated_at: number;
}

/** A row of `activity_attempts`; times as above. */
export interface LocalAttemptRow {
  readonly namespace: string;
  readonly workflow_id: string;
  readonly workflow_run_id: string;
  readonly id: string;
  readonly activity_execution_id: string;
  readonly sequence: number;
  readonly attempt_number: number;
  readonly status: AttemptView["status"];
  /** Of the turn's lease, under which the attempt runs (F-08). */
  readonly lease_owner?: string;
  readonly workflow_task_id?: string;
  readonly started_at: number;
  readonly last_heartbeat_at?: number;
  readonly last_heartbeat_progress?: Payload;
  readonly lease_expires_at?: number;
  readonly closed_at?: number;
  readonly created_at: number;
  readonly updated_at: number;
}

export function executionRow(run: RunKey, facts: ActivityFacts): ActivityExecutionRow {
  const { scheduled, attempts } = facts;
  const [first] = attempts.values();
  const last = [...attempts.values()].at(-1);
  const beatAt = [...attempts.values()].findLast(({ heartbeatAt: at }) => at !== undefined);
  return defined({
    ...keyFields(run),
    id: activityId(run.run_id, scheduled.sequence),
    sequence: scheduled.sequence,
    activity_class: scheduled.activity_type,
    activity_type: scheduled.activity_type,
    status: facts.status,
    payload_codec: PAYLOAD_CODEC,
    arguments: scheduled.arguments,
    result: facts.result,
    exception: facts.failure,
    attempt_count: last?.number ?? 0,
    current_attempt_id:
      last === undefined ? undefined : attemptId(run.run_id, scheduled.sequence, last.number),
    retry_policy: retryPolicyView(scheduled.options),
    activity_options: activityOptionsView("local", scheduled.options),
    ...deadlines(facts, last),
    started_at: first?.startedAt,
    closed_at: facts.closedAt,
    last_heartbeat_at: beatAt?.heartbeatAt,
    created_at: scheduled.at,
    updated_at: facts.updatedAt,
  });
}

function deadlines({ scheduled }: ActivityFacts, last: AttemptFacts | undefined) {
  const running = last?.status === "running" ? last : undefined;
  const signAt = running?.heartbeatAt ?? running?.startedAt;
  const silenceMs = scheduled.options.heartbeat_ms;
  return {
    close_deadline_at: running?.closeDeadlineAt,
    schedule_to_close_deadline_at: scheduled.schedule_to_close_deadline_at,
    heartbeat_deadline_at:
      signAt === undefined || silenceMs === undefined ? undefined : signAt + silenceMs,
  };
}

/** The attempts' rows, in the order of their numbers. */
export function attemptRows(
  run: RunKey,
  { scheduled, attempts }: ActivityFacts,
): readonly LocalAttemptRow[] {
  return [...attempts.values()].map((attempt) =>
    defined({
      ...keyFields(run),
      id: attemptId(run.run_id, scheduled.sequence, attempt.number),
      activity_execution_id: activityId(run.run_id, scheduled.sequence),
      sequence: scheduled.sequence,
      attempt_number: attempt.number,
      status: attempt.status,
      lease_owner: attempt.owner,
      workflow_task_id: attempt.owner,
      started_at: attempt.startedAt,
      last_heartbeat_at: attempt.heartbeatAt,
      last_heartbeat_progress: attempt.progress,
      lease_expires_at: attempt.leaseUntil,
      closed_at: attempt.closedAt,
      created_at: attempt.startedAt,
      updated_at: attempt.updatedAt,
    }),
  );
}

function keyFields({ namespace, workflow_id, run_id }: RunKey) {
  return { namespace, workflow_id, workflow_run_id: run_id };
}

type Defined<T> = { [Name in keyof T as undefined extends T[Name] ? never : Name]: T[Name] } & {
  [Name in keyof T as undefined extends T[Name] ? Name : never]?: Exclude<T[Name], undefined>;
};

/** Without what is undefined: an absent attribute, not one that says nothing. */
function defined<T extends object>(row: T): Defined<T> {
  // Object.entries forgets the names; what is left out is what the type says may be missing.
  return Object.fromEntries(
    Object.entries(row).filter(([, value]) => value !== undefined),
  ) as Defined<T>;
}

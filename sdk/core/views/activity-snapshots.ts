/**
 * The snapshots that activity events show nested (requirements 2.2): the activity and the attempt as
 * they stand behind the event. What is null is left out. Values stand where they were recorded: the
 * arguments in ActivityScheduled, the result in ActivityCompleted.
 */
import { activityId, attemptId } from "../ids.ts";
import { DEFAULT_QUEUE } from "../options.ts";
import type { ActivityFacts, AttemptFacts } from "./activity-facts.ts";
import { retryPolicyView } from "./activity-options.ts";
import { isoTime, PAYLOAD_CODEC } from "./values.ts";

type Snapshot = Readonly<Record<string, unknown>>;

export function activitySnapshot(runId: string, facts: ActivityFacts): Snapshot {
  const { scheduled, status } = facts;
  const attempts = [...facts.attempts.values()];
  const last = attempts.at(-1);
  const beatAt = attempts.findLast(({ heartbeatAt: at }) => at !== undefined)?.heartbeatAt;
  const id = activityId(runId, scheduled.sequence);
  return known({
    id,
    idempotency_key: id,
    sequence: scheduled.sequence,
    type: scheduled.activity_type,
    class: scheduled.activity_type,
    execution_mode: scheduled.execution_mode,
    local_activity: scheduled.local_activity,
    attempt_id: last && attemptId(runId, scheduled.sequence, last.number),
    status,
    payload_codec: PAYLOAD_CODEC,
    attempt_count: last?.number ?? 0,
    retry_policy: retryPolicyView(scheduled.options),
    queue: scheduled.local_activity ? undefined : (scheduled.options.queue ?? DEFAULT_QUEUE),
    last_heartbeat_at: time(beatAt),
    created_at: isoTime(scheduled.at),
    started_at: time(attempts[0]?.startedAt),
    closed_at: time(facts.closedAt),
  });
}

export function attemptSnapshot(
  runId: string,
  { scheduled }: ActivityFacts,
  attempt: AttemptFacts,
): Snapshot {
  return known({
    id: attemptId(runId, scheduled.sequence, attempt.number),
    activity_execution_id: activityId(runId, scheduled.sequence),
    task_id: attempt.owner,
    attempt_number: attempt.number,
    status: attempt.status,
    lease_owner: attempt.owner,
    started_at: isoTime(attempt.startedAt),
    last_heartbeat_at: time(attempt.heartbeatAt),
    lease_expires_at: time(attempt.leaseUntil),
    closed_at: time(attempt.closedAt),
  });
}

/** Until when the activity and its attempt may take, as a timeout shows it. */
export function deadlineFields(facts: ActivityFacts, attempt: AttemptFacts | undefined): Snapshot {
  const { scheduled } = facts;
  const { schedule_to_start_ms: startMs, heartbeat_ms: silenceMs } = scheduled.options;
  const signAt = attempt?.heartbeatAt ?? attempt?.startedAt;
  return known({
    schedule_deadline_at: time(startMs === undefined ? undefined : scheduled.at + startMs),
    close_deadline_at: time(attempt?.closeDeadlineAt),
    schedule_to_close_deadline_at: time(scheduled.schedule_to_close_deadline_at),
    heartbeat_deadline_at: time(
      silenceMs === undefined || signAt === undefined ? undefined : signAt + silenceMs,
    ),
  });
}

function time(atMs: number | undefined): string | undefined {
  return atMs === undefined ? undefined : isoTime(atMs);
}

function known(snapshot: Snapshot): Snapshot {
  return Object.fromEntries(Object.entries(snapshot).filter(([, value]) => value !== undefined));
}

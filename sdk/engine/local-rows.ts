/**
 * The rows of local activities and their attempts (F-04, S-09): a projection of the log, gathered
 * while a task works and written off the critical path. The log can rebuild it at any time.
 */

import type { ActivityState } from "../core/activity-state.ts";
import type { Batch, HistoryEvent, RunKey } from "../core/events.ts";
import { activityId, attemptId } from "../core/ids.ts";
import { fullPolicy } from "../core/retry.ts";
import type { RunState } from "../core/run.ts";
import type { ActivityExecutionRow, LocalAttemptRow, Projection } from "../ports/attempts.ts";

type AttemptStatus = LocalAttemptRow["status"];
type ExecutionStatus = ActivityExecutionRow["status"];

export class LocalRows {
  private readonly run: RunKey;
  private readonly executions = new Map<number, ActivityExecutionRow>();
  private readonly attempts = new Map<string, LocalAttemptRow>();
  /** What has changed since the rows were written. */
  private readonly changedExecutions = new Set<number>();
  private readonly changedAttempts = new Set<string>();
  private writing: Promise<void> = Promise.resolve();

  constructor(run: RunKey) {
    this.run = run;
  }

  /** Learns of local activities that earlier tasks left open. */
  prime(state: RunState): void {
    for (const activity of state.openActivities.values()) {
      if (!activity.local_activity || this.executions.has(activity.sequence)) continue;
      this.executions.set(activity.sequence, this.execution(activity));
      if (activity.phase !== "started") continue;
      this.attempts.set(nameOf(activity.sequence, activity.attempt), {
        ...this.attemptFields(activity.sequence, activity.attempt),
        status: "running",
        lease_owner: "",
        workflow_task_id: "",
        started_at: activity.started_at ?? activity.scheduled_at,
      });
    }
  }

  note(batch: Batch): void {
    for (const event of batch.events)
      if ("local_activity" in event && event.local_activity) this.noteEvent(event);
  }

  /** One write after the other: the last one is the one that stays. */
  write(projection: Projection): Promise<void> {
    this.writing = this.writing.catch(() => undefined).then(() => this.writeChanged(projection));
    return this.writing;
  }

  private async writeChanged(projection: Projection): Promise<void> {
    const executions = [...this.changedExecutions].flatMap(
      (sequence) => this.executions.get(sequence) ?? [],
    );
    const attempts = [...this.changedAttempts].flatMap((name) => this.attempts.get(name) ?? []);
    if (executions.length + attempts.length === 0) return;
    this.changedExecutions.clear();
    this.changedAttempts.clear();
    await projection.write(executions, attempts);
  }

  private noteEvent(event: Extract<HistoryEvent, { readonly local_activity: boolean }>): void {
    switch (event.type) {
      case "ActivityScheduled":
        this.putExecution(
          this.execution({ ...event, scheduled_at: event.at, attempt: 0, phase: "scheduled" }),
        );
        return;
      case "ActivityStarted":
        this.changeExecution(event.sequence, {
          status: "running",
          attempt_count: event.attempt_number,
          started_at: event.at,
        });
        this.putAttempt({
          ...this.attemptFields(event.sequence, event.attempt_number),
          status: "running",
          lease_owner: event.workflow_task_id ?? "",
          workflow_task_id: event.workflow_task_id ?? "",
          started_at: event.at,
          ...(event.lease_expires_at === undefined
            ? {}
            : { lease_expires_at: event.lease_expires_at }),
        });
        return;
      case "ActivityHeartbeatRecorded":
        this.changeAttempt(event, {
          last_heartbeat_at: event.at,
          lease_expires_at: event.lease_expires_at,
        });
        return;
      case "ActivityRetryScheduled":
        this.changeExecution(event.sequence, { status: "pending" });
        this.changeAttempt(event, {
          status: event.retry_reason === "cold_replay" ? "expired" : "failed",
          closed_at: event.at,
        });
        return;
      case "ActivityCompleted":
        return this.close(event, "completed");
      case "ActivityFailed":
        return this.close(
          event,
          event.failure.type === "ActivityInterrupted" ? "expired" : "failed",
        );
      case "ActivityTimedOut":
        return this.close(event, "failed");
      case "ActivityCancelled":
        return this.close(event, "cancelled");
      case "ActivityRetryDue":
        return;
    }
  }

  private close(
    event: { readonly sequence: number; readonly attempt_number: number; readonly at: number },
    status: Exclude<AttemptStatus, "running">,
  ): void {
    const execution: ExecutionStatus = status === "expired" ? "failed" : status;
    this.changeExecution(event.sequence, { status: execution, closed_at: event.at });
    this.changeAttempt(event, { status, closed_at: event.at });
  }

  private execution(
    activity: Pick<
      ActivityState,
      "sequence" | "activity_type" | "options" | "attempt" | "phase" | "scheduled_at"
    >,
  ): ActivityExecutionRow {
    const policy = fullPolicy(activity.options.retry_policy);
    return {
      ...this.run,
      id: activityId(this.run.run_id, activity.sequence),
      sequence: activity.sequence,
      activity_type: activity.activity_type,
      status: activity.phase === "started" ? "running" : "pending",
      attempt_count: activity.attempt,
      activity_options: {
        execution_mode: "local",
        queue_bypassed: true,
        routing: "same_process_workflow_task",
        max_attempts: policy.max_attempts,
        start_to_close_timeout: seconds(activity.options.start_to_close_ms),
        schedule_to_close_timeout: seconds(activity.options.schedule_to_close_ms),
        heartbeat_timeout: seconds(activity.options.heartbeat_ms),
        non_retryable_error_types: policy.non_retryable_error_types,
      },
    };
  }

  private attemptFields(sequence: number, attempt: number) {
    return {
      ...this.run,
      id: attemptId(this.run.run_id, sequence, attempt),
      activity_execution_id: activityId(this.run.run_id, sequence),
      sequence,
      attempt_number: attempt,
    };
  }

  private putExecution(row: ActivityExecutionRow): void {
    this.executions.set(row.sequence, row);
    this.changedExecutions.add(row.sequence);
  }

  private changeExecution(sequence: number, change: Partial<ActivityExecutionRow>): void {
    const row = this.executions.get(sequence);
    if (row !== undefined) this.putExecution({ ...row, ...change });
  }

  private putAttempt(row: LocalAttemptRow): void {
    const name = nameOf(row.sequence, row.attempt_number);
    this.attempts.set(name, row);
    this.changedAttempts.add(name);
  }

  private changeAttempt(
    event: { readonly sequence: number; readonly attempt_number: number },
    change: Partial<LocalAttemptRow>,
  ): void {
    const row = this.attempts.get(nameOf(event.sequence, event.attempt_number));
    if (row !== undefined) this.putAttempt({ ...row, ...change });
  }
}

function nameOf(sequence: number, attempt: number): string {
  return `${sequence}/${attempt}`;
}

function seconds(ms: number | undefined): number | null {
  return ms === undefined ? null : Math.max(1, Math.round(ms / 1_000));
}

/**
 * The events of a run as the contract shows them (requirements 2.2, S-01): what the log leaves out
 * because it can be derived is added here. The view reads the log from its start, because an event's
 * payload repeats facts of earlier ones.
 */
import type { EventView } from "../api.ts";
import type {
  AttemptEvent,
  Batch,
  HistoryEvent,
  QueuedAttemptFields,
  RunKey,
  TimerScheduled,
} from "../events.ts";
import type { Failure } from "../failure.ts";
import { activityId, attemptId } from "../ids.ts";
import { activityTaskId, retryTaskId } from "../messages.ts";
import type { Payload } from "../payload.ts";
import { fullPolicy } from "../retry.ts";
import { type ActivityFacts, ActivityFold } from "./activity-facts.ts";
import { activityOptionsView, retryPolicyView } from "./activity-options.ts";
import { activitySnapshot, attemptSnapshot, deadlineFields } from "./activity-snapshots.ts";
import {
  failureView,
  isoTime,
  isoTimeOrNull,
  PAYLOAD_CODEC,
  type ShowValue,
  seconds,
} from "./values.ts";

type EventPayload = Readonly<Record<string, unknown>>;
type ActivityEvent = Extract<HistoryEvent, { readonly execution_mode: string }>;

/** An event and its number in the log, from 1. */
export interface NumberedEvent {
  readonly sequence: number;
  readonly event: HistoryEvent;
  /** The workflow task that recorded it, where its batch says so: the owner of the turn's lease. */
  readonly taskId?: string;
}

export function numberedEvents(batches: readonly Batch[]): readonly NumberedEvent[] {
  return batches.flatMap((batch) =>
    batch.events.map((event, index) => ({
      sequence: batch.sequence + index,
      event,
      ...(batch.kind === "task" && batch.lease !== null ? { taskId: batch.lease.owner } : {}),
    })),
  );
}

/** What earlier events say about the activities, timers and requests of later ones. */
export class HistoryContext {
  readonly #run: RunKey;
  readonly #events: readonly NumberedEvent[];
  readonly #timers = new Map<number, TimerScheduled>();
  /** The activities behind the events up to `#folded`. */
  readonly #fold = new ActivityFold();
  #folded = 0;
  #cancelRequestId: string | undefined;

  /** @param events the whole log, from its first event */
  constructor(run: RunKey, events: readonly NumberedEvent[]) {
    this.#run = run;
    this.#events = events;
  }

  /** Shows an event as it stood when it was recorded. To be called in the order of the log. */
  view(numbered: NumberedEvent, show: ShowValue): EventView {
    const { sequence, event } = numbered;
    this.#foldUpTo(sequence);
    const payload =
      "execution_mode" in event
        ? this.#activityPayload(numbered, event, show)
        : this.#payload(sequence, event, show);
    return {
      id: `${this.#run.run_id}/event/${sequence}`,
      sequence,
      type: event.type,
      recorded_at: isoTime(event.at),
      payload: withoutUndefined(payload),
    };
  }

  #foldUpTo(sequence: number): void {
    for (let next = this.#events[this.#folded]; next !== undefined; ) {
      if (next.sequence > sequence) return;
      const { event } = next;
      if (event.type === "TimerScheduled") this.#timers.set(event.sequence, event);
      if (event.type === "CancelRequested") this.#cancelRequestId = event.request_id;
      // Of a part of a log, events are shown without what its beginning would say.
      if (!("attempt_number" in event) || this.#fold.activities.has(event.sequence))
        this.#fold.fold(event);
      next = this.#events[++this.#folded];
    }
  }

  #payload(
    sequence: number,
    event: Exclude<HistoryEvent, ActivityEvent>,
    show: ShowValue,
  ): EventPayload {
    switch (event.type) {
      case "WorkflowStarted": {
        const { workflow_type, workflow_id, run_id, seed } = event;
        const input = show(event.input);
        return { workflow_type, workflow_id, run_id, seed, input, payload_codec: PAYLOAD_CODEC };
      }
      case "WorkflowCompleted":
        return { output: show(event.output), payload_codec: PAYLOAD_CODEC };
      case "WorkflowFailed":
        return this.#failure(sequence, event.failure);
      case "WorkflowCancelled":
      case "LeaseRenewed":
        return {};
      case "WorkflowTerminated":
      case "CancelRequested":
        return { workflow_command_id: event.request_id, reason: event.reason ?? null };
      case "TimerScheduled":
      case "TimerFired":
      case "TimerCancelled":
        return this.#timerPayload(event);
      case "SideEffectRecorded":
        return {
          sequence: event.sequence,
          result: event.result === undefined ? undefined : show(event.result),
          ...(event.failure === undefined ? {} : this.#failure(sequence, event.failure)),
        };
      case "SignalReceived":
        return {
          workflow_command_id: event.signal_id,
          signal_id: event.signal_id,
          workflow_instance_id: this.#run.workflow_id,
          workflow_run_id: this.#run.run_id,
          signal_name: event.signal_name,
          arguments: show(event.arguments),
          payload_codec: PAYLOAD_CODEC,
        };
    }
  }

  #timerPayload(event: Extract<HistoryEvent, { readonly type: `Timer${string}` }>): EventPayload {
    const scheduled = this.#timers.get(event.sequence);
    return {
      timer_id: activityId(this.#run.run_id, event.sequence),
      sequence: event.sequence,
      delay_seconds: scheduled === undefined ? undefined : seconds(scheduled.delay_ms),
      fire_at: scheduled === undefined ? undefined : isoTime(scheduled.fire_at),
      fired_at: event.type === "TimerFired" ? isoTime(event.at) : undefined,
      cancelled_at: event.type === "TimerCancelled" ? isoTime(event.at) : undefined,
    };
  }

  #activityPayload(numbered: NumberedEvent, event: ActivityEvent, show: ShowValue): EventPayload {
    const facts = this.#fold.activities.get(event.sequence);
    const marker = this.#marker(numbered, event, facts);
    if (event.type === "ActivityScheduled") {
      return {
        ...marker,
        arguments: show(event.arguments),
        payload_codec: PAYLOAD_CODEC,
        activity_options: activityOptionsView(event.execution_mode, event.options),
        retry_policy: retryPolicyView(event.options),
        schedule_to_close_deadline_at: isoTimeOrNull(event.schedule_to_close_deadline_at),
      };
    }
    const attempt = facts?.attempts.get(event.attempt_number);
    return {
      ...marker,
      activity_attempt: facts && attempt && attemptSnapshot(this.#run.run_id, facts, attempt),
      ...this.#attemptPayload(numbered.sequence, event, show),
    };
  }

  /** On every event of an activity (S-01). */
  #marker(
    { taskId }: NumberedEvent,
    event: ActivityEvent,
    facts: ActivityFacts | undefined,
  ): EventPayload {
    const attempt =
      event.type === "ActivityScheduled" ? undefined : facts?.attempts.get(event.attempt_number);
    return {
      activity_execution_id: activityId(this.#run.run_id, event.sequence),
      activity_class: event.activity_type,
      activity_type: event.activity_type,
      sequence: event.sequence,
      execution_mode: event.execution_mode,
      local_activity: event.local_activity,
      // Of a local attempt: the task that runs it, also where another one records its end.
      workflow_task_id: event.local_activity ? (attempt?.owner ?? taskId) : taskId,
      activity: facts && activitySnapshot(this.#run.run_id, facts),
    };
  }

  #attemptPayload(sequence: number, event: AttemptEvent, show: ShowValue): EventPayload {
    const attempt = {
      activity_attempt_id: attemptId(this.#run.run_id, event.sequence, event.attempt_number),
      attempt_number: event.attempt_number,
    };
    switch (event.type) {
      case "ActivityStarted":
        return {
          ...attempt,
          lease_expires_at: optionalTime(event.lease_expires_at),
          close_deadline_at: optionalTime(event.close_deadline_at),
        };
      case "ActivityHeartbeatRecorded":
        return {
          ...attempt,
          heartbeat_at: isoTime(event.at),
          lease_expires_at: isoTime(event.lease_expires_at),
          progress: show(event.progress),
        };
      case "ActivityRetryDue":
        return attempt;
      case "ActivityRetryScheduled":
        return { ...attempt, ...this.#retry(sequence, event), ...queued(event, show) };
      case "ActivityCompleted": {
        const result = show(event.result);
        return { ...attempt, result, payload_codec: PAYLOAD_CODEC, ...queued(event, show) };
      }
      case "ActivityFailed":
        return { ...attempt, ...this.#failure(sequence, event.failure), ...queued(event, show) };
      case "ActivityTimedOut": {
        const failure = this.#failure(sequence, event.failure);
        const timeout_kind = event.timeout_kind;
        const facts = this.#fold.activities.get(event.sequence);
        const deadlines = facts && deadlineFields(facts, facts.attempts.get(event.attempt_number));
        return { ...attempt, ...failure, timeout_kind, ...deadlines, ...queued(event, show) };
      }
      case "ActivityCancelled":
        return {
          ...attempt,
          workflow_command_id: this.#cancelRequestId,
          cancelled_at: isoTime(event.at),
          ...queued(event, show),
        };
    }
  }

  #retry(
    sequence: number,
    event: Extract<AttemptEvent, { readonly type: "ActivityRetryScheduled" }>,
  ): EventPayload {
    const { run_id: runId } = this.#run;
    const facts = this.#fold.activities.get(event.sequence);
    const options = facts?.scheduled.options ?? {};
    const attempt = event.attempt_number;
    return {
      retry_task_id: event.local_activity
        ? retryTaskId(runId, event.sequence, attempt)
        : activityTaskId(runId, event.sequence, attempt + 1),
      retry_of_task_id: event.local_activity
        ? facts?.attempts.get(attempt)?.owner
        : activityTaskId(runId, event.sequence, attempt),
      retry_after_attempt: attempt,
      retry_after_attempt_id: attemptId(runId, event.sequence, attempt),
      retry_reason: event.retry_reason,
      retry_available_at: isoTime(event.retry_available_at),
      retry_backoff_seconds: seconds(event.retry_backoff_ms),
      max_attempts: fullPolicy(options.retry_policy).max_attempts,
      retry_policy: retryPolicyView(options),
      timeout_kind: event.timeout_kind,
      ...(event.failure === undefined ? {} : this.#failure(sequence, event.failure)),
    };
  }

  #failure(sequence: number, failure: Failure): EventPayload {
    return {
      failure_id: `${this.#run.run_id}/failure/${sequence}`,
      failure_category: failure.category,
      non_retryable: failure.non_retryable,
      exception_type: failure.type,
      exception_class: failure.type,
      message: failure.message,
      exception: failureView(failure),
      structural_limit_kind: failure.category === "structural_limit" ? failure.type : undefined,
    };
  }
}

/** What is recorded together with the outcome of a queued attempt. */
function queued(
  event: QueuedAttemptFields & { readonly last_heartbeat?: Payload },
  show: ShowValue,
): EventPayload {
  return {
    started_at: optionalTime(event.started_at),
    lease_owner: event.worker,
    progress: event.last_heartbeat === undefined ? undefined : show(event.last_heartbeat),
  };
}

function optionalTime(atMs: number | undefined): string | undefined {
  return atMs === undefined ? undefined : isoTime(atMs);
}

function withoutUndefined(payload: EventPayload): EventPayload {
  return Object.fromEntries(Object.entries(payload).filter(([, value]) => value !== undefined));
}

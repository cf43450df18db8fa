/**
 * The events of a run as the contract shows them (requirements 2.2, S-01): what the log leaves out
 * because it can be derived is added here. The view reads the log from its start, because an event's
 * payload repeats facts of earlier ones.
 */
import type { EventView } from "../api.ts";
import type {
  ActivityScheduled,
  Batch,
  HistoryEvent,
  QueuedAttemptFields,
  RunKey,
  TimerScheduled,
} from "../events.ts";
import type { Failure } from "../failure.ts";
import { activityId, attemptId } from "../ids.ts";
import type { Payload } from "../payload.ts";
import { fullPolicy } from "../retry.ts";
import { activityOptionsView, retryPolicyView } from "./activity-options.ts";
import { failureView, isoTime, isoTimeOrNull, type ShowValue, seconds } from "./values.ts";

/** How values are encoded, by the contract's name. */
export const PAYLOAD_CODEC = "json";

type EventPayload = Readonly<Record<string, unknown>>;
type ActivityEvent = Extract<HistoryEvent, { readonly execution_mode: string }>;
type AttemptEvent = Extract<ActivityEvent, { readonly attempt_number: number }>;

/** An event and its number in the log, from 1. */
export interface NumberedEvent {
  readonly sequence: number;
  readonly event: HistoryEvent;
}

export function numberedEvents(batches: readonly Batch[]): readonly NumberedEvent[] {
  return batches.flatMap((batch) =>
    batch.events.map((event, index) => ({ sequence: batch.sequence + index, event })),
  );
}

/** What earlier events say about the activities and timers of later ones. */
export class HistoryContext {
  readonly #run: RunKey;
  readonly #scheduled = new Map<number, ActivityScheduled>();
  readonly #timers = new Map<number, TimerScheduled>();
  /** By activity: the invocation that runs its local attempt. */
  readonly #tasks = new Map<number, string>();

  constructor(run: RunKey, events: readonly NumberedEvent[]) {
    this.#run = run;
    for (const { event } of events) {
      if (event.type === "ActivityScheduled") this.#scheduled.set(event.sequence, event);
      if (event.type === "TimerScheduled") this.#timers.set(event.sequence, event);
    }
  }

  /** Events are shown in log order: an attempt's invocation is that of its last start. */
  view({ sequence, event }: NumberedEvent, show: ShowValue): EventView {
    if (event.type === "ActivityStarted" && event.workflow_task_id !== undefined)
      this.#tasks.set(event.sequence, event.workflow_task_id);
    const payload =
      "execution_mode" in event
        ? this.#activityPayload(sequence, event, show)
        : this.#payload(sequence, event, show);
    return {
      id: `${this.#run.run_id}/event/${sequence}`,
      sequence,
      type: event.type,
      recorded_at: isoTime(event.at),
      payload: withoutUndefined(payload),
    };
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

  #activityPayload(sequence: number, event: ActivityEvent, show: ShowValue): EventPayload {
    const marker = this.#marker(event);
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
    return { ...marker, ...this.#attemptPayload(sequence, event, show) };
  }

  /** On every event of an activity (S-01). */
  #marker(event: ActivityEvent): EventPayload {
    return {
      activity_execution_id: activityId(this.#run.run_id, event.sequence),
      activity_class: event.activity_type,
      activity_type: event.activity_type,
      sequence: event.sequence,
      execution_mode: event.execution_mode,
      local_activity: event.local_activity,
      workflow_task_id: event.local_activity ? this.#tasks.get(event.sequence) : undefined,
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
        return { ...attempt, ...failure, timeout_kind, ...queued(event, show) };
      }
      case "ActivityCancelled":
        return { ...attempt, cancelled_at: isoTime(event.at), ...queued(event, show) };
    }
  }

  #retry(
    sequence: number,
    event: Extract<AttemptEvent, { readonly type: "ActivityRetryScheduled" }>,
  ): EventPayload {
    const options = this.#scheduled.get(event.sequence)?.options ?? {};
    return {
      retry_after_attempt: event.attempt_number,
      retry_after_attempt_id: attemptId(this.#run.run_id, event.sequence, event.attempt_number),
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

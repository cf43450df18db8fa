/**
 * What travels through the queues. A workflow-task message announces exactly one event, known by
 * its key (protocol section 3); an activity message hands out one attempt. Bodies are ASCII JSON.
 */
import type {
  CancelRequested,
  RunKey,
  SignalReceived,
  TimeoutKind,
  WorkflowTerminated,
} from "./events.ts";
import type { Failure } from "./failure.ts";
import type { ActivityOptionsSnapshot } from "./options.ts";
import type { Payload } from "./payload.ts";

/** The event that a workflow-task message announces. */
export type Announcement =
  | { readonly kind: "start" }
  | {
      readonly kind: "outcome";
      readonly sequence: number;
      readonly attempt: number;
      readonly outcome: AttemptOutcome;
    }
  | { readonly kind: "timer"; readonly sequence: number; readonly due: number }
  | {
      readonly kind: "retry";
      readonly sequence: number;
      readonly attempt: number;
      readonly due: number;
    }
  | {
      readonly kind: "deadline";
      readonly sequence: number;
      readonly timeout_kind: "schedule_to_start" | "schedule_to_close";
      readonly attempt: number;
      readonly due: number;
    }
  | { readonly kind: "request"; readonly event: RequestEvent }
  /** From the sweeper, when a run's alarm is missing: look at the log and continue what is open. */
  | { readonly kind: "check"; readonly at: number };

/** What the API puts into a run's log on behalf of a caller. */
export type RequestEvent = SignalReceived | CancelRequested | WorkflowTerminated;

/** How an attempt of a queued activity ended, as its worker reports it. */
export type AttemptOutcome = AttemptEnd & {
  readonly started_at?: number;
  readonly worker?: string;
  readonly last_heartbeat?: Payload;
};
export type AttemptEnd =
  | { readonly kind: "completed"; readonly result: Payload }
  | { readonly kind: "failed"; readonly failure: Failure }
  | { readonly kind: "timed_out"; readonly timeout_kind: TimeoutKind }
  | { readonly kind: "cancelled" };

export interface WorkflowTaskMessage extends RunKey {
  readonly schema: number;
  readonly type: "workflow_task";
  /** Minted by the sender; survives redrive and doubled sends (protocol section 3). */
  readonly message_id: string;
  readonly announces: Announcement;
  /** The sequence of the batch that announced the work, or the tail that a request saw (R20); 0 at start. */
  readonly from: number;
}

export interface ActivityTaskMessage extends RunKey {
  readonly schema: number;
  readonly type: "activity_task";
  readonly message_id: string;
  readonly workflow_type: string;
  readonly sequence: number;
  readonly attempt: number;
  readonly activity_type: string;
  readonly arguments: Payload;
  readonly options: ActivityOptionsSnapshot;
  readonly scheduled_at: number;
  readonly schedule_to_close_deadline_at?: number;
  /** Details of the previous attempt's last heartbeat (I-05). */
  readonly last_heartbeat?: Payload;
  readonly from: number;
}

/** The attempt that deadline wake-ups name: they concern the activity, not one of its attempts. */
export const DEADLINE_ATTEMPT = 1;

/** The logical key of the event that a message announces; equal keys are one event. */
export function eventKey(announces: Announcement): string {
  switch (announces.kind) {
    case "start":
      return "start";
    case "outcome":
      return outcomeKey(announces.sequence, announces.attempt);
    case "timer":
      return timerKey(announces.sequence);
    case "retry":
      return retryKey(announces.sequence, announces.attempt);
    case "deadline":
      return deadlineKey(announces.sequence, announces.timeout_kind, announces.attempt);
    case "request":
      return requestKey(requestId(announces.event));
    case "check":
      return "check";
  }
}

export function outcomeKey(sequence: number, attempt: number): string {
  return `out/${sequence}/${attempt}`;
}
export function timerKey(sequence: number): string {
  return `fire/${sequence}`;
}
export function retryKey(sequence: number, attempt: number): string {
  return `due/${sequence}/${attempt}`;
}
/** The id of the message that a local activity's retry waits for. */
export function retryTaskId(runId: string, sequence: number, attempt: number): string {
  return `${runId}/${retryKey(sequence, attempt)}`;
}
/** The id of the message that hands out an attempt of a queued activity. */
export function activityTaskId(runId: string, sequence: number, attempt: number): string {
  return `${runId}/activity/${sequence}/${attempt}`;
}
export function deadlineKey(
  sequence: number,
  kind: "schedule_to_start" | "schedule_to_close",
  attempt: number,
): string {
  return `deadline/${sequence}/${kind}/${attempt}`;
}
export function requestKey(id: string): string {
  return `sig/${id}`;
}
export function requestId(event: RequestEvent): string {
  return event.type === "SignalReceived" ? event.signal_id : event.request_id;
}

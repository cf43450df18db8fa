/**
 * What the tests of core state their cases with: one builder per event and per command, logs of
 * batches, and a workflow function that is run against a history and nothing else.
 */

import { setImmediate as settled } from "node:timers/promises";
import type { ActivityCommand, SideEffectCommand, TimerCommand } from "../../sdk/core/commands.ts";
import { NO_COUNTERS } from "../../sdk/core/counters.ts";
import {
  type ActivityFields,
  type Batch,
  type ExecutionMode,
  type HistoryEvent,
  isTerminal,
  type Lease,
  type RunKey,
  SCHEMA_VERSION,
  type WorkflowStarted,
} from "../../sdk/core/events.ts";
import type { Failure } from "../../sdk/core/failure.ts";
import type { ActivityOptionsSnapshot } from "../../sdk/core/options.ts";
import { encode, type Payload } from "../../sdk/core/payload.ts";
import { WorkflowInstance } from "../../sdk/core/replay.ts";
import { RunState } from "../../sdk/core/run.ts";
import type { DurableTimer, WorkflowContext } from "../../sdk/core/workflow-context.ts";

/** When every history of these tests begins, milliseconds since the epoch. */
export const T = Date.UTC(2030, 0, 1);
export const RUN: RunKey = { namespace: "shop", workflow_id: "o-1", run_id: "r-1" };

export function json(value: unknown): Payload {
  return { json: JSON.stringify(value) };
}

/** A failure of the application that may be retried. */
export function failure(type: string = "Error", parts: Partial<Failure> = {}): Failure {
  return {
    type,
    message: `a ${type} happened`,
    category: "application",
    non_retryable: false,
    ...parts,
  };
}

// Events. Times are offsets from T in milliseconds; the sequence comes first where there is one.

type Fields<Type extends HistoryEvent["type"]> = Extract<HistoryEvent, { readonly type: Type }>;
type Parts<Type extends HistoryEvent["type"]> = Partial<Omit<Fields<Type>, "type">>;

function activity(sequence: number, mode: ExecutionMode, type: string): ActivityFields {
  return {
    sequence,
    activity_type: type,
    execution_mode: mode,
    local_activity: mode === "local",
  };
}

/** The events of one activity: `local(1)` and `queued(2, "ship")` build them all alike. */
export class ActivityEvents {
  readonly fields: ActivityFields;

  constructor(sequence: number, mode: ExecutionMode, type: string) {
    this.fields = activity(sequence, mode, type);
  }

  scheduled(
    options: ActivityOptionsSnapshot = {},
    parts: Parts<"ActivityScheduled"> = {},
  ): Fields<"ActivityScheduled"> {
    return {
      type: "ActivityScheduled",
      at: T,
      ...this.fields,
      arguments: json([]),
      options,
      ...parts,
    };
  }
  started(attempt: number = 1, parts: Parts<"ActivityStarted"> = {}): Fields<"ActivityStarted"> {
    return {
      type: "ActivityStarted",
      at: T,
      ...this.fields,
      attempt_number: attempt,
      ...parts,
    };
  }
  heartbeat(progress: unknown, attempt: number = 1): Fields<"ActivityHeartbeatRecorded"> {
    return {
      type: "ActivityHeartbeatRecorded",
      at: T,
      ...this.fields,
      attempt_number: attempt,
      progress: json(progress),
      lease_expires_at: T + 30_000,
    };
  }
  retryScheduled(
    attempt: number = 1,
    parts: Parts<"ActivityRetryScheduled"> = {},
  ): Fields<"ActivityRetryScheduled"> {
    return {
      type: "ActivityRetryScheduled",
      at: T,
      ...this.fields,
      attempt_number: attempt,
      retry_reason: "failure",
      retry_available_at: T + 1_000,
      retry_backoff_ms: 1_000,
      ...parts,
    };
  }
  retryDue(attempt: number = 1): Fields<"ActivityRetryDue"> {
    return { type: "ActivityRetryDue", at: T, ...this.fields, attempt_number: attempt };
  }
  completed(result: unknown = null, attempt: number = 1): Fields<"ActivityCompleted"> {
    return {
      type: "ActivityCompleted",
      at: T,
      ...this.fields,
      attempt_number: attempt,
      result: json(result),
    };
  }
  failed(cause: Failure = failure(), attempt: number = 1): Fields<"ActivityFailed"> {
    return {
      type: "ActivityFailed",
      at: T,
      ...this.fields,
      attempt_number: attempt,
      failure: cause,
    };
  }
  timedOut(
    kind: Fields<"ActivityTimedOut">["timeout_kind"] = "start_to_close",
    attempt: number = 1,
  ): Fields<"ActivityTimedOut"> {
    return {
      type: "ActivityTimedOut",
      at: T,
      ...this.fields,
      attempt_number: attempt,
      timeout_kind: kind,
      failure: failure("TimeoutError", { category: "timeout" }),
    };
  }
  cancelled(attempt: number = 1): Fields<"ActivityCancelled"> {
    return { type: "ActivityCancelled", at: T, ...this.fields, attempt_number: attempt };
  }
}

export function local(sequence: number, type: string = "price"): ActivityEvents {
  return new ActivityEvents(sequence, "local", type);
}
export function queued(sequence: number, type: string = "charge"): ActivityEvents {
  return new ActivityEvents(sequence, "queued", type);
}

export function started(parts: Parts<"WorkflowStarted"> = {}): WorkflowStarted {
  return {
    type: "WorkflowStarted",
    at: T,
    workflow_type: "order",
    workflow_id: RUN.workflow_id,
    run_id: RUN.run_id,
    input: json(null),
    seed: "seed",
    ...parts,
  };
}
export function completed(output: unknown = null): Fields<"WorkflowCompleted"> {
  return { type: "WorkflowCompleted", at: T, output: json(output) };
}
export function failed(cause: Failure = failure()): Fields<"WorkflowFailed"> {
  return { type: "WorkflowFailed", at: T, failure: cause };
}
export function cancelled(): Fields<"WorkflowCancelled"> {
  return { type: "WorkflowCancelled", at: T };
}
export function terminated(id: string = "q"): Fields<"WorkflowTerminated"> {
  return { type: "WorkflowTerminated", at: T, request_id: id };
}
export function timerScheduled(
  sequence: number,
  delayMs: number = 1_000,
): Fields<"TimerScheduled"> {
  return { type: "TimerScheduled", at: T, sequence, delay_ms: delayMs, fire_at: T + delayMs };
}
export function timerFired(sequence: number, at: number = T): Fields<"TimerFired"> {
  return { type: "TimerFired", at, sequence };
}
export function timerCancelled(sequence: number): Fields<"TimerCancelled"> {
  return { type: "TimerCancelled", at: T, sequence };
}
export function sideEffectRecorded(
  sequence: number,
  result: unknown = null,
): Fields<"SideEffectRecorded"> {
  return { type: "SideEffectRecorded", at: T, sequence, result: json(result) };
}
export function sideEffectThrew(sequence: number, cause: Failure): Fields<"SideEffectRecorded"> {
  return { type: "SideEffectRecorded", at: T, sequence, failure: cause };
}
export function signal(name: string, ...args: readonly unknown[]): Fields<"SignalReceived"> {
  return {
    type: "SignalReceived",
    at: T,
    signal_id: `${name}-id`,
    signal_name: name,
    arguments: json(args),
  };
}
export function cancelRequested(id: string = "c"): Fields<"CancelRequested"> {
  return { type: "CancelRequested", at: T, request_id: id };
}
export function leaseRenewed(): Fields<"LeaseRenewed"> {
  return { type: "LeaseRenewed", at: T };
}

// Commands: what workflow code asks for.

export function askLocal(sequence: number, type: string = "price", ...args: readonly unknown[]) {
  return activityCommand(sequence, "local", type, args);
}
export function askQueued(sequence: number, type: string = "charge", ...args: readonly unknown[]) {
  return activityCommand(sequence, "queued", type, args);
}
function activityCommand(
  sequence: number,
  mode: ExecutionMode,
  type: string,
  args: readonly unknown[],
): ActivityCommand {
  const text = JSON.stringify(args);
  return {
    kind: "activity",
    sequence,
    activity_type: type,
    execution_mode: mode,
    arguments_json: text,
    arguments_bytes: new TextEncoder().encode(text).length,
    options: {},
  };
}
export function askTimer(sequence: number, delayMs: number): TimerCommand {
  return { kind: "timer", sequence, delay_ms: delayMs };
}
export function askSideEffect(sequence: number, produce: () => unknown): SideEffectCommand {
  return { kind: "side_effect", sequence, produce };
}

// Logs: events in batches, and the state that they fold to.

export interface BatchParts extends Partial<Omit<Batch, "events">> {
  readonly events: readonly HistoryEvent[];
}

/** A batch, or just its events. */
export type LogPart = BatchParts | readonly HistoryEvent[];

/** A lease that some other invocation holds. */
export const LEASE: Lease = { owner: "owner", until: T + 30_000, alarm: "alarm" };

/** Batches one behind the other: each a task batch without a lease unless it says otherwise. */
export function log(...parts: readonly LogPart[]): readonly Batch[] {
  let sequence = 1;
  return parts.map((part) => {
    const given: BatchParts = "events" in part ? part : { events: part };
    const batch: Batch = {
      schema: SCHEMA_VERSION,
      sequence,
      kind: "task",
      lease: null,
      turn_from: null,
      closed: given.events.some(isTerminal),
      nonce: `nonce-${sequence}`,
      basis: sequence,
      pending_signals: 0,
      counters: NO_COUNTERS,
      generation: 0,
      ...given,
    };
    sequence = batch.sequence + batch.events.length;
    return batch;
  });
}

export function fold(...parts: readonly LogPart[]): RunState {
  const state = new RunState();
  for (const batch of log(...parts)) state.apply(batch);
  return state;
}

// Workflows.

export type WorkflowCode = (context: WorkflowContext, input: unknown) => unknown;

export interface Replay {
  readonly instance: WorkflowInstance;
  readonly diagnostics: readonly string[];
}

/** An instance of this code that has seen nothing yet. */
export function instanceOf(code: WorkflowCode, first: WorkflowStarted = started()): Replay {
  const diagnostics: string[] = [];
  const instance = new WorkflowInstance(first, RUN.namespace, {
    settle: async () => {
      await settled();
    },
    read: (payload) => ("json" in payload ? payload.json : "null"),
    run: async (context, input) => await code(context, input),
    call: (_context, call) => call(),
    diagnose: (message) => diagnostics.push(message),
  });
  return { instance, diagnostics };
}

/** Runs the code against this history; a history that does not begin with a start gets one. */
export async function replay(
  code: WorkflowCode,
  ...history: readonly HistoryEvent[]
): Promise<WorkflowInstance> {
  const [first] = history;
  const begin = first?.type === "WorkflowStarted" ? first : started();
  const { instance } = instanceOf(code, begin);
  for (const event of first === begin ? history : [begin, ...history]) await instance.feed(event);
  return instance;
}

/** Asks for a queued activity, as workflow code does. */
export function charge(
  context: WorkflowContext,
  activityType: string = "charge",
  ...args: readonly unknown[]
): Promise<unknown> {
  return context.scheduleActivity({ activityType, mode: "queued", args, options: {} });
}

/** Asks for a local activity. */
export function price(
  context: WorkflowContext,
  activityType: string = "price",
  ...args: readonly unknown[]
): Promise<unknown> {
  return context.scheduleActivity({ activityType, mode: "local", args, options: {} });
}

export function wait(context: WorkflowContext, delayMs: number): DurableTimer["fired"] {
  return context.startTimer(delayMs).fired;
}

/** What a promise settled with: its value, or the error that it rejected with. */
export async function settledWith(promise: Promise<unknown>): Promise<unknown> {
  try {
    return await promise;
  } catch (error) {
    return error;
  }
}

/** The JSON text of a value that can be stored. */
export function encoded(value: unknown): string {
  const result = encode(value, "a value");
  if (result.kind === "refused") throw result.error;
  return result.json;
}

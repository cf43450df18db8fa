/**
 * One step of a turn: from what arrived and what workflow code wants to the events of one batch.
 *
 * Every event is folded into the state and fed to the instance as soon as it is drafted: the next
 * decision sees it. That is the speculation; whoever loses the append throws both away.
 */

import type { ActivityState } from "./activity-state.ts";
import { type AttemptEnding, concludeAttempt } from "./attempt.ts";
import type { ActivityCommand, Command } from "./commands.ts";
import { activityFields, cancellable, deliver, isCancelled } from "./deliver.ts";
import { invariant, PawlError, pawlError } from "./errors.ts";
import {
  type ActivityStarted,
  type Batch,
  type HistoryEvent,
  type Lease,
  SCHEMA_VERSION,
} from "./events.ts";
import {
  ActivityCancellation,
  CancelledFailure,
  type Failure,
  structuralFailure,
  toFailure,
} from "./failure.ts";
import { HISTORY_EVENTS_MAX, PENDING_ACTIVITIES_MAX } from "./limits.ts";
import { type Announcement, eventKey } from "./messages.ts";
import { encode, type Payload } from "./payload.ts";
import type { WorkflowInstance } from "./replay.ts";
import type { RunState } from "./run.ts";

export interface TurnPorts {
  /** The time by this machine's clock, milliseconds since the epoch. */
  now(): number;
  /** Keeps a value inline or as a blob; the blob is durable when it resolves. */
  keep(json: string, bytes: number): Promise<Payload>;
  /** Has the text of what feeding this event reads at hand once it resolves. */
  load(event: HistoryEvent): Promise<void>;
}

export interface LocalEnding {
  readonly sequence: number;
  readonly attempt: number;
  readonly ending: AttemptEnding;
  /** Details of a heartbeat that no event has recorded: the next attempt goes on from them (I-05). */
  readonly lastHeartbeat?: Payload;
}

/** An attempt that the batch starts: enter its body once the batch is committed. */
export interface LocalStart {
  readonly sequence: number;
  readonly attempt: number;
}

export class Turn {
  readonly events: HistoryEvent[] = [];
  readonly starts: LocalStart[] = [];
  private readonly state: RunState;
  private readonly instance: WorkflowInstance;
  private readonly ports: TurnPorts;

  constructor(state: RunState, instance: WorkflowInstance, ports: TurnPorts) {
    this.state = state;
    this.instance = instance;
    this.ports = ports;
    state.beginBatch("task");
  }

  /** The time that the next event is recorded with: never before an earlier event's. */
  at(): number {
    return Math.max(this.ports.now(), this.state.lastAt);
  }

  async push(event: HistoryEvent): Promise<void> {
    this.events.push(event);
    this.state.fold(event);
    await this.ports.load(event);
    await this.instance.feed(event);
  }

  /**
   * Records the events that messages announce and that are not in the log yet, in message order.
   * @param retries due retries only, or everything else: a retry that starts needs no event of its own
   */
  async arrive(
    announcements: readonly Announcement[],
    retries: "retries" | "others",
  ): Promise<void> {
    for (const announces of announcements) {
      const isRetry = announces.kind === "retry";
      if (this.state.closed || isRetry !== (retries === "retries")) continue;
      if (this.state.positionOf(eventKey(announces)) !== undefined) continue;
      const delivery = deliver(this.state, announces, this.at(), this.runId());
      if (delivery === "void") continue;
      for (const event of delivery) await this.push(event);
    }
  }

  /** Records how attempts that ran here ended, those that are still open in the log. */
  async concludeLocals(endings: readonly LocalEnding[]): Promise<void> {
    for (const { sequence, attempt, ending, lastHeartbeat } of endings) {
      const activity = this.state.openActivities.get(sequence);
      if (activity?.phase !== "started" || activity.attempt !== attempt) continue;
      await this.conclude(activity, ending, lastHeartbeat);
    }
  }

  /** Started attempts that nobody runs any more: their process died. */
  async concludeInterrupted(
    isRunning: (sequence: number, attempt: number) => boolean,
  ): Promise<void> {
    for (const activity of this.state.startedLocals()) {
      if (!isRunning(activity.sequence, activity.attempt))
        await this.conclude(activity, { kind: "interrupted" });
    }
  }

  /** Attempts that nobody may start any more: the whole activity's time is over (H-02). */
  async concludeOverdue(): Promise<void> {
    for (const activity of this.state.startableLocals(this.ports.now())) {
      const { schedule_to_close_deadline_at: deadline } = activity;
      if (deadline === undefined || deadline > this.ports.now()) continue;
      await this.conclude(activity, { kind: "timed_out", timeout_kind: "schedule_to_close" });
    }
  }

  private async conclude(
    activity: ActivityState,
    ending: AttemptEnding,
    lastHeartbeat?: Payload,
  ): Promise<void> {
    await this.push(
      concludeAttempt(activity, ending, {
        at: this.at(),
        runId: this.runId(),
        // One that never started counts as the first that might have.
        attempt: Math.max(1, activity.attempt),
        cancelRequested: isCancelled(this.state, activity),
        ...(lastHeartbeat === undefined ? {} : { recorded: { last_heartbeat: lastHeartbeat } }),
      }),
    );
  }

  /** After a cancel request: ends what was scheduled before it, but for local bodies, which end themselves. */
  async cancelOpenActivities(): Promise<void> {
    for (const activity of cancellable(this.state)) await this.cancelActivity(activity);
  }

  private async cancelActivity(activity: ActivityState): Promise<void> {
    await this.push({
      type: "ActivityCancelled",
      at: this.at(),
      ...activityFields(activity),
      attempt_number: Math.max(1, activity.attempt),
    });
  }

  /** Records what the code asks for, until it asks for nothing more. */
  async recordCommands(localPlaces: number): Promise<void> {
    let places = localPlaces - this.state.startedLocals().length;
    const passed = new Set<number>();
    for (;;) {
      for (const sequence of this.instance.timersToCancel()) await this.cancelTimer(sequence);
      const command = this.instance
        .unrecorded()
        .find((candidate) => !passed.has(candidate.sequence));
      if (command === undefined || this.instance.outcome !== undefined) return;
      if (this.isOverLimits()) return;
      const isLocal = command.kind === "activity" && command.execution_mode === "local";
      const isCancelledCommand = this.instance.wasCancelled(command.sequence);
      if (isCancelledCommand) await this.recordCancelled(command);
      else if (isLocal && places <= 0) passed.add(command.sequence);
      else await this.record(command);
      if (isLocal && !isCancelledCommand) places--;
    }
  }

  /** Asked for before the cancel request and recorded after it: it never starts. */
  private async recordCancelled(command: Command): Promise<void> {
    await this.record(command);
    const activity = this.state.openActivities.get(command.sequence);
    invariant(activity !== undefined, `activity ${command.sequence} is open once it is recorded`);
    await this.cancelActivity(activity);
  }

  private async cancelTimer(sequence: number): Promise<void> {
    await this.push({ type: "TimerCancelled", at: this.at(), sequence });
  }

  private async record(command: Command): Promise<void> {
    const at = this.at();
    switch (command.kind) {
      case "timer":
        await this.push({
          type: "TimerScheduled",
          at,
          sequence: command.sequence,
          delay_ms: command.delay_ms,
          fire_at: at + command.delay_ms,
        });
        return;
      case "side_effect":
        await this.push({
          type: "SideEffectRecorded",
          at,
          sequence: command.sequence,
          ...(await this.produce(command.produce)),
        });
        return;
      case "activity":
        await this.schedule(command, at);
        return;
    }
  }

  /** Runs once, is never retried: what it throws is recorded like what it returns. */
  private async produce(
    produce: () => unknown,
  ): Promise<{ readonly result: Payload } | { readonly failure: Failure }> {
    let value: unknown;
    try {
      value = await produce();
    } catch (error) {
      return { failure: toFailure(error) };
    }
    const encoded = encode(value, "the value of a side effect");
    if (encoded.kind === "refused") return { failure: structuralFailure(encoded.error) };
    return { result: await this.ports.keep(encoded.json, encoded.bytes) };
  }

  private async schedule(command: ActivityCommand, at: number): Promise<void> {
    const { schedule_to_close_ms: within } = command.options;
    await this.push({
      type: "ActivityScheduled",
      at,
      sequence: command.sequence,
      activity_type: command.activity_type,
      execution_mode: command.execution_mode,
      local_activity: command.execution_mode === "local",
      arguments: await this.ports.keep(command.arguments_json, command.arguments_bytes),
      options: command.options,
      ...(within === undefined ? {} : { schedule_to_close_deadline_at: at + within }),
    });
  }

  private isOverLimits(): boolean {
    const pending = this.state.openActivities.size + this.state.openTimers.size;
    return pending >= PENDING_ACTIVITIES_MAX || this.state.next > HISTORY_EVENTS_MAX;
  }

  /** Closes the run when the code has ended, or when a limit ends it. */
  async closeIfEnded(): Promise<void> {
    const { outcome } = this.instance;
    const at = this.at();
    if (outcome === undefined) {
      if (this.isOverLimits() && this.instance.unrecorded().length > 0) await this.failByLimit(at);
      return;
    }
    if (outcome.kind === "returned") {
      await this.complete(outcome.value, at);
      return;
    }
    const { error } = outcome;
    // The guard's refusal is a fault of the deployed code: the task fails, the run heals (A11).
    if (error instanceof PawlError && error.code === "nondeterministic_call") throw error;
    const cancelled = error instanceof CancelledFailure || error instanceof ActivityCancellation;
    if (cancelled && this.state.cancelRequestedAt !== undefined)
      await this.push({ type: "WorkflowCancelled", at });
    else await this.push({ type: "WorkflowFailed", at, failure: toFailure(error) });
  }

  private async complete(value: unknown, at: number): Promise<void> {
    const encoded = encode(value, "the result of the workflow");
    if (encoded.kind === "refused") {
      await this.push({ type: "WorkflowFailed", at, failure: structuralFailure(encoded.error) });
      return;
    }
    await this.push({
      type: "WorkflowCompleted",
      at,
      output: await this.ports.keep(encoded.json, encoded.bytes),
    });
  }

  private async failByLimit(at: number): Promise<void> {
    const pending = this.state.openActivities.size + this.state.openTimers.size;
    const error =
      this.state.next > HISTORY_EVENTS_MAX
        ? pawlError("history_limit", {
            run_id: this.runId(),
            events: String(this.state.next - 1),
            limit: String(HISTORY_EVENTS_MAX),
          })
        : pawlError("pending_limit", {
            run_id: this.runId(),
            pending: String(pending),
            limit: String(PENDING_ACTIVITIES_MAX),
          });
    await this.push({
      type: "WorkflowFailed",
      at,
      failure: { ...structuralFailure(error), category: "structural_limit" },
    });
  }

  /** Starts the local activities that can start now. */
  async startLocals(start: {
    readonly owner: string;
    readonly places: number;
    readonly leaseUntil: number;
    readonly deadline: (activity: ActivityState) => number;
    /** Whether the rest of the invocation covers an attempt; else a fresh one starts it (B21). */
    readonly isCovered: (activity: ActivityState) => boolean;
  }): Promise<void> {
    let places = start.places - this.state.startedLocals().length;
    if (this.state.closed) return;
    for (const activity of this.state.startableLocals(this.ports.now())) {
      if (places <= 0) return;
      if (!start.isCovered(activity)) continue;
      const started: ActivityStarted = {
        type: "ActivityStarted",
        at: this.at(),
        ...activityFields(activity),
        attempt_number: activity.attempt + 1,
        lease_expires_at: start.leaseUntil,
        close_deadline_at: start.deadline(activity),
        workflow_task_id: start.owner,
      };
      await this.push(started);
      this.starts.push({ sequence: activity.sequence, attempt: started.attempt_number });
      places--;
    }
  }

  /** The drafted batch; the state takes over its header. */
  batch(lease: Lease | null, nonce: string): Batch {
    const sequence = this.state.next - this.events.length;
    const batch: Batch = {
      schema: SCHEMA_VERSION,
      sequence,
      kind: "task",
      events: this.events,
      lease,
      turn_from: lease === null ? null : (this.state.turnFrom ?? sequence),
      closed: this.state.closed,
      pending_signals: this.instance.pendingSignals(),
      counters: this.state.counters,
      nonce,
      basis: sequence,
      generation: this.state.generation,
    };
    this.state.endBatch(batch);
    return batch;
  }

  private runId(): string {
    return this.state.begin().run_id;
  }
}

/**
 * A run's state: the fold of its log. It says what is open, which messages' events are in the log,
 * whose turn it is, and what an announced dispatch still waits for. It decides nothing.
 *
 * The state is folded forward in place, also speculatively: whoever loses the append throws it away
 * and folds the log again (design section 1).
 */
import { type ActivityState, isStartable } from "./activity-state.ts";
import type { Tail } from "./batch.ts";
import { counted, NO_COUNTERS, type RunCounters } from "./counters.ts";
import { InvariantError, invariant, pawlError } from "./errors.ts";
import {
  type ActivityScheduled,
  type AttemptEvent,
  type Batch,
  type HistoryEvent,
  isTerminal,
  type Lease,
  SCHEMA_VERSION,
  type TerminalEvent,
  type WorkflowStarted,
} from "./events.ts";
import {
  DEADLINE_ATTEMPT,
  deadlineKey,
  outcomeKey,
  requestKey,
  retryKey,
  timerKey,
} from "./messages.ts";

export interface TimerState {
  readonly sequence: number;
  readonly fire_at: number;
  readonly announced_in: number;
}

/** Where a message's event stands in the log. */
export interface EventPosition {
  /** The sequence of the batch that holds the event. */
  readonly batch: number;
  /**
   * The event is a retry that an inbound batch recorded: workflow code never sees it, so it needs
   * no turn; it is settled once its own dispatch has been sent again.
   */
  readonly selfContained: boolean;
}

/** A queued attempt that a cancel request or the run's end overtook, and the batch that says so. */
export interface CancelledAttempt {
  readonly batch: number;
  readonly sequence: number;
  readonly attempt: number;
}

interface Turn {
  readonly from: number;
  readonly to: number;
}

export class RunState {
  /** The sequence number of the next event. */
  next = 1;
  started: WorkflowStarted | undefined;
  lease: Lease | null = null;
  /** The sequence of the batch that opened the open turn. */
  turnFrom: number | null = null;
  closed = false;
  /** The event that closed the run. */
  terminal: TerminalEvent | undefined;
  generation = 0;
  /** The time of the newest event. */
  lastAt = 0;
  cancelRequestedAt: number | undefined;
  readonly openActivities: Map<number, ActivityState> = new Map();
  readonly openTimers: Map<number, TimerState> = new Map();
  /** Signals that workflow code has not taken, as the last batch says. */
  pendingSignals = 0;
  /** What the run counts of its activities. */
  counters: RunCounters = NO_COUNTERS;
  private readonly keys = new Map<string, EventPosition>();
  /** Their rows are concluded as cancelled: a late claim is refused, a running body told. */
  readonly cancelledAttempts: CancelledAttempt[] = [];
  private readonly turns: Turn[] = [];
  /** The sequence of the batch whose events are being folded. */
  private batchSequence = 1;
  private batchKind: Batch["kind"] = "task";

  /** Folds a committed batch. */
  apply(batch: Batch): void {
    if (batch.schema > SCHEMA_VERSION) {
      throw pawlError("schema_unknown", { what: `a batch of schema version ${batch.schema}` });
    }
    // Grouped outcomes are fed in another order than they stand (R17), and activities of a later
    // generation have other names (R18): read as a strict log, the run would go another way.
    if (batch.basis !== batch.sequence || batch.generation !== 0)
      throw pawlError("schema_unknown", { what: `batch ${batch.sequence}, recorded in groups,` });
    invariant(
      batch.sequence === this.next,
      `batch ${batch.sequence} follows event ${this.next - 1}: the log has a gap`,
    );
    this.beginBatch(batch.kind);
    for (const event of batch.events) this.fold(event);
    this.endBatch(batch);
  }

  /** Where the log stands. */
  tail(): Tail {
    const { next, lease, turnFrom, closed, pendingSignals, counters, generation } = this;
    return {
      next,
      lease,
      turn_from: turnFrom,
      closed,
      pending_signals: pendingSignals,
      counters,
      generation,
    };
  }

  /** The run's first event, which whoever writes the first batch puts there (R12). */
  begin(): WorkflowStarted {
    invariant(this.started !== undefined, "the log does not begin with WorkflowStarted");
    return this.started;
  }

  /** Starts a batch at the tail: events folded from now on stand in it. */
  beginBatch(kind: Batch["kind"]): void {
    this.batchSequence = this.next;
    this.batchKind = kind;
  }

  /** Takes over what the batch's header says once all its events are folded. */
  endBatch(
    batch: Pick<
      Batch,
      "kind" | "sequence" | "lease" | "turn_from" | "pending_signals" | "generation"
    >,
  ): void {
    if (batch.kind === "task") {
      const from = this.turnFrom ?? batch.sequence;
      if (batch.lease === null) this.turns.push({ from, to: batch.sequence });
    }
    this.lease = batch.lease;
    this.turnFrom = batch.turn_from;
    this.pendingSignals = batch.pending_signals;
    this.generation = batch.generation;
    this.batchSequence = this.next;
  }

  /** Folds one event at the tail. */
  fold(event: HistoryEvent): void {
    invariant(!this.closed, `event ${event.type} follows the end of the run`);
    this.next++;
    this.lastAt = Math.max(this.lastAt, event.at);
    this.counters = counted(this.counters, event, this.activityOf(event));
    if (isTerminal(event)) {
      this.closed = true;
      this.terminal = event;
      for (const activity of this.openActivities.values()) this.noteCancelled(activity);
      if (event.type === "WorkflowTerminated") this.know(requestKey(event.request_id));
      return;
    }
    this.foldOpen(event);
  }

  private activityOf(event: HistoryEvent): ActivityState | undefined {
    return "activity_type" in event ? this.openActivities.get(event.sequence) : undefined;
  }

  private foldOpen(event: Exclude<HistoryEvent, TerminalEvent>): void {
    switch (event.type) {
      case "WorkflowStarted":
        this.started = event;
        this.know("start");
        return;
      case "SignalReceived":
        this.know(requestKey(event.signal_id));
        return;
      case "CancelRequested":
        this.cancelRequestedAt ??= this.next - 1;
        this.know(requestKey(event.request_id));
        return;
      case "TimerScheduled":
        this.openTimers.set(event.sequence, {
          sequence: event.sequence,
          fire_at: event.fire_at,
          announced_in: this.batchSequence,
        });
        return;
      case "TimerFired":
        this.openTimers.delete(event.sequence);
        this.know(timerKey(event.sequence));
        return;
      case "TimerCancelled":
        this.openTimers.delete(event.sequence);
        return;
      case "ActivityScheduled":
        this.foldScheduled(event);
        return;
      case "SideEffectRecorded":
      case "LeaseRenewed":
        return;
      case "ActivityStarted":
      case "ActivityHeartbeatRecorded":
      case "ActivityRetryScheduled":
      case "ActivityRetryDue":
      case "ActivityCompleted":
      case "ActivityFailed":
      case "ActivityTimedOut":
      case "ActivityCancelled":
        this.foldAttempt(event);
        return;
    }
    // A newer version's event: refuse by name, keep the run open (A13).
    const unknown: { readonly type: string } = event;
    throw pawlError("schema_unknown", { what: `an event of type ${unknown.type}` });
  }

  private foldScheduled(event: ActivityScheduled): void {
    invariant(
      !this.openActivities.has(event.sequence),
      `activity ${event.sequence} is scheduled twice`,
    );
    const { type: _type, at, ...fields } = event;
    this.openActivities.set(event.sequence, {
      ...fields,
      scheduled_at: at,
      scheduled_in: this.next - 1,
      phase: "scheduled",
      attempt: event.local_activity ? 0 : 1,
      announced_in: this.batchSequence,
      scheduled_batch: this.batchSequence,
      retry_due: false,
    });
  }

  private foldAttempt(event: AttemptEvent): void {
    const activity = this.openActivities.get(event.sequence);
    if (activity === undefined)
      throw new InvariantError(`${event.type} of activity ${event.sequence}, which is not open`);
    switch (event.type) {
      case "ActivityStarted":
        // A queued attempt's Started stands beside its outcome: only local ones run under the lease.
        if (!activity.local_activity) return;
        invariant(
          event.attempt_number === activity.attempt + 1,
          `activity ${event.sequence} starts attempt ${event.attempt_number} after ${activity.attempt}`,
        );
        // What no message announces gets no key: a run in the cache stays small (P5).
        if (activity.attempt > 0) this.know(retryKey(event.sequence, activity.attempt));
        this.foldLocalStart(activity, event.attempt_number, event.at, event.close_deadline_at);
        return;
      case "ActivityHeartbeatRecorded":
        activity.heartbeat_at = event.at;
        activity.last_heartbeat = event.progress;
        return;
      case "ActivityRetryDue":
        activity.retry_due = true;
        this.know(retryKey(event.sequence, event.attempt_number));
        return;
      case "ActivityRetryScheduled":
        this.foldRetry(activity, event);
        return;
      case "ActivityCompleted":
      case "ActivityFailed":
      case "ActivityTimedOut":
      case "ActivityCancelled":
        this.openActivities.delete(event.sequence);
        this.knowEnd(activity, event.attempt_number);
        if (event.type === "ActivityCancelled") this.noteCancelled(activity);
        return;
    }
  }

  /** Cancelled by a request, or left open by the end of the run. */
  private noteCancelled({ local_activity: isLocal, sequence, attempt }: ActivityState): void {
    if (!isLocal) this.cancelledAttempts.push({ batch: this.batchSequence, sequence, attempt });
  }

  private foldLocalStart(
    activity: ActivityState,
    attempt: number,
    at: number,
    deadline: number | undefined,
  ): void {
    activity.attempt = attempt;
    activity.phase = "started";
    activity.started_at = at;
    activity.retry_due = false;
    delete activity.retry_available_at;
    delete activity.heartbeat_at;
    if (deadline === undefined) delete activity.close_deadline_at;
    else activity.close_deadline_at = deadline;
  }

  private foldRetry(
    activity: ActivityState,
    event: Extract<AttemptEvent, { readonly type: "ActivityRetryScheduled" }>,
  ): void {
    activity.phase = "backing_off";
    activity.retry_available_at = event.retry_available_at;
    activity.retry_due = false;
    activity.announced_in = this.batchSequence;
    if (event.last_heartbeat !== undefined) activity.last_heartbeat = event.last_heartbeat;
    if (activity.local_activity) return;
    activity.attempt = event.attempt_number + 1;
    this.keys.set(outcomeKey(event.sequence, event.attempt_number), {
      batch: this.batchSequence,
      selfContained: this.batchKind === "inbound",
    });
  }

  /**
   * The end of an activity answers the report of its outcome, and its wake-ups: one that opened the turn in which the activity ended
   * is the turn's alarm, so it must find its event in the log.
   */
  private knowEnd(activity: ActivityState, attempt: number): void {
    const { sequence, options } = activity;
    if (activity.local_activity) {
      if (activity.phase === "backing_off") this.know(retryKey(sequence, activity.attempt));
    } else {
      this.know(outcomeKey(sequence, attempt));
      if (options.schedule_to_start_ms !== undefined)
        this.know(deadlineKey(sequence, "schedule_to_start", DEADLINE_ATTEMPT));
      if (activity.schedule_to_close_deadline_at !== undefined)
        this.know(deadlineKey(sequence, "schedule_to_close", DEADLINE_ATTEMPT));
    }
  }

  private know(eventKey: string): void {
    if (!this.keys.has(eventKey))
      this.keys.set(eventKey, { batch: this.batchSequence, selfContained: false });
  }

  /** Where the event with this key stands, or undefined when it is not in the log. */
  positionOf(eventKey: string): EventPosition | undefined {
    return this.keys.get(eventKey);
  }

  /** The ended turn that consumed the batch at `sequence`, or undefined while it is unsettled (R2). */
  turnThatConsumed(sequence: number): Turn | undefined {
    let low = 0;
    let high = this.turns.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const turn = this.turns[middle];
      if (turn !== undefined && turn.to < sequence) low = middle + 1;
      else high = middle;
    }
    return this.turns[low];
  }

  /** The turn that ended last. */
  lastTurn(): Turn | undefined {
    return this.turns.at(-1);
  }

  /**
   * Local activities that can start an attempt at this time: new ones, and retries that are due. Never
   * a retry of the batch that is being drafted, whatever its backoff: its message goes out first (G-04).
   */
  startableLocals(now: number): readonly ActivityState[] {
    return [...this.openActivities.values()].filter(
      (activity) =>
        activity.local_activity &&
        isStartable(activity, now) &&
        !(activity.phase === "backing_off" && activity.announced_in === this.batchSequence),
    );
  }

  /** Local attempts that were started and have no outcome. */
  startedLocals(): readonly ActivityState[] {
    return [...this.openActivities.values()].filter(
      (activity) => activity.local_activity && activity.phase === "started",
    );
  }
}

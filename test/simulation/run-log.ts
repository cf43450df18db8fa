/** The reference copy of one run's log, and what every new batch must hold (I1 to I4, I8, I10 to I16). */
import type { Batch, HistoryEvent, RunKey } from "../../sdk/core/events.ts";
import { isTerminal } from "../../sdk/core/events.ts";
import type { Payload } from "../../sdk/core/payload.ts";
import { fullPolicy } from "../../sdk/core/retry.ts";
import { RunState } from "../../sdk/core/run.ts";
import { Beats } from "./beats.ts";
import { Leases, SKEW_MS_MAX, type Writer } from "./leases.ts";
import { Rows } from "./rows.ts";
import type { Theatre } from "./theatre.ts";
import { FATAL, THROWN } from "./theatre.ts";
import type { Violations } from "./violations.ts";

/** Failures that the engine itself may record for an activity or a run, besides what bodies threw (I13). */
const ENGINE_FAILURES: ReadonlySet<string> = new Set([
  "TimeoutError",
  "ActivityInterrupted",
  "CancelledFailure",
  "payload_not_serializable",
  "payload_too_large",
]);
const APPLICATION_FAILURES: ReadonlySet<string> = new Set([
  THROWN,
  FATAL,
  "TypeError",
  "RangeError",
  "AggregateError",
]);

export interface RunLogOptions {
  readonly run: RunKey;
  readonly name: string;
  readonly now: () => number;
  readonly theatre: Theatre;
  readonly violations: Violations;
  /** The text of a payload. */
  readonly textOf: (payload: Payload) => string;
}

interface Attempts {
  readonly isLocal: boolean;
  readonly max: number;
  /** The position of its ActivityScheduled. */
  readonly scheduledIn: number;
  started: number;
  concluded: number;
  ended: HistoryEvent["type"] | undefined;
  /** When the log left each attempt behind, by the reference clock; the first one first. */
  readonly leftAt: number[];
}

export class RunLog {
  readonly batches: Batch[] = [];
  readonly events: HistoryEvent[] = [];
  state: RunState = new RunState();
  readonly options: RunLogOptions;
  readonly beats: Beats;
  readonly rows: Rows;
  readonly #activities = new Map<number, Attempts>();
  readonly #timers = new Map<number, { readonly fireAt: number; open: boolean }>();
  readonly #requests = new Set<string>();
  readonly #leases: Leases;

  constructor(options: RunLogOptions) {
    this.options = options;
    const { run, theatre, textOf } = options;
    const expect = this.#expect.bind(this);
    this.beats = new Beats({ run, theatre, textOf, expect });
    this.rows = new Rows({ now: options.now, expect });
    this.#leases = new Leases({ now: options.now, expect });
  }

  get key(): RunKey {
    return this.options.run;
  }

  /** How many attempts of a queued activity the log has announced. */
  announced(sequence: number): number {
    return this.#activities.get(sequence)?.started ?? 0;
  }

  /** When the log left an attempt behind; infinity while it has not. */
  leftAt(sequence: number, attempt: number): number {
    return this.#activities.get(sequence)?.leftAt[attempt - 1] ?? Number.POSITIVE_INFINITY;
  }

  get closed(): boolean {
    return this.batches.at(-1)?.closed === true;
  }

  add(batch: Batch, count: number, writer: Writer): void {
    const next = this.events.length + 1;
    this.#expect(
      batch.sequence === next,
      "I1",
      () => `batch ${batch.sequence} stands where ${next} was expected`,
    );
    this.#expect(
      batch.events.length > 0 && count === batch.events.length,
      "I1",
      () => "an empty or cut batch",
    );
    this.#expect(
      !this.closed,
      "I11",
      () => `events after the end: ${batch.events.map(({ type }) => type).join(" ")}`,
    );
    this.#leases.note(batch, writer);
    for (const event of batch.events) {
      this.#check(event, writer);
      this.beats.note(event);
      this.events.push(event);
    }
    const closes = batch.events.filter(isTerminal).length;
    this.#expect(
      closes === (batch.closed ? 1 : 0),
      "I11",
      () => "the header disagrees about the end",
    );
    this.batches.push(batch);
    if (batch.sequence !== next) return;
    try {
      this.state.apply(batch);
    } catch (error) {
      this.options.violations.report("I1", `the log does not fold: ${String(error)}`);
    }
  }

  #check(event: HistoryEvent, writer: Writer): void {
    switch (event.type) {
      case "ActivityScheduled":
        this.#activities.set(event.sequence, {
          isLocal: event.local_activity,
          scheduledIn: this.events.length + 1,
          max: fullPolicy(event.options.retry_policy).max_attempts,
          started: event.local_activity ? 0 : 1,
          concluded: 0,
          ended: undefined,
          leftAt: [],
        });
        return;
      case "ActivityStarted":
        return this.#checkStart(event);
      case "ActivityRetryScheduled":
        this.#checkInterruption(event, event.retry_reason === "cold_replay", writer);
        return this.#checkRetry(event);
      case "ActivityCompleted":
      case "ActivityFailed":
      case "ActivityTimedOut":
      case "ActivityCancelled":
        return this.#checkEnd(event, writer);
      case "TimerScheduled":
        this.#timers.set(event.sequence, { fireAt: event.fire_at, open: true });
        return;
      case "TimerFired":
      case "TimerCancelled":
        return this.#checkTimer(event, writer);
      case "SideEffectRecorded":
        return this.#checkSnapshot(event);
      case "SignalReceived":
        return this.#checkRequest(event.signal_id);
      case "CancelRequested":
      case "WorkflowTerminated":
        return this.#checkRequest(event.request_id);
      case "WorkflowFailed":
        return this.#checkFailure(event.failure.type, "WorkflowFailed");
      case "WorkflowStarted":
        this.#expect(
          this.events.length === 0,
          "I1",
          () => "WorkflowStarted is not the first event",
        );
        return;
      default:
        return;
    }
  }

  /** I4: what a side effect is recorded with is what its function gave, once. */
  #checkSnapshot(event: Extract<HistoryEvent, { readonly type: "SideEffectRecorded" }>): void {
    const { theatre, run, textOf } = this.options;
    const value: unknown =
      event.result === undefined ? event.failure?.message : JSON.parse(textOf(event.result));
    const text = String(value).replace(/-+$/, "");
    this.#expect(
      theatre.snapshots.get(run.run_id)?.has(text) === true,
      "I4",
      () => `side effect ${event.sequence} is recorded with ${text}, which it never gave`,
    );
  }

  #checkStart(event: Extract<HistoryEvent, { readonly type: "ActivityStarted" }>): void {
    const activity = this.#activity(event);
    if (activity === undefined) return;
    const { attempt_number: attempt } = event;
    const what = (): string =>
      `${event.sequence} starts attempt ${attempt} after ${activity.started}, concluded ${activity.concluded}`;
    this.#expect(
      attempt <= activity.max,
      "I8",
      () => `${event.sequence} starts attempt ${attempt} of ${activity.max}`,
    );
    if (!activity.isLocal) return this.#expect(attempt === activity.started, "I3", what);
    this.#expect(
      attempt === activity.started + 1 && activity.concluded === activity.started,
      "I3",
      what,
    );
    activity.started = attempt;
  }

  #checkRetry(event: Extract<HistoryEvent, { readonly type: "ActivityRetryScheduled" }>): void {
    const activity = this.#activity(event);
    if (activity === undefined) return;
    const { attempt_number: attempt } = event;
    this.#expect(
      attempt === activity.started && attempt > activity.concluded,
      "I3",
      () =>
        `${event.sequence} retries after attempt ${attempt}, started ${activity.started}, concluded ${activity.concluded}`,
    );
    this.#expect(
      attempt < activity.max,
      "I8",
      () => `${event.sequence} retries after attempt ${attempt} of ${activity.max}`,
    );
    activity.concluded = attempt;
    activity.leftAt.push(this.options.now());
    if (!activity.isLocal) activity.started = attempt + 1;
    if (event.failure !== undefined) this.#checkFailure(event.failure.type, "a retry");
  }

  #checkEnd(
    event: Extract<
      HistoryEvent,
      {
        readonly type:
          | "ActivityCompleted"
          | "ActivityFailed"
          | "ActivityTimedOut"
          | "ActivityCancelled";
      }
    >,
    writer: Writer,
  ): void {
    const activity = this.#activity(event);
    if (activity === undefined) return;
    activity.ended = event.type;
    activity.leftAt.push(this.options.now());
    const { theatre, textOf, run } = this.options;
    const gave = theatre.gave.get(`${run.run_id}/${event.sequence}/${event.attempt_number}`);
    const overruled =
      this.state.cancelRequestedAt !== undefined &&
      activity.scheduledIn < this.state.cancelRequestedAt;
    this.#expect(
      !overruled || event.type === "ActivityCancelled",
      "I22",
      () => `${event.type} of ${event.sequence}, which a cancel request had ended`,
    );
    if (event.type === "ActivityCompleted") {
      const lateMs = gave?.lateMs ?? 0;
      this.#expect(
        lateMs <= SKEW_MS_MAX,
        "I17",
        () =>
          `${event.sequence} #${event.attempt_number} completed with a value that came ${lateMs} ms after its deadline`,
      );
      const text = textOf(event.result);
      this.#expect(
        gave?.values.includes(text) === true,
        "I4",
        () =>
          `${event.sequence} #${event.attempt_number} completed with ${text.slice(0, 60)}, its body gave ${JSON.stringify(gave)?.slice(0, 200)}`,
      );
    }
    if (event.type !== "ActivityFailed") return;
    this.#checkFailure(event.failure.type, "ActivityFailed");
    this.#checkInterruption(event, event.failure.type === "ActivityInterrupted", writer);
    if (event.failure.type === THROWN || event.failure.type === FATAL)
      this.#expect(
        gave?.errors.includes(event.failure.type) === true,
        "I4",
        () =>
          `${event.sequence} #${event.attempt_number} failed with ${event.failure.type}, which its body never threw`,
      );
  }

  #checkInterruption(
    event: { readonly sequence: number; readonly attempt_number: number },
    interrupted: boolean,
    writer: Writer,
  ): void {
    if (!interrupted) return;
    const { run, theatre } = this.options;
    const { sequence, attempt_number: attempt } = event;
    const unentered = !theatre.entered.has(`${run.run_id}/${sequence}/${attempt}`);
    this.#leases.checkInterruption(writer, unentered, `${sequence} #${attempt}`);
  }

  #checkTimer(event: { readonly type: string; readonly sequence: number }, writer: Writer): void {
    const timer = this.#timers.get(event.sequence);
    this.#expect(
      timer?.open === true,
      "I15",
      () => `${event.type} of timer ${event.sequence}, which is not open`,
    );
    if (timer === undefined) return;
    timer.open = false;
    if (event.type !== "TimerFired") return;
    const earlyMs = timer.fireAt - this.options.now();
    // Never early by the clock of who fires it.
    this.#expect(
      earlyMs <= writer.skewMs,
      "I15",
      () => `timer ${event.sequence} fires ${earlyMs - writer.skewMs} ms early`,
    );
  }

  #checkRequest(id: string): void {
    this.#expect(!this.#requests.has(id), "I16", () => `request ${id} is in the log twice`);
    this.#requests.add(id);
  }

  #checkFailure(type: string, where: string): void {
    this.#expect(
      ENGINE_FAILURES.has(type) || APPLICATION_FAILURES.has(type),
      "I13",
      () => `${where} cites ${type}`,
    );
  }

  #activity(event: { readonly type: string; readonly sequence: number }): Attempts | undefined {
    const activity = this.#activities.get(event.sequence);
    this.#expect(
      activity?.ended === undefined,
      "I2",
      () => `${event.type} of activity ${event.sequence} after its ${activity?.ended}`,
    );
    this.#expect(
      activity !== undefined,
      "I2",
      () => `${event.type} of activity ${event.sequence}, which was never scheduled`,
    );
    return activity;
  }

  #expect(holds: boolean, invariant: string, what: () => string): void {
    this.options.violations.expect(holds, invariant, () => `${this.options.name}: ${what()}`);
  }
}

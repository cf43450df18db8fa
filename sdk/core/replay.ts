/**
 * Runs one workflow function against its history: events go in, in log order, commands come out.
 *
 * Live and replay are the same path, so that they cannot differ: what the code asks for is recorded
 * as an event, the event is fed back, and only then does the code see its effect. The instance does
 * no I/O; `settle` is the caller's way of saying "all ready microtasks have run".
 */
import {
  type Command,
  describeCommand,
  describeRecorded,
  divergence,
  matches,
} from "./commands.ts";
import { Conditions } from "./conditions.ts";
import { type Deferred, deferred } from "./deferred.ts";
import { activityDiagnostics, type DiagnosticSubject } from "./diagnostics.ts";
import type { HistoryEvent, SideEffectRecorded, WorkflowStarted } from "./events.ts";
import {
  type ActivityFailureFields,
  activityError,
  CancelledFailure,
  cancelledActivity,
  type Failure,
  refusal,
  thrownAgain,
} from "./failure.ts";
import { decode, encode, type Payload } from "./payload.ts";
import { seededRandom } from "./random.ts";
import { type Handler, SignalInbox } from "./signal-inbox.ts";
import type {
  ActivityRequest,
  DurableTimer,
  WorkflowContext,
  WorkflowInfo,
} from "./workflow-context.ts";

export interface ReplayHost {
  settle(): Promise<void>;
  /** The JSON text of a payload; blobs have been loaded before. */
  read(payload: Payload): string;
  /** Calls the workflow function inside its scope and guard. */
  run(context: WorkflowContext, input: unknown): Promise<unknown>;
  /** Calls a handler or predicate inside the workflow's scope and guard. */
  call<T>(context: WorkflowContext, call: () => T): T;
  diagnose(message: string, about: DiagnosticSubject): void;
}

export type WorkflowOutcome =
  | { readonly kind: "returned"; readonly value: unknown }
  | { readonly kind: "threw"; readonly error: unknown };

export class WorkflowInstance implements WorkflowContext {
  readonly info: WorkflowInfo;
  outcome: WorkflowOutcome | undefined;
  readonly queryHandlers: Map<string, Handler> = new Map();
  private readonly host: ReplayHost;
  private readonly nextRandom: () => number;
  /** What the code asked for and no event has answered: what a run in the cache keeps stays small. */
  private readonly commands = new Map<number, Command>();
  private commandCount = 0;
  /** Sequences that the code asked for and the history does not hold yet, in order. */
  private readonly unrecordedCommands = new Map<number, Command>();
  private readonly results = new Map<number, Deferred<unknown>>();
  private readonly timers = new Map<number, Deferred<void>>();
  private readonly cancelledTimers = new Set<number>();
  /** Activities that the code had asked for, and no event recorded, when it was asked to cancel. */
  private readonly cancelledActivities = new Set<number>();
  private readonly signals = new SignalInbox((name, handler, args) =>
    this.callHandler(name, handler, args),
  );
  private readonly conditions = new Conditions((predicate) => this.host.call(this, predicate));
  private readonly diagnosed = new Set<string>();
  private clock: number;
  private cancelled = false;

  constructor(started: WorkflowStarted, namespace: string, host: ReplayHost) {
    this.host = host;
    this.clock = started.at;
    this.nextRandom = seededRandom(started.seed);
    this.info = {
      namespace,
      workflowId: started.workflow_id,
      runId: started.run_id,
      workflowType: started.workflow_type,
      startedAt: started.at,
    };
  }

  /** Feeds one event and lets the code run as far as it can. @throws PawlError nondeterminism */
  async feed(event: HistoryEvent): Promise<void> {
    this.clock = Math.max(this.clock, event.at);
    if (this.deliver(event)) await this.settle();
  }

  /** Commands that no event records yet, in the order of their calls. */
  unrecorded(): readonly Command[] {
    return [...this.unrecordedCommands.values()];
  }

  /** The activity was asked for before the cancel request, and must not start after it. */
  wasCancelled(sequence: number): boolean {
    return this.cancelledActivities.has(sequence);
  }

  /** Recorded timers that the code cancelled and whose cancellation is not recorded. */
  timersToCancel(): readonly number[] {
    return [...this.cancelledTimers].filter((sequence) => !this.unrecordedCommands.has(sequence));
  }

  /** The code has asked for something, or has ended, and the log does not say so yet. */
  wantsSomething(): boolean {
    return (
      this.unrecordedCommands.size > 0 ||
      this.cancelledTimers.size > 0 ||
      this.outcome !== undefined
    );
  }

  /** The code goes on only when a promise settles that is not durable: it would wait for ever. */
  isBlocked(): boolean {
    const durableWaits =
      this.results.size + this.timers.size + this.conditions.size + this.signals.awaited().length;
    return this.outcome === undefined && durableWaits === 0;
  }

  commandAt(sequence: number): Command | undefined {
    return this.commands.get(sequence);
  }

  /** The names of the signals that the code waits for. */
  awaitedSignals(): readonly string[] {
    return this.signals.awaited();
  }

  /** How many signals the code has not taken. */
  pendingSignals(): number {
    return this.signals.keptCount();
  }

  /** Answers true when the code may be able to go on. */
  private deliver(event: HistoryEvent): boolean {
    switch (event.type) {
      case "WorkflowStarted":
        this.begin(event);
        return true;
      case "ActivityScheduled":
      case "TimerScheduled":
        this.record(event);
        return false;
      case "SideEffectRecorded":
        this.record(event);
        return this.deliverSideEffect(event);
      case "ActivityCompleted":
        return this.resolve(event.sequence, decode(this.host.read(event.result)));
      case "ActivityFailed":
        return this.reject(event, event.failure, { outcome: "failed" });
      case "ActivityTimedOut":
        return this.reject(event, event.failure, {
          outcome: "timed_out",
          timeout_kind: event.timeout_kind,
        });
      case "ActivityCancelled":
        return this.reject(event, cancelledActivity(event.activity_type), { outcome: "cancelled" });
      case "TimerFired":
        this.timers.get(event.sequence)?.resolve();
        this.timers.delete(event.sequence);
        this.cancelledTimers.delete(event.sequence);
        this.commands.delete(event.sequence);
        return true;
      case "TimerCancelled":
        this.expectCancelled(event.sequence);
        return false;
      case "SignalReceived":
        this.deliverSignal(event.signal_name, this.host.read(event.arguments));
        return true;
      case "CancelRequested":
        this.deliverCancel();
        return true;
      case "WorkflowFailed":
        // A limit ends the run from outside, in the middle of the code (L11).
        if (event.failure.category !== "structural_limit") this.expectOutcome(event.type);
        return false;
      case "WorkflowCompleted":
        this.expectOutcome(event.type);
        return false;
      case "ActivityStarted":
      case "ActivityHeartbeatRecorded":
      case "ActivityRetryScheduled":
      case "ActivityRetryDue":
      case "LeaseRenewed":
      case "WorkflowCancelled":
      case "WorkflowTerminated":
        return false;
    }
  }

  private begin(event: WorkflowStarted): void {
    const input = decode(this.host.read(event.input));
    this.host.run(this, input).then(
      (value) => {
        this.outcome = { kind: "returned", value };
      },
      (error: unknown) => {
        this.outcome = { kind: "threw", error };
      },
    );
  }

  private record(
    event: Extract<
      HistoryEvent,
      { readonly type: "ActivityScheduled" | "TimerScheduled" | "SideEffectRecorded" }
    >,
  ): void {
    const command = this.commands.get(event.sequence);
    if (!matches(command, event)) {
      const actual =
        this.outcome === undefined || command !== undefined
          ? describeCommand(command)
          : "the end of the workflow";
      throw divergence(event.sequence, describeRecorded(event), actual);
    }
    this.unrecordedCommands.delete(event.sequence);
  }

  private expectOutcome(recorded: string): void {
    if (this.outcome !== undefined) return;
    const [next] = this.unrecorded();
    throw divergence(next?.sequence ?? this.commandCount + 1, recorded, describeCommand(next));
  }

  /** Code that goes on waiting for a timer which the log has cancelled would wait for ever. */
  private expectCancelled(sequence: number): void {
    if (this.cancelledTimers.delete(sequence)) return;
    throw divergence(sequence, "the cancellation of a timer", "a timer that is not cancelled");
  }

  private deliverSideEffect(event: SideEffectRecorded): boolean {
    if (event.result !== undefined)
      return this.resolve(event.sequence, decode(this.host.read(event.result)));
    this.results.get(event.sequence)?.reject(thrownAgain(event.failure));
    return this.answered(event.sequence);
  }

  private answered(sequence: number): boolean {
    this.commands.delete(sequence);
    return this.results.delete(sequence);
  }

  private resolve(sequence: number, value: unknown): boolean {
    this.results.get(sequence)?.resolve(value);
    return this.answered(sequence);
  }

  private reject(
    event: {
      readonly sequence: number;
      readonly activity_type: string;
      readonly attempt_number: number;
    },
    failure: Failure,
    ending: Pick<ActivityFailureFields, "outcome" | "timeout_kind">,
  ): boolean {
    const fields = {
      activity_type: event.activity_type,
      sequence: event.sequence,
      attempts: event.attempt_number,
      ...ending,
    };
    this.results.get(event.sequence)?.reject(activityError(failure, fields));
    return this.answered(event.sequence);
  }

  private deliverSignal(name: string, argumentsJson: string): void {
    const decoded = decode(argumentsJson);
    this.signals.deliver(name, Array.isArray(decoded) ? decoded : [decoded]);
  }

  private callHandler(name: string, handler: Handler, args: readonly unknown[]): void {
    // A handler's error must not be lost, and must not depend on who delivered the signal: it ends
    // the workflow as if the workflow function had thrown it.
    const fail = (error: unknown): void => {
      this.outcome ??= { kind: "threw", error };
      this.diagnose(`the handler of signal ${name} threw; the workflow fails with its error`);
    };
    try {
      Promise.resolve(this.host.call(this, () => handler(...args))).catch(fail);
    } catch (error) {
      fail(error);
    }
  }

  /** Cancel is cooperative: whatever waits for time or the outside is woken with CancelledFailure. */
  private deliverCancel(): void {
    if (this.cancelled) return;
    this.cancelled = true;
    for (const command of this.unrecordedCommands.values())
      if (command.kind === "activity") this.cancelledActivities.add(command.sequence);
    const error = new CancelledFailure("the workflow was asked to cancel");
    const timers = [...this.timers];
    this.timers.clear();
    for (const [sequence, wait] of timers) {
      this.cancelledTimers.add(sequence);
      wait.reject(error);
    }
    this.signals.rejectWaits(error);
    this.conditions.rejectAll(error);
  }

  private async settle(): Promise<void> {
    await this.host.settle();
    while (this.conditions.settle()) await this.host.settle();
  }

  // What workflow code calls:
  now(): number {
    return this.clock;
  }

  random(): number {
    return this.nextRandom();
  }

  scheduleActivity(request: ActivityRequest): Promise<unknown> {
    const encoded = encode(request.args, `the argument of activity ${request.activityType}`);
    if (encoded.kind === "refused") return deferred((ends) => ends.reject(refusal(encoded.error)));
    for (const message of activityDiagnostics(request)) this.diagnose(message, "code");
    const command = this.add({
      kind: "activity",
      sequence: this.commandCount + 1,
      activity_type: request.activityType,
      execution_mode: request.mode,
      arguments_json: encoded.json,
      arguments_bytes: encoded.bytes,
      options: request.options,
    });
    return this.resultOf(command.sequence);
  }

  startTimer(delayMs: number): DurableTimer {
    const { sequence } = this.add({
      kind: "timer",
      sequence: this.commandCount + 1,
      delay_ms: Math.max(0, Math.round(delayMs)),
    });
    return {
      fired: deferred((ends) => this.timers.set(sequence, ends)),
      cancel: () => {
        if (this.timers.delete(sequence)) this.cancelledTimers.add(sequence);
      },
    };
  }

  sideEffect(produce: () => unknown): Promise<unknown> {
    const { sequence } = this.add({
      kind: "side_effect",
      sequence: this.commandCount + 1,
      produce,
    });
    return this.resultOf(sequence);
  }

  nextSignal(name: string): Promise<readonly unknown[]> {
    return this.signals.next(name);
  }

  onSignal(name: string, handler: Handler): void {
    this.signals.handle(name, handler);
  }

  onQuery(name: string, handler: Handler): void {
    this.queryHandlers.set(name, handler);
  }

  waitUntil(predicate: () => boolean): Promise<void> {
    return this.conditions.wait(predicate);
  }

  cancelRequested(): boolean {
    return this.cancelled;
  }

  diagnose(message: string, about: DiagnosticSubject = "run"): void {
    if (this.diagnosed.has(message)) return;
    this.diagnosed.add(message);
    this.host.diagnose(message, about);
  }

  private add<C extends Command>(command: C): C {
    this.commandCount++;
    this.commands.set(command.sequence, command);
    this.unrecordedCommands.set(command.sequence, command);
    return command;
  }

  private resultOf(sequence: number): Promise<unknown> {
    return deferred((ends) => this.results.set(sequence, ends));
  }
}

/**
 * Drives one turn: drafts batches from what arrived and what workflow code wants, commits them under
 * the lease, enters local bodies, sends dispatches, and waits for bodies while watching the tail.
 *
 * Nothing leaves before the batch that announces it is committed; the lease is carried by every
 * batch but the last (design section 1, protocol R5, R6, R9, R14).
 */
import { activityFields, isCancelled } from "../core/deliver.ts";
import { openDispatches } from "../core/dispatch.ts";
import { pawlError } from "../core/errors.ts";
import type { Batch, Lease, WorkflowStarted } from "../core/events.ts";
import {
  INVOCATION_RESERVE_MS,
  LEASE_MARGIN_MS,
  LEASE_RESERVE_MS,
  LOCAL_BODIES_MAX,
  TAIL_POLL_MS,
} from "../core/limits.ts";
import type { WorkflowInstance } from "../core/replay.ts";
import type { ActivityState } from "../core/run.ts";
import { type LocalStart, Turn } from "../core/turn.ts";
import { closingOfEvent } from "../core/views/closing.ts";
import type { Invocation } from "../ports/host.ts";
import type { Ports } from "../ports/ports.ts";
import type { RunClosing } from "../ports/runs.ts";
import type { UserCode } from "../ports/user-code.ts";
import { type Deadline, deadlineOf, infoOf } from "./body.ts";
import { send } from "./dispatch.ts";
import type { LoadedRun } from "./loaded-run.ts";
import { type Beat, LocalBodies } from "./local-bodies.ts";
import { LocalRows } from "./local-rows.ts";
import { persistently } from "./persistence.ts";
import type { TaskItem } from "./run-task.ts";

export type StepOutcome =
  /** Another appender was faster: the run must be loaded again. */
  | { readonly kind: "lost" }
  /** The batch is committed, bodies run. */
  | { readonly kind: "running" }
  | { readonly kind: "waited" }
  /** Nothing to record: the messages asked for nothing. */
  | { readonly kind: "nothing" }
  /** Too little time is left for a body: a fresh invocation continues the turn, woken by the alarm. */
  | { readonly kind: "handed_over"; readonly alarm: string }
  | { readonly kind: "ended"; readonly closing: RunClosing | undefined };

export interface TurnDriverContext {
  readonly ports: Ports;
  readonly userCode: UserCode;
  readonly invocation: Invocation;
  readonly run: LoadedRun;
}

/** Milliseconds that a body without a start-to-close limit should at least have before it is entered. */
const BODY_MS_MIN = 10_000;

export class TurnDriver {
  private readonly ports: Ports;
  private readonly run: LoadedRun;
  private readonly userCode: UserCode;
  private readonly invocation: Invocation;
  private readonly bodies: LocalBodies;
  private readonly rows: LocalRows;
  /** Fresh for every invocation and run (R5). */
  private readonly owner: string;
  private readonly budgetMs: number;
  private owns = false;
  private pollAt = 0;
  /** Writes that need not be waited for before the next commit, but before the invocation ends. */
  private aside: Promise<void>[] = [];

  constructor(context: TurnDriverContext) {
    this.ports = context.ports;
    this.run = context.run;
    this.userCode = context.userCode;
    this.invocation = context.invocation;
    this.owner = this.ports.host.newId();
    this.budgetMs = context.invocation.remainingMs();
    this.bodies = new LocalBodies(this.ports, this.userCode, (json, bytes) =>
      this.keep(json, bytes),
    );
    this.rows = new LocalRows(this.run.key);
  }

  /** This invocation holds the lease, by the log as it is known. */
  ownsTurn(): boolean {
    const holds = this.owns && this.run.state.lease?.owner === this.owner;
    if (this.owns && !holds) {
      this.owns = false;
      this.bodies.retain(() => false);
    }
    return holds;
  }

  /** The invocation ends: whatever still runs here belongs to nobody. */
  abandon(): void {
    this.bodies.retain(() => false);
  }

  /** One batch of the turn, or one wait while bodies run. */
  async step(
    items: readonly TaskItem[],
    started: () => Promise<WorkflowStarted>,
  ): Promise<StepOutcome> {
    const { state } = this.run;
    const opening = !this.owns;
    const instance = await this.run.replay(started);
    const takenOver =
      opening && state.turnFrom !== null ? { from: state.turnFrom, to: state.next - 1 } : undefined;
    if (opening) this.rows.prime(state);
    const draft = new Turn(state, instance, {
      now: () => this.ports.host.now(),
      keep: (json, bytes) => this.keep(json, bytes),
      load: (event) => persistently(this.ports.host, () => this.run.vault.load([event])),
    });
    const arrivals = opening ? items.map((item) => item.message.announces) : [];
    if (state.next === 1) await draft.push(await started());
    await draft.arrive(arrivals, "others");
    if (!state.closed) await this.decide(draft);
    this.refuseForeignPromise(instance);
    const until = this.leaseUntil();
    const beats = await this.draftBeats(draft, until);
    const places = this.canEnterBodies() ? LOCAL_BODIES_MAX : 0;
    await draft.startLocals({
      owner: this.owner,
      places,
      leaseUntil: until,
      deadline: (activity) => this.deadlineOf(activity).at,
    });
    // A due retry that finds no free place is recorded, so that its message may go (R7).
    await draft.arrive(arrivals, "retries");
    const handOver =
      !state.closed &&
      places === 0 &&
      state.startableLocals(this.ports.host.now()).length > 0 &&
      state.startedLocals().length === 0;
    await this.draftRenewal(draft, { opening, handOver });
    if (draft.events.length === 0) return opening ? { kind: "nothing" } : await this.wait();
    return await this.commit(draft, { items, until, beats, takenOver, handOver });
  }

  /** From what the log and the bodies say to what it leads to. */
  private async decide(draft: Turn): Promise<void> {
    await draft.concludeInterrupted((...attempt) => this.bodies.isRunning(...attempt));
    await draft.concludeLocals(this.bodies.endings());
    if (this.run.state.cancelRequestedAt !== undefined) await draft.cancelOpenActivities();
    await draft.recordCommands(LOCAL_BODIES_MAX);
    await draft.closeIfEnded();
  }

  private async draftBeats(draft: Turn, until: number): Promise<readonly Beat[]> {
    const beats = await this.bodies.takeBeats();
    for (const { sequence, attempt, progress } of beats) {
      const activity = this.run.state.openActivities.get(sequence);
      if (this.run.state.closed || activity?.phase !== "started" || activity.attempt !== attempt)
        continue;
      await draft.push({
        type: "ActivityHeartbeatRecorded",
        at: draft.at(),
        ...activityFields(activity),
        attempt_number: attempt,
        progress,
        lease_expires_at: until,
      });
    }
    return beats;
  }

  /** A batch needs an event (R11): renewal, release and hand-over without another one write this. */
  private async draftRenewal(
    draft: Turn,
    now: { readonly opening: boolean; readonly handOver: boolean },
  ): Promise<void> {
    if (draft.events.length > 0) return;
    const { state } = this.run;
    const release = now.opening && state.turnFrom !== null;
    const renewal = !now.opening && this.ports.host.now() >= this.renewAt();
    if (release || renewal || (now.handOver && !now.opening))
      await draft.push({ type: "LeaseRenewed", at: draft.at() });
  }

  private async commit(
    draft: Turn,
    step: {
      readonly items: readonly TaskItem[];
      readonly until: number;
      readonly beats: readonly Beat[];
      readonly takenOver: { readonly from: number; readonly to: number } | undefined;
      readonly handOver: boolean;
    },
  ): Promise<StepOutcome> {
    const { state, key } = this.run;
    const { host, history } = this.ports;
    const bodiesRun = !state.closed && state.startedLocals().length > 0;
    const lease =
      bodiesRun || step.handOver
        ? this.lease(step.items, step.handOver ? host.now() - LEASE_MARGIN_MS - 1 : step.until)
        : null;
    const batch = draft.batch(lease, host.newId());
    const giveUpAt = this.owns ? step.until - LEASE_RESERVE_MS : Number.POSITIVE_INFINITY;
    if ((await persistently(host, () => history.append(key, batch), giveUpAt)) === "lost") {
      for (const beat of step.beats) beat.putBack();
      return { kind: "lost" };
    }
    this.run.committedTurn(batch);
    this.rows.note(batch);
    this.owns = bodiesRun;
    this.pollAt = host.now() + TAIL_POLL_MS;
    this.afterCommit(draft, step);
    if (lease !== null && !step.handOver) this.watchAlarm(step.items, lease);
    await this.dispatch(batch, step.takenOver);
    if (bodiesRun) return { kind: "running" };
    await this.finishAside();
    if (lease !== null) return { kind: "handed_over", alarm: lease.alarm };
    return {
      kind: "ended",
      closing: state.terminal === undefined ? undefined : closingOfEvent(state.terminal),
    };
  }

  /** What the commit allows: bodies enter, heartbeats are answered, the cancelled are told. */
  private afterCommit(
    draft: Turn,
    step: { readonly beats: readonly Beat[]; readonly until: number },
  ): void {
    const { state } = this.run;
    this.bodies.retain((sequence, attempt) => {
      const activity = state.openActivities.get(sequence);
      return !state.closed && activity?.phase === "started" && activity.attempt === attempt;
    });
    for (const beat of step.beats) {
      this.bodies.noteRecorded(beat.sequence);
      beat.settle(undefined);
    }
    // A frozen process that thaws behind its lease must not enter a body any more (R14).
    if (!state.closed && this.ports.host.now() < step.until - LEASE_RESERVE_MS)
      for (const start of draft.starts) this.enter(start);
    this.tellCancelled();
    for (const { sequence, attempt } of draft.cancelledAttempts) {
      this.setAside(this.cancelAttempt(sequence, attempt));
    }
  }

  /** Running local bodies learn of a cancel request as soon as it is seen in the log (J-02). */
  private tellCancelled(): void {
    const { state } = this.run;
    if (state.cancelRequestedAt === undefined) return;
    const cancelled = state.startedLocals().filter((activity) => isCancelled(state, activity));
    this.bodies.cancel(cancelled.map((activity) => activity.sequence));
  }

  /** Refuses a claim that comes later (E1), and tells a running body at its next heartbeat (J-05). */
  private async cancelAttempt(sequence: number, attempt: number): Promise<void> {
    const key = { ...this.run.key, sequence, attempt };
    await this.ports.attempts.conclude(key, { kind: "cancelled" }, this.ports.host.newId());
  }

  private enter(start: LocalStart): void {
    const { state, key, vault } = this.run;
    const activity = state.openActivities.get(start.sequence);
    const command = this.run.instance?.commandAt(start.sequence);
    if (activity === undefined || command?.kind !== "activity") return;
    const limit = this.deadlineOf(activity);
    // What the log promised is what the body gets.
    const deadline = { ...limit, at: activity.close_deadline_at ?? limit.at };
    const info = infoOf(key, {
      sequence: start.sequence,
      activityType: activity.activity_type,
      attempt: start.attempt,
      isLocal: true,
      workflowType: state.started?.workflow_type ?? "",
      options: activity.options,
      scheduledAt: activity.scheduled_at,
      startedAt: activity.started_at ?? activity.scheduled_at,
      deadline: deadline.at,
    });
    this.bodies.enter({
      sequence: start.sequence,
      info,
      deadline,
      argumentsJson: command.arguments_json,
      heartbeatJson:
        activity.last_heartbeat === undefined ? undefined : vault.read(activity.last_heartbeat),
      heartbeatMs: activity.options.heartbeat_ms,
    });
  }

  private deadlineOf(activity: ActivityState): Deadline {
    return deadlineOf(activity, this.ports.host.now(), this.invocation);
  }

  /** A body is entered only when the rest of the invocation covers it; half of a whole one always does. */
  private canEnterBodies(): boolean {
    const startable = this.run.state.startableLocals(this.ports.host.now());
    const limits = startable.map(({ options }) => options.start_to_close_ms ?? 0);
    const wanted = Math.max(BODY_MS_MIN, ...limits);
    const rest = this.invocation.remainingMs() - INVOCATION_RESERVE_MS;
    return rest >= Math.min(wanted, this.budgetMs / 2);
  }

  private leaseUntil(): number {
    return this.ports.host.now() + Math.min(this.ports.leaseMs, this.invocation.remainingMs());
  }

  /** At half of the lease; never when the invocation ends with it, so that a renewal would gain nothing. */
  private renewAt(): number {
    const until = this.run.state.lease?.until ?? 0;
    const gainMs = this.ports.host.now() + this.invocation.remainingMs() - until;
    return gainMs < LEASE_RESERVE_MS ? Number.POSITIVE_INFINITY : until - this.ports.leaseMs / 2;
  }

  /** The alarm is the message that opened the turn, through every take-over (R5). */
  private lease(items: readonly TaskItem[], until: number): Lease {
    const { lease, turnFrom } = this.run.state;
    const opener = items[0]?.message.message_id ?? "";
    return {
      owner: this.owner,
      until,
      alarm: turnFrom !== null && lease !== null ? lease.alarm : opener,
    };
  }

  /** The alarm becomes visible soon after the lease's end, so that a crash is noticed in seconds. */
  private watchAlarm(items: readonly TaskItem[], lease: Lease): void {
    const alarm = items.find(
      (item) => item.message.message_id === lease.alarm && item.handle !== undefined,
    );
    if (alarm?.handle === undefined) return;
    const ms = lease.until + LEASE_MARGIN_MS - this.ports.host.now();
    this.setAside(this.ports.queue.defer({ message: alarm.message, handle: alarm.handle }, ms));
  }

  private async dispatch(
    batch: Batch,
    takenOver: { readonly from: number; readonly to: number } | undefined,
  ): Promise<void> {
    const { key, state } = this.run;
    const dispatches = [
      ...openDispatches(key, state, batch.sequence, batch.sequence),
      // R6: the dead owner may have died before its own sends.
      ...(takenOver === undefined ? [] : openDispatches(key, state, takenOver.from, takenOver.to)),
    ];
    if (dispatches.length > 0)
      await persistently(this.ports.host, () => send(this.ports, dispatches));
  }

  private async wait(): Promise<StepOutcome> {
    this.tellCancelled();
    const { host } = this.ports;
    await this.bodies.waitForNews(Math.max(1, Math.min(this.pollAt, this.renewAt()) - host.now()));
    if (host.now() >= this.pollAt) {
      // R14: signals, cancels and lost leases are seen while bodies run.
      await this.run.catchUp();
      this.pollAt = host.now() + TAIL_POLL_MS;
    }
    return { kind: "waited" };
  }

  private refuseForeignPromise(instance: WorkflowInstance): void {
    if (!instance.isBlocked()) return;
    throw pawlError("blocked_on_foreign_promise", { type: instance.info.workflowType });
  }

  private keep(json: string, bytes: number): ReturnType<LoadedRun["vault"]["keep"]> {
    return persistently(this.ports.host, () => this.run.vault.keep(json, bytes));
  }

  private setAside(write: Promise<void>): void {
    this.aside.push(
      write.catch((error: unknown) => {
        this.ports.telemetry.warn(
          "a write beside the commit failed; it is not needed for the run to go on",
          {
            run_id: this.run.key.run_id,
            error: error instanceof Error ? error.message : String(error),
          },
        );
      }),
    );
  }

  /** The rows of local activities, and what else was set aside, before the invocation ends. */
  private async finishAside(): Promise<void> {
    this.setAside(this.rows.write(this.ports.projection));
    const aside = this.aside;
    this.aside = [];
    await Promise.all(aside);
  }
}

/**
 * Drives one turn: drafts batches from what arrived and what workflow code wants, commits them under
 * the lease, enters local bodies, sends dispatches, and waits for bodies while watching the tail.
 *
 * Nothing leaves before the batch that announces it is committed; the lease is carried by every
 * batch but the last (design section 1, protocol R5, R6, R9, R14).
 */
import { activityFields, isCancelled } from "../core/deliver.ts";
import { invariant, pawlError } from "../core/errors.ts";
import type { Lease, WorkflowStarted } from "../core/events.ts";
import { LEASE_MARGIN_MS, LEASE_RESERVE_MS, TAIL_POLL_MS } from "../core/limits.ts";
import type { WorkflowInstance } from "../core/replay.ts";
import { Turn } from "../core/turn.ts";
import { closingOfEvent } from "../core/views/closing.ts";
import type { Invocation } from "../ports/host.ts";
import type { Ports } from "../ports/ports.ts";
import type { RunClosing } from "../ports/runs.ts";
import type { UserCode } from "../ports/user-code.ts";
import { AlarmWatch, type WaitingMessages } from "./alarm-watch.ts";
import { Aside } from "./aside.ts";
import { BodyEntry } from "./body-entry.ts";
import { ownerName } from "./boot.ts";
import { announce } from "./dispatch.ts";
import type { LoadedRun } from "./loaded-run.ts";
import { type Beat, type Ending, LocalBodies } from "./local-bodies.ts";
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
  /** Messages of the invocation whose runs have not been begun. */
  readonly waiting: WaitingMessages;
  /** Whether the invocation has worked no run before this one. */
  readonly isFirst: boolean;
}

/** Milliseconds between two writes of the rows of local activities while a task runs. */
const ROWS_EVERY_MS = 1_000;

export class TurnDriver {
  private readonly ports: Ports;
  private readonly run: LoadedRun;
  private readonly userCode: UserCode;
  private readonly invocation: Invocation;
  private readonly bodies: LocalBodies;
  /** Fresh for every invocation and run (R5). */
  private readonly owner: string;
  private readonly entry: BodyEntry;
  private owns = false;
  private pollAt = 0;
  private rowsAt: number;
  private readonly alarm: AlarmWatch;
  private readonly aside: Aside;

  constructor(context: TurnDriverContext) {
    this.ports = context.ports;
    this.run = context.run;
    this.userCode = context.userCode;
    this.invocation = context.invocation;
    this.owner = ownerName(this.ports.boot, this.ports.host.newId());
    this.entry = new BodyEntry(this.ports.host, context.invocation, context.isFirst);
    this.bodies = new LocalBodies(this.ports, this.userCode, (json, bytes) =>
      this.keep(json, bytes),
    );
    this.rowsAt = this.ports.host.now() + ROWS_EVERY_MS;
    this.alarm = new AlarmWatch(this.ports, context.waiting);
    this.aside = new Aside(this.ports.telemetry, this.run.key.run_id);
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

  /** The invocation ends: whatever still runs here belongs to nobody, and no write outlives it. */
  async abandon(): Promise<void> {
    this.bodies.retain(() => false);
    await this.aside.settled();
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
    if (takenOver !== undefined) this.run.rows.takeOver(takenOver.from);
    const draft = new Turn(state, instance, {
      now: () => this.ports.host.now(),
      keep: (json, bytes) => this.keep(json, bytes),
      load: (event) => persistently(this.ports.host, () => this.run.vault.load([event])),
    });
    const arrivals = opening ? items.map((item) => item.message.announces) : [];
    if (state.next === 1) await draft.push(await started());
    const until = this.leaseUntil();
    // Before the outcomes: what a body said is in the log ahead of how it ended.
    const beats = await this.draftBeats(draft, until);
    await draft.arrive(arrivals, "others");
    const endings = state.closed ? [] : await this.decide(draft);
    this.refuseForeignPromise(instance);
    await draft.startLocals({
      owner: this.owner,
      places: this.ports.localConcurrency,
      leaseUntil: until,
      deadline: (activity) => this.entry.deadlineOf(activity).at,
      isCovered: (activity) => this.entry.isCovered(activity),
    });
    const { vault } = this.run;
    await persistently(this.ports.host, () => this.entry.prepare(draft.starts, state, vault));
    // A due retry that finds no free place is recorded, so that its message may go (R7).
    await draft.arrive(arrivals, "retries");
    const handOver =
      !state.closed &&
      state.startableLocals(this.ports.host.now()).length > 0 &&
      state.startedLocals().length === 0;
    await this.draftRenewal(draft, { opening, handOver });
    if (draft.events.length === 0) return opening ? { kind: "nothing" } : await this.wait();
    return await this.commit(draft, { items, until, beats, endings, takenOver, handOver });
  }

  /** From what the log and the bodies say to what it leads to. */
  private async decide(draft: Turn): Promise<readonly Ending[]> {
    await draft.concludeInterrupted((...attempt) => this.bodies.isRunning(...attempt));
    const endings = await this.bodies.endings();
    await draft.concludeLocals(endings);
    if (this.run.state.cancelRequestedAt !== undefined) await draft.cancelOpenActivities();
    await draft.concludeOverdue();
    await draft.recordCommands(this.ports.localConcurrency);
    await draft.closeIfEnded();
    return endings;
  }

  /** Bodies of attempts that the log does not hold open have been told to stop before. */
  private async draftBeats(draft: Turn, until: number): Promise<readonly Beat[]> {
    const beats = await this.bodies.takeBeats();
    for (const { sequence, attempt, progress } of beats) {
      const activity = this.run.state.openActivities.get(sequence);
      invariant(
        activity?.phase === "started" && activity.attempt === attempt,
        `attempt ${attempt} of activity ${sequence} beats and is not open`,
      );
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
    const isDue = this.bodies.holdsBack || this.ports.host.now() >= this.renewAt();
    const renewal = !now.opening && isDue;
    if (release || renewal || (now.handOver && !now.opening))
      await draft.push({ type: "LeaseRenewed", at: draft.at() });
  }

  private async commit(
    draft: Turn,
    step: {
      readonly items: readonly TaskItem[];
      readonly until: number;
      readonly beats: readonly Beat[];
      readonly endings: readonly Ending[];
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
    // Beside the append, and done before a body is entered, which may block the process or end it.
    const covered =
      lease === null || step.handOver
        ? undefined
        : this.aside.add(this.alarm.cover(step.items, lease));
    if ((await persistently(host, () => history.append(key, batch), giveUpAt)) === "lost") {
      for (const beat of step.beats) beat.putBack();
      return { kind: "lost" };
    }
    this.run.committedTurn(batch);
    this.owns = bodiesRun;
    this.pollAt = host.now() + TAIL_POLL_MS;
    if (draft.starts.length > 0) await covered;
    this.afterCommit(draft, step);
    await announce(this.ports, key, state, { from: batch.sequence, to: batch.sequence });
    // R6: the dead owner may have died before its own sends.
    if (step.takenOver !== undefined) await announce(this.ports, key, state, step.takenOver);
    if (bodiesRun) {
      this.writeRowsEachSecond();
      return { kind: "running" };
    }
    if (lease !== null) return { kind: "handed_over", alarm: lease.alarm };
    return {
      kind: "ended",
      closing: state.terminal === undefined ? undefined : closingOfEvent(state.terminal),
    };
  }

  /** What the commit allows: the cancelled are told, heartbeats are answered, bodies enter. */
  private afterCommit(
    draft: Turn,
    step: {
      readonly beats: readonly Beat[];
      readonly endings: readonly Ending[];
      readonly until: number;
    },
  ): void {
    const { state } = this.run;
    this.tellCancelled();
    for (const recorded of [...step.beats, ...step.endings]) recorded.settle();
    this.bodies.retain((sequence, attempt) => {
      const activity = state.openActivities.get(sequence);
      return !state.closed && activity?.phase === "started" && activity.attempt === attempt;
    });
    const starts = [...this.bodies.takeHeld(), ...draft.starts];
    // A frozen process that thaws behind its lease must not enter a body any more (R14).
    if (!state.closed && this.ports.host.now() < step.until - LEASE_RESERVE_MS)
      for (const start of starts) {
        const body = this.entry.bodyOf(this.run.key, start, state, this.run.vault);
        if (body === undefined) continue;
        this.bodies.enter(body);
        this.entry.noteUsed();
      }
    // A store that was slow is no reason to lose an attempt: a renewal says whether it is still ours.
    else if (!state.closed && this.invocation.remainingMs() > 2 * LEASE_RESERVE_MS)
      this.bodies.hold(starts);
  }

  /** Running local bodies learn of a cancel request as soon as it is seen in the log (J-02). */
  private tellCancelled(): void {
    const { state } = this.run;
    if (state.cancelRequestedAt === undefined) return;
    const cancelled = state.startedLocals().filter((activity) => isCancelled(state, activity));
    this.bodies.cancel(cancelled.map((activity) => activity.sequence));
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

  private async wait(): Promise<StepOutcome> {
    this.tellCancelled();
    const { host } = this.ports;
    await this.bodies.waitForNews(Math.max(1, Math.min(this.pollAt, this.renewAt()) - host.now()));
    if (host.now() >= this.pollAt) {
      // R14: signals, cancels and lost leases are seen while bodies run.
      await this.run.catchUp();
      this.pollAt = host.now() + TAIL_POLL_MS;
    }
    this.writeRowsEachSecond();
    return { kind: "waited" };
  }

  private refuseForeignPromise(instance: WorkflowInstance): void {
    if (!instance.isBlocked()) return;
    throw pawlError("blocked_on_foreign_promise", { type: instance.info.workflowType });
  }

  private keep(json: string, bytes: number): ReturnType<LoadedRun["vault"]["keep"]> {
    return persistently(this.ports.host, () => this.run.vault.keep(json, bytes));
  }

  /** Rows show what runs while it runs, off its own way (F-04, S-09). */
  private writeRowsEachSecond(): void {
    const now = this.ports.host.now();
    if (now < this.rowsAt) return;
    this.rowsAt = now + ROWS_EVERY_MS;
    void this.aside.add(this.run.rows.write(this.ports.projection));
  }

  /** The rows of local activities, and what else was set aside, before the invocation ends. */
  async finish(): Promise<void> {
    void this.aside.add(this.run.rows.write(this.ports.projection));
    await this.aside.settled();
  }
}

/**
 * Works the messages of one run in one invocation: the commit protocol, rule by rule.
 *
 * Decides which message may open or continue a turn, and which may be deleted (R1 to R7, R12, R15);
 * a turn itself is in `turn-driver.ts`. After every lost race it starts again from the log.
 */
import { inboundBatch } from "../core/batch.ts";
import { deliver, hasCancellable, isSelfContained } from "../core/deliver.ts";
import { invariant } from "../core/errors.ts";
import type { HistoryEvent, RunKey, WorkflowStarted } from "../core/events.ts";
import { CHECK_MS_FIRST, LEASE_MARGIN_MS } from "../core/limits.ts";
import { eventKey, type WorkflowTaskMessage } from "../core/messages.ts";
import type { RunState } from "../core/run.ts";
import { closingOfEvent } from "../core/views/closing.ts";
import type { Invocation } from "../ports/host.ts";
import type { Ports } from "../ports/ports.ts";
import type { RunClosing } from "../ports/runs.ts";
import type { UserCode } from "../ports/user-code.ts";
import type { WaitingMessages } from "./alarm-watch.ts";
import { isOfEarlierBoot } from "./boot.ts";
import { enforceDeadline } from "./deadlines.ts";
import { announce, send } from "./dispatch.ts";
import { LoadedRun } from "./loaded-run.ts";
import { persistently } from "./persistence.ts";
import type { RunCache } from "./run-cache.ts";
import { startedEvent } from "./started-event.ts";
import { TurnDriver } from "./turn-driver.ts";

/** What becomes of a message: deleted, or seen again after a while. */
export type Verdict = { readonly kind: "delete" } | { readonly kind: "defer"; readonly ms: number };

export interface TaskItem {
  readonly message: WorkflowTaskMessage;
  /** The queue's handle; absent for a direct invocation, whose verdicts do nothing (R16). */
  readonly handle?: string;
  /** Undecided until set: an undecided message returns to the queue by itself. */
  verdict?: Verdict;
}

export interface TaskContext {
  readonly ports: Ports;
  readonly userCode: UserCode;
  readonly cache: RunCache;
  readonly invocation: Invocation;
}

/** What else the invocation has to do, as its runs are worked one after the other. */
export interface BatchContext {
  readonly waiting: WaitingMessages;
  readonly isFirst: boolean;
}

/** Steps of one run in one invocation; above it something loops that should not. */
const STEPS_MAX = 100_000;
/** Milliseconds behind a lease's end at which its alarm looks again. */
const ALARM_DELAY_MS = 100;

type Next = "again" | "done";

export class RunTask {
  readonly key: RunKey;
  private readonly context: TaskContext;
  private readonly run: LoadedRun;
  private readonly driver: TurnDriver;
  /** Messages without a verdict, in the order of their arrival. */
  private active: TaskItem[];
  private started: WorkflowStarted | undefined;
  /** Deadlines that the attempt's row has confirmed. */
  private readonly enforced = new Set<TaskItem>();

  constructor(context: TaskContext, key: RunKey, items: readonly TaskItem[], batch: BatchContext) {
    this.context = context;
    this.key = key;
    this.active = [...items];
    const { ports, userCode, cache, invocation } = context;
    const cached = cache.take(key);
    this.run = cached ?? new LoadedRun(ports, userCode, key);
    this.loaded = cached !== undefined;
    this.driver = new TurnDriver({ ports, userCode, invocation, run: this.run, ...batch });
  }

  private loaded: boolean;

  /** Works until every message has its verdict. Answers how the run closed, if it did. */
  async work(): Promise<RunClosing | undefined> {
    try {
      if (!this.loaded) await this.run.load();
      for (let step = 0; ; step++) {
        invariant(
          step < STEPS_MAX,
          `run ${this.key.run_id} takes more than ${STEPS_MAX} steps in one invocation`,
        );
        if ((await this.step()) === "done") break;
      }
    } finally {
      await this.driver.abandon();
    }
    const { state } = this.run;
    if (!state.closed && this.run.isReplayed() && this.run.instance?.wantsSomething() === false)
      this.context.cache.put(this.run);
    return state.terminal === undefined ? undefined : closingOfEvent(state.terminal);
  }

  /** Each may decide messages; "again" asks for a new look at everything. */
  private readonly checks: readonly (() => Promise<Next | undefined>)[] = [
    () => this.rearmEarly(),
    () => this.enforceDeadlines(),
    () => this.dropSettled(),
    () => this.deliverUnderLease(),
    () => this.appendSelfContained(),
    () => this.dropVoid(),
    () => this.dropInert(),
  ];

  private get state(): RunState {
    return this.run.state;
  }

  /** The order of checks of R4, repeated after every lost race. */
  private async step(): Promise<Next> {
    if (this.state.closed) return await this.finishClosed();
    if (!this.driver.ownsTurn()) {
      for (const check of this.checks) {
        const next = await check();
        if (this.active.length === 0) return "done";
        if (next === "again") return "again";
      }
    }
    return await this.turn();
  }

  /** A wake-up that comes too early by this clock is armed again: sent first, then deleted (R4). */
  private async rearmEarly(): Promise<Next | undefined> {
    for (const item of this.active) {
      const { announces } = item.message;
      if (
        !("due" in announces) ||
        this.positionOf(item) !== undefined ||
        announces.due <= this.context.ports.host.now()
      )
        continue;
      await send(this.context.ports, [{ message: item.message, due: announces.due }]);
      await this.remove(item);
    }
    return undefined;
  }

  /** A deadline counts only when no worker was faster; asked once, because the row then stands. */
  private async enforceDeadlines(): Promise<Next | undefined> {
    for (const item of this.active) {
      const { announces } = item.message;
      if (announces.kind !== "deadline" || this.enforced.has(item)) continue;
      if (this.positionOf(item) !== undefined) continue;
      if (!this.run.fresh) return await this.lookAgain();
      const { ports } = this.context;
      if ((await enforceDeadline(ports, this.key, this.state, announces)) === "due")
        this.enforced.add(item);
      else await this.remove(item);
    }
    return undefined;
  }

  /** R2, R3: a settled event's open dispatches are sent again, then its message may go. */
  private async dropSettled(): Promise<Next | undefined> {
    for (const item of this.active) {
      const position = this.positionOf(item);
      if (position === undefined) continue;
      const turn = this.state.turnThatConsumed(position.batch);
      if (turn === undefined && !position.selfContained) continue;
      if (!this.run.fresh) return await this.lookAgain();
      await this.sendOpen(
        Math.min(position.batch, turn?.from ?? position.batch),
        turn?.to ?? position.batch,
      );
      await this.remove(item);
    }
    return undefined;
  }

  /** R5: under a live foreign lease the events go into the log, the alarm goes back to the queue. */
  private async deliverUnderLease(): Promise<Next | undefined> {
    const { lease } = this.state;
    const now = this.context.ports.host.now();
    if (lease === null || lease.until + LEASE_MARGIN_MS <= now) return undefined;
    if (isOfEarlierBoot(lease.owner, this.context.ports.boot)) return undefined;
    const appended = await this.appendInbound(this.active);
    if (appended === "lost") return "again";
    if (appended === undefined && !this.run.fresh) return await this.lookAgain();
    if (this.state.closed) return "again";
    for (const item of this.active) {
      const isAlarm = item.message.message_id === lease.alarm;
      if (isAlarm)
        this.decide(item, {
          kind: "defer",
          ms: lease.until + LEASE_MARGIN_MS + ALARM_DELAY_MS - now,
        });
      else await this.remove(item);
    }
    return "done";
  }

  /** Outcomes that only lead to a retry need no workflow code and no turn. */
  private async appendSelfContained(): Promise<Next | undefined> {
    const items = this.active.filter((item) => {
      const delivery = this.delivery(item);
      return delivery !== undefined && delivery !== "void" && isSelfContained(delivery);
    });
    if (items.length === 0) return undefined;
    if ((await this.appendInbound(items)) !== "appended") return "again";
    for (const item of items) if (this.positionOf(item) !== undefined) await this.remove(item);
    return undefined;
  }

  /** R5: what the log answers already opens no turn. */
  private async dropVoid(): Promise<Next | undefined> {
    for (const item of this.active) {
      if (this.state.next === 1 || this.delivery(item) !== "void") continue;
      if (!this.run.fresh) return await this.lookAgain();
      await this.remove(item);
    }
    return undefined;
  }

  /**
   * R2: an event that asked for nothing when it was appended opens no turn later, because its other
   * copies may be deleted already and could not be the turn's alarm.
   */
  private async dropInert(): Promise<Next | undefined> {
    if (this.state.turnFrom !== null) return undefined;
    const known = this.active
      .flatMap((item) => ({ item, batch: this.positionOf(item)?.batch }))
      .filter((entry): entry is { item: TaskItem; batch: number } => entry.batch !== undefined)
      .sort((left, right) => left.batch - right.batch);
    for (const { item, batch } of known) {
      const instance = await this.run.replay(() => this.startedEvent(), batch);
      if (instance.wantsSomething() || hasCancellable(this.state)) {
        if (this.run.knowsLog()) return undefined;
        // A warm instance stands at the tail: only the log says what was wanted up to the event.
        await this.run.load();
        return "again";
      }
      if (!this.run.fresh) return await this.lookAgain();
      await this.remove(item);
    }
    return undefined;
  }

  private async turn(): Promise<Next> {
    const items = this.active;
    const outcome = await this.driver.step(items, () => this.startedEvent());
    switch (outcome.kind) {
      case "lost":
        await this.run.reload();
        return "again";
      case "running":
        return "again";
      case "waited":
        return "again";
      case "nothing":
        if (!this.run.fresh) return await this.lookAgain();
        await this.removeAll();
        return "done";
      case "handed_over":
        await this.driver.finish();
        for (const item of this.active) {
          if (item.message.message_id === outcome.alarm)
            this.decide(item, { kind: "defer", ms: 0 });
          else await this.remove(item);
        }
        return "done";
      case "ended":
        await Promise.all([
          this.driver.finish(),
          ...(outcome.closing === undefined ? [] : [this.markClosed(outcome.closing)]),
        ]);
        await this.removeAll();
        return "done";
    }
  }

  /** Appends the absent events of these messages as one inbound batch, in message order. */
  private async appendInbound(
    items: readonly TaskItem[],
  ): Promise<"appended" | "lost" | undefined> {
    const { state } = this;
    const { ports } = this.context;
    const tail = state.tail();
    const events: HistoryEvent[] = [];
    state.beginBatch("inbound");
    for (const item of items) {
      const delivery = state.closed ? undefined : this.delivery(item);
      if (delivery === undefined || delivery === "void") continue;
      for (const event of delivery) state.fold(event);
      events.push(...delivery);
    }
    if (events.length === 0) return undefined;
    const batch = inboundBatch(tail, events, ports.host.newId(), state.counters);
    state.endBatch(batch);
    if ((await persistently(ports.host, () => ports.history.append(this.key, batch))) === "lost") {
      await this.run.reload();
      return "lost";
    }
    await this.run.committedInbound(batch);
    await this.sendOpen(batch.sequence, batch.sequence);
    return "appended";
  }

  /** The events of a message that is not in the log yet; undefined when it is, or announces none. */
  private delivery(item: TaskItem): ReturnType<typeof deliver> | undefined {
    const { announces } = item.message;
    if (
      this.positionOf(item) !== undefined ||
      announces.kind === "start" ||
      announces.kind === "check"
    )
      return undefined;
    const at = Math.max(this.context.ports.host.now(), this.state.lastAt);
    return deliver(this.state, announces, at, this.key.run_id);
  }

  private positionOf(item: TaskItem): ReturnType<RunState["positionOf"]> {
    return this.state.positionOf(eventKey(item.message.announces));
  }

  private async sendOpen(from: number, to: number): Promise<void> {
    const { ports } = this.context;
    await announce(ports, this.key, this.state, { from, to });
  }

  private async lookAgain(): Promise<Next> {
    await this.run.catchUp();
    return "again";
  }

  /** Gives the verdict "delete"; a start leaves only once its run's row says running (R12). */
  private async remove(item: TaskItem): Promise<void> {
    const { ports } = this.context;
    // A check has no event of its own: what the last turn announced may not have been sent (R6).
    const last = item.message.announces.kind === "check" ? this.state.lastTurn() : undefined;
    if (last !== undefined) await this.sendOpen(last.from, last.to);
    if (item.message.announces.kind === "start" && !this.state.closed) {
      await ports.runs.markRunning(this.key, ports.host.now() + CHECK_MS_FIRST, CHECK_MS_FIRST);
    }
    await this.run.counts.cover(this.state, item.message.announces);
    this.decide(item, { kind: "delete" });
  }

  private async removeAll(): Promise<void> {
    for (const item of this.active) await this.remove(item);
  }

  private decide(item: TaskItem, verdict: Verdict): void {
    item.verdict = verdict;
    this.active = this.active.filter((other) => other !== item);
  }

  /** A closed run takes nothing more; its row is repaired on sight. */
  private async finishClosed(): Promise<Next> {
    if (!this.run.fresh) return await this.lookAgain();
    const { terminal } = this.state;
    invariant(terminal !== undefined, "a closed run has a closing event");
    const row = await this.context.ports.runs.get(this.key);
    // Whoever closed the run may have died before it told the workers, or never tells them: the API.
    const isOpenRow = row !== undefined && row.closed_at === undefined;
    if (isOpenRow || this.active.some((item) => item.message.announces.kind === "request")) {
      await this.sendOpen(1, this.state.next);
      // Nor does it write the rows of what it left behind.
      const last = this.state.lastTurn();
      if (isOpenRow && last !== undefined) this.run.rows.takeOver(last.from);
      await this.driver.finish();
    }
    if (isOpenRow) await this.markClosed(closingOfEvent(terminal));
    await this.removeAll();
    return "done";
  }

  private async markClosed(closing: RunClosing): Promise<void> {
    const { ports } = this.context;
    const { counters } = this.state;
    await persistently(ports.host, () => ports.runs.markClosed(this.key, { ...closing, counters }));
  }

  /** The log's first event, from the run's row: whoever writes the first batch needs it (R12). */
  private async startedEvent(): Promise<WorkflowStarted> {
    if (this.started !== undefined) return this.started;
    const row = await this.context.ports.runs.get(this.key);
    if (row === undefined) throw new MissingRunError(this.key);
    this.started = startedEvent(row, this.context.ports.host.now());
    return this.started;
  }
}

/** A message of a run that has no row: left over from a table that was restored or reset (K12). */
export class MissingRunError extends Error {
  override readonly name = "MissingRunError";

  constructor(key: RunKey) {
    super(`workflow ${key.workflow_id} has no run ${key.run_id}: the message is left over`);
  }
}

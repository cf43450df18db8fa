/**
 * One attempt of a queued activity: claim, run, conclude, report (R10). The claim row decides who
 * runs and how the attempt ended; the queue's redelivery is how a dead worker is noticed.
 */

import { wakeUp } from "../core/dispatch.ts";
import { InfrastructureError } from "../core/errors.ts";
import type { RunKey, TimeoutKind } from "../core/events.ts";
import { CancelledFailure } from "../core/failure.ts";
import { LEASE_MARGIN_MS } from "../core/limits.ts";
import type { ActivityTaskMessage, AttemptEnd, AttemptOutcome } from "../core/messages.ts";
import type { Payload } from "../core/payload.ts";
import type { AttemptRow } from "../ports/attempts.ts";
import type { Invocation } from "../ports/host.ts";
import type { Ports } from "../ports/ports.ts";
import type { ActivityInfo, UserCode } from "../ports/user-code.ts";
import { type Deadline, deadlineOf, infoOf, runBody } from "./body.ts";
import { isOfEarlierBoot } from "./boot.ts";
import { send } from "./dispatch.ts";
import { Heartbeats, type TakenBeat } from "./heartbeats.ts";
import { LoopWatch } from "./loop-watch.ts";
import { PayloadVault } from "./payload-vault.ts";
import { persistently } from "./persistence.ts";
import type { Verdict } from "./run-task.ts";

export interface ActivityTaskContext {
  readonly ports: Ports;
  readonly userCode: UserCode;
  readonly invocation: Invocation;
  /** Names this process in attempts: which execution environment ran what. */
  readonly worker: string;
}

/** Milliseconds behind a claim's end at which its message looks again. */
const CLAIM_DELAY_MS = 50;
/** Given a reason, an abort makes no DOMException with a stack of its own. */
const ENOUGH = "waited enough";

export async function workActivity(
  context: ActivityTaskContext,
  message: ActivityTaskMessage,
  handle: string | undefined,
): Promise<Verdict> {
  return await new ActivityAttempt(context, message, handle).work();
}

class ActivityAttempt {
  private readonly context: ActivityTaskContext;
  private readonly ports: Ports;
  private readonly message: ActivityTaskMessage;
  private readonly handle: string | undefined;
  private readonly run: RunKey;
  private readonly vault: PayloadVault;
  private readonly owner: string;
  private readonly controller = new AbortController();
  private readonly deadline: Deadline;
  private until: number;
  private readonly beats: Heartbeats;
  private readonly ended = new AbortController();
  /** Of the last beat that was taken from the body. */
  private lastBeat: Payload | undefined;
  private beating: Promise<void> | undefined;
  private wakeBeating: (() => void) | undefined;

  constructor(
    context: ActivityTaskContext,
    message: ActivityTaskMessage,
    handle: string | undefined,
  ) {
    this.context = context;
    this.ports = context.ports;
    this.message = message;
    this.handle = handle;
    this.run = {
      namespace: message.namespace,
      workflow_id: message.workflow_id,
      run_id: message.run_id,
    };
    this.vault = new PayloadVault(this.ports.blobs, this.ports.host, this.run);
    this.owner = this.ports.host.newId();
    this.deadline = deadlineOf(message, this.ports.host.now(), context.invocation);
    this.beats = new Heartbeats({
      now: () => this.ports.host.now(),
      signal: this.controller.signal,
      notify: () => this.onBeat(),
    });
    this.until = this.claimUntil();
  }

  async work(): Promise<Verdict> {
    const { attempts, host } = this.ports;
    const startedAt = host.now();
    const row: AttemptRow = {
      ...this.key(),
      activity_type: this.message.activity_type,
      owner: this.owner,
      worker: this.context.worker,
      started_at: startedAt,
      until: this.until,
    };
    const claim = await persistently(host, () => attempts.claim(row));
    if (claim.kind === "taken") return await this.afterOther(claim.row);
    this.extendVisibility();
    const end = await this.execute(startedAt);
    this.ended.abort();
    await this.beating;
    // What the end overtook goes with the outcome.
    const last = this.beats.take("any");
    if (last !== undefined) this.lastBeat = (await this.kept(last)) ?? this.lastBeat;
    const outcome = await this.conclude({ ...end, ...this.outcomeFields(startedAt) }, this.owner);
    last?.settle();
    return await this.report(outcome);
  }

  /** Someone else has the claim: report its outcome, wait for its end, or declare it lost (R10). */
  private async afterOther(row: AttemptRow): Promise<Verdict> {
    if (row.outcome !== undefined) return await this.report(row.outcome);
    const rest = row.until + LEASE_MARGIN_MS - this.ports.host.now();
    if (rest > 0 && !isOfEarlierBoot(row.worker, this.ports.boot))
      return { kind: "defer", ms: rest + CLAIM_DELAY_MS };
    const kind: TimeoutKind =
      this.message.options.heartbeat_ms === undefined ? "start_to_close" : "heartbeat";
    const lost: AttemptOutcome = {
      kind: "timed_out",
      timeout_kind: kind,
      started_at: row.started_at,
      worker: row.worker,
      ...(row.heartbeat === undefined ? {} : { last_heartbeat: row.heartbeat }),
    };
    const nonce = this.ports.host.newId();
    const expiry = await persistently(this.ports.host, () =>
      this.ports.attempts.expire(row, lost, nonce),
    );
    // Renewed since it was read: its owner was slow, and lives.
    if (expiry.kind === "alive") return await this.afterOther(expiry.row);
    return await this.report(expiry.outcome);
  }

  private async conclude(outcome: AttemptOutcome, owner: string): Promise<AttemptOutcome> {
    const nonce = this.ports.host.newId();
    return await persistently(this.ports.host, () =>
      this.ports.attempts.conclude(this.key(), outcome, nonce, owner),
    );
  }

  /** The message goes only after the wake-up that carries the outcome is out. */
  private async report(outcome: AttemptOutcome): Promise<Verdict> {
    const { sequence, attempt, from } = this.message;
    const message = wakeUp(this.run, { kind: "outcome", sequence, attempt, outcome }, from);
    await persistently(this.ports.host, () => send(this.ports, [{ message }]));
    return { kind: "delete" };
  }

  private async execute(startedAt: number): Promise<AttemptEnd> {
    const { host } = this.ports;
    const { last_heartbeat: heartbeat, options } = this.message;
    const keep = (json: string, bytes: number): Promise<Payload> =>
      persistently(host, () => this.vault.keep(json, bytes));
    const argumentsJson = await this.textOf(this.message.arguments);
    const heartbeatJson = heartbeat === undefined ? undefined : await this.textOf(heartbeat);
    const { userCode } = this.context;
    const leave = new LoopWatch(this.ports, userCode).enter(this.message.activity_type);
    return await runBody(
      { host, userCode, keep },
      {
        info: this.info(startedAt),
        deadline: this.deadline,
        argumentsJson,
        heartbeatJson,
        heartbeatMs: options.heartbeat_ms,
        controller: this.controller,
        beats: this.beats,
      },
    ).finally(leave);
  }

  /** Beats are written one after the other, as long as there are any and the body runs. */
  private onBeat(): void {
    this.wakeBeating?.();
    this.beating ??= this.writeBeats().finally(() => {
      this.beating = undefined;
    });
  }

  private async writeBeats(): Promise<void> {
    const { host } = this.ports;
    for (;;) {
      const waitMs = this.beats.dueAt - host.now();
      if (this.ended.signal.aborted || waitMs === Number.POSITIVE_INFINITY) return;
      if (waitMs > 0) await this.sleepUnlessHurried(waitMs);
      else await this.beat();
    }
  }

  private async sleepUnlessHurried(ms: number): Promise<void> {
    const enough = new AbortController();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.wakeBeating = resolve;
    this.ended.signal.addEventListener("abort", () => resolve());
    await Promise.race([promise, this.ports.host.sleep(ms, enough.signal)]);
    this.wakeBeating = undefined;
    enough.abort(ENOUGH);
  }

  /** Renews the claim and the message's visibility; what is not recorded waits for the next try. */
  private async beat(): Promise<void> {
    const { host, attempts } = this.ports;
    const taken = this.beats.take();
    if (taken === undefined) return;
    const details = await this.kept(taken);
    if (details === undefined) return taken.putBack();
    this.lastBeat = details;
    this.until = this.claimUntil();
    const renewal = { at: host.now(), until: this.until, details };
    let answer: "renewed" | "stale";
    try {
      answer = await persistently(host, () => attempts.heartbeat(this.key(), this.owner, renewal));
    } catch (error) {
      this.tolerate(error);
      return taken.putBack();
    }
    if (answer === "renewed") this.extendVisibility();
    // Concluded by someone else: a cancel, a deadline, or who found the claim over (D6, J-05).
    else this.controller.abort(new CancelledFailure("the attempt was cancelled or superseded"));
    taken.settle();
  }

  private async kept({ json, bytes }: TakenBeat): Promise<Payload | undefined> {
    try {
      return await persistently(this.ports.host, () => this.vault.keep(json, bytes));
    } catch (error) {
      this.tolerate(error);
      return undefined;
    }
  }

  /** Not the body's failure (I13): the next beat is another try, or the claim runs out. */
  private tolerate(error: unknown): void {
    if (!(error instanceof InfrastructureError)) throw error;
    this.ports.telemetry.warn("a heartbeat could not be recorded", { error: error.message });
  }

  /** Redelivery soon after the claim's end is how a dead worker is noticed. */
  private extendVisibility(): void {
    if (this.handle === undefined) return;
    const ms = this.until + LEASE_MARGIN_MS - this.ports.host.now();
    void this.ports.queue
      .defer({ message: this.message, handle: this.handle }, ms)
      .catch((error: unknown) => {
        this.ports.telemetry.warn("the visibility of an activity message could not be set", {
          error: String(error),
        });
      });
  }

  private claimUntil(): number {
    const { heartbeat_ms: silence } = this.message.options;
    return silence === undefined
      ? this.deadline.at
      : Math.min(this.deadline.at, this.ports.host.now() + silence);
  }

  private info(startedAt: number): ActivityInfo {
    const { message } = this;
    return infoOf(this.run, {
      sequence: message.sequence,
      activityType: message.activity_type,
      attempt: message.attempt,
      isLocal: false,
      workflowType: message.workflow_type,
      options: message.options,
      scheduledAt: message.scheduled_at,
      startedAt,
      deadline: this.deadline.at,
    });
  }

  private outcomeFields(startedAt: number) {
    return {
      started_at: startedAt,
      worker: this.context.worker,
      ...(this.lastBeat === undefined ? {} : { last_heartbeat: this.lastBeat }),
    };
  }

  private async textOf(payload: Payload): Promise<string> {
    return "json" in payload
      ? payload.json
      : await persistently(this.ports.host, () => this.vault.fetch(payload.blob));
  }

  private key() {
    return { ...this.run, sequence: this.message.sequence, attempt: this.message.attempt };
  }
}

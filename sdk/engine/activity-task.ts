/**
 * One attempt of a queued activity: claim, run, conclude, report (R10). The claim row decides who
 * runs and how the attempt ended; the queue's redelivery is how a dead worker is noticed.
 */

import { wakeUp } from "../core/dispatch.ts";
import { InfrastructureError } from "../core/errors.ts";
import type { RunKey, TimeoutKind } from "../core/events.ts";
import { CancelledFailure } from "../core/failure.ts";
import { HEARTBEAT_BYTES_MAX, HEARTBEAT_COALESCE_MS, LEASE_MARGIN_MS } from "../core/limits.ts";
import type { ActivityTaskMessage, AttemptEnd, AttemptOutcome } from "../core/messages.ts";
import { encode, type Payload } from "../core/payload.ts";
import type { AttemptRow } from "../ports/attempts.ts";
import type { Invocation } from "../ports/host.ts";
import type { Ports } from "../ports/ports.ts";
import type { ActivityInfo, UserCode } from "../ports/user-code.ts";
import { type Deadline, deadlineOf, infoOf, runBody } from "./body.ts";
import { isOfEarlierBoot } from "./boot.ts";
import { send } from "./dispatch.ts";
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
  /** When the last beat was written; a first one is written at once. */
  private beatAt = 0;
  /** When the body gave its last sign of life. */
  private signAt: number;
  private readonly ended = new AbortController();
  private lastBeat: Payload | undefined;
  private beating: Promise<void> | undefined;

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
    this.signAt = this.ports.host.now();
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
    const outcome = await this.conclude({ ...end, ...this.outcomeFields(startedAt) }, this.owner);
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
    return await this.report(await this.conclude(lost, undefined));
  }

  private async conclude(
    outcome: AttemptOutcome,
    owner: string | undefined,
  ): Promise<AttemptOutcome> {
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
    return await runBody(
      { host, userCode: this.context.userCode, keep },
      {
        info: this.info(startedAt),
        deadline: this.deadline,
        argumentsJson: await this.textOf(this.message.arguments),
        heartbeatJson: heartbeat === undefined ? undefined : await this.textOf(heartbeat),
        heartbeatMs: options.heartbeat_ms,
        controller: this.controller,
        lastSign: () => this.signAt,
        heartbeat: (details) => this.heartbeat(details),
      },
    );
  }

  /** Renews the claim and the message's visibility; beats within a second become one write (D7). */
  private async heartbeat(details: unknown): Promise<void> {
    const { signal } = this.controller;
    const { host } = this.ports;
    if (signal.aborted) throw signal.reason;
    const encoded = encode(details ?? null, "the details of a heartbeat", HEARTBEAT_BYTES_MAX);
    if (encoded.kind === "refused") throw encoded.error;
    this.signAt = host.now();
    const keep = (): Promise<Payload> => this.vault.keep(encoded.json, encoded.bytes);
    try {
      this.lastBeat = await persistently(host, keep);
    } catch (error) {
      this.tolerate(error);
      return;
    }
    const waitMs = this.beatAt + HEARTBEAT_COALESCE_MS - host.now();
    if (waitMs <= 0) await this.beat();
    else this.beatLater(waitMs);
  }

  /** The last beat of a crowd is written when its second is over, unless the body has ended by then. */
  private beatLater(waitMs: number): void {
    this.beating ??= this.ports.host
      .sleep(waitMs, this.ended.signal)
      .then(() => (this.ended.signal.aborted ? undefined : this.beat()))
      .catch(() => undefined)
      .finally(() => {
        this.beating = undefined;
      });
  }

  private async beat(): Promise<void> {
    const { host, attempts } = this.ports;
    const at = host.now();
    this.beatAt = at;
    this.until = this.claimUntil();
    const renewal = {
      at,
      until: this.until,
      ...(this.lastBeat === undefined ? {} : { details: this.lastBeat }),
    };
    let answer: "renewed" | "stale";
    try {
      answer = await persistently(host, () => attempts.heartbeat(this.key(), this.owner, renewal));
    } catch (error) {
      this.tolerate(error);
      return;
    }
    if (answer === "stale") {
      // Concluded by someone else: a cancel, a deadline, or who found the claim over (D6, J-05).
      this.controller.abort(new CancelledFailure("the attempt was cancelled or superseded"));
      throw this.controller.signal.reason;
    }
    this.extendVisibility();
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

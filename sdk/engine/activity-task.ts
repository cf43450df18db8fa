/**
 * One attempt of a queued activity: claim, run, conclude, report (R10). The claim row decides who
 * runs and how the attempt ended; the queue's redelivery is how a dead worker is noticed.
 */

import { wakeUp } from "../core/dispatch.ts";
import { PawlError, pawlError } from "../core/errors.ts";
import type { RunKey, TimeoutKind } from "../core/events.ts";
import { CancelledFailure, structuralFailure, toFailure } from "../core/failure.ts";
import { activityId } from "../core/ids.ts";
import {
  HEARTBEAT_BYTES_MAX,
  HEARTBEAT_COALESCE_MS,
  INVOCATION_RESERVE_MS,
  LEASE_MARGIN_MS,
} from "../core/limits.ts";
import type { ActivityTaskMessage, AttemptEnd, AttemptOutcome } from "../core/messages.ts";
import { decode, encode, type Payload } from "../core/payload.ts";
import type { AttemptRow } from "../ports/attempts.ts";
import type { Invocation } from "../ports/host.ts";
import type { Ports } from "../ports/ports.ts";
import type { ActivityInfo, UserCode } from "../ports/user-code.ts";
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
  private readonly deadline: { readonly at: number; readonly kind: TimeoutKind };
  private until: number;
  private beatAt: number;
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
    this.deadline = this.findDeadline();
    this.beatAt = this.ports.host.now();
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
    await this.beating?.catch(() => undefined);
    const outcome = await this.conclude({ ...end, ...this.outcomeFields(startedAt) }, this.owner);
    return await this.report(outcome);
  }

  /** Someone else has the claim: report its outcome, wait for its end, or declare it lost (R10). */
  private async afterOther(row: AttemptRow): Promise<Verdict> {
    if (row.outcome !== undefined) return await this.report(row.outcome);
    const rest = row.until + LEASE_MARGIN_MS - this.ports.host.now();
    if (rest > 0) return { kind: "defer", ms: rest + CLAIM_DELAY_MS };
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
    if (startedAt >= this.deadline.at)
      return { kind: "timed_out", timeout_kind: this.deadline.kind };
    const finished = new AbortController();
    const end = await Promise.race([this.runBody(startedAt), this.overdue(finished.signal)]);
    finished.abort();
    // The deadline wins over a value that is late because the event loop was blocked (design section 4).
    const late = this.ports.host.now() >= this.deadline.at && end.kind !== "timed_out";
    return late ? { kind: "timed_out", timeout_kind: this.deadline.kind } : end;
  }

  private async runBody(startedAt: number): Promise<AttemptEnd> {
    const { userCode } = this.context;
    const type = this.message.activity_type;
    const definition = userCode.activity(type);
    if (definition === undefined) {
      const error = pawlError("activity_type_unknown", {
        type,
        known: userCode.activityTypes.join(", "),
      });
      // Retried: during a deployment the worker that knows the type may come a moment later (C12).
      return { kind: "failed", failure: { ...structuralFailure(error), non_retryable: false } };
    }
    const decoded = decode(await this.textOf(this.message.arguments));
    const { last_heartbeat: heartbeat } = this.message;
    const runtime = {
      info: this.info(startedAt),
      signal: this.controller.signal,
      heartbeatDetails: heartbeat === undefined ? undefined : decode(await this.textOf(heartbeat)),
      heartbeat: (details: unknown) => this.heartbeat(details),
    };
    try {
      const value = await userCode.runActivity(
        definition,
        runtime,
        Array.isArray(decoded) ? decoded : [decoded],
      );
      return await this.completed(value);
    } catch (error) {
      const { signal } = this.controller;
      if (signal.aborted && error === signal.reason) return { kind: "cancelled" };
      return {
        kind: "failed",
        failure: error instanceof PawlError ? structuralFailure(error) : toFailure(error),
      };
    }
  }

  private async completed(value: unknown): Promise<AttemptEnd> {
    const encoded = encode(value, `the result of activity ${this.message.activity_type}`);
    if (encoded.kind === "refused")
      return { kind: "failed", failure: structuralFailure(encoded.error) };
    return {
      kind: "completed",
      result: await persistently(this.ports.host, () =>
        this.vault.keep(encoded.json, encoded.bytes),
      ),
    };
  }

  private async overdue(finished: AbortSignal): Promise<AttemptEnd> {
    const { host } = this.ports;
    const { heartbeat_ms: silence } = this.message.options;
    for (;;) {
      const silentAt = silence === undefined ? Number.POSITIVE_INFINITY : this.beatAt + silence;
      const until = Math.min(this.deadline.at, silentAt);
      await host.sleep(Math.max(0, until - host.now()), finished);
      if (finished.aborted) return await new Promise<never>(() => undefined);
      const overdue = host.now() >= this.deadline.at;
      const silent = silence !== undefined && host.now() >= this.beatAt + silence;
      if (!overdue && !silent) continue;
      const kind = overdue ? this.deadline.kind : "heartbeat";
      this.controller.abort(new CancelledFailure(`the attempt exceeded its ${kind} timeout`));
      return { kind: "timed_out", timeout_kind: kind };
    }
  }

  /** Renews the claim and the message's visibility; beats within a second become one write (D7). */
  private async heartbeat(details: unknown): Promise<void> {
    const { signal } = this.controller;
    if (signal.aborted) throw signal.reason;
    const encoded = encode(details ?? null, "the details of a heartbeat", HEARTBEAT_BYTES_MAX);
    if (encoded.kind === "refused") throw encoded.error;
    const now = this.ports.host.now();
    const coalesce = this.lastBeat !== undefined && now - this.beatAt < HEARTBEAT_COALESCE_MS;
    this.lastBeat = await this.vault.keep(encoded.json, encoded.bytes);
    if (coalesce) return;
    this.beatAt = now;
    this.until = this.claimUntil();
    this.beating = this.beat(now, this.lastBeat);
    await this.beating;
  }

  private async beat(at: number, details: Payload): Promise<void> {
    const answer = await persistently(this.ports.host, () =>
      this.ports.attempts.heartbeat(this.key(), this.owner, { at, until: this.until, details }),
    );
    if (answer.kind === "stale" || answer.cancelRequested) {
      const why =
        answer.kind === "stale" ? "the attempt was superseded" : "the workflow was asked to cancel";
      const stop = new CancelledFailure(why);
      this.controller.abort(stop);
      throw this.controller.signal.reason;
    }
    this.extendVisibility();
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

  /** When the attempt ends at the latest: its own limit, the whole activity's, the function's (H-06). */
  private findDeadline(): { readonly at: number; readonly kind: TimeoutKind } {
    const now = this.ports.host.now();
    const budget = now + this.context.invocation.remainingMs() - INVOCATION_RESERVE_MS;
    const attempt = Math.min(
      budget,
      now + (this.message.options.start_to_close_ms ?? Number.POSITIVE_INFINITY),
    );
    const whole = this.message.schedule_to_close_deadline_at ?? Number.POSITIVE_INFINITY;
    return whole < attempt
      ? { at: whole, kind: "schedule_to_close" }
      : { at: attempt, kind: "start_to_close" };
  }

  private claimUntil(): number {
    const { heartbeat_ms: silence } = this.message.options;
    return silence === undefined
      ? this.deadline.at
      : Math.min(this.deadline.at, this.ports.host.now() + silence);
  }

  private info(startedAt: number): ActivityInfo {
    const { message } = this;
    return {
      activityId: activityId(message.run_id, message.sequence),
      activityType: message.activity_type,
      attempt: message.attempt,
      isLocal: false,
      namespace: message.namespace,
      workflowId: message.workflow_id,
      runId: message.run_id,
      workflowType: message.workflow_type,
      idempotencyKey: activityId(message.run_id, message.sequence),
      options: message.options,
      scheduledAt: message.scheduled_at,
      startedAt,
      deadline: this.deadline.at,
    };
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

/**
 * The local activity bodies that one workflow task runs: enters them, ends them at their deadline or
 * on cancel, and keeps how they ended until a commit has recorded it. Records nothing itself.
 */

import { CancelledFailure } from "../core/failure.ts";
import { HEARTBEAT_BYTES_MAX, HEARTBEAT_COALESCE_MS, LOCAL_WARN_MS } from "../core/limits.ts";
import { encode, type Payload } from "../core/payload.ts";
import type { LocalEnding } from "../core/turn.ts";
import type { Host } from "../ports/host.ts";
import type { Telemetry } from "../ports/telemetry.ts";
import type { ActivityInfo, UserCode } from "../ports/user-code.ts";
import { type Body, type Deadline, runBody } from "./body.ts";

export interface BodyStart {
  readonly sequence: number;
  readonly info: ActivityInfo;
  readonly deadline: Deadline;
  readonly argumentsJson: string;
  readonly heartbeatJson: string | undefined;
  /** Enforced only when LocalActivityOptions asked for it (V-01). */
  readonly heartbeatMs: number | undefined;
}

export interface Beat {
  readonly sequence: number;
  readonly attempt: number;
  readonly progress: Payload;
  readonly settle: (stop: CancelledFailure | undefined) => void;
  /** The commit that would have recorded it was lost: it waits for the next one. */
  readonly putBack: () => void;
}

interface Running {
  readonly attempt: number;
  readonly controller: AbortController;
  beatAt: number;
}

interface PendingBeat {
  readonly sequence: number;
  readonly attempt: number;
  json: string;
  bytes: number;
  notBefore: number;
  waiters: ((stop: CancelledFailure | undefined) => void)[];
}

/** Given a reason, an abort makes no DOMException with a stack of its own: it is one for every wait. */
const NEWS = "there is news";

type Keep = (json: string, bytes: number) => Promise<Payload>;

export class LocalBodies {
  private readonly running = new Map<number, Running>();
  private readonly ended = new Map<number, LocalEnding>();
  private readonly beats = new Map<number, PendingBeat>();
  /** When the last beat of an activity became durable (D7). */
  private readonly recorded = new Map<number, number>();
  private readonly host: Host;
  private readonly telemetry: Telemetry;
  private readonly userCode: UserCode;
  private readonly keep: Keep;
  private wake: (() => void) | undefined;
  private failed: { readonly error: unknown } | undefined;

  constructor(
    ports: { readonly host: Host; readonly telemetry: Telemetry },
    userCode: UserCode,
    keep: Keep,
  ) {
    this.host = ports.host;
    this.telemetry = ports.telemetry;
    this.userCode = userCode;
    this.keep = keep;
  }

  isRunning(sequence: number, attempt: number): boolean {
    return (
      this.running.get(sequence)?.attempt === attempt ||
      this.ended.get(sequence)?.attempt === attempt
    );
  }

  /** Enters a body whose start is committed. */
  enter(start: BodyStart): void {
    const running: Running = {
      attempt: start.info.attempt,
      controller: new AbortController(),
      beatAt: this.host.now(),
    };
    this.running.set(start.sequence, running);
    const body: Body = {
      ...start,
      controller: running.controller,
      lastSign: () => running.beatAt,
      heartbeat: (details) => this.heartbeat(start, running, details),
    };
    void runBody({ host: this.host, userCode: this.userCode, keep: this.keep }, body).then(
      (ending) => {
        this.warnOfSlow(start.info);
        if (this.running.get(start.sequence) !== running) return;
        this.running.delete(start.sequence);
        this.ended.set(start.sequence, {
          sequence: start.sequence,
          attempt: start.info.attempt,
          ending,
        });
        this.notify();
      },
      (error: unknown) => {
        this.failed ??= { error };
        this.notify();
      },
    );
  }

  /**
   * How bodies ended whose ending no commit has recorded; a lost race keeps them.
   * @throws InfrastructureError when a result could not be kept: the task fails, never the activity (I13)
   */
  endings(): readonly LocalEnding[] {
    if (this.failed !== undefined) throw this.failed.error;
    return [...this.ended.values()];
  }

  /** Forgets endings and bodies of attempts that are no longer open in the log. */
  retain(isOpen: (sequence: number, attempt: number) => boolean): void {
    for (const [sequence, ending] of this.ended)
      if (!isOpen(sequence, ending.attempt)) this.ended.delete(sequence);
    for (const [sequence, running] of this.running) {
      if (isOpen(sequence, running.attempt)) continue;
      this.running.delete(sequence);
      running.controller.abort(new CancelledFailure("the attempt was superseded"));
      this.answerBeat(sequence, new CancelledFailure("the attempt was superseded"));
    }
  }

  /** Tells bodies to stop; they end at their own next boundary (J-01, J-02). */
  cancel(sequences: Iterable<number>): void {
    for (const sequence of sequences) {
      const stop = new CancelledFailure("the workflow was asked to cancel");
      this.running.get(sequence)?.controller.abort(stop);
      this.answerBeat(sequence, stop);
    }
  }

  /** Heartbeats that are due to be recorded; each is settled by the caller once it is durable. */
  async takeBeats(): Promise<readonly Beat[]> {
    const now = this.host.now();
    const due: Beat[] = [];
    for (const beat of this.beats.values()) {
      if (beat.notBefore > now) continue;
      this.beats.delete(beat.sequence);
      due.push({
        sequence: beat.sequence,
        attempt: beat.attempt,
        progress: await this.keep(beat.json, beat.bytes),
        settle: (stop) => {
          for (const waiter of beat.waiters) waiter(stop);
        },
        putBack: () => this.putBack(beat),
      });
    }
    return due;
  }

  private putBack(beat: PendingBeat): void {
    const newer = this.beats.get(beat.sequence);
    if (newer === undefined) this.beats.set(beat.sequence, beat);
    else newer.waiters.push(...beat.waiters);
  }

  /** Resolves when a body ends or beats, or after `ms`. */
  async waitForNews(ms: number): Promise<void> {
    if (this.ended.size > 0 || this.failed !== undefined) return;
    const timer = new AbortController();
    const nextBeat = Math.min(
      ...[...this.beats.values()].map((beat) => beat.notBefore - this.host.now()),
    );
    const news = new Promise<void>((resolve) => {
      this.wake = resolve;
    });
    await Promise.race([news, this.host.sleep(Math.max(0, Math.min(ms, nextBeat)), timer.signal)]);
    this.wake = undefined;
    timer.abort(NEWS);
  }

  /** Local work is meant to be short: while it runs, it holds the workflow task (E-09). */
  private warnOfSlow({ workflowId, runId, activityType, attempt, startedAt }: ActivityInfo): void {
    const tookMs = this.host.now() - startedAt;
    if (tookMs <= LOCAL_WARN_MS) return;
    this.telemetry.warn("a local activity is slow: call it as a regular one, or make it shorter", {
      workflow_id: workflowId,
      run_id: runId,
      activity_type: activityType,
      attempt,
      took_ms: tookMs,
    });
  }

  private notify(): void {
    this.wake?.();
  }

  private heartbeat(start: BodyStart, running: Running, details: unknown): Promise<void> {
    const { signal } = running.controller;
    if (signal.aborted) return Promise.reject(signal.reason);
    const encoded = encode(details ?? null, "the details of a heartbeat", HEARTBEAT_BYTES_MAX);
    if (encoded.kind === "refused") return Promise.reject(encoded.error);
    const now = this.host.now();
    const pending = this.beats.get(start.sequence);
    const beat: PendingBeat = pending ?? {
      sequence: start.sequence,
      attempt: start.info.attempt,
      json: encoded.json,
      bytes: encoded.bytes,
      notBefore: Math.max(now, (this.recorded.get(start.sequence) ?? 0) + HEARTBEAT_COALESCE_MS),
      waiters: [],
    };
    beat.json = encoded.json;
    beat.bytes = encoded.bytes;
    running.beatAt = now;
    this.beats.set(start.sequence, beat);
    this.notify();
    // It waits for its second and is written then; the body need not wait with it.
    if (beat.notBefore > now) return Promise.resolve();
    return new Promise((resolve, reject) => {
      beat.waiters.push((stop) => (stop === undefined ? resolve() : reject(stop)));
    });
  }

  /** Notes that a beat is durable, for coalescing (D7). */
  noteRecorded(sequence: number): void {
    this.recorded.set(sequence, this.host.now());
  }

  private answerBeat(sequence: number, stop: CancelledFailure): void {
    const beat = this.beats.get(sequence);
    this.beats.delete(sequence);
    for (const waiter of beat?.waiters ?? []) waiter(stop);
  }
}

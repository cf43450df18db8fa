/**
 * The local activity bodies that one workflow task runs: enters them, ends them at their deadline or
 * on cancel, and keeps how they ended until a commit has recorded it. Records nothing itself.
 */

import { pawlError } from "../core/errors.ts";
import type { TimeoutKind } from "../core/events.ts";
import { CancelledFailure, structuralFailure, toFailure } from "../core/failure.ts";
import { HEARTBEAT_BYTES_MAX, HEARTBEAT_COALESCE_MS } from "../core/limits.ts";
import type { AttemptEnd } from "../core/messages.ts";
import { decode, encode, type Payload } from "../core/payload.ts";
import type { LocalEnding } from "../core/turn.ts";
import type { Host } from "../ports/host.ts";
import type { ActivityInfo, UserCode } from "../ports/user-code.ts";

export interface BodyStart {
  readonly sequence: number;
  readonly info: ActivityInfo;
  readonly deadlineKind: TimeoutKind;
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

type Keep = (json: string, bytes: number) => Promise<Payload>;

export class LocalBodies {
  private readonly running = new Map<number, Running>();
  private readonly ended = new Map<number, LocalEnding>();
  private readonly beats = new Map<number, PendingBeat>();
  private readonly host: Host;
  private readonly userCode: UserCode;
  private readonly keep: Keep;
  private wake: (() => void) | undefined;

  constructor(host: Host, userCode: UserCode, keep: Keep) {
    this.host = host;
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
    void this.run(start, running).then((ending) => {
      if (this.running.get(start.sequence) !== running) return;
      this.running.delete(start.sequence);
      this.ended.set(start.sequence, {
        sequence: start.sequence,
        attempt: start.info.attempt,
        ending,
      });
      this.notify();
    });
  }

  /** How bodies ended whose ending no commit has recorded; a lost race keeps them. */
  endings(): readonly LocalEnding[] {
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
    for (const beat of [...this.beats.values()]) {
      if (beat.notBefore > now) continue;
      this.beats.delete(beat.sequence);
      due.push({
        sequence: beat.sequence,
        attempt: beat.attempt,
        progress: await this.keep(beat.json, beat.bytes),
        settle: (stop) => {
          for (const waiter of beat.waiters) waiter(stop);
        },
      });
    }
    return due;
  }

  /** Resolves when a body ends or beats, or after `ms`. */
  async waitForNews(ms: number): Promise<void> {
    if (this.ended.size > 0) return;
    const timer = new AbortController();
    const nextBeat = Math.min(
      ...[...this.beats.values()].map((beat) => beat.notBefore - this.host.now()),
    );
    const news = new Promise<void>((resolve) => {
      this.wake = resolve;
    });
    await Promise.race([news, this.host.sleep(Math.max(0, Math.min(ms, nextBeat)), timer.signal)]);
    this.wake = undefined;
    timer.abort();
  }

  private notify(): void {
    this.wake?.();
  }

  private async run(start: BodyStart, running: Running): Promise<AttemptEnd> {
    const definition = this.userCode.activity(start.info.activityType);
    if (definition === undefined) {
      const known = this.userCode.activityTypes.join(", ");
      return {
        kind: "failed",
        failure: structuralFailure(
          pawlError("activity_type_unknown", { type: start.info.activityType, known }),
        ),
      };
    }
    const decoded = decode(start.argumentsJson);
    const runtime = {
      info: start.info,
      signal: running.controller.signal,
      heartbeatDetails: start.heartbeatJson === undefined ? undefined : decode(start.heartbeatJson),
      heartbeat: (details: unknown) => this.heartbeat(start, running, details),
    };
    const finished = new AbortController();
    const body = this.userCode
      .runActivity(definition, runtime, Array.isArray(decoded) ? decoded : [decoded])
      .then(
        (value) => this.completed(start, value),
        (error: unknown) => failed(error, running.controller.signal),
      );
    const ending = await Promise.race([body, this.overdue(start, running, finished.signal)]);
    finished.abort();
    // The deadline wins over a value that is late because the event loop was blocked (design section 4).
    const late = this.host.now() >= start.info.deadline && ending.kind !== "timed_out";
    return late ? { kind: "timed_out", timeout_kind: start.deadlineKind } : ending;
  }

  private async completed(start: BodyStart, value: unknown): Promise<AttemptEnd> {
    const encoded = encode(value, `the result of activity ${start.info.activityType}`);
    if (encoded.kind === "refused")
      return { kind: "failed", failure: structuralFailure(encoded.error) };
    return { kind: "completed", result: await this.keep(encoded.json, encoded.bytes) };
  }

  private async overdue(
    start: BodyStart,
    running: Running,
    finished: AbortSignal,
  ): Promise<AttemptEnd> {
    for (;;) {
      const silentAt =
        start.heartbeatMs === undefined
          ? Number.POSITIVE_INFINITY
          : running.beatAt + start.heartbeatMs;
      const until = Math.min(start.info.deadline, silentAt);
      await this.host.sleep(Math.max(0, until - this.host.now()), finished);
      if (finished.aborted) return await new Promise<never>(() => undefined);
      if (this.host.now() < until) continue;
      const kind = until === start.info.deadline ? start.deadlineKind : "heartbeat";
      if (kind === "heartbeat" && running.beatAt + (start.heartbeatMs ?? 0) > until) continue;
      running.controller.abort(new CancelledFailure(`the attempt exceeded its ${kind} timeout`));
      return { kind: "timed_out", timeout_kind: kind };
    }
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
      notBefore:
        running.beatAt === 0
          ? now
          : Math.min(
              now + HEARTBEAT_COALESCE_MS,
              Math.max(now, this.lastRecorded(start.sequence) + HEARTBEAT_COALESCE_MS),
            ),
      waiters: [],
    };
    beat.json = encoded.json;
    beat.bytes = encoded.bytes;
    running.beatAt = now;
    this.beats.set(start.sequence, beat);
    this.notify();
    return new Promise((resolve, reject) => {
      beat.waiters.push((stop) => (stop === undefined ? resolve() : reject(stop)));
    });
  }

  private readonly recorded = new Map<number, number>();

  private lastRecorded(sequence: number): number {
    return this.recorded.get(sequence) ?? Number.NEGATIVE_INFINITY;
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

function failed(error: unknown, signal: AbortSignal): AttemptEnd {
  if (signal.aborted && error === signal.reason) return { kind: "cancelled" };
  return { kind: "failed", failure: toFailure(error) };
}

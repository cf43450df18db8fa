/**
 * The local activity bodies that one workflow task runs: enters them, ends them at their deadline or
 * on cancel, and keeps how they ended until a commit has recorded it. Records nothing itself.
 */

import type { AttemptEnding } from "../core/attempt.ts";
import { InfrastructureError } from "../core/errors.ts";
import { CancelledFailure } from "../core/failure.ts";
import { LOCAL_WARN_MS } from "../core/limits.ts";
import type { Payload } from "../core/payload.ts";
import type { LocalEnding, LocalStart } from "../core/turn.ts";
import type { Host } from "../ports/host.ts";
import type { Telemetry } from "../ports/telemetry.ts";
import type { ActivityInfo, UserCode } from "../ports/user-code.ts";
import { type Body, type Deadline, runBody } from "./body.ts";
import { Heartbeats, type TakenBeat } from "./heartbeats.ts";
import { LoopWatch } from "./loop-watch.ts";
import { isFirst } from "./said.ts";

export interface BodyStart {
  readonly sequence: number;
  readonly info: ActivityInfo;
  readonly deadline: Deadline;
  readonly argumentsJson: string;
  readonly heartbeatJson: string | undefined;
  /** Enforced only when LocalActivityOptions asked for it (V-01). */
  readonly heartbeatMs: number | undefined;
}

/** A heartbeat on its way into the log. */
export interface Beat extends Pick<TakenBeat, "settle" | "putBack"> {
  readonly sequence: number;
  readonly attempt: number;
  readonly progress: Payload;
}

/** How a body ended; `settle` once a commit has recorded it, the last heartbeat with it. */
export interface Ending extends LocalEnding {
  settle(): void;
}

interface Running {
  readonly attempt: number;
  readonly controller: AbortController;
  readonly beats: Heartbeats;
}

interface Ended extends Running {
  readonly ending: AttemptEnding;
  /** Heartbeats that the end overtook, the newest first. */
  readonly taken: TakenBeat[];
  lastHeartbeat: Payload | undefined;
}

/** Given a reason, an abort makes no DOMException with a stack of its own: it is one for every wait. */
const NEWS = "there is news";

type Keep = (json: string, bytes: number) => Promise<Payload>;

export class LocalBodies {
  private readonly running = new Map<number, Running>();
  private readonly ended = new Map<number, Ended>();
  /** Started in the log and not entered yet: by the attempt's activity. */
  private readonly held = new Map<number, LocalStart>();
  private readonly host: Host;
  private readonly telemetry: Telemetry;
  private readonly userCode: UserCode;
  private readonly keep: Keep;
  private readonly loop: LoopWatch;
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
    this.loop = new LoopWatch(ports, userCode);
  }

  isRunning(sequence: number, attempt: number): boolean {
    return (
      this.held.get(sequence)?.attempt === attempt ||
      this.running.get(sequence)?.attempt === attempt ||
      this.ended.get(sequence)?.attempt === attempt
    );
  }

  /** Keeps attempts back whose start was committed too late for their lease: the next one counts. */
  hold(starts: readonly LocalStart[]): void {
    for (const start of starts) this.held.set(start.sequence, start);
  }

  get holdsBack(): boolean {
    return this.held.size > 0;
  }

  takeHeld(): readonly LocalStart[] {
    const starts = [...this.held.values()];
    this.held.clear();
    return starts;
  }

  /** Enters a body whose start is committed. */
  enter(start: BodyStart): void {
    const { sequence, info } = start;
    const controller = new AbortController();
    const beats = new Heartbeats({
      now: () => this.host.now(),
      signal: controller.signal,
      notify: () => this.notify(),
    });
    const running: Running = { attempt: info.attempt, controller, beats };
    this.running.set(sequence, running);
    const body: Body = { ...start, controller, beats };
    const leave = this.loop.enter(info.activityType);
    void runBody({ host: this.host, userCode: this.userCode, keep: this.keep }, body)
      .finally(leave)
      .then(
        (ending) => {
          this.warnOfSlow(info);
          if (this.running.get(sequence) !== running) return;
          this.running.delete(sequence);
          this.ended.set(sequence, { ...running, ending, taken: [], lastHeartbeat: undefined });
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
  async endings(): Promise<readonly Ending[]> {
    if (this.failed !== undefined) throw this.failed.error;
    const endings: Ending[] = [];
    for (const [sequence, ended] of this.ended) {
      // One that a lost race put back is older than one that was taken here.
      const late = ended.beats.take("any");
      if (late !== undefined) ended.taken.push(late);
      ended.lastHeartbeat ??= await this.kept(ended.taken[0]);
      const { attempt, ending, lastHeartbeat } = ended;
      endings.push({
        sequence,
        attempt,
        ending,
        ...(lastHeartbeat === undefined ? {} : { lastHeartbeat }),
        settle: () => this.settle(sequence, ended),
      });
    }
    return endings;
  }

  private settle(sequence: number, ended: Ended): void {
    if (this.ended.get(sequence) === ended) this.ended.delete(sequence);
    for (const beat of ended.taken) beat.settle();
  }

  /** Forgets endings and bodies of attempts that are no longer open in the log. */
  retain(isOpen: (sequence: number, attempt: number) => boolean): void {
    for (const { sequence, attempt } of this.held.values())
      if (!isOpen(sequence, attempt)) this.held.delete(sequence);
    for (const [sequence, ended] of this.ended) {
      if (isOpen(sequence, ended.attempt)) continue;
      ended.controller.abort(new CancelledFailure("the attempt was superseded"));
      this.settle(sequence, ended);
    }
    for (const [sequence, { attempt, controller, beats }] of this.running) {
      if (isOpen(sequence, attempt)) continue;
      this.running.delete(sequence);
      beats.close();
      controller.abort(new CancelledFailure("the attempt was superseded"));
    }
  }

  /** Tells bodies to stop; they end at their own next boundary (J-01, J-02), or are never entered. */
  cancel(sequences: Iterable<number>): void {
    for (const sequence of sequences) {
      this.held.delete(sequence);
      this.running
        .get(sequence)
        ?.controller.abort(new CancelledFailure("the workflow was asked to cancel"));
    }
  }

  /** Heartbeats that are due to be recorded; each is settled by the caller once it is durable. */
  async takeBeats(): Promise<readonly Beat[]> {
    const due: Beat[] = [];
    for (const [sequence, { attempt, beats }] of this.running) {
      const beat = beats.take();
      if (beat === undefined) continue;
      const progress = await this.kept(beat);
      if (progress === undefined) beat.putBack();
      else due.push({ ...beat, sequence, attempt, progress });
    }
    return due;
  }

  /** Details that cannot be kept now are not the body's failure (I13): they wait, or are lost with it. */
  private async kept(beat: TakenBeat | undefined): Promise<Payload | undefined> {
    if (beat === undefined) return undefined;
    try {
      return await this.keep(beat.json, beat.bytes);
    } catch (error) {
      if (!(error instanceof InfrastructureError)) throw error;
      this.telemetry.warn("a heartbeat could not be recorded", { error: error.message });
      return undefined;
    }
  }

  /** Resolves when a body ends or beats, or after `ms`. */
  async waitForNews(ms: number): Promise<void> {
    if (this.ended.size > 0 || this.failed !== undefined) return;
    const timer = new AbortController();
    const dueAt = Math.min(...[...this.running.values()].map(({ beats }) => beats.dueAt));
    const news = new Promise<void>((resolve) => {
      this.wake = resolve;
    });
    const wait = Math.max(0, Math.min(ms, dueAt - this.host.now()));
    await Promise.race([news, this.host.sleep(wait, timer.signal)]);
    this.wake = undefined;
    timer.abort(NEWS);
  }

  /** Local work is meant to be short: while it runs, it holds the workflow task (E-09). */
  private warnOfSlow({ workflowId, runId, activityType, attempt, startedAt }: ActivityInfo): void {
    const tookMs = this.host.now() - startedAt;
    if (tookMs <= LOCAL_WARN_MS || !isFirst(this.userCode, `slow: ${activityType}`)) return;
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
}

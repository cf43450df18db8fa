/**
 * The heartbeats of one attempt: the newest details that wait to be recorded, and who waits for them.
 *
 * A beat that somebody awaits is recorded at once. Of those that nobody awaits the newest one of each
 * second is (D7). What the attempt's end overtakes goes with its outcome, so that the next attempt has
 * it (I-05). Records nothing itself: the owner of the attempt takes what is due.
 */
import { CancelledFailure } from "../core/failure.ts";
import { HEARTBEAT_BYTES_MAX, HEARTBEAT_COALESCE_MS } from "../core/limits.ts";
import { encode } from "../core/payload.ts";

/** A beat that is being recorded: exactly one of its two answers is given. */
export interface TakenBeat {
  readonly json: string;
  readonly bytes: number;
  /** It is durable, or its attempt is over. */
  settle(): void;
  /** It was not recorded: it waits for the next time, unless a newer one does. */
  putBack(): void;
}

interface Waiter {
  resolve(): void;
  reject(reason: unknown): void;
}

interface PendingBeat {
  json: string;
  bytes: number;
  isAwaited: boolean;
  waiters: Waiter[];
}

export interface HeartbeatsContext {
  now(): number;
  /** Aborts when the attempt should stop: every beat is then refused with its reason (J-02, D6). */
  readonly signal: AbortSignal;
  /** A beat is due earlier than any before it was. */
  notify(): void;
}

export class Heartbeats {
  private readonly context: HeartbeatsContext;
  private pending: PendingBeat | undefined;
  private takenAt = Number.NEGATIVE_INFINITY;
  private signAt: number;
  private over = false;

  constructor(context: HeartbeatsContext) {
    this.context = context;
    this.signAt = context.now();
    context.signal.addEventListener("abort", () => this.refuse(context.signal.reason));
  }

  /** When the body gave its last sign of life, milliseconds since the epoch. */
  get lastSign(): number {
    return this.signAt;
  }

  /** The attempt has ended or was given up: nothing more is taken from its body. */
  get isOver(): boolean {
    return this.over;
  }

  /** When something has to be recorded; infinity when nothing waits, or only for the outcome. */
  get dueAt(): number {
    if (this.pending === undefined || this.context.signal.aborted) return Number.POSITIVE_INFINITY;
    return this.pending.isAwaited ? 0 : this.takenAt + HEARTBEAT_COALESCE_MS;
  }

  /**
   * What the body calls. The promise resolves when these or newer details are durable.
   * @throws CancelledFailure when the attempt should stop, or is over
   * @throws PawlError payload_too_large, payload_not_serializable, payload_too_deep
   */
  beat(details: unknown): Promise<void> {
    const { context } = this;
    const { signal } = context;
    const encoded = encode(details ?? null, "the details of a heartbeat", HEARTBEAT_BYTES_MAX);
    return new Beat((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      if (this.over) return reject(new CancelledFailure("the attempt is over"));
      if (encoded.kind === "refused") return reject(encoded.error);
      this.signAt = context.now();
      const isFirst = this.pending === undefined;
      const pending = this.pending ?? { ...encoded, isAwaited: false, waiters: [] };
      pending.json = encoded.json;
      pending.bytes = encoded.bytes;
      pending.waiters.push({ resolve, reject });
      this.pending = pending;
      if (isFirst) context.notify();
    }).whenAwaited(() => this.hurry());
  }

  /** The newest details when they are due, or at any rate. */
  take(when: "due" | "any" = "due"): TakenBeat | undefined {
    const taken = this.pending;
    if (taken === undefined || (when === "due" && this.dueAt > this.context.now()))
      return undefined;
    this.pending = undefined;
    this.takenAt = this.context.now();
    return {
      json: taken.json,
      bytes: taken.bytes,
      settle: () => this.settle(taken),
      putBack: () => this.putBack(taken),
    };
  }

  close(): void {
    this.over = true;
  }

  /** The first time that somebody awaits what is not recorded yet. */
  private hurry(): void {
    if (this.pending === undefined || this.pending.isAwaited) return;
    this.pending.isAwaited = true;
    this.context.notify();
  }

  private settle(taken: PendingBeat): void {
    const { signal } = this.context;
    for (const waiter of taken.waiters)
      if (signal.aborted) waiter.reject(signal.reason);
      else waiter.resolve();
  }

  private putBack(taken: PendingBeat): void {
    const { signal } = this.context;
    const newer = this.pending;
    if (newer === undefined) this.pending = taken;
    else {
      newer.waiters.push(...taken.waiters);
      newer.isAwaited ||= taken.isAwaited;
    }
    // It was due, and is due again.
    this.takenAt = Number.NEGATIVE_INFINITY;
    if (signal.aborted) this.refuse(signal.reason);
  }

  private refuse(reason: unknown): void {
    const waiters = this.pending?.waiters ?? [];
    if (this.pending !== undefined) this.pending = { ...this.pending, waiters: [] };
    for (const waiter of waiters) waiter.reject(reason);
  }
}

/**
 * The promise of a heartbeat. It notices that it is awaited: that is what makes a beat urgent. One that
 * nobody awaits may be refused without ending the process by an unhandled rejection.
 */
class Beat extends Promise<void> {
  // What `then` answers is an ordinary promise.
  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  private onAwait: (() => void) | undefined;

  whenAwaited(onAwait: () => void): this {
    super.then(undefined, () => undefined);
    this.onAwait = onAwait;
    return this;
  }

  // oxlint-disable-next-line unicorn/no-thenable -- a promise that notices who waits for it
  override then<Value = void, Caught = never>(
    onFulfilled?: ((value: void) => Value | PromiseLike<Value>) | null,
    onRejected?: ((reason: unknown) => Caught | PromiseLike<Caught>) | null,
  ): Promise<Value | Caught> {
    this.onAwait?.();
    return super.then(onFulfilled, onRejected);
  }
}

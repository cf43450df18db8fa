/**
 * Activity bodies under the simulation's clock. A body says what it does by its attempt's name, so
 * that the same attempt does the same however often it is entered; what it gave is remembered.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { hash } from "../../sdk/core/random.ts";
import { ApplicationFailure } from "../../sdk/index.ts";
import type { ActivityInfo } from "../../sdk/ports/user-code.ts";
import type { Process } from "../../sdk/testing/world/process.ts";
import type { Scheduler } from "../../sdk/testing/world/scheduler.ts";
import type { Fault, FaultPlan } from "./faults.ts";
import { Rng } from "./rng.ts";
import type { Trace } from "./trace.ts";
import type { Violations } from "./violations.ts";

interface Given {
  readonly values: string[];
  readonly errors: string[];
  /** How late the body ended after its deadline, by the clock of its process. */
  lateMs: number;
  /** The beats that the body gave, by number from 1, as JSON. */
  readonly beats: string[];
  /** The number of the last one whose answer the body has. */
  acknowledged: number;
}

/** What the body sees of its attempt. */
export interface Attempt {
  readonly info: ActivityInfo;
  /** The second argument; the name says how long it was. */
  readonly ballast: string;
  /** What the attempt is told of its predecessors' heartbeats. */
  readonly details: unknown;
  readonly signal: AbortSignal;
  heartbeat(details: unknown): Promise<void>;
  /** The process that the body runs in. */
  readonly process: Process;
}

export interface TheatreOptions {
  readonly seed: string;
  readonly scheduler: Scheduler;
  readonly plan: FaultPlan;
  readonly trace: Trace;
  readonly violations: Violations;
  /** By how many milliseconds the clock of a process is ahead. */
  readonly skewOf: (process: Process) => number;
  /** Whether a process answers a query just now. */
  readonly isAsked: (process: Process) => boolean;
}

/** What the log says about an attempt whose body is about to be entered. */
export interface Reference {
  /** Why the body should not be entered. */
  readonly problem: string | undefined;
  /** The last durable beat of the attempts before, as JSON. */
  readonly beat: string | undefined;
}

export const THROWN = "StageFright";
export const FATAL = "StageFire";
const LARGE_CHARACTERS = 9_000;
/** Characters of details that fit into no row and no message. */
const TOO_MUCH = 1_200_000;
/** Two clocks that are 1.5 s wrong each, in opposite directions. */
const SKEW_MS_MAX = 3_000;
const HANG_MS = 45_000;
/** Bodies that must not be silent for long, and some others, beat so often. */
const BEAT_MS = 700;

export class Theatre {
  /** What each attempt's body returned, as JSON, and the types that it threw. */
  readonly gave: Map<string, Given> = new Map();
  /** Asked when a body is entered. */
  referenceOf: (info: ActivityInfo) => Reference = () => ({ problem: undefined, beat: undefined });
  /** Asked when a beat was acknowledged: whether a local beat is in the log. */
  isDurable: (info: ActivityInfo, beat: string) => boolean = () => true;
  readonly entered: Map<string, number> = new Map();
  /** What each run's side effects gave. */
  readonly snapshots: Map<string, Set<string>> = new Map();
  /** Nodes of programs that came to their end, replays included. */
  readonly ran: Map<string, number> = new Map();
  readonly #options: TheatreOptions;

  constructor(options: TheatreOptions) {
    this.#options = options;
  }

  noteRan(kind: string): void {
    this.ran.set(kind, (this.ran.get(kind) ?? 0) + 1);
  }

  /** Another value each time: what a replay sees must come from the log. */
  snapshot(runId: string, name: string): string {
    const given = this.snapshots.get(runId) ?? new Set();
    this.snapshots.set(runId, given);
    const value = `${name}~${given.size}`;
    given.add(value);
    return value;
  }

  async perform(name: string, attempt: Attempt): Promise<unknown> {
    const { info } = attempt;
    const key = `${info.activityId}/${info.attempt}`;
    this.#checkEntry(name, key, attempt);
    const gave: Given = this.gave.get(key) ?? {
      values: [],
      errors: [],
      lateMs: 0,
      beats: [],
      acknowledged: 0,
    };
    this.gave.set(key, gave);
    const rng = new Rng(`${this.#options.seed}/${info.workflowId}/${hash(key)}`);
    const skewMs = this.#options.skewOf(attempt.process);
    try {
      const value = await this.#play(name, attempt, { rng, gave });
      // What cannot be recorded is no value that the log could hold.
      if (typeof value === "string") gave.values.push(JSON.stringify(value));
      return value;
    } catch (error) {
      gave.errors.push(error instanceof ApplicationFailure ? error.type : String(error));
      throw error;
    } finally {
      gave.lateMs = this.#options.scheduler.now() + skewMs - info.deadline;
    }
  }

  #checkEntry(name: string, key: string, attempt: Attempt): void {
    const { trace, violations, scheduler, skewOf, plan } = this.#options;
    const { info, process } = attempt;
    const who = `${name} #${info.attempt} of ${info.workflowId}`;
    const entries = (this.entered.get(key) ?? 0) + 1;
    this.entered.set(key, entries);
    trace.add(`BODY ${who}`);
    violations.expect(entries === 1, "I12", () => `${who} entered ${entries} times`);
    const lateMs = scheduler.now() + skewOf(process) - info.deadline;
    violations.expect(
      lateMs <= SKEW_MS_MAX,
      "I8",
      () => `${who} entered ${lateMs} ms after its deadline`,
    );
    violations.expect(!this.#options.isAsked(process), "A10", () => `a query enters ${who}`);
    const { problem, beat } = this.referenceOf(info);
    violations.expect(
      // Two hosts whose clocks differ by an hour may both hold what they take for the lease.
      problem === undefined || plan.clocksDiffer,
      "R14",
      () => `${who} is entered although ${problem}`,
    );
    const told = attempt.details === undefined ? undefined : JSON.stringify(attempt.details);
    violations.expect(
      told === beat,
      "X4",
      () =>
        `${who} is told of the heartbeat ${told?.slice(0, 60)}, the last durable one is ${beat?.slice(0, 60)}`,
    );
    const expected = "b".repeat(Number(name.split(":")[1] ?? 0));
    violations.expect(
      attempt.ballast === expected,
      "I4",
      () => `${who} gets an argument of ${attempt.ballast.length} characters`,
    );
  }

  async #play(
    name: string,
    attempt: Attempt,
    { rng, gave }: { readonly rng: Rng; readonly gave: Given },
  ): Promise<unknown> {
    const { info } = attempt;
    const listens = !this.#does("bodyIgnoresCancel", rng);
    const silent = info.options.heartbeat_ms !== undefined && this.#does("bodySilent", rng);
    const usualMs = rng.pick([0, 0, 5, 40, 200, 900]);
    const slowMs = this.#does("bodySlow", rng) ? rng.int(1_000, 12_000) : 0;
    const hangMs = this.#does("bodyHangs", rng) ? HANG_MS : 0;
    const silenceMs = silent ? rng.int(1_000, 9_000) : 0;
    const beatMs = info.options.heartbeat_ms ?? (rng.chance(0.15) ? 2 * BEAT_MS : undefined);
    await this.#pass(usualMs + longMs(name) + slowMs + hangMs + silenceMs, attempt, {
      listens,
      gave,
      beatMs: silent ? undefined : beatMs,
      large: beatMs !== undefined && this.#does("beatLarge", rng),
    });
    if (this.#does("bodyBlocks", rng)) await this.#block(rng.int(500, 12_000), attempt.process);
    if (this.#does("bodyFatal", rng)) throw ApplicationFailure.nonRetryable("burnt down", FATAL);
    if (this.#does("bodyDetails", rng))
      throw new ApplicationFailure("too much", { type: THROWN, details: "d".repeat(TOO_MUCH) });
    if (this.#does("bodyThrows", rng))
      throw new ApplicationFailure("forgot the text", { type: THROWN });
    if (this.#does("bodyUnserializable", rng)) return { big: 1n };
    const value = `${name}.${info.attempt}.${rng.int(0, 9_999)}`;
    return this.#does("bodyLarge", rng)
      ? value.padEnd(LARGE_CHARACTERS + rng.int(0, 99), "-")
      : value;
  }

  /** Lets time pass; beats when the attempt must; stops when told, unless it does not listen. */
  async #pass(ms: number, attempt: Attempt, manner: Manner): Promise<void> {
    const { scheduler } = this.#options;
    const { listens, beatMs } = manner;
    const until = scheduler.now() + ms;
    if (beatMs !== undefined) await this.#beat(attempt, manner);
    while (scheduler.now() < until) {
      const restMs = until - scheduler.now();
      const stepMs = beatMs === undefined ? restMs : Math.min(restMs, beatMs / 2);
      await scheduler.sleep(stepMs, listens ? attempt.signal : undefined);
      if (listens && attempt.signal.aborted) throw attempt.signal.reason;
      if (beatMs === undefined || scheduler.now() >= until) continue;
      await this.#beat(attempt, manner);
    }
  }

  /** Says how far the attempt is; who awaits it finds it in the log, if it is a local one. */
  async #beat(attempt: Attempt, { listens, gave, large }: Manner): Promise<void> {
    const { violations } = this.#options;
    const { info } = attempt;
    const at = { attempt: info.attempt, beat: gave.beats.length + 1 };
    const details = large ? { ...at, much: "h".repeat(LARGE_CHARACTERS) } : at;
    gave.beats.push(JSON.stringify(details));
    const number = gave.beats.length;
    const beat = attempt.heartbeat(details);
    if (!listens) return;
    await beat;
    gave.acknowledged = number;
    if (!info.isLocal) return;
    violations.expect(
      this.isDurable(info, JSON.stringify(details)),
      "X4",
      () =>
        `a heartbeat of ${info.activityId} #${info.attempt} was acknowledged and is not in the log`,
    );
  }

  /** A body that never yields: nothing else runs in its process, its timers neither. */
  async #block(ms: number, process: Process): Promise<void> {
    const { scheduler } = this.#options;
    await process.block(scheduler.sleep(ms), () => scheduler.settle());
  }

  #does(fault: Fault, rng: Rng): boolean {
    const { plan } = this.#options;
    const strikes = rng.chance(plan.rates[fault]);
    if (!strikes || !plan.active) return false;
    plan.note(fault);
    return true;
  }
}

/** How a body passes its time. */
interface Manner {
  /** To its abort signal, and to the answers of its beats. */
  readonly listens: boolean;
  readonly gave: Given;
  /** The silence that it must stay below; undefined when it does not beat. */
  readonly beatMs: number | undefined;
  /** Its beats are larger than what stays inside the log. */
  readonly large: boolean;
}

/** A body whose name says so takes long: "long7" seven seconds. */
function longMs(name: string): number {
  return 1_000 * Number(/^long(\d+)/.exec(name)?.[1] ?? 0);
}

let stage: Theatre | undefined;
const inside = new AsyncLocalStorage<Process>();

/** Calls a body's function in a process: the body finds it while it begins. */
export function inProcess<T>(process: Process, call: () => T): T {
  return inside.run(process, call);
}

/** The process of the body that runs. */
export function currentProcess(): Process {
  const process = inside.getStore();
  if (process === undefined) throw new Error("a body runs outside of the simulation");
  return process;
}

/** The theatre in which bodies of this process perform from now on. */
export function openStage(theatre: Theatre): void {
  stage = theatre;
}

export function currentStage(): Theatre {
  if (stage === undefined) throw new Error("no simulation runs");
  return stage;
}

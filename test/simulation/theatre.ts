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
  /** By the reference clock. */
  endedAt: number;
  readonly deadline: number;
}

/** What the body sees of its attempt. */
export interface Attempt {
  readonly info: ActivityInfo;
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
}

export const THROWN = "StageFright";
export const FATAL = "StageFire";
const LARGE_CHARACTERS = 9_000;
/** Two clocks that are 1.5 s wrong each, in opposite directions. */
const SKEW_MS_MAX = 3_000;
const HANG_MS = 45_000;

export class Theatre {
  /** What each attempt's body returned, as JSON, and the types that it threw. */
  readonly gave: Map<string, Given> = new Map();
  /** Asked when the body of a local attempt is entered: why it should not be. */
  mayEnter: (info: ActivityInfo) => string | undefined = () => undefined;
  readonly entered: Map<string, number> = new Map();
  readonly #options: TheatreOptions;

  constructor(options: TheatreOptions) {
    this.#options = options;
  }

  async perform(name: string, attempt: Attempt): Promise<unknown> {
    const { trace, violations, seed } = this.#options;
    const { info } = attempt;
    const key = `${info.activityId}/${info.attempt}`;
    const entries = (this.entered.get(key) ?? 0) + 1;
    this.entered.set(key, entries);
    trace.add(`BODY ${name} #${info.attempt} of ${info.workflowId}`);
    violations.expect(
      entries === 1,
      "I12",
      () => `${name} #${info.attempt} of ${info.workflowId} entered ${entries} times`,
    );
    const lateMs = this.#options.scheduler.now() - info.deadline;
    violations.expect(
      lateMs <= SKEW_MS_MAX,
      "I8",
      () =>
        `${name} #${info.attempt} of ${info.workflowId} entered ${lateMs} ms after its deadline`,
    );
    const problem = info.isLocal ? this.mayEnter(info) : undefined;
    violations.expect(
      problem === undefined,
      "R14",
      () => `${name} #${info.attempt} of ${info.workflowId} is entered although ${problem}`,
    );
    const gave: Given = this.gave.get(key) ?? {
      values: [],
      errors: [],
      endedAt: 0,
      deadline: info.deadline,
    };
    this.gave.set(key, gave);
    const rng = new Rng(`${seed}/${info.workflowId}/${hash(key)}`);
    try {
      const value = await this.#play(name, attempt, rng);
      gave.values.push(JSON.stringify(value) ?? "null");
      return value;
    } catch (error) {
      gave.errors.push(error instanceof ApplicationFailure ? error.type : String(error));
      throw error;
    } finally {
      gave.endedAt = this.#options.scheduler.now();
    }
  }

  async #play(name: string, attempt: Attempt, rng: Rng): Promise<unknown> {
    const { info } = attempt;
    const listens = !this.#does("bodyIgnoresCancel", rng);
    const usualMs = rng.pick([0, 0, 5, 40, 200, 900]);
    const slowMs = this.#does("bodySlow", rng) ? rng.int(1_000, 12_000) : 0;
    const hangMs = this.#does("bodyHangs", rng) ? HANG_MS : 0;
    await this.#pass(usualMs + slowMs + hangMs, attempt, listens);
    if (this.#does("bodyBlocks", rng)) await this.#block(rng.int(500, 12_000), attempt.process);
    if (this.#does("bodyFatal", rng)) throw ApplicationFailure.nonRetryable("burnt down", FATAL);
    if (this.#does("bodyThrows", rng))
      throw new ApplicationFailure("forgot the text", { type: THROWN });
    if (this.#does("bodyUnserializable", rng)) return { big: 1n };
    const value = `${name}.${info.attempt}.${rng.int(0, 9_999)}`;
    return this.#does("bodyLarge", rng)
      ? value.padEnd(LARGE_CHARACTERS + rng.int(0, 99), "-")
      : value;
  }

  /** Lets time pass; beats when the attempt must; stops when told, unless it does not listen. */
  async #pass(ms: number, attempt: Attempt, listens: boolean): Promise<void> {
    const { scheduler } = this.#options;
    const beatMs = attempt.info.options.heartbeat_ms;
    const until = scheduler.now() + ms;
    while (scheduler.now() < until) {
      const restMs = until - scheduler.now();
      const stepMs = beatMs === undefined ? restMs : Math.min(restMs, beatMs / 2);
      await scheduler.sleep(stepMs, listens ? attempt.signal : undefined);
      if (listens && attempt.signal.aborted) throw attempt.signal.reason;
      if (beatMs === undefined || scheduler.now() >= until) continue;
      const beat = attempt.heartbeat({ at: scheduler.now() });
      if (listens) await beat;
      else beat.catch(() => undefined);
    }
  }

  /** A body that never yields: nothing else runs in its process, its timers neither. */
  async #block(ms: number, process: Process): Promise<void> {
    process.freeze();
    this.#options.scheduler.at(ms, () => process.thaw());
    await process.proceed();
  }

  #does(fault: Fault, rng: Rng): boolean {
    const { plan } = this.#options;
    const strikes = rng.chance(plan.rates[fault]);
    if (!strikes || !plan.active) return false;
    plan.note(fault);
    return true;
  }
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

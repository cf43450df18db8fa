/** What scripted bodies do: this runs where activities run, on every target. */
import { appendFileSync, existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { ApplicationFailure, abortSignal, activityInfo, heartbeat, heartbeatDetails } from "pawl";
import { resolveValue } from "./expressions.ts";
import type { BodyAction, CallStep, Entered, OddValue, Script, Thrown } from "./program.ts";

/** Milliseconds between two looks for a release. */
const LOOK_MS = 5;
const JOURNAL = "journal.jsonl";

type Nested = (step: CallStep, journal: string | null) => Promise<unknown>;

/** What a body does to the process around it. */
export interface Machine {
  exit(isLocal: boolean, code: number): void;
  pause(ms: number): Promise<void>;
  block(ms: number): void;
}

const REAL: Machine = {
  exit: (_isLocal, code) => process.exit(code),
  pause,
  block(ms) {
    const end = performance.now() + ms;
    while (performance.now() < end);
  },
};

const machines = new Map<string, Machine>();

/** For the target whose processes and clock are not those of the system; undefined takes it back. */
export function setMachine(journals: string, machine: Machine | undefined): void {
  if (machine === undefined) machines.delete(journals);
  else machines.set(journals, machine);
}

export function isScript(value: unknown): value is Script {
  return typeof value === "object" && value !== null && Object.hasOwn(value, "$script");
}

/** The body of every scripted activity; without a script it is an echo of its first argument. */
export async function perform(args: readonly unknown[], nested: Nested): Promise<unknown> {
  const [given] = args;
  if (!isScript(given)) return given;
  const { label, attempts, args: values, journal } = given.$script;
  const { attempt, activityId, runId } = activityInfo();
  note(journal, { run_id: runId, label, activity_id: activityId, attempt });
  const actions = attempts[Math.min(attempt, attempts.length) - 1] ?? [];
  const body = new Body(values, journal, nested);
  for (const action of actions) {
    const end = await body.act(action);
    if (end !== undefined) return end.value;
  }
  return values[0] ?? null;
}

/** Says on disk that a body was entered, before it does anything. */
export function note(journal: string | null, entered: Entered): void {
  if (journal !== null) appendFileSync(join(journal, JOURNAL), `${JSON.stringify(entered)}\n`);
}

class Body {
  readonly #variables: Record<string, unknown>;
  readonly #journal: string | null;
  readonly #nested: Nested;
  readonly #machine: Machine;

  constructor(args: readonly unknown[], journal: string | null, nested: Nested) {
    const info = activityInfo();
    this.#variables = {
      args,
      info,
      attempt: info.attempt,
      details: heartbeatDetails() ?? null,
      pid: process.pid,
      within_ms: info.deadline - info.scheduledAt,
    };
    this.#journal = journal;
    this.#nested = nested;
    this.#machine = machines.get(dirname(journal ?? "")) ?? REAL;
  }

  /** Does one thing; the answer is the body's end. */
  async act(action: BodyAction): Promise<{ readonly value: unknown } | undefined> {
    if (action.throw !== undefined) throw errorOf(action.throw);
    if (action.stop === true) throw abortSignal().reason;
    if (action.nested !== undefined)
      this.#variables["nested"] = await this.#call(action.nested, action);
    if (action.exit !== undefined) await this.#exit(action.exit);
    if (action.reject_aside !== undefined) void Promise.reject(new Error(action.reject_aside));
    await this.#wait(action);
    await this.#beat(action);
    if (action.return_odd !== undefined) return { value: oddValue(action.return_odd) };
    if (action.return_bytes !== undefined) return { value: "x".repeat(action.return_bytes) };
    if (Object.hasOwn(action, "return"))
      return { value: resolveValue(action.return, this.#variables) };
    return undefined;
  }

  async #call(step: CallStep, action: BodyAction): Promise<unknown> {
    const result = this.#nested(step, this.#journal);
    return Object.hasOwn(action, "or_else")
      ? await result.catch(() => action.or_else)
      : await result;
  }

  async #wait(action: BodyAction): Promise<void> {
    if (action.hang === true) await new Promise<never>(() => undefined);
    if (action.until_told === true) await aborted();
    if (action.pause_ms !== undefined) await this.#machine.pause(action.pause_ms);
    if (action.block_ms !== undefined) this.#machine.block(action.block_ms);
    if (action.wait_for !== undefined && this.#journal !== null)
      await exists(join(this.#journal, action.wait_for));
  }

  async #beat(action: BodyAction): Promise<void> {
    if (Object.hasOwn(action, "beat"))
      await (action.beat === null ? heartbeat() : heartbeat(action.beat));
    if (action.beat_bytes !== undefined) await heartbeat("x".repeat(action.beat_bytes));
    if (Object.hasOwn(action, "beat_aside")) heartbeat(action.beat_aside).catch(() => undefined);
    for (let beat = 0; beat < (action.flood ?? 0); beat++)
      heartbeat({ beat }).catch(() => undefined);
    for (let beat = 1; action.beat_until_told === true; beat++) {
      await heartbeat({ beat });
      await pause(LOOK_MS);
    }
    const { ms = 0, times = 0 } = action.beat_every ?? {};
    for (let beat = 1; beat <= times; beat++) {
      await this.#machine.pause(ms);
      await heartbeat({ beat });
    }
  }

  async #exit(code: number): Promise<never> {
    this.#machine.exit(activityInfo().isLocal, code);
    return await new Promise<never>(() => undefined);
  }
}

export function errorOf(thrown: Thrown): Error {
  const { type, name, message = "as the case says", non_retryable = false, details } = thrown;
  if (type !== undefined)
    return new ApplicationFailure(message, { type, nonRetryable: non_retryable, details });
  const error = new Error(message);
  if (name !== undefined) error.name = name;
  return error;
}

function aborted(): Promise<void> {
  const signal = abortSignal();
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

async function exists(path: string): Promise<void> {
  while (!existsSync(path)) await pause(LOOK_MS);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function oddValue(kind: OddValue): unknown {
  const cycle: Record<string, unknown> = {};
  cycle["self"] = cycle;
  switch (kind) {
    case "bigint":
      return 1n;
    case "cycle":
      return cycle;
    case "function":
      return () => 1;
    case "infinity":
      return [1e308 * 10];
    case "undefined":
      return undefined;
  }
}

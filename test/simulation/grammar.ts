/** Random workflow programs over everything that workflow code can do. */
import { type CallOptions, FIXED, type Node, type ProgramInput, SIGNALS } from "./program.ts";
import type { Rng } from "./rng.ts";

const DEPTH_MAX = 4;
const CALLS_MAX = 14;
const MINUTE_MS = 60_000;
/** A patient program waits so often at most, or one seed would take days of virtual time. */
const LONG_WAITS_MAX = 3;
const BALLAST_CHARACTERS = 9_000;

/** A program and what it is called in reports. */
export interface Program extends ProgramInput {
  readonly name: string;
}

/** @param patient its waits may be longer than a queue can delay a message */
export function randomProgram(rng: Rng, patient: boolean): Program {
  if (rng.chance(0.3)) {
    const name = rng.pick(Object.keys(FIXED));
    const root = FIXED[name];
    if (root !== undefined) return { name, root };
  }
  const root = new Grammar(rng, patient).program();
  const ballast = rng.chance(0.04) ? { ballast: "B".repeat(BALLAST_CHARACTERS) } : {};
  return { name: patient ? "patient" : "random", root, ...ballast };
}

class Grammar {
  readonly #rng: Rng;
  readonly #patient: boolean;
  #calls = 0;
  #longWaits = 0;

  constructor(rng: Rng, patient: boolean) {
    this.#rng = rng;
    this.#patient = patient;
  }

  program(): Node {
    const rng = this.#rng;
    if (rng.chance(0.006)) return this.#wide();
    const body = this.#some(DEPTH_MAX);
    const handled: Node = rng.chance(0.35)
      ? {
          kind: "sequence",
          of: [
            {
              kind: "handle",
              name: rng.pick(SIGNALS),
              reaction: rng.chance(0.6) ? this.#call() : null,
            },
            body,
            { kind: "heard", count: rng.int(1, 2), withinMs: rng.int(500, 20_000) },
          ],
        }
      : body;
    if (!rng.chance(0.3)) return handled;
    return rng.chance(0.3)
      ? { kind: "stubborn", of: handled, after: this.#some(2) }
      : { kind: "cleanup", of: handled, finally: this.#call() };
  }

  /** More bodies than a task has places, or a batch that becomes a blob. */
  #wide(): Node {
    const what = this.#rng.pick(["local", "regular", "timer", "effect"] as const);
    const count = { local: 104, regular: 10, timer: 15, effect: 40 }[what];
    return { kind: "wide", what, name: "w", count };
  }

  #some(depth: number): Node {
    const of = Array.from({ length: this.#rng.int(1, 3) }, () => this.#node(depth));
    return { kind: "sequence", of };
  }

  #node(depth: number): Node {
    const rng = this.#rng;
    if (depth <= 1 || this.#calls >= CALLS_MAX || rng.chance(0.45)) return this.#leaf();
    const children = (): readonly Node[] =>
      Array.from({ length: rng.int(2, 4) }, () => this.#node(depth - 1));
    switch (rng.int(0, 7)) {
      case 0:
      case 1:
        return { kind: "all", of: children() };
      case 2:
        return { kind: "race", of: children() };
      case 3:
        return { kind: "attempt", of: this.#some(depth - 1), otherwise: this.#some(1) };
      case 4:
        return { kind: "locally", of: this.#some(depth - 1) };
      case 5:
        return { kind: "cleanup", of: this.#some(depth - 1), finally: this.#call() };
      case 6:
        return { kind: "stubborn", of: this.#some(depth - 1), after: this.#some(1) };
      default:
        return this.#some(depth - 1);
    }
  }

  #leaf(): Node {
    const rng = this.#rng;
    const choice = this.#calls >= CALLS_MAX ? rng.int(12, 20) : rng.int(0, 20);
    if (choice <= 11) return this.#call();
    if (choice <= 14)
      return {
        kind: "timer",
        ms: this.#longMs() ?? rng.pick([0, 100, 700, 3_000, rng.int(0, 30_000)]),
      };
    if (choice <= 16) return this.#effect();
    if (choice === 17) {
      // A race with a timer, or nobody who sends it would leave the run waiting for ever.
      const waits: Node = { kind: "signal", name: rng.pick(SIGNALS) };
      return rng.chance(0.4)
        ? waits
        : { kind: "race", of: [waits, { kind: "timer", ms: rng.int(500, 30_000) }] };
    }
    if (choice === 18)
      return {
        kind: "heard",
        count: rng.int(0, 2),
        withinMs: rng.chance(0.03) ? null : rng.int(100, 20_000),
      };
    if (choice === 19) return { kind: "clock" };
    return rng.chance(0.15) ? { kind: "fail" } : { kind: "timer", ms: rng.int(0, 2_000) };
  }

  #effect(): Node {
    const rng = this.#rng;
    const effect = { kind: "effect", name: `e${rng.int(0, 99)}` } as const;
    if (rng.chance(0.05)) return { ...effect, shape: "large" };
    if (!rng.chance(0.05)) return effect;
    return { kind: "attempt", of: { ...effect, shape: "throws" }, otherwise: effect };
  }

  #call(): Node {
    const rng = this.#rng;
    this.#calls += 1;
    const kind = rng.chance(0.55) ? "local" : "regular";
    const ballast = rng.chance(0.02) ? `:${BALLAST_CHARACTERS}` : "";
    const name = `${kind === "local" ? "l" : "r"}${this.#calls}${ballast}`;
    return { kind, name, options: this.#options(kind) };
  }

  #options(kind: "local" | "regular"): CallOptions {
    const rng = this.#rng;
    if (rng.chance(0.4)) return {};
    const longMs = rng.chance(0.5) ? this.#longMs() : undefined;
    if (longMs !== undefined) return this.#patientOptions(kind, longMs);
    return {
      ...(rng.chance(0.6) ? { maxAttempts: rng.int(1, 5) } : {}),
      ...this.#retries(kind),
      ...(rng.chance(0.4) ? { startToCloseS: rng.int(1, 8) } : {}),
      ...(rng.chance(0.15) ? { scheduleToCloseS: rng.int(2, 40) } : {}),
      ...(kind === "regular" && rng.chance(0.1) ? { scheduleToStartS: rng.int(2, 40) } : {}),
      ...(rng.chance(0.15) ? { heartbeatS: rng.int(1, 4) } : {}),
      ...(rng.chance(0.1) ? { thrownIsFinal: true } : {}),
    };
  }

  #retries(kind: "local" | "regular"): CallOptions {
    const rng = this.#rng;
    if (!rng.chance(0.6)) return {};
    if (rng.chance(0.15)) return { backoffsMs: [0, rng.int(10, 300), 2_000] };
    if (kind === "regular" && rng.chance(0.2))
      return { growing: { initialMs: rng.int(50, 1_500), jitter: rng.pick(["equal", "full"]) } };
    return { backoffMs: rng.pick([0, 50, 400, 3_000]) };
  }

  /** Delays and deadlines beyond what a queue can delay. */
  #patientOptions(kind: "local" | "regular", backoffMs: number): CallOptions {
    const rng = this.#rng;
    return {
      maxAttempts: rng.int(2, 3),
      backoffMs,
      ...(rng.chance(0.5) ? { startToCloseS: rng.int(1, 8) } : {}),
      ...(rng.chance(0.4) ? { scheduleToCloseS: rng.int(16, 60) * 60 } : {}),
      ...(kind === "regular" && rng.chance(0.3) ? { scheduleToStartS: rng.int(16, 40) * 60 } : {}),
    };
  }

  /** More than 15 minutes, or undefined when this program may not wait so long (any more). */
  #longMs(): number | undefined {
    const rng = this.#rng;
    if (!this.#patient || this.#longWaits >= LONG_WAITS_MAX || !rng.chance(0.5)) return undefined;
    this.#longWaits += 1;
    return rng.int(15 * MINUTE_MS + 1, rng.pick([16, 25, 60]) * MINUTE_MS);
  }
}

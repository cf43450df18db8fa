/** Random workflow programs over everything that workflow code can do. */
import { type CallOptions, FIXED, type Node, SIGNALS } from "./program.ts";
import type { Rng } from "./rng.ts";

const DEPTH_MAX = 4;
const CALLS_MAX = 14;

/** A program and what it is called in reports. */
export interface Program {
  readonly name: string;
  readonly root: Node;
}

export function randomProgram(rng: Rng): Program {
  if (rng.chance(0.35)) {
    const name = rng.pick(Object.keys(FIXED));
    const root = FIXED[name];
    if (root !== undefined) return { name, root };
  }
  return { name: "random", root: new Grammar(rng).program() };
}

class Grammar {
  readonly #rng: Rng;
  #calls = 0;

  constructor(rng: Rng) {
    this.#rng = rng;
  }

  program(): Node {
    const body = this.#some(DEPTH_MAX);
    const rng = this.#rng;
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
    return { kind: "cleanup", of: handled, finally: this.#call() };
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
    switch (rng.int(0, 6)) {
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
      default:
        return this.#some(depth - 1);
    }
  }

  #leaf(): Node {
    const rng = this.#rng;
    const choice = this.#calls >= CALLS_MAX ? rng.int(12, 19) : rng.int(0, 19);
    if (choice <= 11) return this.#call();
    if (choice <= 14)
      return { kind: "timer", ms: rng.pick([0, 100, 700, 3_000, rng.int(0, 30_000)]) };
    if (choice <= 16) return { kind: "effect", name: `e${rng.int(0, 99)}` };
    if (choice === 17) {
      // A race with a timer, or nobody who sends it would leave the run waiting for ever.
      const waits: Node = { kind: "signal", name: rng.pick(SIGNALS) };
      return rng.chance(0.4)
        ? waits
        : { kind: "race", of: [waits, { kind: "timer", ms: rng.int(500, 30_000) }] };
    }
    if (choice === 18)
      return { kind: "heard", count: rng.int(0, 2), withinMs: rng.int(100, 20_000) };
    return rng.chance(0.15) ? { kind: "fail" } : { kind: "timer", ms: rng.int(0, 2_000) };
  }

  #call(): Node {
    const rng = this.#rng;
    this.#calls += 1;
    const kind = rng.chance(0.55) ? "local" : "regular";
    const name = `${kind === "local" ? "l" : "r"}${this.#calls}`;
    return { kind, name, options: this.#options(kind) };
  }

  #options(kind: "local" | "regular"): CallOptions {
    const rng = this.#rng;
    if (rng.chance(0.4)) return {};
    return {
      ...(rng.chance(0.6) ? { maxAttempts: rng.int(1, 5) } : {}),
      ...(rng.chance(0.6) ? { backoffMs: rng.pick([0, 50, 400, 3_000]) } : {}),
      ...(rng.chance(0.4) ? { startToCloseS: rng.int(1, 8) } : {}),
      ...(rng.chance(0.15) ? { scheduleToCloseS: rng.int(2, 40) } : {}),
      ...(kind === "regular" && rng.chance(0.1) ? { scheduleToStartS: rng.int(2, 40) } : {}),
      ...(rng.chance(0.15) ? { heartbeatS: rng.int(1, 4) } : {}),
      ...(rng.chance(0.1) ? { thrownIsFinal: true } : {}),
    };
  }
}

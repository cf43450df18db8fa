/** Workflow programs as data: what the generator makes and the workflow `program` interprets. */

export interface CallOptions {
  readonly maxAttempts?: number;
  readonly backoffMs?: number;
  /** Delays one after the other; the last one repeats. Instead of `backoffMs`. */
  readonly backoffsMs?: readonly number[];
  /** Queued activities only: growing delays, drawn by chance. Instead of a backoff. */
  readonly growing?: { readonly initialMs: number; readonly jitter: "equal" | "full" };
  readonly startToCloseS?: number;
  readonly scheduleToCloseS?: number;
  /** Queued activities only. */
  readonly scheduleToStartS?: number;
  readonly heartbeatS?: number;
  /** The error type of bodies that throw is not retried. */
  readonly thrownIsFinal?: boolean;
}

export interface Call {
  /** Unique within a program; what follows a colon is the length of a second argument. */
  readonly name: string;
  readonly options: CallOptions;
}

/** What the workflow is started with. */
export interface ProgramInput {
  readonly root: Node;
  /** Makes input, result and answers of queries large. */
  readonly ballast?: string;
}

export type Node =
  | ({ readonly kind: "local" } & Call)
  | ({ readonly kind: "regular" } & Call)
  | { readonly kind: "timer"; readonly ms: number }
  /** A snapshot of something that is another thing each time. */
  | {
      readonly kind: "effect";
      readonly name: string;
      readonly shape?: "throws" | "large" | "bulky";
    }
  /** The replay-stable clock and random numbers. */
  | { readonly kind: "clock" }
  | { readonly kind: "signal"; readonly name: SignalName }
  | { readonly kind: "fail" }
  | { readonly kind: "handle"; readonly name: SignalName; readonly reaction: Node | null }
  | { readonly kind: "heard"; readonly count: number; readonly withinMs: number | null }
  | { readonly kind: "sequence"; readonly of: readonly Node[] }
  | { readonly kind: "all"; readonly of: readonly Node[] }
  | { readonly kind: "race"; readonly of: readonly Node[] }
  /** Many at once: more than there are places, or more than an item of the log takes. */
  | {
      readonly kind: "wide";
      readonly what: "local" | "regular" | "timer" | "effect";
      readonly name: string;
      readonly count: number;
    }
  | { readonly kind: "locally"; readonly of: Node }
  | { readonly kind: "attempt"; readonly of: Node; readonly otherwise: Node }
  /** Runs `finally` also when the run is cancelled meanwhile. */
  | { readonly kind: "cleanup"; readonly of: Node; readonly finally: Node }
  /** Takes a cancel request for an answer and goes on. */
  | { readonly kind: "stubborn"; readonly of: Node; readonly after: Node };

export type NodeKind = Node["kind"];

export const SIGNALS = ["red", "green"] as const;
export type SignalName = (typeof SIGNALS)[number];

export const local = (name: string, options: CallOptions = {}): Node => ({
  kind: "local",
  name,
  options,
});
export const regular = (name: string, options: CallOptions = {}): Node => ({
  kind: "regular",
  name,
  options,
});
export const timer = (ms: number): Node => ({ kind: "timer", ms });
export const signal = (name: SignalName = "red"): Node => ({ kind: "signal", name });
export const sequence = (...of: readonly Node[]): Node => ({ kind: "sequence", of });
export const all = (...of: readonly Node[]): Node => ({ kind: "all", of });
const race = (...of: readonly Node[]): Node => ({ kind: "race", of });
export const attempt = (of: Node, otherwise: Node): Node => ({ kind: "attempt", of, otherwise });

/** The programs of the protocol's first simulation: small, and each the home of a known hole. */
export const FIXED: Readonly<Record<string, Node>> = {
  seq: sequence(local("a"), local("b"), local("c")),
  all: all(sequence(local("a"), local("a2")), local("b"), local("d")),
  locReg: sequence(local("a"), regular("r"), local("b")),
  raceT: sequence(race(timer(1_500), local("a")), regular("r")),
  fan5: all(...["r0", "r1", "r2", "r3", "r4"].map((name) => regular(name))),
  sig: sequence(local("a"), signal(), regular("r"), signal()),
  tryc: sequence(
    attempt(local("x0"), attempt(regular("undo0"), sequence())),
    attempt(local("x1"), attempt(regular("undo1"), sequence())),
  ),
  mixed: all(
    sequence(local("a"), regular("b"), local("c")),
    sequence(regular("d"), local("e")),
    sequence(timer(2_000), local("f")),
    sequence(race(signal(), timer(30_000)), regular("g")),
  ),
  busy: all(
    sequence(local("a"), local("a2"), regular("r")),
    sequence(timer(300), local("t")),
    timer(310),
    regular("p"),
    sequence(regular("q"), local("q2")),
    sequence(signal(), local("s")),
    sequence(race(signal(), timer(20_000)), regular("g")),
  ),
  deadlines: all(
    attempt(regular("d1", { scheduleToCloseS: 2, maxAttempts: 3 }), local("late")),
    attempt(local("d2", { startToCloseS: 1, maxAttempts: 2, backoffMs: 400 }), timer(100)),
    sequence(
      regular("d3", { scheduleToStartS: 3, heartbeatS: 2 }),
      regular("d4", { startToCloseS: 1 }),
    ),
  ),
  cancel: {
    kind: "cleanup",
    of: sequence(signal(), local("s"), regular("p"), timer(20_000)),
    finally: regular("clean"),
  },
};

/**
 * Programs that lead straight to what one rule protects from; random programs come by it once in many
 * thousand seeds. Not among those that the grammar draws, so that kept seeds stay what they are.
 */
import {
  all,
  attempt,
  FIXED,
  local,
  type Node,
  regular,
  type SignalName,
  sequence,
  signal,
  timer,
} from "./program.ts";

const handle = (name: SignalName = "red"): Node => ({ kind: "handle", name, reaction: null });
const heard = (count: number, withinMs: number | null = null): Node => ({
  kind: "heard",
  count,
  withinMs,
});

/** Local activities one after the other: a lease that is held for seconds. */
const chain = (name: string, length: number): Node =>
  sequence(...Array.from({ length }, (_, index) => local(`${name}${index}`)));

export const DIRECTED: Readonly<Record<string, Node>> = {
  /** A settled message's copy finds the next signal in the log, whose own message is on its way (R1). */
  relay: sequence(local("a"), signal(), local("b"), signal(), local("c")),
  /** The first signal asks for nothing; its copy comes again when the second one asks (R2). */
  second: sequence(handle(), heard(2), local("a"), local("b")),
  /** Timers that were given up come all the same, twice, the second time beside a signal (R5). */
  given: sequence(
    handle(),
    all(...[100, 180, 260, 340].map((ms) => heard(1, ms))),
    heard(2),
    local("a"),
    local("b"),
  ),
  /** Two outcomes, each with a turn and a dispatch of its own, come back in one batch (R15). */
  fans: all(
    ...["0", "1", "2", "3"].map((name) => sequence(regular(`r${name}`), regular(`x${name}`))),
  ),
  /** An outcome's turn has ended, its dispatch is lost, and its copy meets a later turn's lease (R4). */
  shadow: all(
    ...["0", "1", "2", "3"].map((name) => sequence(regular(`r${name}`), regular(`x${name}`))),
    sequence(timer(400), local("long6")),
  ),
  /** Requests arrive under a lease that outlives their first handlers, and wake a second one (R5). */
  chains: all(chain("l", 14), sequence(signal(), chain("m", 3), signal(), chain("n", 3))),
  /** Code gives a timer up before any batch has recorded it. */
  patience: sequence(handle(), heard(1, 20_000), regular("r"), heard(2, 700), local("a")),
  /** A body that beats for long, so that a silence of the store meets a beat. */
  beats: sequence(regular("long6", { heartbeatS: 4 }), local("a")),
  /** A body that takes longer than a lease (R14). */
  lasting: sequence(local("long18"), regular("r")),
  /** Bodies whose time is short, so that one that blocks its process is late. */
  hurry: sequence(
    ...["0", "1", "2"].map((part) =>
      all(
        ...["a", "b", "c"].map((name) =>
          attempt(local(`${name}${part}`, { startToCloseS: 1, maxAttempts: 2 }), sequence()),
        ),
      ),
    ),
  ),
};

/** Every program that has a name. */
export const NAMED: Readonly<Record<string, Node>> = { ...FIXED, ...DIRECTED };

/**
 * Deliberate defects: each switches one rule of the protocol off by replacing source text in a copy of
 * the tree. The simulation must notice every one that is not equivalent.
 */
import { CRAFT_MUTANTS } from "./mutants-of-craft.ts";
import { RULE_MUTANTS } from "./mutants-of-rules.ts";

export interface Mutant {
  /** The rule that is off, and how. */
  readonly name: string;
  readonly file: string;
  /** Text that stands in the file exactly once, and what replaces it. */
  readonly edits: readonly (readonly [find: string, replace: string])[];
}

/** A rule that is not here because leaving it out changes nothing that can be seen. */
export interface Equivalent {
  readonly name: string;
  readonly reason: string;
}

export const MUTANTS: readonly Mutant[] = [...RULE_MUTANTS, ...CRAFT_MUTANTS];

export const EQUIVALENTS: readonly Equivalent[] = [
  {
    name: "check_at is off, dead letters go back",
    reason:
      "every seed with a blind sweeper (seven of ten, and all single faults) runs without it: redelivery alone keeps runs going",
  },
  {
    name: "the outcome of an earlier attempt is accepted",
    reason:
      "the next attempt exists only behind the earlier one's outcome in the log, whose key is known: such a message is settled before it could be delivered",
  },
  {
    name: "R5 void: a void event opens a turn",
    reason:
      "a turn without anything to record ends as nothing, and its message is deleted by the same rule",
  },
  {
    name: "R17, R18, R19, two appends in flight, grouped durability, strict on redelivery",
    reason:
      "grouped durability is not built: one append is in flight at most, and every Started is durable before its body",
  },
  {
    name: "the token of a transaction is used again, a batch is split",
    reason:
      "the store uses neither transactions nor split batches: a commit is one conditional put",
  },
];

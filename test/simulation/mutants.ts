/**
 * Deliberate defects: each switches one rule of the protocol off by replacing source text in a copy of
 * the tree. The simulation must notice every one that is not equivalent.
 */
import type { Profile } from "./faults.ts";
import { CRAFT_MUTANTS } from "./mutants-of-craft.ts";
import { DELIVERY_MUTANTS } from "./mutants-of-delivery.ts";
import { RULE_MUTANTS } from "./mutants-of-rules.ts";

/** Seeds of a profile over a named program. */
export interface Aim {
  readonly program: string;
  readonly profile: Profile;
}

export interface Mutant {
  /** The rule that is off, and how. */
  readonly name: string;
  readonly file: string;
  /** Text that stands in the file exactly once, and what replaces it. Short, so that it lasts. */
  readonly edits: readonly (readonly [find: string, replace: string])[];
  /** What leads to what the rule protects from: tried first in every round. */
  readonly aims?: readonly Aim[];
  /** Why leaving the rule out changes nothing that can be seen. */
  readonly equivalent?: string;
}

/** What has no patch, because there is nothing in the sources to leave out. */
export interface Absent {
  readonly name: string;
  readonly reason: string;
}

export const MUTANTS: readonly Mutant[] = [...RULE_MUTANTS, ...DELIVERY_MUTANTS, ...CRAFT_MUTANTS];

/** The file's text with the mutant in it. @throws when a patch does not fit any more */
export function patched(text: string, { name, file, edits }: Mutant): string {
  let result = text;
  for (const [find, replace] of edits) {
    const times = result.split(find).length - 1;
    if (times !== 1)
      throw new Error(`mutant "${name}": ${file} holds ${times} times ${JSON.stringify(find)}`);
    result = result.replace(find, () => replace);
  }
  return result;
}

export const ABSENT: readonly Absent[] = [
  {
    name: "R17, R18, R19; two appends in flight; grouped durability; strict on redelivery",
    reason:
      "Recording local outcomes in groups is not built: one append is in flight at most, and every ActivityStarted is durable before its body is entered.",
  },
  {
    name: "the token of a transaction is used again; a batch is split",
    reason:
      "The store uses neither transactions nor split batches: a commit is one conditional put.",
  },
];

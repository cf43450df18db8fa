/** What the mutants came to, as the table that is printed and kept in `docs/MUTANTS.md`. */
import { ABSENT, type Mutant } from "./mutants.ts";

/** How a campaign against one mutant ended. */
export interface Verdict {
  readonly mutant: Mutant;
  /** Runs until then, the one that noticed it included. */
  readonly runs: number;
  readonly seconds: number;
  /** The invariant that broke; absent when none did. */
  readonly invariant?: string;
  /** Arguments of `scripts/simulate.ts` that repeat it in the patched sources. */
  readonly again?: string;
  /** Why the campaign could not be run: the mutant is a bad one. */
  readonly broken?: string;
}

const HEAD = `# Mutants

Written by \`npm run mutants -- --write\`; do not edit. Each row is a copy of the sources with one rule switched off, which ran under the [simulation](TESTING.md#mutants) until an invariant broke. The rules are those of the [commit protocol](RELIABILITY.md#the-commit-protocol), the invariants those that [the simulation holds the code to](RELIABILITY.md#what-the-simulation-holds-the-code-to); \`ERROR\` is a function that logs an error which no fault explains. "In" is what \`npm run simulate --\` takes to repeat the run, in the patched sources. Seconds include copying and type-checking them.
`;

export function mutantTable(verdicts: readonly Verdict[]): {
  readonly text: string;
  /** Mutants that nothing noticed, equivalent ones that something did, and those that never ran. */
  readonly failures: readonly string[];
} {
  const real = verdicts.filter(({ mutant }) => mutant.equivalent === undefined);
  const equivalent = verdicts.filter(({ mutant }) => mutant.equivalent !== undefined);
  const noticed = real.filter(({ invariant }) => invariant !== undefined);
  const failures = verdicts.filter(isFailure).map(({ mutant }) => mutant.name);
  const runs = verdicts.reduce((sum, verdict) => sum + verdict.runs, 0);
  const lines = [
    HEAD,
    `${noticed.length} of ${real.length} mutants were noticed. All campaigns together took ${runs} runs.`,
    "",
    "| Mutant | Noticed by | In | Runs | Seconds |",
    "|---|---|---|---:|---:|",
    ...real.map(rowOf),
    "",
    "## Equivalent",
    "",
    "Leaving these out changes nothing that an invariant could see. Those with runs were tried all the same, and nothing noticed them.",
    "",
    "| Mutant | Runs | Why |",
    "|---|---:|---|",
    ...equivalent.map(equivalentRowOf),
    ...ABSENT.map(({ name, reason }) => `| ${name} | – | ${reason} |`),
    "",
  ];
  return { text: lines.join("\n"), failures };
}

function isFailure({ mutant, invariant, broken }: Verdict): boolean {
  const wasNoticed = invariant !== undefined;
  return broken !== undefined || wasNoticed !== (mutant.equivalent === undefined);
}

function rowOf({ mutant, invariant, again, runs, seconds, broken }: Verdict): string {
  const by = broken === undefined ? (invariant ?? "**survives**") : "**broken**";
  return `| ${mutant.name} | ${by} | ${code(again)} | ${runs} | ${seconds} |`;
}

function equivalentRowOf({ mutant, invariant, again, runs, broken }: Verdict): string {
  const seen =
    invariant === undefined ? mutant.equivalent : `**noticed** by ${invariant} in ${code(again)}`;
  return `| ${mutant.name} | ${runs} | ${broken === undefined ? seen : "**broken**"} |`;
}

function code(text: string | undefined): string {
  return text === undefined ? "" : `\`${text}\``;
}

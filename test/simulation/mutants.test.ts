/** The mutants themselves; that each is noticed takes minutes and is `npm run mutants`. */
import { readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { DIRECTED, NAMED } from "./directed.ts";
import { CANONICAL } from "./jobs.ts";
import { mutantTable, type Verdict } from "./mutant-table.ts";
import { ABSENT, MUTANTS, type Mutant, patched } from "./mutants.ts";
import { FIXED } from "./program.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Rules of the commit protocol; R17 to R19 are of something that is not built. */
const RULES = [...Array.from({ length: 16 }, (_, index) => `R${index + 1}`), "R20"];

describe("the mutants", () => {
  test.each(MUTANTS)("still apply to the sources, which still parse: $name", (mutant) => {
    const text = readFileSync(`${ROOT}/${mutant.file}`, "utf8");
    const result = patched(text, mutant);
    expect(result).not.toBe(text);
    expect(() => stripTypeScriptTypes(result)).not.toThrow();
  });

  test("switch every rule of the commit protocol off", () => {
    const off = new Set(MUTANTS.map(({ name }) => name.split(" ")[0]));
    expect(RULES.filter((rule) => !off.has(rule))).toEqual([]);
  });

  test("have names of their own, and programs that exist", () => {
    expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length);
    for (const { aims = [] } of MUTANTS)
      for (const { program } of aims) expect(Object.keys(NAMED)).toContain(program);
    for (const program of CANONICAL) expect(Object.keys(NAMED)).toContain(program);
    for (const program of Object.keys(DIRECTED)) expect(Object.keys(FIXED)).not.toContain(program);
  });

  test("that are left out have a reason", () => {
    const reasons = MUTANTS.flatMap(({ equivalent }) => equivalent ?? []);
    for (const reason of [...reasons, ...ABSENT.map(({ reason: why }) => why)])
      expect(reason.length).toBeGreaterThan(60);
  });

  test("that do not fit their file any more are refused by name", () => {
    const mutant: Mutant = { name: "old", file: "a.ts", edits: [["gone", "here"]] };
    expect(() => patched("nothing of that", mutant)).toThrow(
      'mutant "old": a.ts holds 0 times "gone"',
    );
    expect(() => patched("gone and gone", mutant)).toThrow('holds 2 times "gone"');
  });
});

describe("the table of mutants", () => {
  const real: Mutant = { name: "a rule is off", file: "a.ts", edits: [] };
  const equal: Mutant = { ...real, name: "nothing is off", equivalent: "it does the same" };
  const verdict = (mutant: Mutant, seen: Partial<Verdict>): Verdict => ({
    mutant,
    runs: 7,
    seconds: 1,
    ...seen,
  });

  test("says which invariant noticed, and in which run", () => {
    const table = mutantTable([
      verdict(real, { invariant: "I7", again: "--seed 3" }),
      verdict(equal, {}),
    ]);
    expect(table.failures).toEqual([]);
    expect(table.text).toContain("| a rule is off | I7 | `--seed 3` | 7 | 1 |");
    expect(table.text).toContain("| nothing is off | 7 | it does the same |");
  });

  test("fails for a survivor, for an equivalent one that was noticed, and for one that never ran", () => {
    const noticed = verdict(equal, { invariant: "I1", again: "--seed 9" });
    const broken = verdict({ ...real, name: "no code" }, { broken: "does not type-check" });
    const table = mutantTable([verdict(real, {}), noticed, broken]);
    expect(table.failures).toEqual(["a rule is off", "nothing is off", "no code"]);
    expect(table.text).toContain("| a rule is off | **survives** |");
    expect(table.text).toContain("**noticed** by I1");
    expect(table.text).toContain("**broken**");
  });
});

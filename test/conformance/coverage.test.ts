/** Every row about local execution has a case or a test that carries its id, on every target it needs. */
import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import * as v from "valibot";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { TARGETS, type Target } from "./case-format.ts";
import { loadCases } from "./load.ts";

const row = v.strictObject({
  id: v.string(),
  text: v.string(),
  targets: v.optional(v.array(v.picklist(TARGETS)), ["memory", "embedded"]),
  local: v.optional(v.boolean(), true),
  because: v.optional(v.string()),
  missing: v.optional(v.string()),
});
type Row = v.InferOutput<typeof row>;

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const ROWS = v.parse(
  v.array(row),
  parse(readFileSync(fileURLToPath(new URL("rows.yaml", import.meta.url)), "utf8")),
);

/** Where the tests of a file run; of those of other files it is enough that they are there. */
const TARGETS_OF: readonly (readonly [path: RegExp, targets: readonly Target[]])[] = [
  [/^test\/e2e\/(?:end-to-end|bad-input)\.suite\.ts$/u, TARGETS],
  [/^test\/e2e\/.*\.suite\.ts$/u, ["memory", "embedded"]],
  [/^test\/(?:cases|world|operations)\//u, ["memory"]],
  [/^test\/embedded\//u, ["embedded"]],
];

/** The ids in the last brackets of a title: "(G-04 to G-07, B7)" are five. */
function idsIn(title: string): readonly string[] {
  const list = /\(([^()]*)\)$/u.exec(title)?.[1] ?? "";
  return list.split(/,\s*|\s+and\s+/u).flatMap((part) => {
    const range = /^([A-Z]-?)(\d+) to \1(\d+)$/u.exec(part);
    if (range === null) return /^(?:[A-Z]-?)?\d+$/u.test(part) ? [part] : [];
    const [, prefix = "", first = "", last = ""] = range;
    const length = Number(last) - Number(first) + 1;
    const number = (index: number) => String(Number(first) + index).padStart(first.length, "0");
    return Array.from({ length }, (_, index) => prefix + number(index));
  });
}

/** Every id with the targets on which something carries it; an empty set is a test elsewhere. */
function covered(): ReadonlyMap<string, ReadonlySet<Target>> {
  const found = new Map<string, Set<Target>>();
  const add = (id: string, targets: readonly Target[]): void => {
    const known = found.get(id) ?? new Set();
    for (const target of targets) known.add(target);
    found.set(id, known);
  };
  for (const { requirements, targets } of loadCases())
    for (const id of requirements) add(id, targets);
  for (const path of globSync("test/**/*.ts", { cwd: ROOT })) {
    const targets = TARGETS_OF.find(([pattern]) => pattern.test(path))?.[1] ?? [];
    const titles = readFileSync(ROOT + path, "utf8").matchAll(/["`]([^"`\n]*\([^()\n]*\))["`]/gu);
    for (const [, title = ""] of titles) for (const id of idsIn(title)) add(id, targets);
  }
  return found;
}

const COVERED = covered();

/** What is wrong with the coverage of a row, or undefined. */
function gapOf({ id, targets, local, because, missing }: Row): string | undefined {
  const found = COVERED.get(id);
  if (!local) return because === undefined ? "is left out without a reason" : undefined;
  if (targets.length < 2 && because === undefined) return "needs fewer targets without a reason";
  const lacking = targets.filter((target) => found?.has(target) !== true);
  const isThere = found !== undefined && lacking.length === 0;
  if (missing !== undefined)
    return found === undefined ? undefined : "is there: take its `missing` out of rows.yaml";
  if (found === undefined) return "stands in no case and no title of a test";
  return isThere ? undefined : `is not shown on ${lacking.join(" and ")}`;
}

describe("coverage of the rows about local execution", () => {
  test("every row has a case or a test on each target that it needs", () => {
    const gaps = ROWS.flatMap((one) => {
      const gap = gapOf(one);
      return gap === undefined ? [] : [`${one.id} (${one.text}) ${gap}`];
    });
    expect(gaps).toEqual([]);
  });

  test("every id of a case is one that exists", () => {
    const known = new Set(ROWS.map(({ id }) => id));
    const families = new Set([...known].map((id) => id.replace(/\d+$/u, "")));
    const unknown = loadCases().flatMap(({ name, requirements }) =>
      requirements
        .filter((id) => families.has(id.replace(/\d+$/u, "")) && !known.has(id))
        .map((id) => `${name}: ${id}`),
    );
    expect(unknown).toEqual([]);
  });

  test("a row that nothing carries is found, and so is one on too few targets", () => {
    const sample = { text: "sample", targets: ["memory", "embedded"], local: true } as const;
    expect(gapOf({ ...sample, id: "Z-99" } as unknown as Row)).toContain("no case");
    expect(gapOf({ ...sample, id: "O-05" } as unknown as Row)).toBe(
      "is not shown on memory and embedded",
    );
    expect(gapOf({ ...sample, id: "E-01", missing: "x" } as unknown as Row)).toContain("is there");
    expect(idsIn("a title (G-04 to G-06, B7)")).toEqual(["G-04", "G-05", "G-06", "B7"]);
    expect(idsIn("a title (of no ids)")).toEqual([]);
  });
});

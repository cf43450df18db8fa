/**
 * `npm run mutants -- [--only text] [--skip K] [--seeds N] [--from A]`: deliberate defects.
 *
 * Every mutant is a copy of the sources with one rule switched off. A few seeds first, then exhaustive
 * single faults, then the rest of N storm seeds and N random ones from seed A. Prints which invariant
 * noticed, and fails when a mutant survives.
 */
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { inChunks, workTogether } from "../test/simulation/crew.ts";
import { CANONICAL, type Job } from "../test/simulation/jobs.ts";
import { EQUIVALENTS, MUTANTS, type Mutant } from "../test/simulation/mutants.ts";
import type { Tally } from "../test/simulation/tally.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const COPIED = ["sdk", "functions", "test/simulation", "package.json"];
const SEEDS_PER_JOB = 20;
const SINGLE_PARTS = 12;

const { values } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    seeds: { type: "string", default: "3000" },
    skip: { type: "string", default: "0" },
    from: { type: "string", default: "1" },
    "no-single": { type: "boolean", default: false },
  },
});

const survivors: string[] = [];
for (const mutant of MUTANTS.filter(({ name }) => name.includes(values.only)).slice(
  Number(values.skip),
)) {
  const startedAt = performance.now();
  const tally = await against(mutant);
  const [failure] = tally.failures;
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(0);
  if (failure === undefined) survivors.push(mutant.name);
  const killer = failure === undefined ? "SURVIVED" : `${failure.violations[0]?.invariant}`;
  const where =
    failure === undefined ? `${tally.runs} runs` : `run ${tally.runs}: ${failure.again}`;
  console.log(`${killer.padEnd(9)} ${mutant.name.padEnd(72)} ${where} (${seconds} s)`);
}
for (const { name, reason } of EQUIVALENTS) console.log(`equivalent ${name}: ${reason}`);
console.log(
  survivors.length === 0 ? "every mutant was killed" : `survivors: ${survivors.join("; ")}`,
);
process.exitCode = survivors.length === 0 ? 0 : 1;

async function against(mutant: Mutant): Promise<Tally> {
  const folder = await mkdtemp(join(tmpdir(), "pawl-mutant-"));
  try {
    for (const path of COPIED) await cp(join(ROOT, path), join(folder, path), { recursive: true });
    await symlink(join(ROOT, "node_modules"), join(folder, "node_modules"));
    await patch(folder, mutant);
    return await workTogether(jobs(), {
      worker: join(folder, "test/simulation/worker.ts"),
      enough: ({ failures }) => failures.length > 0,
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function patch(folder: string, { name, file, edits }: Mutant): Promise<void> {
  const path = join(folder, file);
  let text = await readFile(path, "utf8");
  for (const [find, replace] of edits) {
    if (text.split(find).length !== 2)
      throw new Error(`mutant "${name}": not exactly one ${JSON.stringify(find)} in ${file}`);
    text = text.replace(find, () => replace);
  }
  await writeFile(path, text);
}

function jobs(): readonly Job[] {
  const programs = values["no-single"] ? [] : CANONICAL;
  const single = programs.flatMap((program) =>
    Array.from(
      { length: SINGLE_PARTS },
      (_, rest): Job => ({ kind: "single", program, rest, of: SINGLE_PARTS }),
    ),
  );
  const seeds = inChunks(Number(values.from), Number(values.seeds), SEEDS_PER_JOB).flatMap(
    (chunk): readonly Job[] => [
      { kind: "seeds", profile: "storm", ...chunk },
      { kind: "seeds", profile: "random", ...chunk },
    ],
  );
  return [...seeds.slice(0, 4), ...single, ...seeds.slice(4)];
}

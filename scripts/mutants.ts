/**
 * `npm run mutants -- [options]`: deliberate defects, and which invariant notices each.
 *
 *   --only TEXT       mutants whose name contains it
 *   --runs N          runs after which a mutant has survived (default 50000)
 *   --from A          the first seed (default 1)
 *   --processes P     mutants that are worked at the same time (default 2)
 *   --keep            leaves the patched sources, to look at a run there with a trace
 *   --write           keeps the table as docs/MUTANTS.md
 *
 * Every mutant is a copy of the sources with one rule switched off. It must type-check. Then it runs
 * against what leads to the rule, then round after round of single faults, silences, pairs of faults and seeds, until an
 * invariant breaks. Fails when a mutant survives, or when one that is said to be equivalent does not.
 */
import { spawn } from "node:child_process";
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { workTogether } from "../test/simulation/crew.ts";
import { NAMED } from "../test/simulation/directed.ts";
import { CANONICAL, type Job } from "../test/simulation/jobs.ts";
import { mutantTable, type Verdict } from "../test/simulation/mutant-table.ts";
import { MUTANTS, type Mutant, patched } from "../test/simulation/mutants.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const TABLE = "docs/MUTANTS.md";
const COPIED = ["sdk", "functions", "infra", "scripts", "test/simulation", "package.json"];
/** What a patched tree is checked by; a patch may leave a name unused. */
const TYPE_CHECK = {
  extends: join(ROOT, "tsconfig.json"),
  compilerOptions: { noUnusedLocals: false, noUnusedParameters: false, rootDir: "." },
  include: ["sdk/*.ts", "sdk/testing", "functions"],
};
/** Rounds over which the single faults of the canonical programs are spread. */
const SINGLE_ROUNDS = 10;
/** Seeds that a mutant's aims get before the first round: they are cheap, and made for it. */
const AIMED = 1_500;
/** What one round runs, besides its part of the single faults. */
const ROUND = { aimed: 40, pairs: 20, storm: 8, random: 24, without: 4 } as const;

const { values } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    runs: { type: "string", default: "50000" },
    from: { type: "string", default: "1" },
    processes: { type: "string", default: "2" },
    keep: { type: "boolean", default: false },
    write: { type: "boolean", default: false },
  },
});

process.exitCode = await campaign();

async function campaign(): Promise<number> {
  const startedAt = performance.now();
  const chosen = MUTANTS.filter(({ name }) => name.includes(values.only));
  const open = [...chosen];
  const verdicts = new Map<Mutant, Verdict>();
  const worker = async (): Promise<void> => {
    for (let mutant = open.shift(); mutant !== undefined; mutant = open.shift()) {
      const verdict = await against(mutant);
      verdicts.set(mutant, verdict);
      const { invariant = "-", again = verdict.broken ?? "", runs, seconds } = verdict;
      console.error(`${invariant} ${mutant.name}: ${again} (${runs} runs, ${seconds} s)`);
    }
  };
  await Promise.all(Array.from({ length: Number(values.processes) }, worker));
  const { text, failures } = mutantTable(chosen.flatMap((mutant) => verdicts.get(mutant) ?? []));
  const minutes = ((performance.now() - startedAt) / 60_000).toFixed(1);
  console.log(`${text}\n${minutes} min; ${failures.length} failures: ${failures.join("; ")}`);
  if (values.write && values.only === "") await writeFile(join(ROOT, TABLE), text);
  return failures.length === 0 ? 0 : 1;
}

async function against(mutant: Mutant): Promise<Verdict> {
  const startedAt = performance.now();
  const folder = await mkdtemp(join(tmpdir(), "pawl-mutant-"));
  const soFar = { mutant, runs: 0, seconds: 0 };
  try {
    await plant(folder, mutant);
    const tally = await workTogether(jobs(mutant), {
      size: 1,
      worker: join(folder, "test/simulation/worker.ts"),
      enough: ({ failures, runs }) => failures.length > 0 || runs >= runsMax(mutant),
    });
    const [failure] = tally.failures;
    const seconds = Math.round((performance.now() - startedAt) / 1_000);
    const ran = { mutant, runs: tally.runs, seconds };
    if (failure === undefined) return ran;
    return { ...ran, again: failure.again, invariant: failure.violations[0]?.invariant ?? "?" };
  } catch (error) {
    return { ...soFar, broken: error instanceof Error ? error.message : String(error) };
  } finally {
    if (values.keep) console.error(`${mutant.name}: ${folder}`);
    else await rm(folder, { recursive: true, force: true });
  }
}

/** A copy of the sources with the mutant's patch in it. @throws when it does not type-check */
async function plant(folder: string, mutant: Mutant): Promise<void> {
  for (const path of COPIED) await cp(join(ROOT, path), join(folder, path), { recursive: true });
  await symlink(join(ROOT, "node_modules"), join(folder, "node_modules"));
  const path = join(folder, mutant.file);
  await writeFile(path, patched(await readFile(path, "utf8"), mutant));
  await writeFile(join(folder, "tsconfig.json"), JSON.stringify(TYPE_CHECK));
  const complaints = await output(folder, join(ROOT, "node_modules/.bin/tsc"), ["--noEmit"]);
  if (complaints !== undefined)
    throw new Error(`mutant "${mutant.name}" does not type-check:\n${complaints}`);
}

/** What a command prints when it fails. */
function output(
  folder: string,
  command: string,
  args: readonly string[],
): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: folder, stdio: ["ignore", "pipe", "inherit"] });
    const chunks: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
    child
      .once("error", reject)
      .once("close", (status) =>
        resolve(status === 0 ? undefined : Buffer.concat(chunks).toString()),
      );
  });
}

/** An equivalent one is run a little as well: its reason would be wrong if it were noticed. */
function runsMax(mutant: Mutant): number {
  const runs = Number(values.runs);
  return mutant.equivalent === undefined ? runs : Math.min(runs, 2_000);
}

function jobs(mutant: Mutant): readonly Job[] {
  const undisturbed = Object.keys(NAMED).map(
    (program): Job => ({ kind: "planned", program, planned: [], failuresMax: 1 }),
  );
  const all: Job[] = [
    ...undisturbed,
    ...aimed(mutant, { from: Number(values.from), count: AIMED }),
  ];
  for (let round = 0, runs = 0; runs < runsMax(mutant); round++) {
    const seeds = roundOfSeeds(mutant, round);
    runs += seeds.reduce((sum, job) => sum + ("count" in job ? job.count : 0), 0);
    const single = round < SINGLE_ROUNDS ? CANONICAL : [];
    all.push(
      ...seeds,
      ...single.flatMap((program): readonly Job[] => [
        { kind: "single", program, rest: round, of: SINGLE_ROUNDS },
        { kind: "silence", program, rest: round, of: SINGLE_ROUNDS },
      ]),
    );
  }
  return all.map((job) => ({ ...job, failuresMax: 1 }));
}

function aimed({ aims = [] }: Mutant, range: { from: number; count: number }): readonly Job[] {
  return aims.map((aim): Job => ({ kind: "seeds", ...aim, ...range }));
}

function roundOfSeeds(mutant: Mutant, round: number): readonly Job[] {
  const from = Number(values.from);
  const part = (count: number) => ({ from: from + round * count, count });
  return [
    ...aimed(mutant, { from: from + AIMED + round * ROUND.aimed, count: ROUND.aimed }),
    { kind: "pairs", ...part(ROUND.pairs) },
    { kind: "seeds", profile: "storm", ...part(ROUND.storm) },
    { kind: "seeds", profile: "random", ...part(ROUND.random) },
    { kind: "seeds", profile: "no-redelivery", ...part(ROUND.without) },
    { kind: "seeds", profile: "no-sweeper", ...part(ROUND.without) },
  ];
}

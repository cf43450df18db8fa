/**
 * `npm run simulate -- [options]`: the deterministic simulation of the production code.
 *
 *   --seeds N [--from A]    N seeds from A on, in all cores: two thirds random, one third storm
 *   --random N, --storm N   N seeds of one profile; both may be given
 *   --seeds N --profile P   N seeds of one profile, such as no-redelivery or no-sweeper
 *   --single [program]      every operation of the canonical programs fails once, in every way
 *   --pairs N               N pairs of such faults, drawn
 *   --twice N               N seeds, each run twice: equal hashes
 *   --seed N [--profile P] [--program P] [--trace]        one seed again, over a named program
 *   --program P --fault 12:before:zombie,... [--trace]    planned faults again
 *
 * Fails when an invariant broke, or when a range of at least 1,000 seeds left something untried.
 */
import { performance } from "node:perf_hooks";
import { parseArgs } from "node:util";
import { inChunks, workTogether } from "../test/simulation/crew.ts";
import { PROFILES, type Profile } from "../test/simulation/faults.ts";
import type { PlannedFault } from "../test/simulation/gate.ts";
import { CANONICAL, type Job, work } from "../test/simulation/jobs.ts";
import { report, violation } from "../test/simulation/report.ts";
import { neverHappened, type Tally } from "../test/simulation/tally.ts";

const SEEDS_PER_JOB = 25;
const SINGLE_PARTS = 12;
const PROGRESS_EVERY_MS = 15_000;
/** Fewer seeds may miss a rare fault by chance. */
const SEEDS_TO_TRY_ALL = 1_000;

const { values } = parseArgs({
  options: {
    seeds: { type: "string" },
    from: { type: "string", default: "1" },
    random: { type: "string" },
    single: { type: "boolean", default: false },
    storm: { type: "string" },
    pairs: { type: "string" },
    twice: { type: "string" },
    seed: { type: "string" },
    profile: { type: "string" },
    program: { type: "string" },
    fault: { type: "string", default: "" },
    trace: { type: "boolean", default: false },
  },
});

const startedAt = performance.now();
const tally = await campaign();
console.log(report(tally, (performance.now() - startedAt) / 1_000));
const untried = seedCount() >= SEEDS_TO_TRY_ALL ? neverHappened(tally) : [];
if (untried.length > 0) console.log(`never happened: ${untried.join(", ")}`);
process.exitCode = tally.failures.length > 0 || untried.length > 0 ? 1 : 0;

async function campaign(): Promise<Tally> {
  const again = oneAgain();
  if (again !== undefined)
    return await work(again, values.trace ? (line) => console.log(line) : undefined);
  let shownAt = performance.now();
  let failuresShown = 0;
  return await workTogether(jobs(), {
    onProgress: (sofar) => {
      for (const failure of sofar.failures.slice(failuresShown)) console.error(violation(failure));
      failuresShown = sofar.failures.length;
      if (performance.now() - shownAt < PROGRESS_EVERY_MS) return;
      shownAt = performance.now();
      const seconds = (shownAt - startedAt) / 1_000;
      const rate = (sofar.runs / seconds).toFixed(1);
      console.error(`${sofar.runs} runs (${rate}/s), ${sofar.failures.length} violations`);
    },
  });
}

function oneAgain(): Job | undefined {
  if (values.seed !== undefined) {
    const profile = givenProfile() ?? "random";
    const program = values.program === undefined ? {} : { program: values.program };
    return { kind: "seeds", profile, ...program, from: Number(values.seed), count: 1 };
  }
  if (values.program === undefined) return undefined;
  return { kind: "planned", program: values.program, planned: plannedFaults(values.fault) };
}

function jobs(): readonly Job[] {
  const from = Number(values.from);
  const seeds = profiles().flatMap(({ profile, count }) =>
    inChunks(from, count, SEEDS_PER_JOB).map(
      (chunk): Job => ({ kind: "seeds", profile, ...chunk }),
    ),
  );
  const twice = inChunks(from, Number(values.twice ?? 0), SEEDS_PER_JOB).map(
    (chunk): Job => ({ kind: "twice", profile: "storm", ...chunk }),
  );
  const pairs = inChunks(from, Number(values.pairs ?? 0), SEEDS_PER_JOB).map(
    (chunk): Job => ({ kind: "pairs", ...chunk }),
  );
  const single = values.single
    ? CANONICAL.flatMap((program) =>
        Array.from(
          { length: SINGLE_PARTS },
          (_, rest): Job => ({ kind: "single", program, rest, of: SINGLE_PARTS }),
        ),
      )
    : [];
  return [...single, ...twice, ...pairs, ...seeds];
}

function profiles(): readonly { readonly profile: Profile; readonly count: number }[] {
  const mixed = Number(values.seeds ?? 0);
  const profile = givenProfile();
  if (profile !== undefined) return [{ profile, count: mixed }];
  const storms = Math.round(mixed / 3);
  return [
    { profile: "random", count: mixed - storms + Number(values.random ?? 0) },
    { profile: "storm", count: storms + Number(values.storm ?? 0) },
  ];
}

/** @throws when there is no such profile */
function givenProfile(): Profile | undefined {
  const profile = PROFILES.find((name) => name === values.profile);
  if (profile === undefined && values.profile !== undefined)
    throw new Error(`no profile ${values.profile}; there are ${PROFILES.join(", ")}`);
  return profile;
}

/** Seeds of one profile alone do not do everything. */
function seedCount(): number {
  if (values.profile !== undefined) return 0;
  return profiles().reduce((sum, { count }) => sum + count, 0);
}

function plannedFaults(text: string): readonly PlannedFault[] {
  return text
    .split(",")
    .filter(Boolean)
    .map((part) => {
      const [operation = "0", when, ending] = part.split(":");
      const at = when === "after" || when === "applied" ? when : "before";
      return { operation: Number(operation), when: at, zombie: ending === "zombie" };
    });
}

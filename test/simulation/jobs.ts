/** Pieces of a campaign that one process works at a time. */
import { NAMED } from "./directed.ts";
import type { Profile } from "./faults.ts";
import type { PlannedFault } from "./gate.ts";
import type { Node } from "./program.ts";
import { Rng } from "./rng.ts";
import { type SimulationOptions, type SimulationResult, simulate } from "./simulation.ts";
import { addResult, emptyTally, type Tally } from "./tally.ts";

export type Job = SomeJob & {
  /** Failures that end the job; further ones would say the same. Default 20. */
  readonly failuresMax?: number;
};

type SomeJob =
  | {
      readonly kind: "seeds";
      readonly profile: Profile;
      /** Runs this named program, once, instead of the programs and clients that the seed draws. */
      readonly program?: string;
      readonly from: number;
      readonly count: number;
    }
  /** The same seeds twice: equal hashes. */
  | {
      readonly kind: "twice";
      readonly profile: Profile;
      readonly from: number;
      readonly count: number;
    }
  /** Every operation of a program whose number leaves `rest` when divided by `of`, in every way. */
  | {
      readonly kind: "single";
      readonly program: string;
      readonly rest: number;
      readonly of: number;
    }
  /** The same, with a row of operations that are performed and not answered: as long as a call tries. */
  | {
      readonly kind: "silence";
      readonly program: string;
      readonly rest: number;
      readonly of: number;
    }
  /** Two faults at most `PAIR_WINDOW` operations apart, drawn by number. */
  | { readonly kind: "pairs"; readonly from: number; readonly count: number }
  | {
      readonly kind: "planned";
      readonly program: string;
      readonly planned: readonly PlannedFault[];
    };

/** The programs whose every operation fails once. */
export const CANONICAL: readonly string[] = [
  "mixed",
  "locReg",
  "sig",
  "tryc",
  "cancel",
  "deadlines",
  "relay",
  "second",
  "given",
  "fans",
  "patience",
  "beats",
];
const PAIR_WINDOW = 60;
/** Operations in a row without an answer: the engine gives a call up after six. */
const SILENCE = 8;
const SEED = 7;
const WHENS = ["before", "after", "applied"] as const;
/** Failures of one job when it does not say otherwise. */
const FAILURES_MAX = 20;

export async function work(job: Job, print?: (line: string) => void): Promise<Tally> {
  const tally = emptyTally();
  for await (const { result, again } of runs(job, print)) {
    addResult(tally, result, again);
    if (tally.failures.length >= (job.failuresMax ?? FAILURES_MAX)) break;
  }
  return tally;
}

interface Run {
  readonly result: SimulationResult;
  readonly again: string;
}

async function* runs(job: Job, print?: (line: string) => void): AsyncGenerator<Run> {
  const shown = print === undefined ? {} : { print };
  switch (job.kind) {
    case "seeds":
      for (let seed = job.from; seed < job.from + job.count; seed++)
        yield await oneSeed({ seed, profile: job.profile, ...directed(job.program), ...shown });
      return;
    case "twice":
      for (let seed = job.from; seed < job.from + job.count; seed++)
        yield await sameTwice({ seed, profile: job.profile });
      return;
    case "single":
      for (const fault of await everyFault(job.program, job.rest, job.of))
        yield await planned(job.program, [fault]);
      return;
    case "silence":
      for (const faults of await everySilence(job.program, job.rest, job.of))
        yield await planned(job.program, faults);
      return;
    case "pairs":
      for (let number = job.from; number < job.from + job.count; number++) {
        const rng = new Rng(`pair/${number}`);
        const program = rng.pick(CANONICAL);
        yield await planned(program, await drawPair(program, rng));
      }
      return;
    case "planned":
      yield await planned(job.program, job.planned, shown);
  }
}

async function oneSeed(options: SimulationOptions): Promise<Run> {
  const program = options.program === undefined ? "" : `--program ${options.program.name} `;
  return {
    result: await simulate(options),
    again: `${program}--seed ${options.seed} --profile ${options.profile}`,
  };
}

function directed(program: string | undefined): Pick<SimulationOptions, "program"> {
  return program === undefined ? {} : { program: { name: program, root: rootOf(program) } };
}

async function sameTwice(options: SimulationOptions): Promise<Run> {
  const [first, second] = [await oneSeed(options), await oneSeed(options)];
  if (first.result.hash === second.result.hash) return first;
  const what = `two runs differ: ${first.result.hash} and ${second.result.hash}`;
  const violations = [...first.result.violations, { invariant: "DET", what, atMs: 0 }];
  return { ...first, result: { ...first.result, violations } };
}

export async function planned(
  program: string,
  faults: readonly PlannedFault[],
  shown: Pick<SimulationOptions, "print"> = {},
): Promise<Run> {
  const result = await simulate({
    seed: SEED,
    profile: "none",
    program: { name: program, root: rootOf(program) },
    planned: faults,
    ...shown,
  });
  const fault = faults
    .map(({ operation, when, zombie }) => `${operation}:${when}:${zombie ? "zombie" : "dead"}`)
    .join(",");
  const again = fault === "" ? "" : ` --fault ${fault}`;
  return { result, again: `--program ${program}${again}` };
}

/** How many operations a program takes when nothing fails. */
async function operationsOf(program: string): Promise<number> {
  const known = operationCounts.get(program);
  if (known !== undefined) return known;
  const { result } = await planned(program, []);
  operationCounts.set(program, result.operations);
  return result.operations;
}
const operationCounts = new Map<string, number>();

async function everyFault(
  program: string,
  rest: number,
  of: number,
): Promise<readonly PlannedFault[]> {
  const faults: PlannedFault[] = [];
  const operations = await operationsOf(program);
  for (let operation = 1; operation <= operations; operation++)
    if (operation % of === rest)
      for (const when of WHENS)
        for (const zombie of when === "applied" ? [false] : [false, true])
          faults.push({ operation, when, zombie });
  return faults;
}

async function everySilence(
  program: string,
  rest: number,
  of: number,
): Promise<readonly (readonly PlannedFault[])[]> {
  return Array.from({ length: await operationsOf(program) }, (_, index) => index + 1)
    .filter((first) => first % of === rest)
    .map((first) =>
      Array.from({ length: SILENCE }, (_, index): PlannedFault => {
        return { operation: first + index, when: "applied", zombie: false };
      }),
    );
}

async function drawPair(program: string, rng: Rng): Promise<readonly PlannedFault[]> {
  const first = rng.int(1, await operationsOf(program));
  const draw = (operation: number): PlannedFault => ({
    operation,
    when: rng.pick(WHENS),
    zombie: rng.chance(0.5),
  });
  return [draw(first), draw(first + rng.int(1, PAIR_WINDOW))];
}

function rootOf(program: string): Node {
  const root = NAMED[program];
  if (root === undefined)
    throw new Error(`no program ${program}; there are ${Object.keys(NAMED).join(", ")}`);
  return root;
}

/**
 * The deterministic simulation, long. PAWL_SIMULATION_SEEDS and PAWL_SIMULATION_PAIRS say how much;
 * without them it does little, because `npm run test:fast` runs it too.
 */
import { expect, test } from "vitest";
import { inChunks, workTogether } from "./crew.ts";
import { CANONICAL, type Job } from "./jobs.ts";
import { violations } from "./report.ts";
import { neverHappened } from "./tally.ts";

const HOUR_MS = 3_600_000;
const SEEDS = Number(process.env["PAWL_SIMULATION_SEEDS"] ?? 0);
const PAIRS = Number(process.env["PAWL_SIMULATION_PAIRS"] ?? 0);
/** Where the range begins: another one every night. */
const FROM = Number(process.env["PAWL_SIMULATION_FROM"] ?? 1);
/** Fewer seeds may miss a rare fault by chance. */
const SEEDS_TO_TRY_ALL = 1_000;
const PARTS = 8;

test.skipIf(SEEDS === 0)(
  `keeps every invariant over ${SEEDS} seeds, a tenth of them storms, and tries everything`,
  async () => {
    const storms = Math.floor(SEEDS / 10);
    const jobs = [
      ...inChunks(FROM, SEEDS - storms, 25).map(
        (chunk): Job => ({ kind: "seeds", profile: "random", ...chunk }),
      ),
      ...inChunks(FROM, storms, 25).map(
        (chunk): Job => ({ kind: "seeds", profile: "storm", ...chunk }),
      ),
    ];
    const tally = await workTogether(jobs);
    expect(tally.failures, violations(tally)).toEqual([]);
    if (SEEDS >= SEEDS_TO_TRY_ALL) expect(neverHappened(tally)).toEqual([]);
  },
  HOUR_MS,
);

test.skipIf(PAIRS === 0)(
  `survives every single fault and silence of the canonical programs, and ${PAIRS} pairs of faults (K1, K2, K5)`,
  async () => {
    const single = CANONICAL.flatMap((program) => [
      { kind: "silence" as const, program, rest: 0, of: 1 },
      ...Array.from(
        { length: PARTS },
        (_, rest): Job => ({ kind: "single", program, rest, of: PARTS }),
      ),
    ]);
    const pairs = inChunks(FROM, PAIRS, 25).map((chunk): Job => ({ kind: "pairs", ...chunk }));
    const tally = await workTogether([...single, ...pairs]);
    expect(tally.failures, violations(tally)).toEqual([]);
  },
  HOUR_MS,
);

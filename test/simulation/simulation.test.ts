/** The deterministic simulation, short: enough to notice most defects within a minute. */
import { describe, expect, test } from "vitest";
import { inChunks, workTogether } from "./crew.ts";
import type { PlannedFault } from "./gate.ts";
import type { Job } from "./jobs.ts";
import regressions from "./regressions.json" with { type: "json" };
import { violations } from "./report.ts";
import type { Tally } from "./tally.ts";

const MINUTE_MS = 60_000;

/** Text of the violations, so that a failure says which seed to run again. */
function broken(tally: Tally): string {
  return tally.failures.length === 0 ? "" : violations(tally);
}

function seeds(profile: "random" | "storm", from: number, count: number): readonly Job[] {
  return inChunks(from, count, 10).map((chunk): Job => ({ kind: "seeds", profile, ...chunk }));
}

/** A kept run: a seed, or a program with planned faults. */
function jobOf(kept: (typeof regressions)[number]): Job {
  if (kept.program !== undefined)
    return { kind: "planned", program: kept.program, planned: kept.planned.map(plannedFault) };
  const profile = kept.profile === "storm" ? "storm" : "random";
  return { kind: "seeds", profile, from: kept.seed ?? 0, count: 1 };
}

/** JSON has no literal types. */
function plannedFault(fault: { operation: number; when: string; zombie: boolean }): PlannedFault {
  const when = fault.when === "after" || fault.when === "applied" ? fault.when : "before";
  return { ...fault, when };
}

describe("the production code under simulated faults", () => {
  test(
    "keeps every invariant over 130 random and 70 storm seeds (K7, K8, A1, A4, R1 to R16)",
    async () => {
      const tally = await workTogether([...seeds("random", 1, 130), ...seeds("storm", 1, 70)]);
      expect(broken(tally)).toBe("");
      expect(tally.runs).toBe(200);
      expect(tally.operations).toBeGreaterThan(20_000);
    },
    3 * MINUTE_MS,
  );

  test(
    "survives a crash at every I/O operation of a workflow, before, after and unanswered (K1, K2, K3)",
    async () => {
      const parts = [0, 1, 2, 3];
      const tally = await workTogether(
        parts.map((rest): Job => ({ kind: "single", program: "mixed", rest, of: parts.length })),
      );
      expect(broken(tally)).toBe("");
      expect(tally.runs).toBeGreaterThan(200);
    },
    3 * MINUTE_MS,
  );

  test(
    "never again breaks what it once broke: the kept seeds",
    async () => {
      const jobs = regressions.map(jobOf);
      expect(broken(await workTogether(jobs))).toBe("");
    },
    MINUTE_MS,
  );

  test(
    "does the same for the same seed, to the last operation",
    async () => {
      const tally = await workTogether([
        { kind: "twice", profile: "storm", from: 1, count: 10 },
        { kind: "twice", profile: "random", from: 1, count: 10 },
      ]);
      expect(broken(tally)).toBe("");
    },
    MINUTE_MS,
  );
});

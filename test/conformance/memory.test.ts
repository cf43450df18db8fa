/** Every case of `cases` on the memory target, each on a platform and a clock of its own. */
import { describe, test, vi } from "vitest";
import { casesOn } from "./load.ts";
import { runCase } from "./runner.ts";
import { openMemory } from "./stage.ts";
import { titleOf } from "./title.ts";

// Where a body waits for its timeout, the clock gives it a moment of real time: others use it.
vi.setConfig({ maxConcurrency: 8, testTimeout: 60_000 });

describe("conformance on memory", () => {
  test.concurrent.for(casesOn("memory").map((one) => [titleOf(one), one] as const))(
    "%s",
    async ([, one]) => {
      const stage = await openMemory();
      try {
        await runCase(one, stage);
      } finally {
        await stage.close();
      }
    },
  );
});

/**
 * Every case of `cases` on the embedded stack: most of them at the same time on one stack, those
 * that arm crash points one after the other, because a crash point is reached by whoever comes first.
 */
import { afterAll, beforeAll, describe, test, vi } from "vitest";
import { casesOn } from "./load.ts";
import { runCase } from "./runner.ts";
import { openEmbedded, type Stage } from "./stage.ts";
import { titleOf } from "./title.ts";

// Nearly all of a case is waiting: for a backoff, a timer, a timeout.
vi.setConfig({ maxConcurrency: 24, testTimeout: 150_000 });

describe("conformance on embedded", () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await openEmbedded();
  });
  afterAll(() => stage.close());

  const cases = casesOn("embedded").map((one) => [titleOf(one), one] as const);
  const together = cases.filter(([, one]) => !one.alone);
  const alone = cases.filter(([, one]) => one.alone);

  test.concurrent.for(together)("%s", async ([, one]) => await runCase(one, stage));
  test.for(alone)("%s", async ([, one]) => await runCase(one, stage));
});

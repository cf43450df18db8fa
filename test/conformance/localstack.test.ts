/** The cases of `cases` about processes and time, deployed with CDK and driven through API Gateway. */
import { afterAll, beforeAll, describe, test, vi } from "vitest";
import { casesOn } from "./load.ts";
import { runCase } from "./runner.ts";
import { openLocalStack, type Stage } from "./stage.ts";
import { titleOf } from "./title.ts";

vi.setConfig({ maxConcurrency: 12 });

describe("conformance on localstack", () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await openLocalStack();
  });
  afterAll(() => stage.close());

  // Which call makes an activity local is a matter of the code alone.
  const cases = casesOn("localstack").filter(({ flavour }) => flavour !== "scope");
  const named = cases.map((one) => [titleOf(one), one] as const);
  test.concurrent.for(named)("%s", async ([, one]) => await runCase(one, stage));
});

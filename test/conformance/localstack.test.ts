/** The cases of `cases` about processes and time, deployed with CDK and driven through API Gateway. */
import { afterAll, beforeAll, describe, test, vi } from "vitest";
import { casesOn } from "./load.ts";
import { runCase } from "./runner.ts";
import { openLocalStack, type Stage } from "./stage.ts";
import { titleOf } from "./title.ts";

vi.setConfig({ maxConcurrency: 6 });

describe("conformance on localstack", () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await openLocalStack();
  });
  afterAll(() => stage.close());

  const cases = casesOn("localstack").map((one) => [titleOf(one), one] as const);
  test.concurrent.for(cases)("%s", async ([, one]) => await runCase(one, stage));
});

import { fileURLToPath } from "node:url";
import { afterAll } from "vitest";
import { createTestPlatform, type TestPlatform } from "../../sdk/testing/index.ts";
import { badInput } from "./bad-input.suite.ts";
import { type EndToEndTarget, endToEnd } from "./end-to-end.suite.ts";

const entry = fileURLToPath(new URL("worker.ts", import.meta.url));

// Deployed with CDK, driven through API Gateway. The progress goes to stderr: installing takes a while.
const deploy = () =>
  createTestPlatform({
    target: "localstack",
    entry,
    onProgress: (line) => process.stderr.write(`${line}\n`),
  });

/** One deployment for both suites: the first to ask deploys, it goes when the file is done. */
let deployed: Promise<TestPlatform> | undefined;
const target: EndToEndTarget = {
  name: "localstack",
  async create() {
    deployed ??= deploy();
    return { ...(await deployed), close: async () => {} };
  },
};

endToEnd(target);
badInput(target);

afterAll(async () => {
  await (await deployed)?.close();
});

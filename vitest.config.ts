import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

const LOCALSTACK = ["test/**/localstack.test.ts"];
const LONG = [
  "test/faults/embedded-matrix.test.ts",
  "test/package/*.test.ts",
  "test/simulation/long.test.ts",
  "test/world/dynamo-differential.test.ts",
];

/** Real processes that die and leases that run out: most of it is waiting, beside the fast ones. */
const WAITING = [
  "test/conformance/embedded.test.ts",
  "test/e2e/embedded-crashes.test.ts",
  "test/embedded/hostile-bodies.test.ts",
];

/** Files that take long, most of it waiting: last, they would run alone. */
const SLOW = [
  ...WAITING,
  "test/e2e/embedded.test.ts",
  "test/simulation/simulation.test.ts",
  "test/cli/smoke.test.ts",
  "test/contract/emulators.test.ts",
];

class SlowFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const index = SLOW.findIndex((slow) => moduleId.endsWith(slow));
      return index === -1 ? SLOW.length : index;
    };
    return (await super.sort(files)).toSorted((left, right) => rank(left) - rank(right));
  }
}

const source = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  // The package's own name means its source here, as in tsconfig.json.
  resolve: {
    alias: [
      { find: /^pawl$/, replacement: source("sdk/index.ts") },
      { find: /^pawl\/client$/, replacement: source("sdk/client.ts") },
      { find: /^pawl\/testing$/, replacement: source("sdk/testing/index.ts") },
      { find: /^pawl\/cdk$/, replacement: source("infra/index.ts") },
    ],
  },
  test: {
    // Much of the time is spent waiting for real processes: more workers than cores.
    maxWorkers: 4,
    sequence: { sequencer: SlowFirst },
    testTimeout: 30_000,
    hookTimeout: 120_000,
    // By what they need: `fast` and `waiting` run everywhere, `localstack` deploys for real, `long` takes minutes.
    projects: [
      {
        extends: true,
        test: {
          name: "fast",
          include: ["test/**/*.test.ts"],
          exclude: [...LOCALSTACK, ...LONG, ...WAITING],
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: { name: "waiting", include: WAITING, sequence: { groupOrder: 0 } },
      },
      {
        extends: true,
        test: {
          name: "localstack",
          include: LOCALSTACK,
          testTimeout: 180_000,
          hookTimeout: 900_000,
          // They share a port, or fill the machine with a LocalStack of their own.
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: "long",
          include: LONG,
          testTimeout: 300_000,
          hookTimeout: 300_000,
          // Each of them takes all cores.
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
    ],
    coverage: {
      provider: "v8",
      include: ["sdk/core/**/*.ts"],
      // Pure code has no excuse: every line and branch of core is covered by test/core.
      thresholds: { 100: true },
    },
  },
});

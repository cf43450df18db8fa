import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const LOCALSTACK = ["test/**/localstack.test.ts"];
const LONG = ["test/package/*.test.ts", "test/simulation/long.test.ts"];

/** Projects by what they need: `fast` runs everywhere, `long` takes minutes, `localstack` deploys for real. */
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
    testTimeout: 30_000,
    hookTimeout: 120_000,
    projects: [
      {
        extends: true,
        test: { name: "fast", include: ["test/**/*.test.ts"], exclude: [...LOCALSTACK, ...LONG] },
      },
      {
        extends: true,
        test: { name: "long", include: LONG, testTimeout: 300_000, hookTimeout: 300_000 },
      },
      {
        extends: true,
        test: {
          name: "localstack",
          include: LOCALSTACK,
          testTimeout: 180_000,
          hookTimeout: 900_000,
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

import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

/** Projects by what they need: `fast` runs everywhere, `localstack` deploys for real. */
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
        test: {
          name: "fast",
          include: ["test/**/*.test.ts"],
          exclude: ["test/**/localstack.test.ts"],
        },
      },
      {
        extends: true,
        test: {
          name: "localstack",
          include: ["test/**/localstack.test.ts"],
          testTimeout: 180_000,
          hookTimeout: 900_000,
        },
      },
    ],
    coverage: {
      provider: "v8",
      include: ["sdk/core/**/*.ts"],
    },
  },
});

/** How a user of the package tests it, with Node's own test runner. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createTestPlatform } from "pawl/testing";
import { checkout } from "../src/worker.ts";

for (const target of ["memory", "embedded"] as const) {
  void test(`a checkout on ${target}`, async () => {
    const platform = await createTestPlatform({ target, entry: "src/worker.ts" });
    try {
      const input = { skus: ["lamp", "shade"], card: "visa" };
      const handle = await platform.client.start(checkout, { input });
      assert.deepEqual(await handle.result({ timeout: 30 }), { card: "visa", cents: 1_998 });
      const { activities } = await handle.describe();
      const modes = activities.map(({ type, execution_mode }) => [type, execution_mode]);
      assert.deepEqual(modes, [
        ["price", "local"],
        ["charge", "queued"],
      ]);
    } finally {
      await platform.close();
    }
  });
}

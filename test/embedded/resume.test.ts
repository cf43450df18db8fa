import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createClient } from "../../sdk/client.ts";
import { startEmbedded } from "../../sdk/dev/embedded/start.ts";

const entry = fileURLToPath(new URL("fixture/resuming.ts", import.meta.url));
let dataDir: string;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "pawl-resume-"));
});

afterAll(async () => {
  await rm(dataDir, { recursive: true, force: true });
});

test("runs go on at once when the whole stack was killed under their bodies: nobody waits for dead leases and claims", async () => {
  const before = await startEmbedded({ entry, dataDir });
  const client = createClient({ baseUrl: before.apiUrl });
  const ids = await Promise.all(
    ["regular", "local"].map(async (type) => (await client.start(type)).id),
  );
  for (const id of ids)
    await expect
      .poll(async () => (await client.handle(id).describe()).activities[0]?.status, {
        timeout: 20_000,
      })
      .toBe("running");
  await before.stop();

  const after = await startEmbedded({ entry, dataDir });
  const again = createClient({ baseUrl: after.apiUrl });
  const results = await Promise.all(ids.map((id) => again.handle(id).result({ timeout: 25 })));
  expect(results).toEqual([2, 2]);
  await after.stop();
}, 60_000);

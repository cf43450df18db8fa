/**
 * Bodies that block, leak into or end their process (B13, B15, B17): each ends as a counted, recorded
 * attempt, within seconds, and no other run notices. The queues hide messages as long as on AWS: only
 * what the engine does itself brings a run back that soon.
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Client, createClient } from "../../sdk/client.ts";
import { LEASE_MS_MIN } from "../../sdk/core/limits.ts";
import { type EmbeddedStack, startEmbedded } from "../../sdk/dev/embedded/start.ts";
import { eventsOf, outline } from "../support/history.ts";

const entry = fileURLToPath(new URL("fixture/hostile.ts", import.meta.url));
const lines: string[] = [];
let folder: string;
let stack: EmbeddedStack;
let client: Client;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "pawl-hostile-"));
  stack = await startEmbedded({
    entry,
    leaseMs: LEASE_MS_MIN,
    timeouts: { "workflow-task": 30_000 },
    visibilityMs: 600_000,
    sweepEveryMs: 600_000,
    environment: {
      ENTERED: join(folder, "entered"),
      NODE_OPTIONS: "--max-old-space-size=192",
      PAWL_LOCAL_CONCURRENCY: "4",
    },
    onLog: (line) => lines.push(JSON.stringify(line)),
  });
  client = createClient({ baseUrl: stack.apiUrl });
});
afterAll(async () => {
  await stack.stop();
  await rm(folder, { recursive: true, force: true });
});

/** The attempts that were entered for a run, in order. */
async function entered(workflowId: string): Promise<readonly string[]> {
  const text = await readFile(join(folder, "entered"), "utf8");
  const all = text.split("\n").filter((line) => line.startsWith(`${workflowId} `));
  return all.map((line) => line.slice(workflowId.length + 1));
}

/** Starts a hostile run with harmless ones around it, which all end as if it were not there. */
async function amongOthers(name: string) {
  const starts = Array.from({ length: 9 }, (_, index) =>
    index === 4 ? client.start("enters", { input: name }) : client.start("sums", { input: 3 }),
  );
  const handles = await Promise.all(starts);
  const [hostile] = handles.splice(4, 1);
  if (hostile === undefined) throw new Error("it was started");
  for (const handle of handles) {
    expect(await handle.result({ timeout: 60 })).toBe(3);
    expect(await entered(handle.id)).toEqual(["add 1", "add 1", "add 1"]);
  }
  return hostile;
}

async function attemptsOf(handle: Awaited<ReturnType<Client["start"]>>) {
  const lines_ = outline(await eventsOf(handle));
  return lines_.filter((line) => line.startsWith("Activity"));
}

describe("a local body takes down no run but its own", () => {
  test("when it ends its process in every attempt: terminal after exactly maxAttempts entries (B17, R-05, I12)", async () => {
    const handle = await amongOthers("exits");
    await expect(handle.result({ timeout: 60 })).rejects.toMatchObject({
      failure: { type: "ActivityInterrupted", activity: { attempts: 3 } },
    });
    expect(await entered(handle.id)).toEqual(["exits 1", "exits 2", "exits 3"]);
    expect(await attemptsOf(handle)).toEqual([
      "ActivityScheduled exits 1 local",
      "ActivityStarted exits 1 local #1",
      "ActivityRetryScheduled exits 1 local #1 cold_replay 0s",
      "ActivityStarted exits 1 local #2",
      "ActivityRetryScheduled exits 1 local #2 cold_replay 0s",
      "ActivityStarted exits 1 local #3",
      "ActivityFailed exits 1 local #3",
    ]);
  }, 120_000);

  test.each(["loopsOnce", "fillsMemoryOnce"])(
    "when it %s: the attempt is counted, the next one runs elsewhere (B13, B17, R-03)",
    async (name) => {
      const handle = await amongOthers(name);
      expect(await handle.result({ timeout: 60 })).toBe(2);
      expect(await entered(handle.id)).toEqual([`${name} 1`, `${name} 2`]);
      expect(await attemptsOf(handle)).toContain(
        `ActivityRetryScheduled ${name} 1 local #1 cold_replay 0s`,
      );
    },
    120_000,
  );

  test("when it leaves a rejected promise or a throw to nobody: its attempt fails with that error (B15)", async () => {
    const handle = await amongOthers("floats");
    expect(await handle.result({ timeout: 60 })).toBe(3);
    const retries = (await eventsOf(handle)).filter(
      ({ type }) => type === "ActivityRetryScheduled",
    );
    expect(retries.map(({ payload }) => payload)).toMatchObject([
      { retry_reason: "failure", exception_type: "RangeError", message: "floating" },
      { retry_reason: "failure", exception_type: "TypeError", message: "in a timer" },
    ]);
  }, 120_000);

  test("when what it left behind fails or exits behind its end: the body of the next run goes on (B15)", async () => {
    const left = await client.start("enters", { input: "leaves", wait: 20 });
    const pid = await left.result();
    const next = await client.start("enters", { input: "waits", wait: 20 });
    expect(await next.result()).toBe(pid);
    expect(await entered(next.id)).toEqual(["waits 1"]);
    const logged = lines.filter((line) => line.includes("left an error behind"));
    expect(logged.length).toBe(3);
    expect(lines.filter((line) => line.includes("too late"))).toEqual([]);
  }, 120_000);
});

test("as many bodies run at a time as the deployment allows, and all are recorded (B20)", async () => {
  const handle = await client.start("crowds", { input: 10 });
  expect(await handle.result({ timeout: 30 })).toBe(4);
  expect((await attemptsOf(handle)).filter((line) => line.includes("Completed")).length).toBe(10);
}, 60_000);

test("a promise of workflow code that rejects before it is awaited is no failure", async () => {
  const handle = await client.start("awaitsLate");
  expect(await handle.result({ timeout: 30 })).toBe("Error: known later");
  expect((await eventsOf(handle)).filter(({ type }) => type === "ActivityRetryScheduled")).toEqual(
    [],
  );
}, 60_000);

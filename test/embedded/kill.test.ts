import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { DynamoDBClient, GetItemCommand } from "@aws-sdk/client-dynamodb";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { isRunning, type ProcessIdentity } from "../../sdk/dev/embedded/process-identity.ts";
import { deliveries, delivery, Lines } from "./fixture/lines.ts";
import { startFixture } from "./fixture/stack.ts";

interface Printed {
  readonly url?: string;
  readonly fields?: Readonly<Record<string, unknown>>;
}

let folder: string;
let host: ChildProcess;
let lines: Lines<Printed>;
let url: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "pawl-kill-test-"));
  lines = new Lines();
  host = spawn(process.execPath, [join(import.meta.dirname, "fixture", "host.ts"), folder], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (host.stdout === null) throw new Error("the host has no stdout");
  createInterface({ input: host.stdout }).on("line", (line) => lines.add(JSON.parse(line)));
  url = await lines.first((line) => line.url);
});
afterEach(async () => {
  host.kill("SIGKILL");
  await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
});

describe("a stack that is killed", () => {
  test("with everything it started goes on where it was when it starts again", async () => {
    await post("/store", "kept");
    await post("/send", JSON.stringify({ do: "put", id: "done" }));
    await lines.first(({ fields }) => (fields?.["put"] === "done" ? true : undefined));
    await post("/send?delay=1", JSON.stringify({ do: "ok", id: "delayed" }));
    await post("/send", JSON.stringify({ do: "hang", id: "in flight" }));
    await lines.first(delivery("in flight", 1));

    const processes = await started();
    expect(processes.length).toBeGreaterThanOrEqual(4);
    await kill(host);
    for (const { pid } of processes) killIfThere(pid);

    const next = await startFixture({ dataDir: folder });
    try {
      // At once, and not after the visibility timeout of two minutes.
      await next.lines.first(delivery("in flight", 2));
      await next.lines.first(delivery("delayed", 1));
      await next.untilEmpty();
      expect(deliveries(next.lines.all, "done")).toBe(0);
      expect(await item(next.stack.endpoints.dynamodb, "done")).toBeDefined();
      // What was left is looked at first.
      await next.lines.first(({ fields }) => fields?.["swept"]);
    } finally {
      await next.stop();
    }
  });

  test("leaves no process behind", async () => {
    const processes = await started();
    await kill(host);
    // They notice by themselves; the test's own time limit is the end of a wait in vain.
    for (const each of processes) while (await isRunning(each));
    expect(processes.length).toBeGreaterThanOrEqual(3);
  });

  test("starts from nothing with reset", async () => {
    await post("/send", JSON.stringify({ do: "hang", id: "forgotten" }));
    await lines.first(delivery("forgotten", 1));
    await post("/send", JSON.stringify({ do: "put", id: "written" }));
    await lines.first(({ fields }) => (fields?.["put"] === "written" ? true : undefined));
    await kill(host);

    const next = await startFixture({ dataDir: folder, reset: true });
    try {
      await next.untilEmpty();
      expect(next.lines.all.filter(({ fields }) => fields?.["received"])).toEqual([]);
      expect(await item(next.stack.endpoints.dynamodb, "written")).toBeUndefined();
    } finally {
      await next.stop();
    }
  });
});

async function post(path: string, body: string): Promise<void> {
  expect((await fetch(`${url}${path}`, { method: "POST", body })).ok).toBe(true);
}

/** What the running stack has recorded as its processes. */
async function started(): Promise<readonly ProcessIdentity[]> {
  const { children } = JSON.parse(await readFile(join(folder, "lock.json"), "utf8"));
  return children;
}

async function kill(child: ChildProcess): Promise<void> {
  const exited = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await exited;
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // it went with its parent
  }
}

async function item(endpoint: string, id: string) {
  const client = new DynamoDBClient({
    endpoint,
    region: "us-east-1",
    credentials: { accessKeyId: "embedded", secretAccessKey: "embedded" },
  });
  const Key = { pk: { S: id }, sk: { N: "1" } };
  const { Item } = await client.send(new GetItemCommand({ TableName: "history_events", Key }));
  client.destroy();
  return Item;
}

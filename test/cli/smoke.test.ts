import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, expectTypeOf, test } from "vitest";
import { Client, WorkflowFailedError } from "../../sdk/client.ts";
import { ApplicationFailure, defineQuery, defineSignal, workflow } from "../../sdk/index.ts";

const MAIN = fileURLToPath(new URL("../../sdk/cli/main.ts", import.meta.url));

/** What an author writes; loaded by the stack, never by this process. */
const WORKER = `
import { activity, ApplicationFailure, defineQuery, defineSignal, localActivity, setHandler, waitForSignal, workflow } from "pawl";
const price = activity(async function price(lines: number) { return lines * 10; });
const charge = activity(async function charge(total: number) { return { charged: total }; });
export { price, charge };
export const order = workflow(async (input: { lines: number }) => charge(await localActivity(price, input.lines)));
export const decline = workflow(async () => { throw ApplicationFailure.nonRetryable("no funds", "Declined"); });
export const approval = workflow(async () => {
  let state = "waiting";
  setHandler(defineQuery<string>("state"), () => state);
  state = (await waitForSignal(defineSignal<[string]>("approve"))) ?? "";
  return state;
});
`;

interface Ended {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

let folder: string;
let dev: ChildProcess;
let api: string;

function start(line: readonly string[]): ChildProcess {
  return spawn(process.execPath, [MAIN, ...line], { cwd: folder, stdio: ["pipe", "pipe", "pipe"] });
}

async function pawl(line: readonly string[], stdin: string = ""): Promise<Ended> {
  const child = start(line);
  const output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const)
    child[name]?.setEncoding("utf8").on("data", (text: string) => {
      output[name] += text;
    });
  child.stdin?.end(stdin);
  const exitCode = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { exitCode, ...output };
}

/** Starts `pawl dev`; the address stands in the first line that it prints. */
async function startDev(): Promise<void> {
  dev = start(["dev", "--port", "0", "-o", "json", "--no-watch"]);
  let errors = "";
  dev.stderr?.setEncoding("utf8").on("data", (text: string) => {
    errors += text;
  });
  const { stdout } = dev;
  if (stdout === null) throw new Error("standard output is a pipe");
  for await (const line of createInterface({ input: stdout })) {
    const ready: { readonly api: string; readonly workflow_types: readonly string[] } =
      JSON.parse(line);
    expect([...ready.workflow_types].sort()).toEqual(["approval", "decline", "order"]);
    api = ready.api;
    return;
  }
  throw new Error(`pawl dev ended: ${errors}`);
}

function ended(child: ChildProcess): Promise<number | NodeJS.Signals | null> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null)
      resolve(child.exitCode ?? child.signalCode);
    child.once("exit", (code, signal) => resolve(code ?? signal));
  });
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "pawl-smoke-"));
  writeFileSync(join(folder, "worker.ts"), WORKER);
  await startDev();
});

afterAll(async () => {
  const end = ended(dev);
  // In order, so that it takes its emulators with it.
  dev.kill("SIGTERM");
  await end;
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

describe("the program, over the embedded stack", () => {
  test("runs a workflow of local and queued activities, and shows it", async () => {
    const line = ["run", "order", "--id", "first", "-i", "-"];
    expect(await pawl(line, '{"lines":3}')).toMatchObject({
      exitCode: 0,
      stdout: '{"charged":30}\n',
    });
    const { stdout } = await pawl(["show", "fir"]);
    expect(stdout).toMatch(/1 {2}price {5}local {3}completed {2}1\/3/);
    expect(stdout).toMatch(/2 {2}charge {4}queued {2}completed {2}1\/3/);
    expect(stdout).toContain('result    {"charged":30}');
    const history = await pawl(["history", "first", "-o", "jsonl"]);
    const types = history.stdout
      .trimEnd()
      .split("\n")
      .map((event) => JSON.parse(event).type);
    expect(types.at(0)).toBe("WorkflowStarted");
    expect(types.at(-1)).toBe("WorkflowCompleted");
  });

  test("exits with 1 when the workflow fails and with 3 for what is not there", async () => {
    expect(await pawl(["run", "decline"])).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining("failed: Declined: no funds\ntry: pawl show "),
    });
    expect((await pawl(["run", "nothing"])).exitCode).toBe(3);
    expect((await pawl(["show", "nothing"])).exitCode).toBe(3);
  });

  test("an open run goes on after the whole stack was killed and started again", async () => {
    // With a wait, so that the first task has run when the query comes.
    expect((await pawl(["run", "approval", "--id", "waits", "--timeout", "1s"])).exitCode).toBe(4);
    expect((await pawl(["query", "waits", "state"])).stdout).toBe('"waiting"\n');
    const end = ended(dev);
    dev.kill("SIGKILL");
    expect(await end).toBe("SIGKILL");
    expect((await pawl(["show", "waits"])).exitCode).toBe(5);
    await startDev();
    await pawl(["signal", "waits", "approve", "ann"]);
    expect(await new Client({ baseUrl: api }).handle("waits").result({ timeout: 20 })).toBe("ann");
  }, 90_000);

  test("ends in order when it is asked to, with exit code 0", async () => {
    const end = ended(dev);
    dev.kill("SIGTERM");
    expect(await end).toBe(0);
    await startDev();
  });
});

describe("the client, over the embedded stack", () => {
  const order = workflow({ name: "order" }, async (input: { readonly lines: number }) => ({
    charged: input.lines,
  }));
  const decline = workflow({ name: "decline" }, async () => {
    throw ApplicationFailure.nonRetryable("never called here");
  });

  test("starts definitions of pawl with their types", async () => {
    const client = new Client({ baseUrl: api });
    const handle = await client.start(order, { id: "typed", input: { lines: 4 }, wait: 20 });
    const result = await handle.result();
    expectTypeOf(result).toEqualTypeOf<{ charged: number }>();
    expect(result).toEqual({ charged: 40 });
    await expect(client.start(decline).then((run) => run.result())).rejects.toThrow(
      WorkflowFailedError,
    );
  });

  test("a start that is sent again gets the first one's answer", async () => {
    const client = new Client({ baseUrl: api });
    const options = { id: "once", input: { lines: 1 }, requestId: "request-1" };
    const first = await client.start(order, options);
    const second = await client.start(order, options);
    expect([first.started, second.started]).toEqual([true, true]);
    expect(second.runId).toBe(first.runId);
  });

  test("signals, asks and reads a run, whatever its id looks like (L6)", async () => {
    const client = new Client({ baseUrl: api });
    const approve = defineSignal<[string]>("approve");
    const state = defineQuery<string>("state");
    const handle = await client.start<string>("approval", { id: "a/b #%ü?" });
    // Known once the run's first task has committed, however long that takes here.
    await expect.poll(() => handle.query(state), { timeout: 20_000 }).toBe("waiting");
    await handle.signal({ signal: approve, id: "signal-1" }, "bob");
    expect(await handle.result({ timeout: 20 })).toBe("bob");
    const run = await handle.describe();
    expect(run).toMatchObject({ workflow_id: "a/b #%ü?", status: "completed" });
    const history = await handle.history();
    expect(history).toHaveLength(run.history_length);
    expect(await handle.export()).toMatchObject({ schema: "durable-workflow.v2.history-export" });
  });

  test("cancels and terminates", async () => {
    const client = new Client({ baseUrl: api });
    const cancelled = await client.start("approval");
    await cancelled.cancel("late");
    await expect(cancelled.result({ timeout: 20 })).rejects.toMatchObject({
      name: "WorkflowCancelledError",
    });
    const terminated = await client.start("approval");
    await terminated.terminate("stuck");
    await expect(terminated.result({ timeout: 20 })).rejects.toMatchObject({
      name: "WorkflowTerminatedError",
      reason: "stuck",
    });
  });

  test("lists runs page by page, and asks the cluster (A-11)", async () => {
    const client = new Client({ baseUrl: api });
    const ids: string[] = [];
    for await (const run of client.listAll({ type: "order", limit: 1 })) ids.push(run.workflow_id);
    expect(ids).toEqual(expect.arrayContaining(["first", "typed", "once"]));
    expect(await client.health()).toEqual({ status: "ok" });
    expect(await client.clusterInfo()).toHaveProperty(
      "worker_protocol.server_capabilities.local_activities",
    );
  });
});

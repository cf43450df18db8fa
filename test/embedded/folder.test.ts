import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openFolder } from "../../sdk/dev/embedded/folder.ts";
import { identify } from "../../sdk/dev/embedded/process-identity.ts";

let path: string;

beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), "pawl-folder-test-"));
});
afterEach(() => rm(path, { recursive: true, force: true }));

describe("the folder of a stack", () => {
  test("belongs to one stack: a second one gets an error that names the first one's process", async () => {
    const first = await openFolder(path, false);
    await expect(openFolder(path, false)).rejects.toMatchObject({
      code: "folder_in_use",
      message: `the folder ${path} is used by the stack with process id ${process.pid}`,
    });
    await first.release();
    await (await openFolder(path, false)).release();
  });

  test("of two stacks that start at the same time, one gets it", async () => {
    const results = await Promise.allSettled([openFolder(path, false), openFolder(path, false)]);
    expect(results.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
  });

  test("of a dead stack is taken over, and what the dead one started is ended first", async () => {
    const orphan = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
    const exited = new Promise((resolve) => orphan.once("exit", (_, signal) => resolve(signal)));
    const started = await identify(orphan.pid ?? 0);
    await writeLock({ owner: await deadProcess(), children: [started] });

    const folder = await openFolder(path, false);
    expect(await exited).toBe("SIGKILL");
    await folder.release();
  });

  test("a living process with the id of a dead one is left alone", async () => {
    // Ids are reused: the start time tells the two apart.
    const reused = { pid: process.pid, started: "another time" };
    await writeLock({ owner: reused, children: [reused] });

    const folder = await openFolder(path, false);
    expect(folder.path).toBe(path);
    await folder.release();
  });

  test("names the stack and what it started, so that the next one can end them", async () => {
    const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
    const folder = await openFolder(path, false);
    await folder.record(child.pid ?? 0);
    expect(JSON.parse(await readFile(join(path, "lock.json"), "utf8"))).toEqual({
      owner: await identify(process.pid),
      children: [await identify(child.pid ?? 0)],
    });
    child.kill("SIGKILL");
    await folder.release();
  });

  test("keeps its state, says so, and forgets it on reset", async () => {
    const first = await openFolder(path, false);
    expect(first.resumed).toBe(false);
    await writeFile(join(path, "state"), "x");
    await first.release();

    const second = await openFolder(path, false);
    expect(second.resumed).toBe(true);
    await second.release();

    const third = await openFolder(path, true);
    expect(third.resumed).toBe(false);
    await expect(readFile(join(path, "state"))).rejects.toMatchObject({ code: "ENOENT" });
    await third.release();
  });

  test("is temporary without a name, and goes with the stack", async () => {
    const folder = await openFolder(undefined, false);
    expect(folder.persistent).toBe(false);
    await folder.release();
    await expect(readFile(folder.path)).rejects.toMatchObject({ code: "ENOENT" });
  });

  test("a temporary one of a dead stack is removed by the next stack", async () => {
    const left = await openFolder(undefined, false);
    const lock = { owner: await deadProcess(), children: [] };
    await writeFile(join(left.path, "lock.json"), JSON.stringify(lock));

    const next = await openFolder(undefined, false);
    await expect(readFile(left.path)).rejects.toMatchObject({ code: "ENOENT" });
    await next.release();
  });
});

function writeLock(content: object): Promise<void> {
  return writeFile(join(path, "lock.json"), JSON.stringify(content));
}

/** The identity of a process that has ended. */
async function deadProcess() {
  const child = spawn(process.execPath, ["-e", ""]);
  const identity = { pid: child.pid, started: "0" };
  await new Promise((resolve) => child.once("exit", resolve));
  return identity;
}

import { spawnSync } from "node:child_process";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { withLock } from "../../sdk/dev/localstack/lock.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "pawl-lock-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const ignoreWait = () => {};

test("the second waits for the first, knows whom it waits for, and leaves nothing behind", async () => {
  const path = join(folder, "lock");
  const order: string[] = [];
  const waitedFor: number[] = [];
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  const first = withLock(path, ignoreWait, async () => {
    order.push("first starts");
    begin();
    await released;
    order.push("first ends");
  });
  await begun;
  const onWait = (pid: number) => {
    waitedFor.push(pid);
    release();
  };
  const second = withLock(path, onWait, async () => order.push("second"));
  await Promise.all([first, second]);
  expect(order).toEqual(["first starts", "first ends", "second"]);
  expect(waitedFor).toEqual([process.pid]);
  expect(await readdir(folder)).toEqual([]);
});

test("the lock of a dead process is taken over", async () => {
  const dead = spawnSync(process.execPath, ["-e", ""]).pid;
  const path = join(folder, "lock");
  await writeFile(path, String(dead));
  expect(await withLock(path, ignoreWait, async () => "done")).toBe("done");
});

test("work that fails releases the lock", async () => {
  const path = join(folder, "lock");
  await expect(withLock(path, ignoreWait, () => Promise.reject(new Error("no")))).rejects.toThrow(
    "no",
  );
  expect(await readdir(folder)).toEqual([]);
});

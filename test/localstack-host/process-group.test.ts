import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "vitest";
import { groupMembers, stopGroup } from "../../sdk/dev/localstack/process-group.ts";

const marker = "/cache/of/this/test";

// A leader with a child that ignores SIGTERM, as a JVM or a busy function might.
const program = `
  const child = require("node:child_process").spawn(process.execPath,
    ["-e", "process.on('SIGTERM', () => {}); console.log('up'); setInterval(() => {}, 1e6)"], { stdio: "pipe" });
  child.stdout.once("data", () => console.log("up"));
`;

async function startGroup() {
  const leader = spawn(process.execPath, ["-e", program, marker], {
    detached: true,
    stdio: "pipe",
  });
  const exited = once(leader, "exit");
  await once(leader.stdout, "data");
  return { pid: leader.pid ?? 0, exited };
}

test("a stopped group has no members left", async () => {
  const { pid, exited } = await startGroup();
  expect(await groupMembers(pid)).toHaveLength(2);
  await stopGroup(pid, marker);
  await exited;
  expect(await groupMembers(pid)).toEqual([]);
});

test("a group whose commands do not name the cache is somebody else's and is left alone", async () => {
  const { pid, exited } = await startGroup();
  await stopGroup(pid, "/another/cache");
  expect(await groupMembers(pid)).toHaveLength(2);
  await stopGroup(pid, marker);
  await exited;
});

/**
 * The processes of one started LocalStack: the server, DynamoDB Local's JVM and the functions' processes
 * share a process group, whose id is the server's process id.
 *
 * Process ids are reused. A group is signalled only when one of its commands names our cache folder.
 */
import { readdir, readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { runCommand } from "./command.ts";

interface GroupMember {
  readonly pid: number;
  readonly command: string;
}

const pollMs = 50;
// LocalStack stops its services one after another; after this it is killed.
const graceMs = 10_000;
const killedMsMax = 5_000;

export function isAlive(pid: number): boolean {
  return signal(pid, 0);
}

export async function groupMembers(groupId: number): Promise<readonly GroupMember[]> {
  return process.platform === "linux" ? membersFromProc(groupId) : membersFromPs(groupId);
}

/** Ends the group of a server that was started from `cachePath`; does nothing to any other group. */
export async function stopGroup(groupId: number, cachePath: string): Promise<void> {
  const members = await groupMembers(groupId);
  if (!members.some(({ command }) => command.includes(cachePath))) return;

  // The server first and alone: it ends its functions and its JVM in order.
  if (members.some(({ pid }) => pid === groupId)) {
    signal(groupId, "SIGTERM");
    await until(
      async () => !(await groupMembers(groupId)).some(({ pid }) => pid === groupId),
      graceMs,
    );
  }
  signal(-groupId, "SIGKILL");
  await until(async () => (await groupMembers(groupId)).length === 0, killedMsMax);
}

function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    process.kill(pid, name);
    return true;
  } catch (error) {
    // EPERM: it lives, but is not ours.
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

async function until(condition: () => Promise<boolean>, msMax: number): Promise<void> {
  const end = Date.now() + msMax;
  while (!(await condition()) && Date.now() < end) await delay(pollMs);
}

// Slim container images have no `ps`, but every Linux has /proc.
async function membersFromProc(groupId: number): Promise<readonly GroupMember[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const members = await Promise.all(pids.map((pid) => memberFromProc(pid, groupId)));
  return members.filter((member) => member !== undefined);
}

async function memberFromProc(pid: string, groupId: number): Promise<GroupMember | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8");
    // pid (name) state parent group ...: the name may hold anything, parentheses included.
    const [state, , group] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    if (Number(group) !== groupId || state === "Z" || state === "X") return undefined;
    const commandLine = await readFile(`/proc/${pid}/cmdline`, "utf8");
    return { pid: Number(pid), command: commandLine.replaceAll("\0", " ").trim() };
  } catch {
    return undefined; // it ended meanwhile
  }
}

async function membersFromPs(groupId: number): Promise<readonly GroupMember[]> {
  const { stdout } = await runCommand("ps", ["-A", "-ww", "-o", "pid=,pgid=,stat=,command="]);
  return stdout.split("\n").flatMap((line) => {
    const [pid, group, state, ...command] = line.trim().split(/\s+/);
    if (Number(group) !== groupId || state?.startsWith("Z")) return [];
    return [{ pid: Number(pid), command: command.join(" ") }];
  });
}

/**
 * Process ids are reused. A process is the one that was recorded only when its start time is the same;
 * nothing is ever killed by its id alone.
 */
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";

export interface ProcessIdentity {
  readonly pid: number;
  /** When it started, in the words of the operating system. */
  readonly started: string;
}

const pollMs = 5;
const goneMsMax = 5_000;

/** The identity of a running process; undefined when there is none, or the system cannot tell. */
export async function identify(pid: number): Promise<ProcessIdentity | undefined> {
  const started = process.platform === "linux" ? await fromProc(pid) : await fromPs(pid);
  return started === undefined ? undefined : { pid, started };
}

export async function isRunning(known: ProcessIdentity): Promise<boolean> {
  return (await identify(known.pid))?.started === known.started;
}

/** Kills a process that an earlier stack left behind, and waits until it is gone. */
export async function end(known: ProcessIdentity): Promise<void> {
  if (!(await isRunning(known))) return;
  process.kill(known.pid, "SIGKILL");
  for (let waitedMs = 0; waitedMs < goneMsMax; waitedMs += pollMs) {
    if (!(await isRunning(known))) return;
    await delay(pollMs);
  }
}

async function fromProc(pid: number): Promise<string | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8");
    // pid (name) state … start time as field 22; the name may hold anything, parentheses included.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const [state] = fields;
    return state === "Z" || state === "X" ? undefined : fields[19];
  } catch {
    return undefined; // it has ended
  }
}

async function fromPs(pid: number): Promise<string | undefined> {
  try {
    const { stdout } = await promisify(execFile)("ps", ["-o", "lstart=", "-p", String(pid)]);
    return stdout.trim() || undefined;
  } catch {
    return undefined; // it has ended, or there is no ps
  }
}

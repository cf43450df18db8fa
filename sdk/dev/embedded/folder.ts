/**
 * The folder that holds a stack's state, and the lock that keeps a second stack out.
 *
 * The lock names its owner and every process that the owner started, each with its start time: after
 * `kill -9` the next stack ends what is left of the dead one before it opens the same files.
 */
import { link, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import * as v from "valibot";
import { pawlError } from "../../core/errors.ts";
import { end, identify, isRunning } from "./process-identity.ts";

export interface StateFolder {
  readonly path: string;
  /** False: a temporary folder that goes with the stack. */
  readonly persistent: boolean;
  /** True when an earlier stack left its state here. */
  readonly resumed: boolean;
  /** Names a process that has to end with this stack. */
  record(pid: number): Promise<void>;
  /** Gives the folder free; a temporary one is deleted. */
  release(): Promise<void>;
}

const LOCK = "lock.json";
const TEMPORARY = "pawl-embedded-";

const identity = v.object({ pid: v.number(), started: v.string() });
const lockContent = v.object({ owner: identity, children: v.array(identity) });
type LockContent = v.InferOutput<typeof lockContent>;

/**
 * Opens the folder, or a temporary one without `dataDir`. `reset` forgets what it holds.
 * @throws PawlError folder_in_use when a living stack has it
 */
export async function openFolder(
  dataDir: string | undefined,
  reset: boolean,
): Promise<StateFolder> {
  if (dataDir === undefined) {
    await removeAbandoned();
    const path = await mkdtemp(join(tmpdir(), TEMPORARY));
    return folder(path, await acquire(path), { persistent: false, resumed: false });
  }
  const path = resolve(dataDir);
  await mkdir(path, { recursive: true });
  const lock = await acquire(path);
  if (reset) await empty(path);
  const resumed = (await readdir(path)).some((name) => name !== LOCK && name !== ".gitignore");
  await writeFile(join(path, ".gitignore"), "*\n");
  return folder(path, lock, { persistent: true, resumed });
}

function folder(
  path: string,
  lock: LockContent,
  kind: Pick<StateFolder, "persistent" | "resumed">,
): StateFolder {
  let children: LockContent["children"] = [];
  let writing = Promise.resolve();
  return {
    path,
    ...kind,
    record(pid) {
      // One write after the other: each replaces the whole file.
      writing = writing.then(async () => {
        const started = await identify(pid);
        if (started === undefined) return;
        const running = await Promise.all(children.map(isRunning));
        children = [...children.filter((_, index) => running[index]), started];
        await replaceLock(path, { owner: lock.owner, children });
      });
      return writing;
    },
    async release() {
      await writing;
      await rm(kind.persistent ? join(path, LOCK) : path, { recursive: true, force: true });
    },
  };
}

async function acquire(path: string): Promise<LockContent> {
  const owner = (await identify(process.pid)) ?? { pid: process.pid, started: "unknown" };
  const content: LockContent = { owner, children: [] };
  const mine = uniqueName(path);
  await writeFile(mine, JSON.stringify(content));
  try {
    // The link makes the lock appear together with its content: there is no lock without an owner.
    while (!(await tryLink(mine, join(path, LOCK)))) await takeOver(path);
    return content;
  } finally {
    await rm(mine, { force: true });
  }
}

async function takeOver(path: string): Promise<void> {
  const left = await readLock(join(path, LOCK));
  if (left === undefined) return;
  if (await isRunning(left.owner))
    throw pawlError("folder_in_use", { folder: path, pid: String(left.owner.pid) });
  await Promise.all(left.children.map(end));
  // Another stack may have taken the lock since it was read: it is moved aside, and put back then.
  const aside = uniqueName(path);
  try {
    await rename(join(path, LOCK), aside);
  } catch {
    return;
  }
  const moved = await readLock(aside);
  if (moved !== undefined && (await isRunning(moved.owner))) await tryLink(aside, join(path, LOCK));
  await rm(aside, { force: true });
}

/** Ends and deletes what killed stacks without a folder of their own left in the system's. */
async function removeAbandoned(): Promise<void> {
  const names = (await readdir(tmpdir())).filter((name) => name.startsWith(TEMPORARY));
  await Promise.all(
    names.map(async (name) => {
      const path = join(tmpdir(), name);
      const left = await readLock(join(path, LOCK));
      if (left === undefined || (await isRunning(left.owner))) return;
      await Promise.all(left.children.map(end));
      await rm(path, { recursive: true, force: true });
    }),
  );
}

async function empty(path: string): Promise<void> {
  const names = (await readdir(path)).filter((name) => name !== LOCK);
  await Promise.all(names.map((name) => rm(join(path, name), { recursive: true, force: true })));
}

async function readLock(file: string): Promise<LockContent | undefined> {
  try {
    return v.parse(lockContent, JSON.parse(await readFile(file, "utf8")));
  } catch {
    return undefined; // it has gone
  }
}

async function replaceLock(path: string, content: LockContent): Promise<void> {
  const next = uniqueName(path);
  await writeFile(next, JSON.stringify(content));
  await rename(next, join(path, LOCK));
}

async function tryLink(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  }
}

let names = 0;
function uniqueName(path: string): string {
  names += 1;
  return join(path, `${LOCK}.${process.pid}.${names}`);
}

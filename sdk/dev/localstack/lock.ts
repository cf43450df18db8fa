/**
 * One process at a time, between processes: a file that holds the owner's process id.
 *
 * The file appears together with its content (a hard link), so a lock without an owner does not exist;
 * a lock whose owner has died is taken over.
 */
import { link, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { isAlive } from "./process-group.ts";

const pollMs = 200;
// Longer than any installation: after this, something is wrong that waiting does not cure.
const waitMsMax = 20 * 60_000;

export async function withLock<T>(
  path: string,
  onWait: (ownerPid: number) => void,
  work: () => Promise<T>,
): Promise<T> {
  await acquire(path, onWait);
  try {
    return await work();
  } finally {
    await rm(path, { force: true });
  }
}

async function acquire(path: string, onWait: (ownerPid: number) => void): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const mine = uniqueName(path);
  await writeFile(mine, String(process.pid));
  try {
    let announced = false;
    for (let waitedMs = 0; waitedMs < waitMsMax; waitedMs += pollMs) {
      if (await tryLink(mine, path)) return;
      const owner = await ownerOf(path);
      if (owner === undefined) continue;
      if (!isAlive(owner)) {
        await removeIfOwnedBy(owner, path);
        continue;
      }
      if (!announced) onWait(owner);
      announced = true;
      await delay(pollMs);
    }
  } finally {
    await rm(mine, { force: true });
  }
  throw new Error(`the lock ${path} was not released in time: if nothing is starting, delete it`);
}

let names = 0;
function uniqueName(path: string): string {
  names += 1;
  return `${path}.${process.pid}.${names}`;
}

async function tryLink(mine: string, path: string): Promise<boolean> {
  try {
    await link(mine, path);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  }
}

async function ownerOf(path: string): Promise<number | undefined> {
  try {
    return Number(await readFile(path, "utf8"));
  } catch {
    return undefined;
  }
}

// Between reading a dead owner and removing its file, another waiter may have taken the lock: the
// file is moved aside first and put back when it is not the one that was read.
async function removeIfOwnedBy(owner: number, path: string): Promise<void> {
  const aside = uniqueName(path);
  try {
    await rename(path, aside);
  } catch {
    return;
  }
  if ((await ownerOf(aside)) !== owner) await tryLink(aside, path);
  await rm(aside, { force: true });
}

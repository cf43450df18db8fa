/** Which API a command talks to: the flag, the environment, a running `pawl dev`, the default. */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { DEFAULT_BASE_URL } from "../client/client.ts";
import type { Io } from "./io.ts";

/** What a running `pawl dev` leaves for other commands, in `.pawl/dev.json`. */
export interface DevState {
  readonly api: string;
  readonly pid: number;
}
export const DEV_STATE_FILE = join(".pawl", "dev.json");

export interface Target {
  readonly url: string;
  /** Where the address came from, for messages. */
  readonly from: string;
}

/** @param flag the value of `--api`, if given */
export function findTarget(flag: string | undefined, io: Io): Target {
  if (flag !== undefined) return { url: flag, from: "--api" };
  const fromEnvironment = io.env["PAWL_API_URL"];
  if (fromEnvironment) return { url: fromEnvironment, from: "PAWL_API_URL" };
  for (const folder of upwards(io.cwd)) {
    const file = join(folder, DEV_STATE_FILE);
    const state = readDevState(file);
    if (state !== undefined) return { url: state.api, from: file };
  }
  return { url: DEFAULT_BASE_URL, from: "the default" };
}

/** Undefined when there is none, when it cannot be read, or when its process is gone. */
function readDevState(file: string): DevState | undefined {
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return undefined;
  }
  if (typeof json !== "object" || json === null || !("api" in json) || !("pid" in json))
    return undefined;
  const { api, pid } = json;
  if (typeof api !== "string" || typeof pid !== "number" || !isAlive(pid)) return undefined;
  return { api, pid };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // The process exists, and is another user's.
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

function* upwards(folder: string): Generator<string> {
  yield folder;
  const parent = dirname(folder);
  if (parent !== folder) yield* upwards(parent);
}

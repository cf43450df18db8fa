/** Which module `pawl dev` runs: the argument, package.json, or a file with one of the usual names. */
import { existsSync, readFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { UsageError } from "./exit.ts";

const USUAL = ["src/worker.ts", "worker.ts"] as const;

/** The `pawl` field of package.json. */
export interface ProjectSettings {
  readonly entry?: string;
  /** Names of activity queues besides "default". */
  readonly queues: readonly string[];
}

/** @returns the absolute path of a file that exists */
export function findEntry(
  argument: string | undefined,
  settings: ProjectSettings,
  folder: string,
): string {
  if (argument !== undefined) return existing(argument, folder, "the argument");
  if (settings.entry !== undefined) return existing(settings.entry, folder, "package.json");
  const found = USUAL.map((name) => resolve(folder, name)).find((path) => existsSync(path));
  if (found !== undefined) return found;
  throw new UsageError(
    `there is no entry module in ${folder}: looked for ${USUAL.join(", ")} and "pawl": { "entry" } in package.json`,
    "pawl dev path/to/worker.ts, the file that exports your workflows and activities",
  );
}

/** @throws UsageError when the field is there and cannot be understood */
export function readSettings(folder: string): ProjectSettings {
  const file = join(folder, "package.json");
  if (!existsSync(file)) return { queues: [] };
  const settings = fieldOf(parse(file), "pawl");
  if (settings === undefined) return { queues: [] };
  const entry = fieldOf(settings, "entry");
  const queues = fieldOf(settings, "queues") ?? [];
  const example = '"pawl": { "entry": "src/worker.ts", "queues": ["gpu"] }';
  if (entry !== undefined && typeof entry !== "string")
    throw new UsageError(`${file}: pawl.entry is not a text`, example);
  if (!isTexts(queues))
    throw new UsageError(`${file}: pawl.queues is not a list of texts`, example);
  return { queues, ...(entry === undefined ? {} : { entry }) };
}

function existing(path: string, folder: string, from: string): string {
  const absolute = resolve(folder, path);
  if (existsSync(absolute)) return absolute;
  const shown = relative(folder, absolute);
  throw new UsageError(
    `there is no file ${shown} (from ${from})`,
    "the path of the file that exports your workflows and activities",
  );
}

function parse(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UsageError(`${file} cannot be read: ${reason}`, "correct package.json");
  }
}

function fieldOf(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null) return undefined;
  return new Map<string, unknown>(Object.entries(value)).get(name);
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}

/**
 * Remembers what runs on a port, between processes: written as soon as something was started, before it
 * answers, so that an interrupted start is found and ended by the next one.
 */
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { CacheFolder } from "./cache.ts";
import type { ExtraEnvironment } from "./server-environment.ts";

export type StartedServer =
  | { readonly kind: "process"; readonly pid: number }
  | { readonly kind: "docker"; readonly container: string };

export interface InstanceState {
  readonly port: number;
  readonly server: StartedServer;
  /** False until it has answered for the first time. */
  readonly ready: boolean;
  readonly env: ExtraEnvironment;
}

export async function writeState(cache: CacheFolder, state: InstanceState): Promise<void> {
  await mkdir(cache.instances, { recursive: true });
  // Extra environment may hold a secret.
  await writeFile(fileOf(cache, state.port), JSON.stringify(state), { mode: 0o600 });
}

/** Undefined when there is none, or none that can be understood. */
export async function readState(
  cache: CacheFolder,
  port: number,
): Promise<InstanceState | undefined> {
  try {
    return parse(JSON.parse(await readFile(fileOf(cache, port), "utf8")), port);
  } catch {
    return undefined;
  }
}

export async function removeState(cache: CacheFolder, port: number): Promise<void> {
  await rm(fileOf(cache, port), { force: true });
}

function fileOf(cache: CacheFolder, port: number): string {
  return join(cache.instances, `${port}.json`);
}

function parse(value: unknown, port: number): InstanceState | undefined {
  if (!isRecord(value) || !isRecord(value["server"]) || !isRecord(value["env"])) return undefined;
  const server = parseServer(value["server"]);
  if (server === undefined) return undefined;
  const env = Object.fromEntries(
    Object.entries(value["env"]).map(([name, text]) => [name, String(text)]),
  );
  return { port, server, ready: value["ready"] === true, env };
}

function parseServer(value: Readonly<Record<string, unknown>>): StartedServer | undefined {
  const { kind, pid, container } = value;
  // Below 2 are every process, our own group and init: never a server of ours.
  if (kind === "process" && typeof pid === "number" && Number.isInteger(pid) && pid > 1) {
    return { kind, pid };
  }
  if (kind === "docker" && typeof container === "string" && /^[0-9a-f]{12,64}$/.test(container)) {
    return { kind, container };
  }
  return undefined;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

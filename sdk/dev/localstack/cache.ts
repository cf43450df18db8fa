/** Where everything lives that is fetched or written: one folder, safe to delete when nothing runs. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Machine } from "./machine.ts";

export interface CacheFolder {
  readonly path: string;
  readonly venv: string;
  /** The interpreter of the installed LocalStack. */
  readonly python: string;
  readonly dynamodbLocal: string;
  readonly instances: string;
}

export function cacheFolder(machine: Machine): CacheFolder {
  const path =
    machine.env["PAWL_LOCALSTACK_HOME"] || join(machine.homeFolder, ".cache", "pawl", "localstack");
  const venv = join(path, "venv");
  return {
    path,
    venv,
    python: join(venv, "bin", "python"),
    dynamodbLocal: join(path, "dynamodb-local"),
    instances: join(path, "instances"),
  };
}

/** The Python project beside this file; the build copies it beside the compiled one. */
export const pythonProject: string = fileURLToPath(new URL("./python/", import.meta.url));

/** The embedded stack as `pawl dev` sees it, and the files it watches. */
import { type FSWatcher, watch } from "node:fs";
import { dirname } from "node:path";
import type { LogLine } from "../dev/embedded/log.ts";

export interface DevStackOptions {
  readonly entry: string;
  readonly dataDir: string;
  readonly reset: boolean;
  readonly port: number;
  readonly queues: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly onLog: (line: LogLine) => void;
}

export interface DevStack {
  readonly apiUrl: string;
  /** The user's files: what to watch. */
  inputs(): readonly string[];
  /** @throws PawlError bundle_failed, function_failed; the old code stays then */
  reload(): Promise<void>;
  stop(): Promise<void>;
  /** The types that the entry module registers; empty when its function does not say. */
  workflowTypes(): Promise<readonly string[]>;
}

export async function startDevStack(options: DevStackOptions): Promise<DevStack> {
  const { startEmbedded } = await import("../dev/embedded/start.ts");
  const stack = await startEmbedded(options);
  return {
    apiUrl: stack.apiUrl,
    inputs: () => stack.inputs(),
    reload: () => stack.reload(),
    stop: () => stack.stop(),
    workflowTypes: () => askTypes(stack.endpoints.lambda),
  };
}

/** Lambda's Invoke, as the API asks it of the workflow-task function. */
async function askTypes(lambdaUrl: string): Promise<readonly string[]> {
  const path = "/2015-03-31/functions/workflow-task/invocations";
  const response = await fetch(`${lambdaUrl.replace(/\/$/, "")}${path}`, {
    method: "POST",
    body: JSON.stringify({ kind: "types" }),
  });
  const answer: unknown = await response.json();
  if (typeof answer !== "object" || answer === null || !("workflow_types" in answer)) return [];
  const { workflow_types: types } = answer;
  return Array.isArray(types) ? types.filter((type) => typeof type === "string") : [];
}

/** Milliseconds of silence after a change: an editor writes a file in several steps. */
const SETTLE_MS = 120;

/**
 * Calls `onChange` after files next to `files` have changed. Folders are watched, not files: editors
 * replace files, and a missing module that appears is a change as well.
 * @returns ends the watching
 */
export function watchFiles(files: readonly string[], onChange: () => void): () => void {
  let timer: NodeJS.Timeout | undefined;
  const watchers: FSWatcher[] = [];
  for (const folder of new Set(files.map((file) => dirname(file)))) {
    const watcher = watch(folder, (_event, name) => {
      if (name !== null && !/\.([cm]?[jt]sx?|json)$/.test(name)) return;
      clearTimeout(timer);
      timer = setTimeout(onChange, SETTLE_MS);
    });
    // A folder that is removed has no more changes; the bundler names what is missing.
    watcher.on("error", () => watcher.close());
    watchers.push(watcher);
  }
  return () => {
    clearTimeout(timer);
    for (const watcher of watchers) watcher.close();
  };
}

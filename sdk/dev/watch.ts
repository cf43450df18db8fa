/** Reloads a stack when the user's code changes. */
import { type FSWatcher, watch } from "node:fs";
import { basename, dirname } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { EmbeddedStack } from "./embedded/start.ts";

export interface Watch {
  stop(): void;
}

/** What editors write when they save: several events for one file. */
const settleMs = 30;
const SOURCE = /\.(?:[cm]?[jt]sx?|json)$/;

/**
 * Watches the folders of the entry module and of everything that it imports outside of packages, and
 * reloads the stack after a change. A change that does not compile or load leaves the old code in place.
 * @param onLine gets one line per reload: what changed and how long it took, or why it failed
 */
export function watchAndReload(
  stack: Pick<EmbeddedStack, "inputs" | "reload">,
  onLine: (line: string) => void,
): Watch {
  const watchers = new Map<string, FSWatcher>();
  let changed = new Set<string>();
  let reloading: Promise<void> | undefined;
  let stopped = false;

  // Folders, not files: an editor replaces a file, and a broken import may name one that comes later.
  const watchFolders = (): void => {
    for (const folder of new Set(stack.inputs().map((file) => dirname(file)))) {
      if (watchers.has(folder)) continue;
      const watcher = watch(folder, (_, name) => {
        if (name !== null && SOURCE.test(name)) onChange(name);
      });
      watcher.on("error", () => watchers.delete(folder));
      watchers.set(folder, watcher);
    }
  };
  const onChange = (name: string): void => {
    changed.add(basename(name));
    reloading ??= reloadAll().finally(() => {
      reloading = undefined;
    });
  };
  const reloadAll = async (): Promise<void> => {
    while (changed.size > 0 && !stopped) {
      await delay(settleMs);
      const names = [...changed].join(", ");
      changed = new Set();
      onLine(await reloadOnce(stack, names));
      if (!stopped) watchFolders();
    }
  };

  watchFolders();
  return {
    stop() {
      stopped = true;
      for (const watcher of watchers.values()) watcher.close();
    },
  };
}

async function reloadOnce(stack: Pick<EmbeddedStack, "reload">, names: string): Promise<string> {
  const startedAt = performance.now();
  try {
    await stack.reload();
    return `reloaded ${names} (${Math.round(performance.now() - startedAt)} ms)`;
  } catch (error) {
    return `not reloaded: ${error instanceof Error ? error.message : String(error)}`;
  }
}

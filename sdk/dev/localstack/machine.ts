/** What the search for tools may look at. Tests give their own machine. */
import { readdir } from "node:fs/promises";
import { homedir } from "node:os";
import { type Environment, type RunCommand, runCommand } from "./command.ts";

export interface Machine {
  readonly platform: NodeJS.Platform;
  readonly homeFolder: string;
  readonly env: Environment;
  readonly run: RunCommand;
  /** The names in a folder, none when it does not exist. */
  readonly list: (folder: string) => Promise<readonly string[]>;
}

export function thisMachine(): Machine {
  return {
    platform: process.platform,
    homeFolder: homedir(),
    env: process.env,
    run: runCommand,
    list: async (folder) => {
      try {
        return await readdir(folder);
      } catch {
        return [];
      }
    },
  };
}

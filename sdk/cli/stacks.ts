/** What commands start and examine on this machine. Loaded when asked for: a client needs none of it. */
import type { Diagnosis } from "../dev/localstack/doctor.ts";
import type { LocalStackInstance, StartLocalStackOptions } from "../dev/localstack/host.ts";
import { type DevStack, type DevStackOptions, startDevStack, watchFiles } from "./dev-stack.ts";

export type { Diagnosis } from "../dev/localstack/doctor.ts";

export interface Stacks {
  startEmbedded(options: DevStackOptions): Promise<DevStack>;
  /** Calls back after a change next to one of the files, until the returned function is called. */
  watchFiles(files: readonly string[], onChange: () => void): () => void;
  startLocalStack(options: StartLocalStackOptions): Promise<LocalStackInstance>;
  /** False when there was none. */
  stopLocalStack(options: { readonly port?: number }): Promise<boolean>;
  diagnoseLocalStack(): Promise<readonly Diagnosis[]>;
  diagnoseEmbedded(): Promise<readonly Diagnosis[]>;
}

export const thisMachinesStacks: Stacks = {
  startEmbedded: startDevStack,
  watchFiles,
  startLocalStack: async (options) =>
    (await import("../dev/localstack/host.ts")).startLocalStack(options),
  stopLocalStack: async (options) =>
    (await import("../dev/localstack/host.ts")).stopLocalStack(options),
  diagnoseLocalStack: async () =>
    (await import("../dev/localstack/doctor.ts")).diagnoseLocalStack(),
  diagnoseEmbedded: async () => (await import("./diagnose-embedded.ts")).diagnoseEmbedded(),
};

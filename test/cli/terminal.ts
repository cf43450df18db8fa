/** A terminal in memory: runs command lines, keeps what they write, and answers with a scripted API. */
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Io } from "../../sdk/cli/io.ts";
import { run } from "../../sdk/cli/run.ts";
import type { Stacks } from "../../sdk/cli/stacks.ts";
import { type Answer, ScriptedApi } from "../client/scripted-api.ts";

/** The moment at which every command runs. */
export const NOW = Date.parse("2026-03-01T12:00:00.000Z");

export interface Setting {
  readonly answers?: readonly Answer[];
  readonly stdin?: string;
  readonly isTerminal?: boolean;
  readonly columns?: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly stacks?: Partial<Stacks>;
  /** Ctrl-C after so many pauses. */
  readonly interruptAfter?: number;
  /** Ctrl-C whenever the test wants it. */
  readonly interrupted?: AbortSignal;
  /** Gets standard error as it is written. */
  readonly onNote?: (text: string) => void;
}

export interface Outcome {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly api: ScriptedApi;
}

export async function pawl(line: readonly string[], setting: Setting = {}): Promise<Outcome> {
  const api = new ScriptedApi(...(setting.answers ?? []));
  const written = { stdout: "", stderr: "" };
  const interrupt = new AbortController();
  const output = (name: "stdout" | "stderr") => ({
    write: (text: string) => {
      written[name] += text;
      if (name === "stderr") setting.onNote?.(text);
    },
    isTerminal: setting.isTerminal ?? false,
    columns: setting.columns ?? 100,
  });
  const io: Io = {
    stdout: output("stdout"),
    stderr: output("stderr"),
    readStdin: async () => setting.stdin ?? "",
    env: setting.env ?? {},
    cwd: setting.cwd ?? emptyFolder(),
    fetch: api.fetch,
    clock: {
      now: () => NOW + api.clock.now(),
      sleep: async (delayMs) => {
        await api.clock.sleep(delayMs);
        if (api.slept.length === setting.interruptAfter) interrupt.abort();
      },
    },
    interrupted: setting.interrupted ?? interrupt.signal,
  };
  const exitCode = await run(line, io, { ...noStacks, ...setting.stacks });
  return { exitCode, ...written, api };
}

const noStacks: Stacks = {
  startEmbedded: () => Promise.reject(new Error("not in this test")),
  watchFiles: () => () => {},
  startLocalStack: () => Promise.reject(new Error("not in this test")),
  stopLocalStack: () => Promise.reject(new Error("not in this test")),
  diagnoseLocalStack: () => Promise.reject(new Error("not in this test")),
  diagnoseEmbedded: () => Promise.reject(new Error("not in this test")),
};

let folder: string | undefined;

/** A folder outside of any project, the same for all tests that write nothing. */
function emptyFolder(): string {
  folder ??= mkdtempSync(join(tmpdir(), "pawl-cli-"));
  return folder;
}

/** A fresh folder with one file. */
export function folderWith(name: string, content: string): string {
  const fresh = mkdtempSync(join(tmpdir(), "pawl-cli-"));
  writeFileSync(join(fresh, name), content);
  return fresh;
}

/** Where a case runs: a platform, and what can be seen of it besides its API. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createTestPlatform, type TestPlatform } from "../../sdk/testing/index.ts";
import { startMemoryStack } from "../../sdk/testing/targets/memory.ts";
import { setMachine } from "./bodies.ts";
import type { Target } from "./case-format.ts";
import * as entry from "./entry.ts";
import type { Entered } from "./program.ts";

/** What a function logged: its message, level in small letters, and the fields beside them. */
export type LogLine = Readonly<Record<string, unknown>>;

export interface Stage {
  readonly target: Target;
  readonly platform: TestPlatform;
  /** Log lines and metrics since the stage was opened, or null where nobody can read them. */
  readonly lines: readonly LogLine[] | null;
  /** A folder for one case, or null where bodies cannot reach this machine's disk. */
  journal(): Journal | null;
  /** Throws every warm process away; `memory` only. */
  readonly cold?: () => void;
  close(): Promise<void>;
}

/** What bodies say and are told through a folder. */
export class Journal {
  readonly folder: string;

  constructor(root: string) {
    this.folder = mkdtempSync(join(root, "case-"));
  }

  entered(): readonly Entered[] {
    const file = join(this.folder, "journal.jsonl");
    if (!existsSync(file)) return [];
    const lines = readFileSync(file, "utf8").split("\n");
    // Written by `note` of bodies.ts, line by line.
    return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as Entered);
  }

  release(name: string): void {
    writeFileSync(join(this.folder, name), "");
  }
}

const ENTRY = fileURLToPath(new URL("entry.ts", import.meta.url));

/** A platform of its own for every case: its clock, counts and log are the case's alone. */
export async function openMemory(): Promise<Stage> {
  const lines: LogLine[] = [];
  const { platform, world } = await startMemoryStack({
    target: "memory",
    workflows: { ...entry },
    onLog: (line) => lines.push({ ...line }),
  });
  const { scheduler, lambda } = world;
  const root = journals();
  setMachine(root, {
    exit(isLocal) {
      const kind = isLocal ? "workflow-task" : "activity-task";
      for (const process of lambda.busy())
        if (process.functionName.startsWith(kind)) lambda.kill(process);
    },
    pause: (ms) => scheduler.sleep(ms),
    block: (ms) => scheduler.moveTo(scheduler.now() + ms),
  });
  return {
    target: "memory",
    platform,
    lines,
    journal: () => new Journal(root),
    cold: () => lambda.recycle(),
    async close() {
      setMachine(root, undefined);
      await platform.close();
      rmSync(root, { recursive: true, force: true });
    },
  };
}

export async function openEmbedded(): Promise<Stage> {
  const lines: LogLine[] = [];
  const platform = await createTestPlatform({
    target: "embedded",
    entry: ENTRY,
    onLog: (line) => lines.push(functionLine({ ...line })),
  });
  const root = journals();
  return {
    target: "embedded",
    platform,
    lines,
    journal: () => new Journal(root),
    async close() {
      await platform.close();
      rmSync(root, { recursive: true, force: true });
    },
  };
}

/** Deployed with CDK; the progress goes to stderr, because installing takes a while. */
export async function openLocalStack(): Promise<Stage> {
  const platform = await createTestPlatform({
    target: "localstack",
    entry: ENTRY,
    onProgress: (line) => process.stderr.write(`${line}\n`),
  });
  return {
    target: "localstack",
    platform,
    lines: null,
    journal: () => null,
    close: () => platform.close(),
  };
}

function journals(): string {
  const folder = join(tmpdir(), "pawl-conformance");
  mkdirSync(folder, { recursive: true });
  return mkdtempSync(join(folder, "stage-"));
}

/** A line of the embedded stack as its function wrote it. */
function functionLine(line: LogLine): LogLine {
  const { fields, text, source } = line;
  if (typeof fields !== "object" || fields === null) return { ...line, message: text };
  const level = String(Reflect.get(fields, "level") ?? "").toLowerCase();
  return { ...fields, level, function: source };
}

import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { DevStack, DevStackOptions } from "../../sdk/cli/dev-stack.ts";
import { pawlError } from "../../sdk/core/errors.ts";
import { pawl, type Setting } from "./terminal.ts";

/** A project folder with these files. */
function project(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), "pawl-dev-"));
  mkdirSync(join(folder, "src"));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

/** A stack that starts nothing, and what the command asked of it. */
class IdleStack implements DevStack {
  readonly apiUrl = "http://127.0.0.1:7411";
  readonly asked: string[] = [];
  options: DevStackOptions | undefined;
  onChange: (() => void) | undefined;
  reloadWith: () => Promise<void> = () => Promise.resolve();
  types: readonly string[] = ["order", "refund"];

  inputs(): readonly string[] {
    return ["/project/src/worker.ts"];
  }
  async reload(): Promise<void> {
    this.asked.push("reload");
    await this.reloadWith();
  }
  async stop(): Promise<void> {
    this.asked.push("stop");
  }
  async workflowTypes(): Promise<readonly string[]> {
    return this.types;
  }
}

interface Running {
  readonly stack: IdleStack;
  /** Resolves with the next line on standard error that holds `text`. */
  readonly note: (text: string) => Promise<void>;
  readonly end: () => ReturnType<typeof pawl>;
}

/** `pawl dev` up to the point where it waits for Ctrl-C. */
async function running(line: readonly string[], setting: Setting = {}): Promise<Running> {
  const interrupt = new AbortController();
  const stack = new IdleStack();
  const up = Promise.withResolvers<void>();
  let notes = "";
  let onNote = (): void => {};
  const outcome = pawl(["dev", ...line], {
    cwd: project({ "worker.ts": "" }),
    ...setting,
    interrupted: interrupt.signal,
    onNote: (text) => {
      notes += text;
      onNote();
    },
    stacks: {
      startEmbedded: async (options) => {
        stack.options = options;
        return stack;
      },
      watchFiles: (files, onChange) => {
        stack.asked.push(`watch ${files.join()}`);
        stack.onChange = onChange;
        return () => stack.asked.push("end watching");
      },
    },
  });
  stack.workflowTypes = async () => {
    up.resolve();
    return stack.types;
  };
  await Promise.race([up.promise, outcome]);
  return {
    stack,
    note: (text) =>
      new Promise((resolve) => {
        onNote = () => {
          if (notes.includes(text)) resolve();
        };
        onNote();
      }),
    end: () => {
      interrupt.abort();
      return outcome;
    },
  };
}

describe("the entry module of pawl dev", () => {
  const settings = (field: object) => ({ "package.json": JSON.stringify({ pawl: field }) });
  test.each([
    [
      "the argument first",
      ["a.ts"],
      { "a.ts": "", "b.ts": "", ...settings({ entry: "b.ts" }) },
      "a.ts",
    ],
    [
      "then package.json",
      [],
      { "b.ts": "", "worker.ts": "", ...settings({ entry: "b.ts" }) },
      "b.ts",
    ],
    ["then src/worker.ts", [], { "src/worker.ts": "", "worker.ts": "" }, "src/worker.ts"],
    ["then worker.ts", [], { "worker.ts": "", "package.json": "{}" }, "worker.ts"],
  ] as const)("is %s", async (_name, line, files, expected) => {
    const cwd = project(files);
    const { stack, end } = await running(line, { cwd });
    await end();
    expect(stack.options?.entry).toBe(join(cwd, expected));
  });

  test.each([
    ["no candidate", [], {}, "looked for src/worker.ts, worker.ts"],
    ["an argument without its file", ["x.ts"], {}, "there is no file x.ts (from the argument)"],
    ["a setting without its file", [], settings({ entry: "x.ts" }), "x.ts (from package.json)"],
    ["a setting of another type", [], settings({ entry: 7 }), "pawl.entry is not a text"],
    ["queues of another type", [], settings({ queues: "gpu" }), "pawl.queues is not a list"],
    ["a damaged package.json", [], { "package.json": "{" }, "package.json cannot be read"],
  ])("%s is an error of usage that says what to give", async (_name, line, files, says) => {
    const { exitCode, stderr } = await pawl(["dev", ...line], { cwd: project(files) });
    expect(exitCode).toBe(2);
    expect(stderr).toContain(says);
    expect(stderr).toMatch(/\ntry: .+\n$/);
  });
});

describe("pawl dev", () => {
  test("prints the address, the workflows and three lines to paste, and stops with Ctrl-C", async () => {
    const { stack, end } = await running([]);
    const { stdout, stderr, exitCode } = await end();
    expect(exitCode).toBe(0);
    expect(`\n${stdout}`).toMatchInlineSnapshot(`
      "
      pawl dev is ready after 0ms

        API        http://127.0.0.1:7411
        entry      worker.ts, reloaded when it changes
        workflows  order, refund
        state      .pawl (pawl dev --reset forgets it)

      In another terminal:

        pawl run order --id first -i '{}'
        pawl show first
        pawl ls

      "
    `);
    expect(stderr).toBe("stopped; the state is kept: pawl dev goes on with it\n");
    expect(stack.asked.at(-1)).toBe("stop");
  });

  test("-o json prints the same as one line", async () => {
    const cwd = project({ "worker.ts": "" });
    const { end } = await running(["-o", "json"], { cwd });
    const { stdout } = await end();
    expect(JSON.parse(stdout)).toEqual({
      api: "http://127.0.0.1:7411",
      entry: join(cwd, "worker.ts"),
      workflow_types: ["order", "refund"],
    });
  });

  test("is found by other commands while it runs, and leaves nothing behind", async () => {
    const cwd = project({ "worker.ts": "" });
    const { end } = await running([], { cwd });
    const file = join(cwd, ".pawl", "dev.json");
    expect(JSON.parse(readFileSync(file, "utf8"))).toEqual({
      api: "http://127.0.0.1:7411",
      pid: process.pid,
    });
    await end();
    expect(existsSync(file)).toBe(false);
  });

  test("passes on port, folder, reset and queues", async () => {
    const cwd = project({
      "worker.ts": "",
      "package.json": JSON.stringify({ pawl: { queues: ["gpu"] } }),
    });
    const defaults = await running([], { cwd });
    await defaults.end();
    expect(defaults.stack.options).toMatchObject({
      port: 7400,
      dataDir: join(cwd, ".pawl"),
      reset: false,
      queues: ["gpu"],
    });
    const line = ["--port", "0", "--data-dir", "state", "--reset", "--queue", "a", "b"];
    const chosen = await running(line, { cwd });
    await chosen.end();
    expect(chosen.stack.options).toMatchObject({
      port: 0,
      dataDir: join(cwd, "state"),
      reset: true,
      queues: ["a", "b"],
    });
  });

  test("user code gets the terminal's environment without what leads to an account", async () => {
    const env = { API_KEY: "k", AWS_PROFILE: "prod", NODE_OPTIONS: "--inspect", PAWL_SIGN: "1" };
    const { stack, end } = await running([], { env });
    await end();
    expect(stack.options?.environment).toEqual({ API_KEY: "k" });
  });

  test("a taken port is an error that names another one", async () => {
    const taken = Object.assign(new Error("listen EADDRINUSE"), { code: "EADDRINUSE" });
    const { exitCode, stderr } = await pawl(["dev"], {
      cwd: project({ "worker.ts": "" }),
      stacks: { startEmbedded: () => Promise.reject(taken) },
    });
    expect({ exitCode, stderr }).toEqual({
      exitCode: 1,
      stderr: "error: another program listens on port 7400\ntry: pawl dev --port 7401\n",
    });
  });

  test("code that does not compile is an error with its line", async () => {
    const broken = pawlError("bundle_failed", { entry: "worker.ts", reason: "worker.ts:1:2: no" });
    const { exitCode, stderr } = await pawl(["dev"], {
      cwd: project({ "worker.ts": "" }),
      stacks: { startEmbedded: () => Promise.reject(broken) },
    });
    expect(exitCode).toBe(2);
    expect(stderr).toContain("worker.ts:1:2: no");
  });
});

describe("when a file changes, pawl dev", () => {
  test("reloads and watches what the new code consists of", async () => {
    const { stack, note, end } = await running([]);
    stack.onChange?.();
    await note("reloaded in");
    await end();
    expect(stack.asked).toEqual([
      "watch /project/src/worker.ts",
      "reload",
      "end watching",
      "watch /project/src/worker.ts",
      "end watching",
      "stop",
    ]);
  });

  test("keeps the old code when the new one does not compile, and says why", async () => {
    const { stack, note, end } = await running([]);
    stack.reloadWith = () =>
      Promise.reject(pawlError("bundle_failed", { entry: "worker.ts", reason: "line 3" }));
    stack.onChange?.();
    await note("the code from before goes on running\ntry: ");
    stack.reloadWith = () => Promise.resolve();
    stack.onChange?.();
    await note("reloaded in");
    const { exitCode } = await end();
    expect(exitCode).toBe(0);
  });

  test("reloads once more for what changed during a reload, and never twice at a time", async () => {
    const { stack, note, end } = await running([]);
    let atOnce = 0;
    let mostAtOnce = 0;
    stack.reloadWith = async () => {
      mostAtOnce = Math.max(mostAtOnce, ++atOnce);
      if (stack.asked.filter((asked) => asked === "reload").length === 1) {
        stack.onChange?.();
        stack.onChange?.();
      }
      await Promise.resolve();
      atOnce--;
    };
    stack.onChange?.();
    await note("reloaded in 0ms\nreloaded in 0ms\n");
    await end();
    expect(mostAtOnce).toBe(1);
    expect(stack.asked.filter((asked) => asked === "reload")).toHaveLength(2);
  });

  test("with --no-watch does nothing", async () => {
    const { stack, end } = await running(["--no-watch"]);
    expect(stack.onChange).toBeUndefined();
    const { stdout } = await end();
    expect(stdout).not.toContain("reloaded when it changes");
  });
});

describe("of what the functions print, pawl dev shows", () => {
  const at = "2026-03-01T12:00:00.000Z";
  const lines = [
    { at, source: "activity-task", level: "info", text: "charging\u001b[2J" },
    {
      at,
      source: "workflow-task",
      level: "info",
      text: '{"level":"INFO","message":"task done"}',
      fields: { level: "INFO", message: "task done" },
    },
    {
      at,
      source: "api",
      level: "info",
      text: '{"level":"WARN","message":"refused","code":"invalid_id"}',
      fields: { level: "WARN", message: "refused", code: "invalid_id" },
    },
    { at, source: "stack", level: "info", text: "polling" },
    { at, source: "stack", level: "error", text: "a process died" },
  ] as const;

  test.each([
    [
      "what user code prints, and what went wrong",
      [],
      "activity-task  charging\\u001b[2J\napi  refused (invalid_id)\nstack  a process died\n",
    ],
    [
      "everything with --verbose",
      ["--verbose"],
      `activity-task  charging\\u001b[2J\nworkflow-task  ${lines[1].text}\napi  ${lines[2].text}\nstack  polling\nstack  a process died\n`,
    ],
  ])("%s", async (_name, line, expected) => {
    const { stack, end } = await running(line);
    for (const logged of lines) stack.options?.onLog(logged);
    const { stderr } = await end();
    expect(stderr).toBe(`${expected}stopped; the state is kept: pawl dev goes on with it\n`);
  });
});

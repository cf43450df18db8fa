import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { build } from "esbuild";
import { afterAll, beforeAll, expect, test } from "vitest";

let folder: string;
let bundle: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "pawl-worker-"));
  bundle = join(folder, "bundle.mjs");
  await build({
    entryPoints: [join(import.meta.dirname, "fixture/guarded-process.ts")],
    outfile: bundle,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node22",
    sourcemap: true,
  });
});

afterAll(() => rmSync(folder, { recursive: true }));

test("in a bundle with source maps and a console that is a file, the guard acts in workflow code only", async () => {
  const file = join(folder, "stdout.txt");
  const stdout = openSync(file, "w");
  const child = spawn(process.execPath, ["--enable-source-maps", bundle], {
    stdio: ["ignore", stdout, "inherit"],
  });
  const [code] = await once(child, "exit");
  closeSync(stdout);
  const [inWorkflow, inActivity, result, cleanedUp] = readFileSync(file, "utf8").split("\n");
  expect(code).toBe(0);
  expect(inWorkflow).toBe("in the workflow");
  expect(inActivity).toBe("activity string, true");
  expect(JSON.parse(result ?? "")).toEqual([
    "workflow code called node:fs readFileSync(), which is different on every replay",
    expect.stringMatching(/^[0-9a-f-]{36}$/),
  ]);
  expect(cleanedUp).toBe("cleaned up");
});

test("another process draws the same numbers for the same run (P-07)", async () => {
  const run = promisify(execFile);
  const outputs = await Promise.all([1, 2].map(() => run(process.execPath, [bundle])));
  expect(outputs[0]?.stdout).toBe(outputs[1]?.stdout);
});

test("SIGTERM cleans dependencies up and then ends the process by the signal (O-05)", async () => {
  const script = `
    import { activity, depends } from ${JSON.stringify(join(import.meta.dirname, "../../sdk/index.ts"))};
    async function* open() {
      yield 1;
      process.stdout.write("cleaned up");
    }
    await activity(async (value = depends(open)) => value)();
    setInterval(() => {}, 1000);
    process.stdout.write("ready ");
  `;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString();
    if (output === "ready ") child.kill("SIGTERM");
  });
  const [, signal] = await once(child, "close");
  expect(output).toBe("ready cleaned up");
  expect(signal).toBe("SIGTERM");
});

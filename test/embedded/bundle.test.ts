import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildSync } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FUNCTION_NAMES } from "../../sdk/core/test-points.ts";
import { type Bundle, bundleFunctions, bundleOptions } from "../../sdk/dev/bundle.ts";

let folder: string;
let entry: string;
let production: Bundle;

// The name "pawl" has to resolve to this package without an installation beside the entry module.
const ENTRY = `
import { activity, workflow } from "pawl";
import { createRequire } from "node:module";
import { greet } from "./greet.ts";
const require = createRequire(import.meta.url);
const __dirname = import.meta.dirname;
export class CardDeclined extends Error {}
export const charge = activity(async () => { throw new CardDeclined(__dirname + require("node:os").EOL); });
export const order = workflow(async () => greet("user text 4711"));
`;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "pawl-bundle-test-"));
  entry = join(folder, "entry.ts");
  await writeFile(entry, ENTRY);
  await writeFile(join(folder, "greet.ts"), "export const greet = (text: string) => text;");
  const outDir = join(folder, "production");
  production = await bundleFunctions({ entry, outDir, crashPoints: false });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("a bundle", () => {
  test("is one file per function with its source map, each in a folder of its own", async () => {
    const outDir = join(folder, "production");
    for (const name of FUNCTION_NAMES) {
      expect(production.files[name]).toBe(join(outDir, name, "index.mjs"));
      expect((await readdir(join(outDir, name))).sort()).toEqual(["index.mjs", "index.mjs.map"]);
    }
    expect(production.inputs).toContain(entry);
    expect(production.inputs).toContain(join(folder, "greet.ts"));
  });

  test("of the api and the sweeper holds no user code", async () => {
    const { files } = production;
    expect(await readFile(files["workflow-task"], "utf8")).toContain("user text 4711");
    expect(await readFile(files["activity-task"], "utf8")).toContain("user text 4711");
    expect(await readFile(files.api, "utf8")).not.toContain("user text 4711");
    expect(await readFile(files.sweeper, "utf8")).not.toContain("user text 4711");
  });

  test("for production holds no crash points; one for tests does", async () => {
    // Texts of functions/instrument.ts that no minifier can change.
    const traces = ["pawlCrashPoints", "no answer came in time", "asked"];
    const forTests = await bundleFunctions({
      entry,
      outDir: join(folder, "tests"),
      crashPoints: true,
    });
    for (const name of FUNCTION_NAMES) {
      const text = await readFile(production.files[name], "utf8");
      const testText = await readFile(forTests.files[name], "utf8");
      for (const trace of traces) {
        expect(text).not.toContain(`"${trace}"`);
        expect(text).not.toContain("__PAWL_CRASH_POINTS__");
      }
      expect(testText).toContain("pawlCrashPoints");
    }
  });

  test("is the same from buildSync, and keeps the names of classes when it is minified", async () => {
    const text = await readFile(production.files["activity-task"], "utf8");
    const plain = { entry, outDir: join(folder, "sync"), crashPoints: false };
    buildSync(bundleOptions(plain)["activity-task"]);
    expect(
      (await readFile(join(plain.outDir, "activity-task", "index.mjs"), "utf8")) === text,
    ).toBe(true);

    const small = { ...plain, outDir: join(folder, "minified"), minify: true };
    buildSync(bundleOptions(small)["activity-task"]);
    const minified = await readFile(join(small.outDir, "activity-task", "index.mjs"), "utf8");
    expect(minified.length).toBeLessThan(text.length / 1.5);
    expect(minified).toContain('"CardDeclined"');
  });

  test("of an entry module that does not compile fails with its file, line and text", async () => {
    const broken = join(folder, "broken");
    await mkdir(broken);
    await writeFile(join(broken, "entry.ts"), 'import { greet } from "./gone.ts";\ngreet();\n');
    await expect(
      bundleFunctions({ entry: join(broken, "entry.ts"), outDir: broken, crashPoints: false }),
    ).rejects.toMatchObject({
      code: "bundle_failed",
      message: expect.stringMatching(
        /entry\.ts:1:23: Could not resolve "\.\/gone\.ts" \(import \{ greet \} from "\.\/gone\.ts";\)/,
      ),
    });
  });

  test("of a missing entry module says so", async () => {
    const missing = { entry: join(folder, "missing.ts"), outDir: folder, crashPoints: false };
    await expect(bundleFunctions(missing)).rejects.toMatchObject({ code: "entry_not_found" });
    expect(() => bundleOptions(missing)).toThrow(/there is no entry module/);
  });
});

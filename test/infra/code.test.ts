import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { App, Stack } from "aws-cdk-lib";
import * as lambda from "aws-cdk-lib/aws-lambda";
import { afterAll, describe, expect, test } from "vitest";
import { functionCode, HANDLER } from "../../infra/code.ts";
import { FUNCTION_NAMES, type FunctionName } from "../../sdk/core/test-points.ts";
import { ENTRY } from "./synthesize.ts";

/** Bytes. A cold start loads the file; the SDK is most of it, and grows with its versions. */
const BUNDLE_BYTES_MAX = 1_000_000;

const folder = mkdtempSync(join(tmpdir(), "pawl-code-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const builtins = new Set(builtinModules);
let apps = 0;
/** The asset folders of an app that has these functions, bundled as for a deployment. */
function bundle(names: readonly FunctionName[], entry: string): readonly string[] {
  const outdir = join(folder, `app-${++apps}`);
  const app = new App({ outdir });
  const stack = new Stack(app, "Test");
  for (const name of names) {
    new lambda.Function(stack, name, {
      code: functionCode(name, entry),
      handler: HANDLER,
      runtime: lambda.Runtime.NODEJS_24_X,
    });
  }
  app.synth();
  return readdirSync(outdir)
    .filter((file) => file.startsWith("asset."))
    .map((file) => join(outdir, file));
}

describe("a bundle", () => {
  const assets = bundle(FUNCTION_NAMES, ENTRY);

  test("of each function is one minified file below 1 MB, with a source map beside it", () => {
    expect(assets).toHaveLength(FUNCTION_NAMES.length);
    for (const asset of assets) {
      expect(readdirSync(asset).sort()).toEqual(["index.mjs", "index.mjs.map"]);
      expect(statSync(join(asset, "index.mjs")).size).toBeLessThan(BUNDLE_BYTES_MAX);
    }
  });

  test("holds the AWS SDK, and imports nothing but Node's own modules", () => {
    for (const asset of assets) {
      const text = readFileSync(join(asset, "index.mjs"), "utf8");
      const imported = [...text.matchAll(/(?:^|;)import[^"';]*?["']([^"']+)["']/g)].map(
        ([, from]) => from,
      );
      expect(imported.length).toBeGreaterThan(3);
      expect(imported.filter((from) => !isBuiltin(from))).toEqual([]);
    }
  });

  test("contains no crash points: those are for tests", () => {
    for (const asset of assets) {
      const text = readFileSync(join(asset, "index.mjs"), "utf8");
      expect(text).not.toMatch(/PAWL_CRASH_POINTS|pawlCrashPoints/);
    }
  });

  test("of unchanged code has the same hash in another folder, so that nothing is deployed", () => {
    const hash = (asset: string | undefined): string => asset?.split("asset.")[1] ?? "";
    const [first] = bundle(["sweeper"], ENTRY);
    const [second] = bundle(["sweeper"], ENTRY);
    expect(hash(first)).toMatch(/^[0-9a-f]{64}$/);
    expect(hash(second)).toBe(hash(first));
    expect(assets.map(hash)).toContain(hash(first));
  });
});

test("an entry that does not compile fails the synthesis with file, line and reason", () => {
  const entry = join(folder, "broken.ts");
  writeFileSync(entry, "export const order = 1;\nexport const = 2;\n");
  expect(() => bundle(["workflow-task"], entry)).toThrow(/broken\.ts:2:14: Expected identifier/);
});

function isBuiltin(specifier: string | undefined): boolean {
  return specifier !== undefined && (specifier.startsWith("node:") || builtins.has(specifier));
}

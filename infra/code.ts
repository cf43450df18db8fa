/**
 * The functions' code as CDK assets: esbuild in this process, no Docker. The bundles hold the SDK,
 * so that a function runs the versions that were tested and starts faster.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { AssetHashType, DockerImage } from "aws-cdk-lib";
import * as lambda from "aws-cdk-lib/aws-lambda";
import { buildSync } from "esbuild";
import type { FunctionName } from "../sdk/core/test-points.ts";
import { bundleError, bundleOptions } from "../sdk/dev/bundle.ts";

/** What the `handler` of a function is with the file that the bundle has. */
export const HANDLER = "index.handler";

/**
 * The code of one function with the user's entry module in it.
 *
 * CDK hashes the output: a function is updated when its bundle changed and only then. Stacks that
 * the CLI was not asked for are not bundled.
 * @throws PawlError entry_not_found at once; bundle_failed when the stack is bundled
 */
export function functionCode(name: FunctionName, entry: string): lambda.Code {
  const options = bundleOptions({
    entry,
    outDir: VIRTUAL_OUT_DIR,
    crashPoints: false,
    minify: true,
  });
  return lambda.Code.fromAsset(dirname(resolve(entry)), {
    assetHashType: AssetHashType.OUTPUT,
    bundling: {
      // Never started: the local bundler below always succeeds or throws.
      image: DockerImage.fromRegistry("scratch"),
      // Part of CDK's key for "this asset was already bundled": one bundle per function and entry.
      command: [name, resolve(entry)],
      local: {
        tryBundle(outputDir: string): boolean {
          writeBundle(entry, outputDir, options[name]);
          return true;
        },
      },
    },
  });
}

// Paths in source maps are relative to the output: a fixed place, although CDK's folder moves, keeps
// the hash of an unchanged bundle the same.
const VIRTUAL_OUT_DIR = join("cdk.out", "pawl");

function writeBundle(
  entry: string,
  outputDir: string,
  options: ReturnType<typeof bundleOptions>[FunctionName],
): void {
  mkdirSync(outputDir, { recursive: true });
  for (const file of build(entry, options)) {
    writeFileSync(join(outputDir, basename(file.path)), file.contents);
  }
}

function build(entry: string, options: Parameters<typeof buildSync>[0]) {
  try {
    return buildSync({ ...options, write: false }).outputFiles;
  } catch (error) {
    throw bundleError(entry, error);
  }
}

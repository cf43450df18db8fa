/**
 * Bundles the four functions with esbuild: one ESM file per function in a folder of its own,
 * everything inside. The same options serve the embedded stack and the CDK construct.
 */
import { existsSync } from "node:fs";
import { dirname, extname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { BuildFailure, BuildOptions, Message } from "esbuild";
import { pawlError } from "../core/errors.ts";
import { FUNCTION_NAMES, type FunctionName } from "../core/test-points.ts";

export interface BundleOptions {
  /** The user's entry module: its exports are the workflows and activities. A path to a .ts or .js file. */
  readonly entry: string;
  /** The folder that gets one folder per function. */
  readonly outDir: string;
  /** True builds the crash points and counters of tests in; a production bundle does not contain them. */
  readonly crashPoints: boolean;
  /** Default false. Names of functions and classes are kept either way: they are registered types. */
  readonly minify?: boolean;
}

export interface Bundle {
  /** The file of each function; its export `handler` is the Lambda handler. */
  readonly files: Readonly<Record<FunctionName, string>>;
  /** Absolute paths of the user's files in it, packages left out: what a watcher watches. */
  readonly inputs: readonly string[];
}

/** The file name of a bundled function inside its folder. */
export const BUNDLE_FILE = "index.mjs";

// From source the package's files end in .ts (Node strips the types), in the published dist in .js.
const extension = extname(fileURLToPath(import.meta.url));
const packageRoot = resolve(dirname(fileURLToPath(import.meta.url)), "..", "..");

/**
 * Bundles all functions of an entry module.
 * @throws PawlError entry_not_found, bundle_failed (esbuild's messages with file, line and column)
 */
export async function bundleFunctions(options: BundleOptions): Promise<Bundle> {
  const perFunction = bundleOptions(options);
  // esbuild is a development tool of some 10 MB: only those who bundle load it.
  const { build } = await import("esbuild");
  const inputs = new Set<string>();
  await Promise.all(
    FUNCTION_NAMES.map(async (name) => {
      try {
        const { metafile } = await build({ ...perFunction[name], metafile: true });
        for (const input of userFiles(Object.keys(metafile.inputs))) inputs.add(input);
      } catch (error) {
        throw bundleError(options.entry, error);
      }
    }),
  );
  return { files: bundleFiles(options.outDir), inputs: [...inputs].sort() };
}

/**
 * esbuild's options for each function, for `build` and `buildSync` alike: no plugins, no I/O.
 * @throws PawlError entry_not_found
 */
export function bundleOptions(
  options: BundleOptions,
): Readonly<Record<FunctionName, BuildOptions>> {
  const entry = entryPath(options.entry);
  return {
    "workflow-task": functionOptions("workflow-task", entry, options),
    "activity-task": functionOptions("activity-task", entry, options),
    api: functionOptions("api", entry, options),
    sweeper: functionOptions("sweeper", entry, options),
  };
}

/** The entry module's absolute path. @throws PawlError entry_not_found */
export function entryPath(entry: string): string {
  const path = resolve(entry);
  if (!existsSync(path)) throw pawlError("entry_not_found", { entry });
  return path;
}

/** Turns what esbuild threw into an error that shows the user's line; other errors pass unchanged. */
export function bundleError(entry: string, error: unknown): unknown {
  if (!isBuildFailure(error)) return error;
  const reason = error.errors.map(messageLine).join("; ");
  return pawlError("bundle_failed", { entry, reason });
}

/** What every build of the functions has in common. */
export function sharedOptions(
  options: Pick<BundleOptions, "crashPoints" | "minify">,
): BuildOptions {
  return {
    absWorkingDir: process.cwd(),
    bundle: true,
    platform: "node",
    target: "node22",
    format: "esm",
    mainFields: ["module", "main"],
    // Packages in CommonJS call require() for Node's own modules; an ESM file has none.
    banner: {
      js: 'import { createRequire as pawlCreateRequire } from "node:module"; var require = pawlCreateRequire(import.meta.url);',
    },
    alias: {
      pawl: ownFile("sdk/index"),
      "pawl/client": ownFile("sdk/client"),
    },
    define: { __PAWL_CRASH_POINTS__: String(options.crashPoints) },
    sourcemap: "linked",
    sourcesContent: false,
    minify: options.minify ?? false,
    keepNames: true,
    legalComments: "none",
    logLevel: "silent",
  };
}

function functionOptions(name: FunctionName, entry: string, options: BundleOptions): BuildOptions {
  return {
    ...sharedOptions(options),
    stdin: {
      contents: functionSource(name, entry),
      resolveDir: dirname(entry),
      sourcefile: `pawl-${name}.ts`,
      loader: "ts",
    },
    outfile: join(resolve(options.outDir), name, BUNDLE_FILE),
  };
}

/** The module that esbuild starts from; api and sweeper hold no user code. */
export function functionSource(name: FunctionName, entry: string): string {
  const module = JSON.stringify(ownFile(`functions/${name}`));
  switch (name) {
    case "workflow-task":
      return `import * as entry from ${JSON.stringify(entry)};\nimport { workflowTask } from ${module};\nexport const handler = workflowTask(entry);\n`;
    case "activity-task":
      return `import * as entry from ${JSON.stringify(entry)};\nimport { activityTask } from ${module};\nexport const handler = activityTask(entry);\n`;
    case "api":
    case "sweeper":
      return `export { handler } from ${module};\n`;
  }
}

function ownFile(path: string): string {
  return join(packageRoot, `${path}${extension}`);
}

/** Where each function's file is in the folder of a bundle. */
export function bundleFiles(outDir: string): Readonly<Record<FunctionName, string>> {
  const file = (name: FunctionName) => join(resolve(outDir), name, BUNDLE_FILE);
  return {
    "workflow-task": file("workflow-task"),
    "activity-task": file("activity-task"),
    api: file("api"),
    sweeper: file("sweeper"),
  };
}

/** The files among esbuild's inputs that are the user's: existing ones, outside of packages. */
export function userFiles(inputs: readonly string[]): readonly string[] {
  return inputs
    .filter((input) => !input.startsWith("pawl-") && !input.includes("node_modules/"))
    .map((input) => resolve(input))
    .filter((input) => existsSync(input));
}

function isBuildFailure(error: unknown): error is BuildFailure {
  return error instanceof Error && "errors" in error && Array.isArray(error.errors);
}

function messageLine(message: Message): string {
  const place = message.location;
  if (place === null) return message.text;
  const file = relative(process.cwd(), resolve(place.file));
  return `${file}:${place.line}:${place.column + 1}: ${message.text} (${place.lineText.trim()})`;
}

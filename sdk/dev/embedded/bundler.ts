/**
 * Bundles the functions for the embedded stack: one incremental build in which they share chunks,
 * because the stack starts with every command and most of each function is the same AWS SDK.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import type { BuildContext, BuildResult, Plugin } from "esbuild";
import { FUNCTION_NAMES, type FunctionName } from "../../core/test-points.ts";
import {
  BUNDLE_FILE,
  type Bundle,
  bundleError,
  bundleFiles,
  entryPath,
  functionSource,
  sharedOptions,
  userFiles,
} from "../bundle.ts";

export interface Bundler {
  /** Bundles into a folder of this name under the root. @throws PawlError bundle_failed */
  bundle(folder: string): Promise<Bundle>;
  dispose(): Promise<void>;
}

export interface BundlerOptions {
  readonly entry: string;
  readonly crashPoints?: boolean;
  /** The folder that holds the folders of the bundles. */
  readonly root: string;
  /** The module of each function; default: Pawl's own functions. */
  readonly source?: (name: FunctionName, entry: string) => string;
}

/** @throws PawlError entry_not_found */
export function createBundler(options: BundlerOptions): Bundler {
  const entry = entryPath(options.entry);
  // Every bundle has this one's depth, so that its source maps hold in all of them.
  const nominal = join(options.root, "0");
  let opening: Promise<BuildContext<{ write: false; metafile: true }>> | undefined;
  const open = async () => {
    const { context } = await import("esbuild");
    return context({
      ...sharedOptions({ crashPoints: options.crashPoints ?? false }),
      entryPoints: FUNCTION_NAMES.map((name) => ({
        in: `${SCHEME}${name}`,
        out: join(name, BUNDLE_FILE.replace(".mjs", "")),
      })),
      plugins: [functionModules(entry, options.source ?? functionSource)],
      splitting: true,
      outdir: nominal,
      outExtension: { ".js": ".mjs" },
      chunkNames: "shared/[name]-[hash]",
      write: false,
      metafile: true,
    });
  };
  return {
    async bundle(folder) {
      opening ??= open();
      const context = await opening;
      const outDir = join(options.root, folder);
      try {
        const { outputFiles, metafile } = await context.rebuild();
        await write(outputFiles, nominal, outDir);
        return { files: bundleFiles(outDir), inputs: userFiles(Object.keys(metafile.inputs)) };
      } catch (error) {
        throw bundleError(options.entry, error);
      }
    },
    async dispose() {
      await (await opening)?.dispose();
    },
  };
}

const SCHEME = "pawl-function:";

/** The functions' own modules, which exist in no file. */
function functionModules(
  entry: string,
  source: (name: FunctionName, entry: string) => string,
): Plugin {
  return {
    name: "pawl-functions",
    setup(build) {
      build.onResolve({ filter: new RegExp(`^${SCHEME}`) }, ({ path }) => ({
        path: path.slice(SCHEME.length),
        namespace: "pawl-function",
      }));
      build.onLoad({ filter: /.*/, namespace: "pawl-function" }, ({ path }) => {
        const name = FUNCTION_NAMES.find((known) => known === path);
        if (name === undefined) return { errors: [{ text: `there is no function ${path}` }] };
        return { contents: source(name, entry), resolveDir: dirname(entry), loader: "ts" };
      });
    },
  };
}

async function write(
  files: BuildResult<{ write: false }>["outputFiles"],
  from: string,
  to: string,
): Promise<void> {
  await Promise.all(
    files.map(async ({ path, contents }) => {
      const target = join(to, relative(from, path));
      await mkdir(dirname(target), { recursive: true });
      await writeFile(target, contents);
    }),
  );
}

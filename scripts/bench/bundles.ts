/** P9: how large the minified functions are, and how long a fresh process needs to load one. */
import { execFile } from "node:child_process";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { bundleFunctions } from "../../sdk/dev/bundle.ts";
import { deployment, functionEnvironment } from "../../sdk/dev/embedded/deployment.ts";
import { ENTRY } from "./embedded.ts";
import { median } from "./measure.ts";
import type { Results } from "./measurement.ts";

const MEGABYTE = 1_048_576;
const NO_STORE = "no store";
const run = promisify(execFile);

export async function measureBundles(results: Results, loads: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "pawl-bench-"));
  try {
    const options = { entry: ENTRY, outDir: folder, crashPoints: false, minify: true };
    const { files } = await bundleFunctions(options);
    for (const name of ["api", "workflow-task", "activity-task"] as const) {
      const { size } = await stat(files[name]);
      const times: number[] = [];
      for (let load = 0; load < loads; load++) times.push(await loadMs(name, files[name]));
      const initMs = median(times);
      results.add({
        workload: "bundle",
        what: "minified bundle, and its import in a new process",
        variant: name,
        durability: NO_STORE,
        figures: { bytes: size, init_ms: initMs },
      });
      if (name === "activity-task") continue;
      const shared = { target: "P9", durability: NO_STORE } as const;
      const mb = { measured: size / MEGABYTE, unit: "MB", wanted: { atMost: 1 }, steady: true };
      results.check({ ...shared, ...mb, what: `${name} bundle, minified` });
      const ms = { measured: initMs, unit: "ms", wanted: { atMost: 150 }, steady: false };
      results.check({ ...shared, ...ms, what: `cold init of ${name}` });
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Milliseconds of the import alone, as Lambda bills init behind the start of the runtime. */
async function loadMs(name: string, file: string): Promise<number> {
  const deployed = deployment([], {});
  const fn = deployed.functions.find((one) => one.name === name);
  if (fn === undefined) throw new Error(`there is no function ${name}`);
  const nowhere = "http://127.0.0.1:1";
  const endpoints = { dynamodb: nowhere, queues: nowhere, lambda: nowhere };
  const script = `const at = performance.now(); await import(${JSON.stringify(pathToFileURL(file).href)}); console.log(performance.now() - at); process.exit(0);`;
  const { stdout } = await run(process.execPath, ["--input-type=module", "--eval", script], {
    env: { PATH: process.env["PATH"], ...functionEnvironment(fn, deployed, endpoints) },
  });
  return Number(stdout);
}

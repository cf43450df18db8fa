/** P2 and P5: the engine alone, over maps; see engine-process.ts. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { EngineFigures } from "./engine-process.ts";
import type { Bound, Check, Results } from "./measurement.ts";

const IN_PROCESS = "engine alone: maps in the same process, nothing survives";
const SCRIPT = fileURLToPath(new URL("engine-process.ts", import.meta.url));
const KILOBYTE = 1_024;
const run = promisify(execFile);

export async function measureEngine(results: Results, quick: boolean): Promise<void> {
  const { stdout } = await run(process.execPath, [
    "--expose-gc",
    SCRIPT,
    ...(quick ? ["--quick"] : []),
  ]);
  // What engine-process.ts prints.
  const figures = JSON.parse(stdout) as EngineFigures;
  const add = (workload: string, what: string, values: Readonly<Record<string, number>>): void =>
    results.add({ workload, what, variant: "local", durability: IN_PROCESS, figures: values });
  const check = (
    target: Check["target"],
    fields: Pick<Check, "what" | "measured" | "unit" | "steady"> & { wanted: Bound },
  ): void => results.check({ target, ...fields, durability: IN_PROCESS });
  const { cpuMsPerStep, flatness, slowStoreStepMs, slowStoreCallMs, replayMs } = figures;
  const { suspendedBytes, fan100Ms, fan100Appends } = figures;
  add("cpu", "CPU of the engine per local activity", {
    cpu_ms: cpuMsPerStep,
    least_ms: figures.cpuMsPerStepLeast,
  });
  add("W2", "gap between bodies over a store that takes 5 ms", {
    p50_ms: slowStoreStepMs,
    store_call_ms: slowStoreCallMs,
  });
  add("W5", "fan-out of 100 parallel activities", { p50_ms: fan100Ms, appends: fan100Appends });
  add("WR", "cold replay of a log in memory, by its activities", byName(replayMs, "_ms"));
  add("memory", "suspended run in the cache, by its activities", byName(suspendedBytes, "_bytes"));
  check("P2", {
    what: "engine CPU per local activity",
    measured: cpuMsPerStep,
    unit: "ms",
    wanted: { atMost: 0.05 },
    steady: false,
  });
  check("P2", {
    what: "local step over a 5 ms store, beyond the store's call",
    measured: slowStoreStepMs - slowStoreCallMs,
    unit: "ms",
    wanted: { atMost: 0.3 },
    steady: false,
  });
  check("P5", {
    what: "step 1,000 / step 10 of the engine alone",
    measured: flatness,
    unit: "",
    wanted: { atMost: 1.2 },
    steady: true,
  });
  check("P5", {
    what: "cold replay of 1,000 local activities",
    measured: replayMs["1000"] ?? Number.NaN,
    unit: "ms",
    wanted: { atMost: 15 },
    steady: false,
  });
  check("P5", {
    what: "cold replay of 10,000 local activities",
    measured: replayMs["10000"] ?? Number.NaN,
    unit: "ms",
    wanted: { atMost: 200 },
    steady: false,
  });
  for (const n of ["10", "1000"])
    check("P5", {
      what: `suspended run with ${n} finished local activities`,
      measured: (suspendedBytes[n] ?? Number.NaN) / KILOBYTE,
      unit: "KB",
      wanted: { atMost: 50 },
      steady: true,
    });
}

function byName(values: Readonly<Record<string, number>>, suffix: string): Record<string, number> {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [`n${name}${suffix}`, value]),
  );
}

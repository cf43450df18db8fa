/**
 * The engine alone, in a process of its own with a collector that can be asked (`--expose-gc`): CPU
 * per local activity, steps over a store of a known latency, replay, and the size of a cached run.
 * Prints one JSON object.
 */
import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { Batch } from "../../sdk/core/events.ts";
import { LoadedRun } from "../../sdk/engine/loaded-run.ts";
import { startMessage } from "../../sdk/engine/operations/start.ts";
import { RunCache } from "../../sdk/engine/run-cache.ts";
import { workDirectly } from "../../sdk/engine/workflow-task.ts";
import type { RunRow } from "../../sdk/ports/runs.ts";
import { createRegistry } from "../../sdk/worker/registry.ts";
import { gaps, median, medianOf } from "./measure.ts";
import { memoryStore } from "./memory-ports.ts";
import * as entry from "./worker.ts";

export interface EngineFigures {
  readonly cpuMsPerStep: number;
  /** The best round: what is left when nobody else has the processor. */
  readonly cpuMsPerStepLeast: number;
  /** The gap between the last bodies of 1,000 by the gap at the tenth. */
  readonly flatness: number;
  readonly slowStoreCallMs: number;
  readonly slowStoreStepMs: number;
  readonly fan100Ms: number;
  readonly fan100Appends: number;
  readonly replayMs: Readonly<Record<string, number>>;
  readonly suspendedBytes: Readonly<Record<string, number>>;
}

const SLOW_STORE_MS = 5;
const SETTLE_MS = 50;
const WARM_UP_ROUNDS = 20;
const INVOCATION_MS = 120_000;
const quick = process.argv.includes("--quick");
const repeats = quick ? 3 : 9;
const userCode = createRegistry(entry);
const store = memoryStore();
const { ports } = store;
let cache = new RunCache(1_000);

async function run(workflowType: string, input: unknown): Promise<RunRow> {
  const id = randomUUID();
  const row: RunRow = {
    namespace: ports.namespace,
    workflow_id: id,
    run_id: id,
    workflow_type: workflowType,
    status: "pending",
    input: { json: JSON.stringify(input) },
    seed: id,
    request_id: id,
    started_at: Date.now(),
  };
  store.rows.set(id, row);
  const endsAt = Date.now() + INVOCATION_MS;
  const remainingMs = (): number => endsAt - Date.now();
  const invocation = { id, budgetMs: INVOCATION_MS, remainingMs };
  await workDirectly(
    { ports, userCode, cache, invocation },
    { kind: "task", message: startMessage(row) },
  );
  return row;
}

function logOf(row: RunRow): readonly Batch[] {
  return store.logs.get(row.run_id) ?? [];
}

/** What the run of `steps` returned: when each body ran. */
function stampsOf(row: RunRow): readonly number[] {
  const last = logOf(row).at(-1)?.events.at(-1);
  if (last?.type !== "WorkflowCompleted")
    throw new Error(`a run of the benchmark ended with ${last?.type ?? "nothing"}`);
  const { output } = last;
  const json = "json" in output ? output.json : store.blobs.get(output.blob);
  const stamps: unknown = JSON.parse(json ?? "[]");
  return Array.isArray(stamps) ? stamps.map(Number) : [];
}

async function cpuMsPerStep(): Promise<readonly number[]> {
  const n = 200;
  const rounds: number[] = [];
  // Compiled code takes some ten thousand steps to settle.
  for (let round = 0; round < WARM_UP_ROUNDS + repeats; round++) {
    const before = process.cpuUsage();
    for (let each = 0; each < 5; each++) await run("steps", { n, mode: "local" });
    const { user, system } = process.cpuUsage(before);
    rounds.push((user + system) / 1_000 / (5 * n));
    store.logs.clear();
  }
  return rounds.slice(WARM_UP_ROUNDS);
}

async function flatness(): Promise<number> {
  const ratios: number[] = [];
  for (let round = 0; round < repeats; round++) {
    const between = gaps(stampsOf(await run("steps", { n: 1_000, mode: "local" })));
    ratios.push(median(between.slice(975)) / median(between.slice(5, 15)));
    store.logs.clear();
  }
  return median(ratios);
}

async function slowStore(): Promise<{ readonly callMs: number; readonly stepMs: number }> {
  const calls: number[] = [];
  for (let call = 0; call < 50; call++) {
    const at = performance.now();
    await delay(SLOW_STORE_MS);
    calls.push(performance.now() - at);
  }
  store.setLatency(SLOW_STORE_MS);
  const steps = gaps(stampsOf(await run("steps", { n: 100, mode: "local" })));
  store.setLatency(0);
  return { callMs: median(calls), stepMs: median(steps) };
}

async function replayMs(n: number): Promise<number> {
  const row = await run("held", { n });
  const time = await medianOf(repeats, async () => {
    const loaded = new LoadedRun(ports, userCode, row);
    await loaded.load();
    await loaded.replay(() => Promise.reject(new Error("the log has its first event")));
  });
  cache = new RunCache(1_000);
  store.logs.clear();
  return time;
}

async function suspendedBytes(n: number): Promise<number> {
  // Enough of them that what the collector keeps or frees elsewhere does not count.
  const runs = n > 100 ? 50 : 500;
  let bytes = 0;
  // The last time counts: only then has what came before been let go of.
  for (let round = 0; round < 3; round++) {
    cache = new RunCache(1_000);
    const before = await heapUsed();
    for (let each = 0; each < runs; each++) {
      await run("held", { n });
      store.logs.clear();
      store.rows.clear();
    }
    // The cache is read after the collection, so that it is alive during it.
    bytes = ((await heapUsed()) - before) / runs;
    cache.take({ namespace: "", workflow_id: "", run_id: "" });
  }
  return bytes;
}

async function heapUsed(): Promise<number> {
  if (globalThis.gc === undefined) throw new Error("start this process with --expose-gc");
  for (let collection = 0; collection < 3; collection++) {
    // What the last run's promises and timers hold is let go of by the event loop.
    await delay(SETTLE_MS);
    globalThis.gc();
  }
  return process.memoryUsage().heapUsed;
}

const fan100Appends = logOf(await run("fan", { n: 100, mode: "local" })).length;
const cpuRounds = await cpuMsPerStep();
const { callMs, stepMs } = await slowStore();
const figures: EngineFigures = {
  cpuMsPerStep: median(cpuRounds),
  cpuMsPerStepLeast: Math.min(...cpuRounds),
  flatness: await flatness(),
  slowStoreCallMs: callMs,
  slowStoreStepMs: stepMs,
  fan100Appends,
  fan100Ms: await medianOf(repeats, () => run("fan", { n: 100, mode: "local" })),
  replayMs: { 10: await replayMs(10), 1000: await replayMs(1_000), 10000: await replayMs(10_000) },
  suspendedBytes: { 10: await suspendedBytes(10), 1000: await suspendedBytes(1_000) },
};
process.stdout.write(`${JSON.stringify(figures)}\n`);

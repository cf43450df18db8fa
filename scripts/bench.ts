/**
 * `npm run bench`: Pawl's figures on this machine against the targets of docs/PERFORMANCE.md.
 *
 *   --quick    about half a minute: short loops, in-memory store only
 *   --json     JSON lines on standard output instead of the tables
 *   --only P   parts by name, with commas: engine, bundles, counts, memory, file
 *   --write    puts the tables into docs/PERFORMANCE.md
 *
 * JSON lines always go to test-results/bench-results.jsonl. Figures compare within one run only.
 */
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { measureBundles } from "./bench/bundles.ts";
import { countRequests } from "./bench/counts.ts";
import {
  type Bed,
  coldQuery,
  cpuOfProcess,
  emptyWorkflow,
  fanOut,
  manySteps,
  startBed,
  storeRoundTrip,
  tenSteps,
  warmUp,
} from "./bench/embedded.ts";
import { measureEngine } from "./bench/engine.ts";
import { Results } from "./bench/measurement.ts";
import { checkTable, jsonLine, line, markdown, withTable } from "./bench/report.ts";

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    write: { type: "boolean", default: false },
    only: { type: "string", default: "engine,bundles,counts,memory,file" },
    peers: { type: "boolean", default: false },
  },
});
const { quick, json } = values;
const DOCUMENT = new URL("../docs/PERFORMANCE.md", import.meta.url);
const RESULTS_FOLDER = new URL("../test-results/", import.meta.url);
/** Figures of other systems on a machine like CI's, from another run: milliseconds, p50, c1. */
const PEERS = { localStep: 1.3, regularStep: 13, fanOut: 74 } as const;

if (values.peers)
  process.stderr.write("--peers: the peers need servers of their own and are run beside Pawl\n");
const results = new Results((measurement) =>
  process.stdout.write(`${json ? jsonLine(measurement) : line(measurement)}\n`),
);
const parts: Readonly<Record<string, () => Promise<void>>> = {
  engine: () => measureEngine(results, quick),
  bundles: () => measureBundles(results, quick ? 3 : 9),
  counts: () => countRequests(results, quick ? 1 : 5),
  memory: () => onStack(undefined),
  // The same with a store that survives: only the full run takes the time.
  file: () => (quick ? Promise.resolve() : onFile()),
};
for (const name of values.only.split(",")) {
  const part = parts[name];
  if (part === undefined)
    throw new Error(`there is no part ${name}, only ${Object.keys(parts).join(", ")}`);
  await part();
}
const lines = [...results.measurements, ...results.checks].map(jsonLine);
await mkdir(RESULTS_FOLDER, { recursive: true });
await writeFile(new URL("bench-results.jsonl", RESULTS_FOLDER), `${lines.join("\n")}\n`);
if (json) for (const check of results.checks) process.stdout.write(`${jsonLine(check)}\n`);
else process.stdout.write(`\n${checkTable(results.checks)}\n`);
if (values.write)
  await writeFile(DOCUMENT, withTable(await readFile(DOCUMENT, "utf8"), markdown(results)));

async function onFile(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "pawl-bench-"));
  try {
    await onStack(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function onStack(dataDir: string | undefined): Promise<void> {
  const loopMs = quick ? 1_000 : 4_000;
  const bed = await startBed({ loopMs, ...(dataDir === undefined ? {} : { dataDir }) }, results);
  try {
    await warmUp(bed);
    await emptyWorkflow(bed);
    await steps(bed);
    await fans(bed);
    await cpuOfProcess(bed);
    await coldQuery(bed, 1_000);
  } finally {
    await bed.stack.stop();
  }
}

async function steps(bed: Bed): Promise<void> {
  const { durability } = bed;
  const roundTripMs = await storeRoundTrip(bed);
  const local = await tenSteps(bed, "local", 1);
  const flat = await manySteps(bed, quick ? 1 : 3);
  await tenSteps(bed, "local", 16);
  const regular = await tenSteps(bed, "regular", 1);
  await tenSteps(bed, "regular", 16);
  const time = { unit: "ms", steady: false, durability };
  const ratio = { unit: "", steady: true, durability };
  const check = results.check.bind(results);
  const store = durability.includes("file") ? "file" : "in memory";
  check({
    ...time,
    target: "D-04",
    what: `local step (${store})`,
    measured: local.gapMs,
    wanted: { atMost: 10 },
  });
  check({
    ...ratio,
    target: "D-04",
    what: `regular step / local step (${store})`,
    measured: regular.gapMs / local.gapMs,
    wanted: { atLeast: 5 },
  });
  check({
    ...time,
    target: "P3",
    what: `local step, against 1.5 x DBOS (${store})`,
    measured: local.gapMs,
    wanted: { atMost: 1.5 * PEERS.localStep },
  });
  check({
    ...ratio,
    steady: false,
    target: "P3",
    what: `local step / one store round trip (${store})`,
    measured: local.gapMs / roundTripMs,
    wanted: { atMost: 1.5 },
  });
  check({
    ...time,
    target: "P3",
    what: `regular step, against DBOS (${store})`,
    measured: regular.gapMs,
    wanted: { atMost: PEERS.regularStep },
  });
  check({
    ...ratio,
    target: "P5",
    what: `step 1,000 / step 10 (${store})`,
    measured: flat,
    wanted: { atMost: 1.2 },
  });
}

async function fans(bed: Bed): Promise<void> {
  const store = bed.durability.includes("file") ? "file" : "in memory";
  await fanOut(bed, "local");
  results.check({
    target: "P4",
    what: `fan-out of 100 regular activities, against 2 x Restate (${store})`,
    measured: await fanOut(bed, "regular"),
    unit: "ms",
    wanted: { atMost: 2 * PEERS.fanOut },
    steady: false,
    durability: bed.durability,
  });
}

/**
 * `node scripts/record-corpus.ts --version 0.1.0`: records what this version of Pawl writes.
 *
 * Runs workflows of the end-to-end tests and of the example on the memory platform and keeps their
 * history exports in `test/corpus/<version>`, beside a copy of the code that wrote them. Run once, at
 * a release; every later version must replay them (A5). A version that is there is never written again.
 */
import { cpSync, existsSync, globSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import type { Duration } from "../sdk/core/duration.ts";
import type { CrashPoint, TestPlatform } from "../sdk/testing/index.ts";

/** What happens to a run after its start, before its history is kept. */
type Step =
  | { readonly signal: string; readonly args: readonly unknown[] }
  | { readonly advance: Duration }
  | "cancel"
  | "terminate"
  /** Nothing more: the history of an open run. */
  | "leave_open";

interface Scene {
  readonly name: string;
  readonly type: string;
  readonly input?: unknown;
  readonly steps?: readonly Step[];
  readonly crash?: CrashPoint;
}

const END_TO_END: readonly Scene[] = [
  { name: "mixed", type: "mixed", input: { start: 4 } },
  { name: "retries-queued", type: "retries", input: false },
  { name: "retries-local", type: "retries", input: true },
  { name: "failures-queued", type: "failures", input: false },
  { name: "failures-local", type: "failures", input: true },
  { name: "large", type: "large", input: { local: true, bytes: 20_000, tooLarge: 2_200_000 } },
  { name: "returns-large", type: "returnsLarge", input: 20_000 },
  { name: "throwing", type: "throwing" },
  {
    name: "approval",
    type: "approval",
    steps: [
      { signal: "note", args: ["one"] },
      { signal: "note", args: ["two"] },
      { signal: "approve", args: ["ada"] },
    ],
  },
  {
    name: "approval-open",
    type: "approval",
    steps: [{ signal: "note", args: ["one"] }, "leave_open"],
  },
  {
    name: "approval-terminated",
    type: "approval",
    steps: [{ signal: "note", args: [1] }, "terminate"],
  },
  { name: "cancelled", type: "cancellable", steps: ["cancel"] },
  { name: "timers", type: "timers", input: { seconds: 1 } },
  { name: "waits-long", type: "waitsLong" },
  { name: "waits-long-open", type: "waitsLong", steps: [{ advance: "1d" }, "leave_open"] },
  { name: "ten-local", type: "tenLocal" },
  {
    name: "cold-replay",
    type: "tenLocal",
    crash: { function: "workflow-task", call: "PutItem history_events", when: "after" },
  },
  { name: "many-local", type: "manyLocal", input: 20 },
  { name: "sequential-queued", type: "sequentialRegular", input: 5 },
  { name: "many-queued", type: "manyRegular", input: 20 },
  { name: "echoes", type: "echoes", input: { ü: [null, -1.5, "\u2028", { "": "😀" }] } },
  { name: "reads-clock", type: "readsClock" },
];

const ADDRESS = { street: "Lindenstrasse 99", city: "Berlin", country: "DE" };
const EXAMPLE: readonly Scene[] = [
  ...[
    "plain",
    "flaky-gateway",
    "declined-card",
    "out-of-stock",
    "unreachable-address",
    "invalid",
  ].map((file) => order(file)),
  order("wrong-address", "", [{ signal: "changeAddress", args: [ADDRESS] }]),
  order("wrong-address", "-uncorrected", [{ advance: "3d" }]),
  order("wrong-address", "-cancelled", [{ advance: "1h" }, "cancel"]),
];

const SETS = [
  { name: "end-to-end", source: "test/e2e", code: ["worker.ts"], scenes: END_TO_END },
  {
    name: "order-fulfilment",
    source: "examples/order-fulfilment",
    code: ["*.ts"],
    scenes: EXAMPLE,
  },
] as const;

function order(file: string, suffix: string = "", steps: readonly Step[] = []): Scene {
  const path = new URL(`../examples/order-fulfilment/orders/${file}.json`, import.meta.url);
  return {
    name: `${file}${suffix}`,
    type: "fulfilOrder",
    input: JSON.parse(readFileSync(path, "utf8")),
    steps,
  };
}

// The package's own name means its source here, as it does in the tests.
const source = new URL("../sdk/index.ts", import.meta.url).href;
registerHooks({
  resolve: (specifier, context, next) => next(specifier === "pawl" ? source : specifier, context),
});
const { createTestPlatform, replayHistory } = await import("../sdk/testing/index.ts");

const { values } = parseArgs({ options: { version: { type: "string" } } });
const { version } = values;
if (version === undefined || !/^\d+\.\d+\.\d+$/u.test(version))
  throw new Error("give the version that is being released: --version 0.1.0");
const folder = fileURLToPath(new URL(`../test/corpus/${version}`, import.meta.url));
if (existsSync(folder))
  throw new Error(`test/corpus/${version} is there already, and the corpus is never edited`);

for (const set of SETS) {
  const target = `${folder}/${set.name}`;
  mkdirSync(`${target}/code`, { recursive: true });
  const root = fileURLToPath(new URL(`../${set.source}`, import.meta.url));
  for (const file of globSync([...set.code], { cwd: root }))
    cpSync(`${root}/${file}`, `${target}/code/${file}`);
  const entry = `${target}/code/worker.ts`;
  const exports: Readonly<Record<string, unknown>> = await import(pathToFileURL(entry).href);
  for (const scene of set.scenes) {
    const platform = await createTestPlatform({ target: "memory", entry });
    try {
      const recorded = await record(platform, scene);
      await replayHistory(exports, recorded);
      writeFileSync(`${target}/${scene.name}.json`, `${JSON.stringify(recorded, null, 1)}\n`);
      console.log(`${set.name}/${scene.name}: ${recorded.history_events.length} events`);
    } finally {
      await platform.close();
    }
  }
}

async function record(platform: TestPlatform, { name, type, input, steps = [], crash }: Scene) {
  const point = crash === undefined ? undefined : platform.crash(crash);
  const handle = await platform.client.start(type, {
    id: name,
    ...(input === undefined ? {} : { input }),
  });
  for (const step of steps) {
    if (step === "leave_open") {
      await platform.advance(0);
      return await handle.export();
    }
    if (step === "cancel") await handle.cancel();
    else if (step === "terminate") await handle.terminate("recorded");
    else if ("advance" in step) await platform.advance(step.advance);
    else await handle.signal(step.signal, ...step.args);
  }
  // A run may end in any way; how it ended is in its history.
  await handle.result().catch(() => undefined);
  await point?.reached;
  return await handle.export();
}

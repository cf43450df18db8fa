/** The peers' workloads W1 to W5 on the embedded stack, with real processes and real HTTP. */
import { randomUUID } from "node:crypto";
import { fileURLToPath } from "node:url";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { DynamoDBDocumentClient, PutCommand } from "@aws-sdk/lib-dynamodb";
import { Client } from "../../sdk/client.ts";
import { REGION, TABLE_NAMES } from "../../sdk/dev/embedded/deployment.ts";
import { type EmbeddedStack, startEmbedded } from "../../sdk/dev/embedded/start.ts";
import { gaps, type Loop, loop, median, quantile, timed } from "./measure.ts";
import type { Results } from "./measurement.ts";
import type { Mode } from "./worker.ts";

export const ENTRY: string = fileURLToPath(new URL("worker.ts", import.meta.url));

/** A running stack, and how its rows name what survives a crash of the machine. */
export interface Bed {
  readonly stack: EmbeddedStack;
  readonly client: Client;
  readonly durability: string;
  /** Milliseconds that one timed loop lasts. */
  readonly loopMs: number;
  readonly results: Results;
}

export const IN_MEMORY = "embedded: DynamoDB emulator in memory, nothing survives";
export const ON_FILE = "embedded: DynamoDB emulator on a SQLite file";

export async function startBed(
  options: { readonly dataDir?: string; readonly loopMs: number },
  results: Results,
): Promise<Bed> {
  const { dataDir, loopMs } = options;
  const stack = await startEmbedded({
    entry: ENTRY,
    ...(dataDir === undefined ? {} : { dataDir, reset: true }),
  });
  return {
    stack,
    client: new Client({ baseUrl: stack.apiUrl }),
    durability: dataDir === undefined ? IN_MEMORY : ON_FILE,
    loopMs,
    results,
  };
}

/** What a start waits for its result. */
export const WAIT_SECONDS = 20;
const CONCURRENT = 16;
const STEPS = 10;
const FAN = 100;

/** Starts a workflow and waits for its result in the same request, as far as one request may. */
export async function call<Result>(
  { client }: Pick<Bed, "client">,
  type: string,
  input: unknown,
): Promise<Result> {
  const handle = await client.start<Result>(type, { input, wait: WAIT_SECONDS });
  return await handle.result();
}

/** Lets processes start, code be compiled and connections be made. */
export async function warmUp(bed: Bed): Promise<void> {
  await loop(4, bed.loopMs / 2, () => call(bed, "empty", null));
  for (const mode of ["local", "regular"] as const)
    await loop(4, bed.loopMs / 2, () => call(bed, "steps", { n: STEPS, mode }));
}

/** W1: an empty workflow, from its start to its result. */
export async function emptyWorkflow(bed: Bed): Promise<void> {
  for (const concurrency of [1, CONCURRENT]) {
    const run = await loop(concurrency, bed.loopMs, () => call(bed, "empty", null));
    bed.results.add({
      workload: "W1",
      what: "empty workflow, start to result (?wait)",
      concurrency,
      durability: bed.durability,
      figures: figuresOf(run),
    });
  }
  const queued = await loop(1, bed.loopMs, async () => {
    const handle = await bed.client.start("empty", {});
    await handle.result();
  });
  bed.results.add({
    workload: "W1",
    what: "empty workflow, start, then result (through the queue)",
    concurrency: 1,
    durability: bed.durability,
    figures: figuresOf(queued),
  });
}

export interface StepFigures {
  readonly gapMs: number;
  readonly workflowsPerSecond: number;
}

/** W2 and W3: ten sequential activities; the gap between bodies, and the whole workflow. */
export async function tenSteps(bed: Bed, mode: Mode, concurrency: number): Promise<StepFigures> {
  const between: number[] = [];
  const run = await loop(concurrency, bed.loopMs, async () => {
    const stamps = await call<readonly number[]>(bed, "steps", { n: STEPS, mode });
    between.push(...gaps(stamps));
  });
  const shared = { variant: mode, concurrency, durability: bed.durability };
  const gapMs = median(between);
  bed.results.add({
    workload: "W2",
    what: "gap between bodies, 10 sequential activities",
    ...shared,
    figures: {
      n: between.length,
      p50_ms: gapMs,
      p95_ms: quantile(between, 0.95),
      steps_per_s: (run.latenciesMs.length * STEPS * 1_000) / run.wallMs,
    },
  });
  const figures = figuresOf(run);
  bed.results.add({
    workload: "W3",
    what: "whole workflow of 10 sequential activities",
    ...shared,
    figures,
  });
  return { gapMs, workflowsPerSecond: figures["per_s"] ?? 0 };
}

/** W4: many sequential local activities in one workflow; the last steps against the tenth. */
export async function manySteps(bed: Bed, runs: number): Promise<number> {
  const n = 1_000;
  const ratios: number[] = [];
  for (let each = 0; each < runs; each++) {
    let stamps: readonly number[] = [];
    const total = await timed(async () => {
      stamps = await call<readonly number[]>(bed, "steps", { n, mode: "local" });
    });
    const between = gaps(stamps);
    const step10 = median(between.slice(5, 15));
    const step1000 = median(between.slice(-25));
    ratios.push(step1000 / step10);
    bed.results.add({
      workload: "W4",
      what: "1,000 sequential local activities",
      variant: "local",
      concurrency: 1,
      durability: bed.durability,
      figures: {
        total_ms: total,
        p50_ms: median(between),
        p95_ms: quantile(between, 0.95),
        step10_ms: step10,
        step100_ms: median(between.slice(90, 110)),
        step1000_ms: step1000,
        max_gap_ms: Math.max(...between),
      },
    });
  }
  return median(ratios);
}

/** W5: 100 parallel activities, from the start of the workflow to its result. */
export async function fanOut(bed: Bed, mode: Mode): Promise<number> {
  await call(bed, "fan", { n: FAN, mode });
  const run = await loop(1, bed.loopMs, () => call(bed, "fan", { n: FAN, mode }));
  const figures = figuresOf(run);
  bed.results.add({
    workload: "W5",
    what: "fan-out of 100 parallel activities",
    variant: mode,
    concurrency: 1,
    durability: bed.durability,
    figures,
  });
  return figures["p50_ms"] ?? Number.NaN;
}

/** One conditional put into the history table by the same SDK: what a strict step has to pay. */
export async function storeRoundTrip(bed: Bed): Promise<number> {
  const client = new DynamoDBClient({
    region: REGION,
    endpoint: bed.stack.endpoints.dynamodb,
    credentials: { accessKeyId: "embedded", secretAccessKey: "embedded" },
  });
  const documents = DynamoDBDocumentClient.from(client);
  const pk = `bench-${randomUUID()}`;
  const text = "x".repeat(700);
  const put = (sk: number): Promise<unknown> =>
    documents.send(
      new PutCommand({
        TableName: TABLE_NAMES.history_events,
        Item: { pk, sk, events: text },
        ConditionExpression: "attribute_not_exists(pk)",
      }),
    );
  const times: number[] = [];
  for (let sk = 1; sk <= 400; sk++) times.push(await timed(() => put(sk)));
  client.destroy();
  const roundTripMs = median(times.slice(100));
  bed.results.add({
    workload: "store",
    what: "one conditional put into the history table, same SDK",
    concurrency: 1,
    durability: bed.durability,
    figures: { p50_ms: roundTripMs },
  });
  return roundTripMs;
}

/** CPU that the workflow-task process spends per local activity, the AWS SDK included. */
export async function cpuOfProcess(bed: Bed): Promise<number> {
  const n = 500;
  const perStep: number[] = [];
  for (let round = 0; round < 3; round++) {
    const { before, after } = await call<{ before: number; after: number }>(bed, "cpuOfSteps", {
      n,
    });
    perStep.push((after - before) / n);
  }
  const cpuMs = median(perStep);
  bed.results.add({
    workload: "cpu",
    what: "CPU of the workflow-task process per local activity, AWS SDK included",
    variant: "local",
    durability: bed.durability,
    figures: { cpu_ms: cpuMs },
  });
  return cpuMs;
}

/** WR through a process that has never seen the run: a query, which loads and replays the log. */
export async function coldQuery(bed: Bed, n: number): Promise<void> {
  const handle = await bed.client.start("held", { input: { n } });
  for (;;) {
    const { events } = await handle.historyPage({ after: 3 * n, limit: 10 });
    if (events.length > 0) break;
  }
  await bed.stack.reload();
  const coldMs = await timed(() => handle.query("stepsDone"));
  const warmMs: number[] = [];
  for (let each = 0; each < 5; each++) warmMs.push(await timed(() => handle.query("stepsDone")));
  await handle.terminate();
  bed.results.add({
    workload: "WR",
    what: `query of a run of ${n} local activities: the log is loaded and replayed`,
    variant: "local",
    concurrency: 1,
    durability: bed.durability,
    figures: { new_process_ms: coldMs, p50_ms: median(warmMs) },
  });
}

function figuresOf({ latenciesMs, wallMs, failures }: Loop): Record<string, number> {
  return {
    n: latenciesMs.length,
    p50_ms: quantile(latenciesMs, 0.5),
    p95_ms: quantile(latenciesMs, 0.95),
    per_s: (latenciesMs.length * 1_000) / wallMs,
    ...(failures === 0 ? {} : { failures }),
  };
}

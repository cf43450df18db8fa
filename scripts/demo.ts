/**
 * `npm run demo`: two orders of examples/order-fulfilment on the embedded stack, and what the history
 * says about them. Data on standard output, progress on standard error.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import pc from "picocolors";
import type { Order } from "../examples/order-fulfilment/order.ts";
import type { Fulfilment } from "../examples/order-fulfilment/worker.ts";
import { historyHead, historyLine } from "../sdk/cli/history-view.ts";
import { processIo } from "../sdk/cli/io.ts";
import { type Look, runView } from "../sdk/cli/run-view.ts";
import { clip } from "../sdk/cli/text.ts";
import { durationText } from "../sdk/cli/times.ts";
import { type ActivityView, createClient, type WorkflowHandle } from "../sdk/client.ts";
import { startEmbedded } from "../sdk/dev/embedded/start.ts";

interface Scene {
  readonly file: string;
  readonly title: string;
  readonly ends: Fulfilment["status"];
}

const SCENES: readonly Scene[] = [
  {
    file: "flaky-gateway.json",
    title: "The payment gateway is down at first: one retry, and the order ships",
    ends: "shipped",
  },
  {
    file: "unreachable-address.json",
    title: "Nobody delivers there: what was done is undone, the last step first",
    ends: "not shipped",
  },
];

/** Beyond this a line is hard to follow. */
const COLUMNS_MAX = 120;
/** The exit code of a program that Ctrl-C ended. */
const EXIT_INTERRUPTED = 130;
const PLACE_WIDTH = 26;
const EXAMPLE = new URL("../examples/order-fulfilment/", import.meta.url);

const io = processIo();
const { bold, dim, ...colors } = pc.createColors(io.stdout.isTerminal && pc.isColorSupported);
const note = (line: string): void => io.stderr.write(`${line}\n`);
const print = (line = ""): void => io.stdout.write(`${line}\n`);

const { interrupted } = io;
const startedMs = io.clock.now();
note("starting DynamoDB, SQS, S3, Lambda and API Gateway on this machine …");
const stack = await startEmbedded({ entry: fileURLToPath(new URL("worker.ts", EXAMPLE)) }).catch(
  (error: unknown) => {
    // Ctrl-C reaches every process of the terminal: a bundler that it ended is no failure.
    if (interrupted.aborted) process.exit(EXIT_INTERRUPTED);
    throw error;
  },
);
try {
  if (!interrupted.aborted) await Promise.race([play(), aborted(interrupted)]);
} finally {
  await stack.stop();
}
// At once: the client would go on asking the API that has ended.
if (interrupted.aborted) process.exit(EXIT_INTERRUPTED);

async function play(): Promise<void> {
  note(`ready after ${durationText(io.clock.now() - startedMs)}: ${stack.apiUrl}`);
  const client = createClient({ baseUrl: stack.apiUrl });
  for (const [index, { file, title, ends }] of SCENES.entries()) {
    const input = orderIn(file);
    const id = `order-${input.id}`;
    const handle = await client.start<Fulfilment>("fulfilOrder", { id, input });
    note(`${id} started, from orders/${file}`);
    const { status } = await handle.result();
    note(`${id} ended: ${status}`);
    if (status !== ends) throw new Error(`${id} ended "${status}", not "${ends}"`);
    print();
    print(bold(`${index + 1}  ${title}`));
    print();
    await show(handle);
  }
  print();
  print("The code: examples/order-fulfilment/worker.ts. To run orders of your own:");
  print();
  print("  node sdk/cli/main.ts dev examples/order-fulfilment/worker.ts");
  note(`done after ${durationText(io.clock.now() - startedMs)}`);
}

/** The run as `pawl show` and `pawl history` draw it, and where its activities ran. */
async function show(handle: WorkflowHandle<Fulfilment>): Promise<void> {
  const look: Look = {
    columns: Math.min(io.stdout.columns, COLUMNS_MAX),
    colors: { bold, dim, ...colors },
    timeFormat: "relative",
    nowMs: io.clock.now(),
  };
  const [run, history] = await Promise.all([handle.describe(), handle.history()]);
  for (const line of runView(run, look)) print(line);
  print();
  print(historyHead(look));
  const runStartedMs = Date.parse(history[0]?.recorded_at ?? run.started_at);
  for (const event of history) print(historyLine(event, runStartedMs, look));
  print();
  for (const line of processLines(run.activities, look)) print(line);
}

/** Which function, in which of this machine's processes, ran which activities. */
function processLines(activities: readonly ActivityView[], look: Look): readonly string[] {
  const places = [
    { name: "workflow-task", ran: activities.filter((activity) => activity.local_activity) },
    { name: "activity-task", ran: activities.filter((activity) => !activity.local_activity) },
  ];
  return places.map(({ name, ran }, index) => {
    const pids = stack.processes().flatMap((one) => (one.function === name ? [one.pid] : []));
    const place = `${name} ${pids.join(", ")}`.padEnd(PLACE_WIDTH);
    const types = clip(ran.map(({ type }) => type).join(", "), look.columns - PLACE_WIDTH - 10);
    return `${dim((index === 0 ? "processes" : "").padEnd(10))}${place} ${types}`;
  });
}

function orderIn(file: string): Order {
  // The files are part of the example; an order that is wrong fails in validateOrder.
  return JSON.parse(readFileSync(new URL(`orders/${file}`, EXAMPLE), "utf8")) as Order;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve()));
}

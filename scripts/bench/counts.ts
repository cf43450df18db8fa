/**
 * What one activity costs in requests, counted on an instrumented embedded stack, and in dollars at
 * list price. Counts do not depend on how busy the machine is.
 */
import { setTimeout as delay } from "node:timers/promises";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { DynamoDBDocumentClient, ScanCommand } from "@aws-sdk/lib-dynamodb";
import { Client } from "../../sdk/client.ts";
import type { Counts } from "../../sdk/core/test-points.ts";
import { REGION } from "../../sdk/dev/embedded/deployment.ts";
import { type EmbeddedStack, startEmbedded } from "../../sdk/dev/embedded/start.ts";
import { difference } from "../../sdk/testing/counts.ts";
import { costOf, type WriteUnits } from "./cost.ts";
import { call, ENTRY, IN_MEMORY, WAIT_SECONDS } from "./embedded.ts";
import { median } from "./measure.ts";
import type { Bound, Check, Results } from "./measurement.ts";

/** Functions report their calls over a pipe: milliseconds until the last report is in. */
const REPORT_MS = 400;
/** Milliseconds after which the delayed safety net of a direct start has come and gone. */
const SAFETY_NET_MS = 7_000;
const STEPS = 10;
const FAN = 100;

interface Counting {
  readonly stack: EmbeddedStack;
  readonly client: Client;
  readonly results: Results;
}

export async function countRequests(results: Results, fans: number): Promise<void> {
  const stack = await startEmbedded({ entry: ENTRY, crashPoints: true });
  const counting: Counting = { stack, client: new Client({ baseUrl: stack.apiUrl }), results };
  try {
    for (const mode of ["local", "regular"] as const)
      for (let each = 0; each < 3; each++) await call(counting, "steps", { n: STEPS, mode });
    await directStart(counting);
    await perActivity(counting);
    await fanOuts(counting, fans);
    await costs(counting);
  } finally {
    await stack.stop();
  }
}

/** P8: a workflow of ten local activities, answered by its start. */
async function directStart(counting: Counting): Promise<void> {
  const counts = await counted(counting, () =>
    call(counting, "steps", { n: STEPS, mode: "local" }),
  );
  const check = checker(counting, "P8");
  const what = "direct start of 10 local activities";
  check(`${what}: workflow-task invocations`, counts.invocations["workflow-task"], { atMost: 1 });
  check(`${what}: history writes`, writes(counts, "history_events"), { atMost: 11 });
  check(`${what}: writes of the run's row`, rowWrites(counts), { atMost: 2 });
}

/** P1, P6: what ten more activities add. */
async function perActivity(counting: Counting): Promise<void> {
  const direct = (n: number) => () => call(counting, "steps", { n, mode: "local" });
  const local = difference(
    await counted(counting, direct(STEPS)),
    await counted(counting, direct(2 * STEPS)),
  );
  const check = checker(counting, "P1");
  check("history writes per local activity", writes(local, "history_events") / STEPS, {
    atMost: 1,
  });
  const fan = await counted(counting, () => call(counting, "fan", { n: FAN, mode: "local" }));
  const starts = "history writes of 100 parallel local activities";
  checker(counting, "P1")(starts, writes(fan, "history_events"), { atMost: 15 });
  await delay(SAFETY_NET_MS);
  const regular = difference(
    await counted(counting, () => queued(counting, "steps", STEPS)),
    await counted(counting, () => queued(counting, "steps", 2 * STEPS)),
  );
  const steady = checker(counting, "P6");
  const what = "per regular activity";
  const stored = ["history_events", "activity_attempts", "activity_executions"];
  const allWrites = stored.reduce((sum, table) => sum + writes(regular, table), rowWrites(regular));
  steady(`DynamoDB writes ${what}`, allWrites / STEPS, { atMost: 3 });
  const messages = Object.values(regular.queue).reduce((sum, queue) => sum + queue.messages, 0);
  steady(`SQS messages ${what}`, messages / STEPS, { atMost: 2 });
  steady(`Lambda invocations ${what}`, taskInvocations(regular) / STEPS, { atMost: 2 });
  steady(`DynamoDB reads of the task functions ${what}`, taskReads(regular) / STEPS, {
    atMost: 0,
  });
  counting.results.add({
    workload: "counts",
    what: "requests per activity, one more in a sequence",
    durability: IN_MEMORY,
    figures: {
      local_history_writes: writes(local, "history_events") / STEPS,
      local_row_writes:
        (writes(local, "activity_executions") + writes(local, "activity_attempts")) / STEPS,
      regular_writes: allWrites / STEPS,
      regular_messages: messages / STEPS,
      regular_invocations: taskInvocations(regular) / STEPS,
      regular_visibility_changes:
        callsOf(regular, "activity-task: ChangeMessageVisibility") / STEPS,
    },
  });
}

/** P4: how many commits and sends 100 parallel regular activities need. */
async function fanOuts(counting: Counting, runs: number): Promise<void> {
  const sends: number[] = [];
  const appends: number[] = [];
  const invocations: number[] = [];
  for (let run = 0; run < runs; run++) {
    const counts = await counted(counting, () => queued(counting, "fan", FAN));
    sends.push(callsOf(counts, "workflow-task: SendMessageBatch activity-tasks"));
    appends.push(callsOf(counts, "workflow-task: PutItem history_events"));
    invocations.push(counts.invocations["workflow-task"]);
  }
  const check = checker(counting, "P4");
  const what = "fan-out of 100 regular activities";
  check(`${what}: SendMessageBatch calls to start`, median(sends), { atMost: 10 });
  check(`${what}: appends, lost races included`, median(appends), { atMost: 16 });
  counting.results.add({
    workload: "counts",
    what,
    variant: "regular",
    durability: IN_MEMORY,
    figures: {
      n: runs,
      send_calls: median(sends),
      appends: median(appends),
      workflow_task_invocations: median(invocations),
    },
  });
}

/** P7: dollars per million activities, in workflows of ten. */
async function costs(counting: Counting): Promise<void> {
  const workflows = 5;
  const check = checker(counting, "P7", "$ per million");
  const figures: Record<string, number> = {};
  for (const mode of ["local", "regular"] as const) {
    // Safety nets of earlier starts belong to those.
    await delay(SAFETY_NET_MS);
    const before = counting.stack.counts();
    const ids = new Set<string>();
    for (let each = 0; each < workflows; each++) {
      const input = { n: STEPS, mode };
      const handle = await counting.client.start("steps", { input, wait: WAIT_SECONDS });
      await handle.result();
      ids.add(handle.id);
    }
    await delay(SAFETY_NET_MS);
    const counts = difference(before, counting.stack.counts());
    const units = await writeUnits(counting.stack, ids);
    const cost = costOf(counts, units, { workflows, activities: workflows * STEPS });
    figures[`${mode}_history_units`] = units["history_events"] ?? 1;
    if (mode === "local") {
      check("local activity without its rows", cost.withoutRows, { atMost: 1 });
      check("local activity with its rows", cost.total, { atMost: 2.2 });
      figures["local_without_rows"] = cost.withoutRows;
    } else check("regular activity", cost.total, { atMost: 5.3 });
    for (const [name, dollars] of Object.entries(cost.parts)) figures[`${mode}_${name}`] = dollars;
    figures[`${mode}_total`] = cost.total;
  }
  counting.results.add({
    workload: "cost",
    what: "dollars per million activities at list price, in workflows of ten",
    durability: IN_MEMORY,
    figures,
  });
}

/** Counts of one workflow, from its start to its result. */
async function counted(counting: Counting, work: () => Promise<unknown>): Promise<Counts> {
  await delay(REPORT_MS);
  const before = counting.stack.counts();
  await work();
  await delay(REPORT_MS);
  return difference(before, counting.stack.counts());
}

/** Regular activities, started through the queue: a slow machine would count a direct start's safety net. */
async function queued({ client }: Counting, type: string, n: number): Promise<void> {
  const handle = await client.start(type, { input: { n, mode: "regular" } });
  await handle.result();
}

function checker(
  { results }: Counting,
  target: Check["target"],
  unit: string = "",
): (what: string, measured: number, wanted: Bound) => void {
  return (what, measured, wanted) =>
    results.check({ target, what, measured, unit, wanted, steady: true, durability: IN_MEMORY });
}

/** Write units of an average item of these workflows, by table: one per 1,024 bytes begun. */
async function writeUnits(
  { endpoints }: EmbeddedStack,
  workflowIds: ReadonlySet<string>,
): Promise<WriteUnits> {
  const client = new DynamoDBClient({
    region: REGION,
    endpoint: endpoints.dynamodb,
    credentials: { accessKeyId: "embedded", secretAccessKey: "embedded" },
  });
  const documents = DynamoDBDocumentClient.from(client);
  const unitsOf = async (table: string): Promise<number> => {
    const { Items = [] } = await documents.send(new ScanCommand({ TableName: table }));
    const own = Items.filter((item) => workflowIds.has(String(item["pk"]).split("#")[1] ?? ""));
    const units = own.map((item) => Math.ceil(itemBytes(item) / 1_024));
    return units.length === 0 ? 1 : units.reduce((sum, one) => sum + one, 0) / units.length;
  };
  try {
    return {
      history_events: await unitsOf("history_events"),
      workflow_runs: await unitsOf("workflow_runs"),
      activity_attempts: await unitsOf("activity_attempts"),
      activity_executions: await unitsOf("activity_executions"),
    };
  } finally {
    client.destroy();
  }
}

/** Of the run's rows, by the functions on their way; the sweeper counts runs in its own time. */
function rowWrites(counts: Counts): number {
  return ["api", "workflow-task"].reduce(
    (sum, name) =>
      sum +
      callsOf(counts, `${name}: PutItem workflow_runs`) +
      callsOf(counts, `${name}: UpdateItem workflow_runs`),
    0,
  );
}

function writes(counts: Counts, table: string): number {
  return counts.store[table]?.writes ?? 0;
}

function taskInvocations({ invocations }: Counts): number {
  return invocations["workflow-task"] + invocations["activity-task"];
}

function taskReads(counts: Counts): number {
  return ["Query", "GetItem"].reduce(
    (sum, action) =>
      sum +
      callsOf(counts, `workflow-task: ${action}`) +
      callsOf(counts, `activity-task: ${action}`),
    0,
  );
}

/** How many calls begin so. */
function callsOf(counts: Counts, begin: string): number {
  return Object.entries(counts.calls).reduce(
    (sum, [name, count]) => (name.startsWith(begin) ? sum + count : sum),
    0,
  );
}

/** Only on the embedded stack names of owners begin with the start of the stack that they are of. */
const BOOT = /[0-9a-f-]{36}\/(?=[0-9a-f-]{36})/g;

/** As DynamoDB counts: names and texts by their bytes, numbers and the rest by a few. */
function itemBytes(value: unknown): number {
  if (typeof value === "string") return Buffer.byteLength(value.replaceAll(BOOT, ""));
  if (typeof value === "number") return 1 + Math.ceil(String(value).length / 2);
  if (typeof value !== "object" || value === null) return 1;
  return Object.entries(value).reduce(
    (sum, [name, inner]) => sum + Buffer.byteLength(name) + itemBytes(inner),
    Array.isArray(value) ? 3 : 0,
  );
}

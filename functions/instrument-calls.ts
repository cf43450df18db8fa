/** Names and counts an AWS call by its operation and input, in the vocabulary of crash points. */
import type { StoreCounts } from "../sdk/core/test-points.ts";
import { ENV } from "./environment.ts";

/** The parts of an AWS call's input that say what it touches. */
export interface ServiceInput {
  readonly TableName?: string;
  readonly RequestItems?: Readonly<Record<string, unknown>>;
  readonly QueueUrl?: string;
  readonly Entries?: readonly unknown[];
  readonly Bucket?: string;
  readonly FunctionName?: string;
}

/** Maps a physical name (table, queue URL, bucket, function) to its logical one. */
export type NameOf = (physical: string) => string;

const READS = new Set(["GetItem", "Query", "Scan"]);
const WRITES = new Set(["PutItem", "UpdateItem", "DeleteItem"]);
const SENDS = new Set(["SendMessage", "SendMessageBatch"]);

/** The call as a crash point names it, such as "PutItem history_events". */
export function callOf(operation: string, input: ServiceInput, name: NameOf): string {
  return `${operation} ${targetsOf(input).map(name).sort().join("+")}`.trimEnd();
}

export interface CallCounts {
  readonly store: readonly (StoreCounts & { readonly table: string })[];
  readonly queue: readonly { readonly queue: string; readonly messages: number }[];
}

/** What the call adds to the counts: a page is one read, an item of a batch is one write. */
export function countsOf(operation: string, input: ServiceInput, name: NameOf): CallCounts {
  return { store: storeCounts(operation, input, name), queue: queueCounts(operation, input, name) };
}

function storeCounts(operation: string, input: ServiceInput, name: NameOf): CallCounts["store"] {
  const { TableName: table, RequestItems: items = {} } = input;
  if (operation === "BatchWriteItem" || operation === "BatchWrite")
    return Object.entries(items).map(([each, writes]) => ({
      table: name(each),
      reads: 0,
      writes: Array.isArray(writes) ? writes.length : 0,
    }));
  if (operation === "BatchGetItem" || operation === "BatchGet")
    return Object.keys(items).map((each) => ({ table: name(each), reads: 1, writes: 0 }));
  if (table === undefined) return [];
  if (READS.has(operation)) return [{ table: name(table), reads: 1, writes: 0 }];
  if (WRITES.has(operation)) return [{ table: name(table), reads: 0, writes: 1 }];
  return [];
}

function queueCounts(operation: string, input: ServiceInput, name: NameOf): CallCounts["queue"] {
  if (input.QueueUrl === undefined || !SENDS.has(operation)) return [];
  return [{ queue: name(input.QueueUrl), messages: input.Entries?.length ?? 1 }];
}

function targetsOf(input: ServiceInput): readonly string[] {
  if (input.RequestItems !== undefined) return Object.keys(input.RequestItems);
  const target = input.TableName ?? input.QueueUrl ?? input.Bucket ?? input.FunctionName;
  return target === undefined ? [] : [target];
}

/** The logical name of a table, queue, bucket or function of this deployment, else the name itself. */
export function nameOf(physical: string): string {
  known ??= logicalNames(process.env);
  return known.get(physical) ?? physical;
}
let known: ReadonlyMap<string, string> | undefined;

function logicalNames(env: NodeJS.ProcessEnv): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  const add = (physical: string | undefined, logical: string): void => {
    if (physical !== undefined) names.set(physical, logical);
  };
  add(env[ENV.runsTable], "workflow_runs");
  add(env[ENV.historyTable], "history_events");
  add(env[ENV.executionsTable], "activity_executions");
  add(env[ENV.attemptsTable], "activity_attempts");
  add(env[ENV.timersTable], "timers");
  add(env[ENV.payloadBucket], "payloads");
  add(env[ENV.workflowQueueUrl], "workflow-tasks");
  add(env[ENV.workflowFunction], "workflow-task");
  const activityQueues: unknown = JSON.parse(env[ENV.activityQueueUrls] ?? "{}");
  for (const [name, url] of Object.entries(Object(activityQueues)))
    add(String(url), `activity-tasks/${name}`);
  return names;
}

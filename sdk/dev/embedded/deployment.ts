/**
 * What the embedded stack deploys, on one screen: names, limits and event sources, as the CDK
 * construct does it on AWS.
 */
import { readFileSync } from "node:fs";
import { findPackageJSON } from "node:module";
import * as v from "valibot";
import { ENV } from "../../../functions/environment.ts";
import { TABLES, type TableName } from "../../adapters/dynamodb/layout.ts";
import { pawlError } from "../../core/errors.ts";
import { LEASE_MS, QUEUE_BATCH_MAX, RECEIVES_MAX } from "../../core/limits.ts";
import type { FunctionName } from "../../core/test-points.ts";

export const REGION = "us-east-1";
export const ACCOUNT = "000000000000";
export const PAYLOAD_BUCKET = "payloads";
export const WORKFLOW_QUEUE = "workflow-tasks";
/** The activity queue of activities that name none; every stack has it. */
export const DEFAULT_ACTIVITY_QUEUE = "default";
export const NAMESPACE = "default";

/** Milliseconds after which a function's process is killed. */
export const TIMEOUTS_MS: Readonly<Record<FunctionName, number>> = {
  "workflow-task": 120_000,
  "activity-task": 900_000,
  api: 29_000,
  sweeper: 60_000,
};
/** Milliseconds between two runs of the sweeper. */
export const SWEEP_EVERY_MS = 60_000;

/** One function environment pool: a function of its own on AWS. */
export interface DeployedFunction {
  readonly name: string;
  readonly kind: FunctionName;
  readonly processesMax: number;
  /** Invocations that one process has at the same time. One, as on Lambda, where user code runs. */
  readonly invocationsPerProcess: number;
  /** Processes that stay when there is nothing to do. */
  readonly warm: number;
  readonly timeoutMs: number;
}

/** A queue whose messages invoke a function. */
export interface EventSource {
  readonly queue: string;
  readonly functionName: string;
  readonly batchSizeMax: number;
  /** Batches in work at the same time. */
  readonly concurrencyMax: number;
}

export interface QueueSetup {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
}

export interface Deployment {
  readonly functions: readonly DeployedFunction[];
  readonly sources: readonly EventSource[];
  /** Dead-letter queues before the queues that name them. */
  readonly queues: readonly QueueSetup[];
  readonly activityQueues: readonly string[];
}

/** Where queues are not as on AWS, for tests of crashes. */
export interface QueueTuning {
  readonly visibilityMs?: number | undefined;
  /** Messages in one invocation of the workflow-task function; with 1, a crash stops one run only. */
  readonly workflowBatchSizeMax?: number | undefined;
}

export function deployment(
  queues: readonly string[],
  timeouts: Readonly<Partial<Record<FunctionName, number>>>,
  { visibilityMs, workflowBatchSizeMax = QUEUE_BATCH_MAX }: QueueTuning = {},
): Deployment {
  const activityQueues = [...new Set([DEFAULT_ACTIVITY_QUEUE, ...queues])];
  for (const name of activityQueues) checkQueueName(name);
  const timeoutsMs = { ...TIMEOUTS_MS, ...timeouts };
  const one = (kind: FunctionName): DeployedFunction => ({
    name: kind,
    kind,
    processesMax: 1,
    invocationsPerProcess: 1,
    warm: 1,
    timeoutMs: timeoutsMs[kind],
  });
  return {
    activityQueues,
    functions: [
      // Two more than the event source takes: direct starts and queries never wait for long tasks.
      { ...one("workflow-task"), processesMax: 6 },
      ...activityQueues.map((queue) => ({
        ...one("activity-task"),
        name: activityFunction(queue),
        processesMax: 8,
      })),
      // A request may wait 20 s for a result, and Lambda has a thousand environments for such.
      { ...one("api"), invocationsPerProcess: 200 },
      one("sweeper"),
    ],
    sources: [
      {
        queue: WORKFLOW_QUEUE,
        functionName: "workflow-task",
        batchSizeMax: workflowBatchSizeMax,
        concurrencyMax: 4,
      },
      ...activityQueues.map((queue) => ({
        queue: activityQueue(queue),
        functionName: activityFunction(queue),
        // A crash ends one attempt only.
        batchSizeMax: 1,
        concurrencyMax: 8,
      })),
    ],
    queues: [
      ...queueWithDeadLetters(WORKFLOW_QUEUE, visibilityMs ?? timeoutsMs["workflow-task"]),
      ...activityQueues.flatMap((queue) =>
        queueWithDeadLetters(activityQueue(queue), visibilityMs ?? timeoutsMs["activity-task"]),
      ),
    ],
  };
}

/** The endpoints that the parent serves, all on the loopback interface. */
export interface Endpoints {
  readonly dynamodb: string;
  /** SQS and S3. */
  readonly queues: string;
  readonly lambda: string;
}

/** The environment of a function's process: the names of functions/environment.ts and AWS's own. */
export function functionEnvironment(
  fn: DeployedFunction,
  stack: Deployment,
  endpoints: Endpoints,
): Readonly<Record<string, string>> {
  const url = (queue: string) => queueUrl(endpoints.queues, queue);
  return {
    [ENV.namespace]: NAMESPACE,
    [ENV.runsTable]: TABLE_NAMES.workflow_runs,
    [ENV.historyTable]: TABLE_NAMES.history_events,
    [ENV.executionsTable]: TABLE_NAMES.activity_executions,
    [ENV.attemptsTable]: TABLE_NAMES.activity_attempts,
    [ENV.timersTable]: TABLE_NAMES.timers,
    [ENV.payloadBucket]: PAYLOAD_BUCKET,
    [ENV.workflowQueueUrl]: url(WORKFLOW_QUEUE),
    [ENV.activityQueueUrls]: JSON.stringify(
      Object.fromEntries(stack.activityQueues.map((name) => [name, url(activityQueue(name))])),
    ),
    [ENV.deadLetterQueueUrls]: JSON.stringify(
      Object.fromEntries(
        stack.sources.map(({ queue }) => [url(deadLetterQueue(queue)), url(queue)]),
      ),
    ),
    [ENV.workflowFunction]: "workflow-task",
    [ENV.version]: packageVersion(),
    [ENV.leaseMs]: String(LEASE_MS),
    ...AWS_ENVIRONMENT,
    AWS_LAMBDA_FUNCTION_NAME: fn.name,
    AWS_ENDPOINT_URL_DYNAMODB: endpoints.dynamodb,
    AWS_ENDPOINT_URL_SQS: endpoints.queues,
    AWS_ENDPOINT_URL_S3: endpoints.queues,
    AWS_ENDPOINT_URL_LAMBDA: endpoints.lambda,
  };
}

export const TABLE_NAMES: Readonly<Record<TableName, string>> = {
  workflow_runs: TABLES.workflow_runs.name,
  history_events: TABLES.history_events.name,
  activity_executions: TABLES.activity_executions.name,
  activity_attempts: TABLES.activity_attempts.name,
  timers: TABLES.timers.name,
};

export function queueUrl(endpoint: string, queue: string): string {
  return `${endpoint}/${ACCOUNT}/${queue}`;
}
export function queueArn(queue: string): string {
  return `arn:aws:sqs:${REGION}:${ACCOUNT}:${queue}`;
}
export function functionArn(name: string): string {
  return `arn:aws:lambda:${REGION}:${ACCOUNT}:function:${name}`;
}
export function activityQueue(name: string): string {
  return `activity-tasks-${name}`;
}
export function deadLetterQueue(queue: string): string {
  return `${queue}-dead`;
}

// No profile of the user: nothing that runs here can reach an account.
const AWS_ENVIRONMENT = {
  AWS_REGION: REGION,
  AWS_DEFAULT_REGION: REGION,
  AWS_ACCESS_KEY_ID: "embedded",
  AWS_SECRET_ACCESS_KEY: "embedded",
  AWS_CONFIG_FILE: "/dev/null",
  AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
  AWS_EC2_METADATA_DISABLED: "true",
  AWS_LAMBDA_FUNCTION_VERSION: "$LATEST",
  AWS_LAMBDA_FUNCTION_MEMORY_SIZE: "1024",
  // Lambda's clock shows UTC.
  TZ: "UTC",
};

let version: string | undefined;
function packageVersion(): string {
  version ??= readVersion();
  return version;
}

// From source and from dist alike: the nearest package.json above this file.
function readVersion(): string {
  const file = findPackageJSON(import.meta.url);
  if (file === undefined) throw new Error("Pawl's package.json is missing");
  return v.parse(v.object({ version: v.string() }), JSON.parse(readFileSync(file, "utf8"))).version;
}

function activityFunction(queue: string): string {
  return queue === DEFAULT_ACTIVITY_QUEUE ? "activity-task" : `activity-task-${queue}`;
}

// As on AWS, a message stays invisible at least as long as its function may run, unless a test asks.
function queueWithDeadLetters(name: string, visibilityMs: number): readonly QueueSetup[] {
  const dead = deadLetterQueue(name);
  const fourteenDays = "1209600";
  return [
    { name: dead, attributes: { MessageRetentionPeriod: fourteenDays } },
    {
      name,
      attributes: {
        VisibilityTimeout: String(Math.ceil(visibilityMs / 1000)),
        MessageRetentionPeriod: fourteenDays,
        RedrivePolicy: JSON.stringify({
          deadLetterTargetArn: queueArn(dead),
          maxReceiveCount: RECEIVES_MAX,
        }),
      },
    },
  ];
}

function checkQueueName(name: string): void {
  if (/^[A-Za-z0-9_-]{1,50}$/.test(name)) return;
  throw pawlError("invalid_option", {
    where: "startEmbedded",
    option: `queues: ${JSON.stringify(name)}`,
    reason: "is not a queue name: use 1 to 50 letters, digits, - and _",
  });
}

/**
 * The one place where adapters are built: which table, queue, bucket and function stands behind which
 * port. The wiring is the same over real clients, over emulators and over a simulation's fakes.
 */
import process from "node:process";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { SQSClient } from "@aws-sdk/client-sqs";
import { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";
import { dynamoAttempts } from "../sdk/adapters/dynamodb/attempts.ts";
import { dynamoCounting } from "../sdk/adapters/dynamodb/counting.ts";
import { dynamoGuards } from "../sdk/adapters/dynamodb/guards.ts";
import { dynamoHistory } from "../sdk/adapters/dynamodb/history.ts";
import { dynamoProjection } from "../sdk/adapters/dynamodb/projection.ts";
import { dynamoRuns } from "../sdk/adapters/dynamodb/runs.ts";
import type { DynamoClient, Table } from "../sdk/adapters/dynamodb/table.ts";
import { dynamoTimers } from "../sdk/adapters/dynamodb/timers.ts";
import {
  type LambdaInvokeClient,
  type LambdaOutput,
  lambdaWorkflowFunction,
  loadLambda,
} from "../sdk/adapters/lambda/functions.ts";
import { nodeHost } from "../sdk/adapters/lambda/host.ts";
import { powertoolsTelemetry } from "../sdk/adapters/lambda/telemetry.ts";
import { loadS3, type S3BlobClient, type S3Output, s3Blobs } from "../sdk/adapters/s3/blobs.ts";
import { type SqsReceiveClient, sqsDeadLetters } from "../sdk/adapters/sqs/dead-letters.ts";
import { type SqsClient, sqsQueue } from "../sdk/adapters/sqs/queue.ts";
import { LEASE_MS, LEASE_MS_MIN, LOCAL_BODIES_MAX } from "../sdk/core/limits.ts";
import { DEFAULT_QUEUE } from "../sdk/core/options.ts";
import type { Host } from "../sdk/ports/host.ts";
import type { Ports } from "../sdk/ports/ports.ts";
import type { Telemetry } from "../sdk/ports/telemetry.ts";
import { ENV } from "./environment.ts";
import { instrument } from "./instrument.ts";

export { parseMessage } from "../sdk/adapters/wire.ts";

/** The services as the adapters see them: everything that reaches the network, and nothing more. */
export interface AwsClients {
  readonly dynamo: DynamoClient;
  readonly sqs: SqsClient & SqsReceiveClient;
  readonly s3: S3BlobClient;
  readonly lambda: LambdaInvokeClient;
}

export type Environment = Readonly<Record<string, string | undefined>>;

export interface Composition {
  readonly environment: Environment;
  readonly clients: AwsClients;
  readonly host: Host;
  readonly telemetry: Telemetry;
}

/**
 * Builds all ports over the given clients.
 * @throws Error that names a variable of the environment which is missing
 */
export function createPorts({ environment, clients, host, telemetry }: Composition): Ports {
  const table = (variable: string): Table => ({
    client: clients.dynamo,
    name: required(environment, variable),
  });
  const runs = table(ENV.runsTable);
  const attempts = table(ENV.attemptsTable);
  const executions = table(ENV.executionsTable);
  const blobs = s3Blobs(clients.s3, required(environment, ENV.payloadBucket));
  const urls = {
    workflow: required(environment, ENV.workflowQueueUrl),
    activities: activityQueueUrls(environment),
  };
  return {
    namespace: required(environment, ENV.namespace),
    version: required(environment, ENV.version),
    leaseMs: wholeNumber(environment, ENV.leaseMs, LEASE_MS, LEASE_MS_MIN),
    localConcurrency: wholeNumber(environment, ENV.localConcurrency, LOCAL_BODIES_MAX, 1),
    boot: environment[ENV.boot],
    history: dynamoHistory(table(ENV.historyTable), blobs),
    runs: dynamoRuns(runs),
    counting: dynamoCounting({ runs, attempts }),
    guards: dynamoGuards(runs, () => host.now()),
    attempts: dynamoAttempts(attempts, () => host.now()),
    projection: dynamoProjection({ executions, attempts }, host),
    timers: dynamoTimers(table(ENV.timersTable), telemetry),
    queue: sqsQueue(clients.sqs, urls, host),
    deadLetters: sqsDeadLetters(clients.sqs, () => deadLetterQueueUrls(environment)),
    blobs,
    // Only the API has the name; elsewhere its lack is an error of the first use.
    workflowFunction: lambdaWorkflowFunction(clients.lambda, () =>
      required(environment, ENV.workflowFunction),
    ),
    host,
    telemetry,
  };
}

let processPorts: Ports | undefined;

/** The ports of this process over AWS, or over the endpoint that AWS_ENDPOINT_URL names; built once. */
export function portsFromEnvironment(): Ports {
  processPorts ??= createPorts({
    environment: process.env,
    clients: awsClients(process.env),
    host: nodeHost(),
    telemetry: powertoolsTelemetry(required(process.env, ENV.namespace)),
  });
  return processPorts;
}

/** Real clients. Those of S3 and Lambda are loaded with their first call: cold starts stay short. */
export function awsClients(environment: Environment): AwsClients {
  const isEmulated = [environment["AWS_ENDPOINT_URL"], environment["AWS_ENDPOINT_URL_S3"]].some(
    (url) => url !== undefined && url !== "",
  );
  const retries = { maxAttempts: TRIES_MAX, retryMode: "standard" } as const;
  const quick = { ...retries, requestHandler: timeouts(REQUEST_MS) };
  return {
    dynamo: instrumented(
      DynamoDBDocumentClient.from(new DynamoDBClient(quick), {
        marshallOptions: { removeUndefinedValues: true },
      }),
    ),
    // The queue's URL names the queue, never the host to talk to: that one is configured.
    sqs: instrumented(new SQSClient({ ...quick, useQueueUrlAsEndpoint: false })),
    s3: lazily<Parameters<S3BlobClient["send"]>[0], S3Output>(async () => {
      const { S3Client } = await loadS3();
      const requestHandler = timeouts(BLOB_REQUEST_MS);
      return instrumented(new S3Client({ ...retries, requestHandler, forcePathStyle: isEmulated }));
    }),
    lambda: lazily<Parameters<LambdaInvokeClient["send"]>[0], LambdaOutput>(async () => {
      const { LambdaClient } = await loadLambda();
      // Never tried twice: a task may have begun, and the API's caller waits no longer than this.
      return instrumented(
        new LambdaClient({ maxAttempts: 1, requestHandler: timeouts(INVOKE_REQUEST_MS) }),
      );
    }),
  };
}

/** Tries of one call by the client, the first included. */
const TRIES_MAX = 3;
/** Milliseconds until a connection stands. */
const CONNECT_MS = 1_000;
/** Milliseconds of one try: far above the usual 10, and all tries fit into INVOCATION_RESERVE_MS. */
const REQUEST_MS = 2_000;
const BLOB_REQUEST_MS = 10_000;
/** API Gateway ends at 29 s. */
const INVOKE_REQUEST_MS = 25_000;

function timeouts(requestTimeout: number) {
  return { connectionTimeout: CONNECT_MS, requestTimeout, throwOnRequestTimeout: true };
}

/** Crash points and counters of tests; nothing in a production bundle. */
function instrumented<Client extends Parameters<typeof instrument>[0]>(client: Client): Client {
  instrument(client);
  return client;
}

interface Sender<Command, Output> {
  send(command: Command): Promise<Output>;
}

function lazily<Command, Output>(
  create: () => Promise<Sender<Command, Output>>,
): Sender<Command, Output> {
  let client: Promise<Sender<Command, Output>> | undefined;
  return {
    async send(command) {
      client ??= create();
      return (await client).send(command);
    },
  };
}

/** An optional setting; a wrong one is refused by its name (case 45). */
function wholeNumber(
  environment: Environment,
  variable: string,
  otherwise: number,
  least: number,
): number {
  const text = environment[variable];
  if (text === undefined || text === "") return otherwise;
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw new Error(`${variable} is ${text}; expected a whole number, at least ${least}`);
}

function activityQueueUrls(environment: Environment): Readonly<Record<string, string>> {
  const urls = urlMap(required(environment, ENV.activityQueueUrls));
  if (!Object.hasOwn(urls, DEFAULT_QUEUE))
    throw new Error(`${ENV.activityQueueUrls} names no queue "${DEFAULT_QUEUE}"`);
  return urls;
}

/** Only the sweeper has the map; elsewhere there is nothing to bring back. */
function deadLetterQueueUrls(environment: Environment): Readonly<Record<string, string>> {
  return urlMap(environment[ENV.deadLetterQueueUrls] ?? "{}");
}

function urlMap(json: string): Readonly<Record<string, string>> {
  const value: unknown = JSON.parse(json);
  const urls: Record<string, string> = {};
  if (typeof value === "object" && value !== null)
    for (const [name, url] of Object.entries(value)) if (typeof url === "string") urls[name] = url;
  return urls;
}

function required(environment: Environment, variable: string): string {
  const value = environment[variable];
  if (value === undefined || value === "")
    throw new Error(`the environment variable ${variable} is missing`);
  return value;
}

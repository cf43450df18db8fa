/**
 * A deployment on a LocalStack of its own, whose functions a test can exchange: the template is the
 * product's, then leases and visibility are made short, and for the crash matrix the code is replaced
 * by a build with crash points. The product itself has no such option.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import {
  CreateEventSourceMappingCommand,
  CreateFunctionCommand,
  type FunctionConfiguration,
  LambdaClient,
  paginateListEventSourceMappings,
  paginateListFunctions,
  UpdateFunctionCodeCommand,
  UpdateFunctionConfigurationCommand,
  waitUntilFunctionUpdatedV2,
} from "@aws-sdk/client-lambda";
import { paginateListQueues, SetQueueAttributesCommand, SQSClient } from "@aws-sdk/client-sqs";
import { build } from "esbuild";
import { ENV } from "../../functions/environment.ts";
import { Client } from "../../sdk/client.ts";
import { BUNDLE_FILE, sharedOptions } from "../../sdk/dev/bundle.ts";
import { startLocalStack } from "../../sdk/dev/localstack/host.ts";
import { deployToLocalStack } from "../../sdk/dev/localstack-deploy.ts";
import { ENTRY, sourceUnderAgent } from "./bundle.ts";

/** Not the default port: an instance there may belong to somebody, and knows nothing of these settings. */
const PORT = 4620;
const STACK = "pawl-faults";
/** LocalStack's name for code that is a folder of this machine. */
const HOT_RELOAD = "hot-reload";
/** LocalStack works one batch of a queue after the other; as many functions on the queue work more. */
const WORKFLOW_FUNCTIONS = 4;
const UPDATE_SECONDS_MAX = 60;

export interface Tuning {
  readonly leaseMs: number;
  readonly visibilityMs: number;
}

export class Deployment {
  readonly client: Client;
  readonly endpoint: string;
  readonly sqs: SQSClient;
  /** Tries each call once. */
  readonly dynamodb: DynamoDBClient;
  readonly account: typeof ACCOUNT & { readonly endpoint: string };
  /** DynamoDB Local itself, without LocalStack in front. */
  readonly dynamoDbLocal: string;
  readonly #lambda: LambdaClient;
  readonly #stop: () => Promise<void>;
  #folder: string | undefined;
  #runsTable: string | undefined;

  constructor(parts: {
    readonly apiUrl: string;
    readonly endpoint: string;
    readonly dynamoDbLocal: string;
    readonly stop: () => Promise<void>;
  }) {
    this.endpoint = parts.endpoint;
    this.dynamoDbLocal = parts.dynamoDbLocal;
    this.account = { ...ACCOUNT, endpoint: parts.endpoint };
    this.client = new Client({ baseUrl: parts.apiUrl, attemptsMax: REQUEST_ATTEMPTS });
    this.sqs = new SQSClient({ ...this.account, useQueueUrlAsEndpoint: false });
    this.dynamodb = new DynamoDBClient({ ...this.account, maxAttempts: 1 });
    this.#lambda = new LambdaClient(this.account);
    this.#stop = parts.stop;
  }

  /** Known as soon as the deployment is tuned. */
  get runsTable(): string {
    if (this.#runsTable === undefined) throw new Error("the deployment has not been tuned");
    return this.#runsTable;
  }

  /** Makes what a crash leaves behind be noticed in seconds. */
  async tune({ leaseMs, visibilityMs }: Tuning): Promise<void> {
    const VisibilityTimeout = String(visibilityMs / 1_000);
    for await (const { QueueUrls = [] } of paginateListQueues({ client: this.sqs }, {}))
      for (const QueueUrl of QueueUrls)
        await this.sqs.send(
          new SetQueueAttributesCommand({ QueueUrl, Attributes: { VisibilityTimeout } }),
        );
    for (const { FunctionName, Environment } of await this.#functions("workflow-task")) {
      this.#runsTable = Environment?.Variables?.[ENV.runsTable];
      const Variables = { ...Environment?.Variables, [ENV.leaseMs]: String(leaseMs) };
      await this.#lambda.send(
        new UpdateFunctionConfigurationCommand({ FunctionName, Environment: { Variables } }),
      );
      await this.#updated(FunctionName);
    }
  }

  /** Sets one of LocalStack's settings while it runs. */
  async configure(variable: string, value: number): Promise<void> {
    const response = await fetch(`${this.endpoint}/_localstack/config`, {
      method: "POST",
      body: JSON.stringify({ variable, value }),
    });
    if (!response.ok)
      throw new Error(
        `LocalStack at ${this.endpoint} takes no settings while it runs: ENABLE_CONFIG_UPDATES=1 is needed`,
      );
  }

  /** Replaces the functions that run user code by ones with crash points, and adds more of the first kind. */
  async putUnderAgent(): Promise<void> {
    this.#folder = await mkdtemp(join(tmpdir(), "pawl-faults-"));
    for (const name of ["workflow-task", "activity-task"] as const) {
      const code = { S3Bucket: HOT_RELOAD, S3Key: await bundle(name, this.#folder) };
      const deployed = await this.#functions(name);
      for (const { FunctionName } of deployed) {
        await this.#lambda.send(new UpdateFunctionCodeCommand({ FunctionName, ...code }));
        await this.#updated(FunctionName);
      }
      const [first] = deployed;
      if (name === "workflow-task" && first !== undefined) await this.#addCopies(first, code);
    }
  }

  async stop(): Promise<void> {
    this.#lambda.destroy();
    this.dynamodb.destroy();
    this.sqs.destroy();
    await this.#stop();
    if (this.#folder !== undefined) await rm(this.#folder, { recursive: true, force: true });
  }

  async #addCopies(
    original: FunctionConfiguration,
    code: { readonly S3Bucket: string; readonly S3Key: string },
  ): Promise<void> {
    const { FunctionName, Role, Runtime, Handler, Timeout, MemorySize, Environment } = original;
    const queue = await this.#queueOf(FunctionName);
    for (let copy = 1; copy < WORKFLOW_FUNCTIONS; copy++) {
      const name = `${STACK}-workflow-${copy}`;
      await this.#lambda.send(
        new CreateFunctionCommand({
          FunctionName: name,
          Role,
          Runtime,
          Handler,
          Timeout,
          MemorySize,
          Environment: { Variables: Environment?.Variables },
          Code: code,
        }),
      );
      await this.#updated(name);
      await this.#lambda.send(
        new CreateEventSourceMappingCommand({
          FunctionName: name,
          EventSourceArn: queue,
          BatchSize: 1,
          FunctionResponseTypes: ["ReportBatchItemFailures"],
        }),
      );
    }
  }

  async #queueOf(FunctionName: string | undefined): Promise<string | undefined> {
    const client = this.#lambda;
    for await (const page of paginateListEventSourceMappings({ client }, { FunctionName }))
      for (const { EventSourceArn } of page.EventSourceMappings ?? []) return EventSourceArn;
    return undefined;
  }

  async #functions(name: keyof typeof IN_NAMES): Promise<readonly FunctionConfiguration[]> {
    const found: FunctionConfiguration[] = [];
    for await (const { Functions = [] } of paginateListFunctions({ client: this.#lambda }, {}))
      found.push(
        ...Functions.filter(({ FunctionName = "" }) => FunctionName.includes(IN_NAMES[name])),
      );
    return found;
  }

  async #updated(FunctionName: string | undefined): Promise<void> {
    const wait = { client: this.#lambda, maxWaitTime: UPDATE_SECONDS_MAX, minDelay: 1 };
    await waitUntilFunctionUpdatedV2(wait, { FunctionName });
  }
}

const ACCOUNT = {
  region: "us-east-1",
  credentials: { accessKeyId: "test", secretAccessKey: "test" },
} as const;

/** A client that goes on asking while every fifth call behind it fails. */
const REQUEST_ATTEMPTS = 20;

/** What CloudFormation puts into the functions' names, from the construct's ids. */
const IN_NAMES = { "workflow-task": "WorkflowTask", "activity-task": "Activities" } as const;

/** Installs, starts and deploys; all of it goes with `stop`. */
export async function deploy(onProgress: (line: string) => void): Promise<Deployment> {
  const port = await freePort();
  const instance = await startLocalStack({
    port: PORT,
    onProgress,
    env: { ENABLE_CONFIG_UPDATES: "1", DYNAMODB_LOCAL_PORT: String(port) },
    reuse: false,
  });
  const { endpoint } = instance;
  try {
    const { apiUrl, forget } = await deployToLocalStack({
      entry: ENTRY,
      endpoint,
      stackName: STACK,
      onProgress,
    });
    // In a container its port is not to be seen: then through LocalStack, which is slower.
    const dynamoDbLocal = instance.how === "process" ? `http://127.0.0.1:${port}` : endpoint;
    const stop = async (): Promise<void> => {
      await instance.stop();
      await forget();
    };
    return new Deployment({ apiUrl, endpoint, dynamoDbLocal, stop });
  } catch (error) {
    await instance.stop();
    throw error;
  }
}

/** The folder with a function's bundle in it. */
async function bundle(name: keyof typeof IN_NAMES, folder: string): Promise<string> {
  const outfile = join(folder, name, BUNDLE_FILE);
  await build({
    ...sharedOptions({ crashPoints: true }),
    stdin: {
      contents: sourceUnderAgent(name, ENTRY),
      resolveDir: dirname(ENTRY),
      sourcefile: `pawl-${name}.ts`,
      loader: "ts",
    },
    outfile,
  });
  return dirname(outfile);
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
      .once("error", reject)
      .listen(0, "127.0.0.1", () => {
        const address = server.address();
        const port = typeof address === "object" && address !== null ? address.port : 0;
        server.close(() => resolve(port));
      });
  });
}

/** The parts of one embedded stack: what starts in which order, and how it ends. */

import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { ENV } from "../../../functions/environment.ts";
import { createTables } from "../../adapters/dynamodb/create-tables.ts";
import { type PawlError, pawlError } from "../../core/errors.ts";
import { LOCAL_BODIES_MAX } from "../../core/limits.ts";
import type { Bundle } from "../bundle.ts";
import { startApiServer } from "./api-server.ts";
import {
  ACCOUNT,
  type DeployedFunction,
  type Deployment,
  type Endpoints,
  functionEnvironment,
  queueUrl,
  REGION,
  SWEEP_EVERY_MS,
  TABLE_NAMES,
} from "./deployment.ts";
import { type DynamoDb, startDynamoDb } from "./dynamodb.ts";
import type { StateFolder } from "./folder.ts";
import { FunctionPool } from "./function-pool.ts";
import type { FunctionCode } from "./function-process.ts";
import { startLambdaServer } from "./lambda-server.ts";
import { type Log, stackLine } from "./log.ts";
import { startPoller } from "./poller.ts";
import { type Queues, startQueues } from "./queues.ts";
import type { EmbeddedOptions, RunningProcess } from "./start.ts";
import { TestPoints } from "./test-points.ts";

export interface StackParts {
  readonly deployed: Deployment;
  readonly folder: StateFolder;
  readonly log: Log;
  readonly options: EmbeddedOptions;
}

interface Part {
  stop(): Promise<void>;
}

export class Stack {
  readonly #parts: StackParts;
  readonly #running: Part[] = [];
  readonly #pools: FunctionPool[] = [];
  readonly points = new TestPoints(this.#pools);
  #opened:
    | { readonly endpoints: Endpoints; readonly queues: Queues; readonly emulatorPid: number }
    | undefined;
  #apiUrl = "";
  /** All processes of an earlier start are dead: nobody waits for their leases and claims. */
  readonly #boot = randomUUID();
  #sweeping: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;

  constructor(parts: StackParts) {
    this.#parts = parts;
  }

  get apiUrl(): string {
    return this.#apiUrl;
  }
  get endpoints(): Endpoints {
    return this.#open.endpoints;
  }
  get #open() {
    if (this.#opened === undefined) throw new Error("the stack has not been opened");
    return this.#opened;
  }

  /** Starts the emulators while the functions are bundled. */
  async open(bundling: Promise<Bundle>): Promise<Bundle> {
    const { deployed, folder } = this.#parts;
    const kept = folder.persistent ? folder.path : undefined;
    const starting = [
      bundling,
      this.#startDynamoDb(kept),
      this.#keep(startQueues(deployed.queues, kept && join(kept, "queues"))),
      this.#keep(startLambdaServer((name, event) => this.#pool(name)?.invoke(event))),
    ] as const;
    // All of them, also when one fails: what has started by then can be stopped.
    await Promise.allSettled(starting);
    const [bundle, dynamodb, queues, lambda] = await Promise.all(starting);
    const endpoints = { dynamodb: dynamodb.endpoint, queues: queues.endpoint, lambda: lambda.url };
    this.#opened = { endpoints, queues, emulatorPid: dynamodb.pid };
    return bundle;
  }

  /** Starts the functions, then what invokes them; the error when user code does not load. */
  async start(files: Bundle["files"]): Promise<PawlError | undefined> {
    const { deployed, folder, options } = this.#parts;
    for (const fn of deployed.functions)
      this.#pools.push(new FunctionPool(fn, this.#code(fn, files), this.#processEvents(fn)));
    this.#running.push({
      stop: async () => {
        await Promise.all(this.#pools.map((pool) => pool.stop()));
      },
    });
    // The API and the workflows are what the first request needs; the others load behind them.
    const failures = await Promise.all([this.#warmUp("workflow-task"), this.#warmUp("api")]);
    const failure = failures.find((each) => each !== undefined);
    if (failure !== undefined) return failure;
    const api = await this.#keep(
      startApiServer(options.port ?? 0, (event) => this.#poolOf("api").invoke(event)),
    );
    this.#apiUrl = api.url;
    for (const source of deployed.sources) {
      const pool = this.#poolOf(source.functionName);
      const { client, endpoint } = this.#open.queues;
      const url = queueUrl(endpoint, source.queue);
      const poller = startPoller({
        client,
        url,
        source,
        log: this.#parts.log,
        invoke: (event) => pool.invoke(event),
      });
      this.#running.push(poller);
    }
    this.#startSweeping();
    for (const { fn } of this.#pools) void this.#warmUp(fn.name);
    // What a killed stack left undone is looked at first.
    if (folder.resumed) void this.sweep();
    return undefined;
  }

  /** Replaces the code of the functions that hold user code; the error, and no change, when it does not load. */
  async replaceCode(files: Bundle["files"]): Promise<PawlError | undefined> {
    const pools = this.#pools.filter(({ fn }) => fn.kind.endsWith("-task"));
    const prepared = await Promise.all(
      pools.map((pool) => pool.prepare(this.#code(pool.fn, files))),
    );
    const failed = prepared.findIndex(({ failure }) => failure !== undefined);
    for (const code of prepared) {
      if (failed < 0) code.commit();
      else code.discard();
    }
    const failure = prepared[failed]?.failure;
    return failure && loadError(pools[failed]?.fn.name ?? "", failure.errorMessage);
  }

  /** Runs the sweeper, or waits for the run that is under way. */
  sweep(): Promise<void> {
    this.#sweeping ??= this.#sweepOnce().finally(() => {
      this.#sweeping = undefined;
    });
    return this.#sweeping;
  }

  processes(): readonly RunningProcess[] {
    return this.#pools.flatMap(({ fn, processes }) =>
      processes.flatMap(({ pid, busy }) =>
        pid === undefined ? [] : [{ function: fn.kind, pid, busy }],
      ),
    );
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stopAll();
    return this.#stopping;
  }

  async #stopAll(): Promise<void> {
    // What invokes the functions first, then the functions, then what they need.
    for (const part of this.#running.reverse()) await part.stop();
    await this.#parts.folder.release();
  }

  async #startDynamoDb(folder: string | undefined): Promise<DynamoDb> {
    const dynamodb = await this.#keep(startDynamoDb(folder && join(folder, "dynamodb")));
    await this.#parts.folder.record(dynamodb.pid);
    const client = new DynamoDBClient({
      region: REGION,
      endpoint: dynamodb.endpoint,
      credentials: { accessKeyId: "embedded", secretAccessKey: "embedded" },
    });
    try {
      await createTables(client, TABLE_NAMES);
    } finally {
      client.destroy();
    }
    return dynamodb;
  }

  async #sweepOnce(): Promise<void> {
    await this.#poolOf("sweeper").invoke({
      version: "0",
      id: randomUUID(),
      "detail-type": "Scheduled Event",
      source: "aws.events",
      account: ACCOUNT,
      time: new Date().toISOString(),
      region: REGION,
      resources: [`arn:aws:events:${REGION}:${ACCOUNT}:rule/sweeper`],
      detail: {},
    });
  }

  #startSweeping(): void {
    const everyMs = this.#parts.options.sweepEveryMs ?? SWEEP_EVERY_MS;
    const timer = setInterval(() => void this.sweep(), everyMs);
    this.#running.push({
      stop: () => {
        clearInterval(timer);
        return Promise.resolve();
      },
    });
  }

  async #warmUp(name: string): Promise<PawlError | undefined> {
    const failure = await this.#poolOf(name).warmUp();
    return failure && loadError(name, failure.errorMessage);
  }

  #code(fn: DeployedFunction, files: Bundle["files"]): FunctionCode {
    const { deployed, folder, options } = this.#parts;
    return {
      file: files[fn.kind],
      emulatorPid: this.#open.emulatorPid,
      environment: {
        [ENV.localConcurrency]: String(LOCAL_BODIES_MAX),
        ...options.environment,
        ...functionEnvironment(fn, deployed, this.#open.endpoints),
        [ENV.boot]: this.#boot,
        ...(options.leaseMs === undefined ? {} : { [ENV.leaseMs]: String(options.leaseMs) }),
        NODE_COMPILE_CACHE: join(folder.path, "compile-cache"),
      },
    };
  }

  #processEvents(fn: DeployedFunction) {
    const { folder, log } = this.#parts;
    const points = this.points;
    return {
      log,
      spawned: (pid: number) =>
        void folder
          .record(pid)
          .catch((error) =>
            log(stackLine("error", `recording a process failed: ${String(error)}`)),
          ),
      pointsMessage: points.onMessage.bind(points, fn.kind),
    };
  }

  #pool(name: string): FunctionPool | undefined {
    return this.#pools.find(({ fn }) => fn.name === name);
  }
  #poolOf(name: string): FunctionPool {
    const pool = this.#pool(name);
    if (pool === undefined) throw new Error(`there is no function ${name}`);
    return pool;
  }

  async #keep<T extends Part>(starting: Promise<T>): Promise<T> {
    const part = await starting;
    this.#running.push(part);
    return part;
  }
}

function loadError(name: string, reason: string): PawlError {
  return pawlError("function_failed", { function: name, reason });
}

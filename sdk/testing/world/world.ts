/**
 * A whole fake AWS in one process: services behind clients that belong to a process, and the
 * environment (time, randomness) that the process sees. Every I/O of a process passes the gate.
 */
import { V7Generator } from "uuidv7";
import type { AwsClients } from "../../../functions/compose.ts";
import { callOf, type NameOf } from "../../../functions/instrument-calls.ts";
import type { TableLayout } from "../../adapters/dynamodb/layout.ts";
import { seededRandom } from "../../core/random.ts";
import type { Host } from "../../ports/host.ts";
import { FakeDynamo } from "./dynamo.ts";
import { EventSource } from "./event-source.ts";
import { type Gate, openGate, type Service, timeoutError } from "./gate.ts";
import { FakeLambda } from "./lambda.ts";
import type { Process } from "./process.ts";
import { FakeS3 } from "./s3.ts";
import type { ScheduleOptions, Scheduler } from "./scheduler.ts";
import { FakeSqs } from "./sqs.ts";
import type { QueueOptions } from "./sqs-queue.ts";

/** Milliseconds after which the client of Lambda gives an invocation up, as in compose.ts. */
const INVOKE_REQUEST_MS = 25_000;

export interface WorldOptions {
  readonly scheduler: Scheduler;
  readonly tables: readonly TableLayout[];
  readonly queues: readonly QueueOptions[];
  readonly queueUrl: (name: string) => string;
  readonly buckets: readonly string[];
  /** Decides all random numbers and ids. */
  readonly seed: string;
  /** Logical names for calls: "PutItem history_events". */
  readonly nameOf: NameOf;
  /** Default: every operation is performed at once. */
  readonly gate?: Gate;
  /** By how many milliseconds an eventually consistent read is behind. Default 0. */
  readonly staleMs?: (table: string, index: string | undefined) => number;
  readonly staleMsMax?: number;
}

export interface HostOptions {
  /** Milliseconds by which this process's clock is ahead of the world's. Default 0. */
  readonly skewMs?: number;
  /** The process only waits for others: its sleeps alone make nothing happen. */
  readonly passive?: boolean;
}

export interface SourceOptions {
  readonly queue: string;
  readonly functionName: string;
  readonly batchSize: number;
  readonly windowMs: number;
  readonly concurrencyMax: number;
}

export class World {
  readonly scheduler: Scheduler;
  readonly dynamo: FakeDynamo;
  readonly sqs: FakeSqs;
  readonly s3: FakeS3;
  readonly lambda: FakeLambda;
  readonly random: () => number;
  readonly #gate: Gate;
  readonly #nameOf: NameOf;
  readonly #ids: V7Generator;

  constructor(options: WorldOptions) {
    this.scheduler = options.scheduler;
    this.#gate = options.gate ?? openGate;
    this.#nameOf = options.nameOf;
    this.random = seededRandom(options.seed);
    const idBits = seededRandom(`${options.seed}/ids`);
    this.#ids = new V7Generator({ nextUint32: () => Math.floor(idBits() * 2 ** 32) });
    this.dynamo = new FakeDynamo({
      tables: options.tables,
      now: () => this.scheduler.now(),
      removeUndefinedValues: true,
      ...(options.staleMs === undefined ? {} : { staleMs: options.staleMs }),
      ...(options.staleMsMax === undefined ? {} : { staleMsMax: options.staleMsMax }),
    });
    this.sqs = new FakeSqs(options.queues, options.queueUrl, this.scheduler);
    this.s3 = new FakeS3(options.buckets);
    this.lambda = new FakeLambda(this.scheduler);
  }

  /** Lets the messages of a queue invoke a function. */
  connect(options: SourceOptions): EventSource {
    return new EventSource(
      { ...options, queue: this.sqs.queue(options.queue) },
      { lambda: this.lambda, scheduler: this.scheduler, gate: this.#gate },
    );
  }

  /** The clients of one process: their answers arrive only while it runs. */
  clientsOf(process: Process): AwsClients {
    return {
      dynamo: {
        send: async (command) => {
          const request = this.dynamo.request(command);
          const { action, input } = request;
          return this.#call({ process, service: "dynamodb", action, input }, () =>
            this.dynamo.perform(request),
          );
        },
      },
      sqs: {
        send: async (command) => {
          const request = this.sqs.request(command);
          const { action, input } = request;
          return this.#call({ process, service: "sqs", action, input }, () =>
            this.sqs.perform(request),
          );
        },
      },
      s3: {
        send: async (command) => {
          const request = this.s3.request(command);
          const { action, input } = request;
          return this.#call({ process, service: "s3", action, input }, () =>
            this.s3.perform(request),
          );
        },
      },
      lambda: {
        send: async (command) => {
          const request = this.lambda.request(command);
          const input = { FunctionName: request.functionName };
          return this.#call({ process, service: "lambda", action: "Invoke", input }, () =>
            this.#invoke(request),
          );
        },
      },
    };
  }

  /** Time and randomness as one process sees them. */
  hostOf(process: Process, options: HostOptions = {}): Host {
    const { skewMs = 0, passive = false } = options;
    const schedule: ScheduleOptions = passive ? { passive: "poll" } : {};
    return {
      now: () => this.scheduler.now() + skewMs,
      newId: () => this.#ids.generateOrResetWithTs(this.scheduler.now()).toString(),
      random: this.random,
      sleep: (ms, signal) => process.await(this.scheduler.sleep(ms, signal, schedule)),
      settle: () => process.await(this.scheduler.settle()),
      watchLoop: () => () => undefined,
    };
  }

  #call<T>(
    call: {
      readonly process: Process;
      readonly service: Service;
      readonly action: string;
      readonly input: Readonly<Record<string, unknown>>;
    },
    apply: () => T | Promise<T>,
  ): Promise<T> {
    const { process, action, input } = call;
    const name = callOf(action, input, this.#nameOf);
    const operation = { ...call, call: name, resource: name.slice(action.length + 1) };
    const performed = async (): Promise<T> => {
      await process.proceed();
      return this.#gate(operation, apply);
    };
    return process.await(performed());
  }

  /** Both are waited for: an invocation that is given up goes on all the same. */
  async #invoke(request: { readonly functionName: string; readonly payload: string }) {
    const enough = new AbortController();
    const givenUp = this.scheduler
      .sleep(INVOKE_REQUEST_MS, enough.signal, { passive: "limit" })
      .then(() => "given up" as const);
    const answer = await Promise.race([this.lambda.perform(request), givenUp]);
    enough.abort();
    if (answer !== "given up") return answer;
    throw timeoutError(`Invoke ${request.functionName}`);
  }
}

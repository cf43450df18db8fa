/**
 * The target `memory`: the functions of a deployment, composed as in production, in a fake AWS with
 * a virtual clock.
 */
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { createActivityTaskHandler } from "../../../functions/activity-task.ts";
import { createApiHandler } from "../../../functions/api.ts";
import { createPorts } from "../../../functions/compose.ts";
import { createSweeperHandler } from "../../../functions/sweeper.ts";
import { createWorkflowTaskHandler } from "../../../functions/workflow-task.ts";
import { TABLES } from "../../adapters/dynamodb/layout.ts";
import { loadLambda } from "../../adapters/lambda/functions.ts";
import { loadS3 } from "../../adapters/s3/blobs.ts";
import { messageBody } from "../../adapters/sqs/queue.ts";
import type { Fetch } from "../../client/transport.ts";
import { Client } from "../../client.ts";
import { durationMs } from "../../core/duration.ts";
import type { FunctionName } from "../../core/test-points.ts";
import {
  type DeployedFunction,
  deployment,
  functionEnvironment,
  PAYLOAD_BUCKET,
  WORKFLOW_QUEUE,
} from "../../dev/embedded/deployment.ts";
import type { UserCode } from "../../ports/user-code.ts";
import { createRegistry } from "../../worker/registry.ts";
import { CallBook } from "../counts.ts";
import type { TestPlatform, TestPlatformOptions } from "../platform.ts";
import { gatewayFetch } from "../world/api-gateway.ts";
import { CrashPoints } from "../world/crash-points.ts";
import { InteractiveClock } from "../world/interactive-clock.ts";
import type { Handler } from "../world/lambda.ts";
import type { Process } from "../world/process.ts";
import { Scheduler } from "../world/scheduler.ts";
import { Sweeps } from "../world/sweeps.ts";
import { World } from "../world/world.ts";
import { watched } from "./memory-bodies.ts";
import { ENDPOINTS, logicalName, queueOptions, urlOfQueue } from "./memory-names.ts";
import { telemetryTo } from "./memory-telemetry.ts";

/** Milliseconds for which a first message waits for company before a batch is cut. */
const BATCH_WINDOW_MS = 0;
const MEMORY_MB = 1_024;
/** No request leaves the process; an address on the loopback interface is never signed. */
const BASE_URL = "http://localhost";

/** The platform and what stands behind it, for tests that disturb the services or the code. */
export interface MemoryStack {
  readonly platform: TestPlatform;
  readonly world: World;
  /** Replaces the code, as a deployment does: invocations that run go on with the old one. */
  deploy(exports: Readonly<Record<string, unknown>>): void;
}

export async function startMemory(options: TestPlatformOptions): Promise<TestPlatform> {
  return (await startMemoryStack(options)).platform;
}

export async function startMemoryStack(options: TestPlatformOptions): Promise<MemoryStack> {
  let userCode = createRegistry(await exportsOf(options));
  await Promise.all([loadLambda(), loadS3()]);
  const stack = deployment(options.queues ?? [], {});
  const kinds = new Map(stack.functions.map(({ name, kind }) => [name, kind]));
  const kindOf = (name: string): FunctionName => kinds.get(name) ?? "api";
  const scheduler = new Scheduler(Date.now());
  const book = new CallBook(logicalName);
  const points = new CrashPoints({
    kill: (process) => world.lambda.kill(process),
    kindOf: (process) => kindOf(process.functionName),
    onCall: (kind, operation) => book.called(kind, operation),
  });
  const world: World = new World({
    scheduler,
    tables: Object.values(TABLES),
    queues: queueOptions(stack),
    queueUrl: urlOfQueue,
    buckets: [PAYLOAD_BUCKET],
    seed: String(scheduler.now()),
    nameOf: logicalName,
    gate: points.gate,
  });
  const clock = new InteractiveClock(scheduler, () =>
    world.lambda.busy().some((process) => process.waits === 0),
  );
  const start = (deployed: DeployedFunction) => async (process: Process) => {
    const ports = createPorts({
      environment: functionEnvironment(deployed, stack, ENDPOINTS),
      clients: world.clientsOf(process),
      host: world.hostOf(process, { passive: deployed.kind === "api" }),
      telemetry: telemetryTo(deployed.name, scheduler, options.onLog),
    });
    return handlerOf(deployed.kind, watched(userCode, { process, clock, scheduler }), ports);
  };
  for (const deployed of stack.functions)
    world.lambda.define({
      name: deployed.name,
      timeoutMs: deployed.timeoutMs,
      memoryMb: MEMORY_MB,
      passive: deployed.kind === "api",
      start: start(deployed),
    });
  world.lambda.onInvoke = (name) => book.invoked(kindOf(name));
  for (const { queue, functionName, batchSizeMax, concurrencyMax } of stack.sources)
    world.connect({
      queue,
      functionName,
      batchSize: batchSizeMax,
      windowMs: BATCH_WINDOW_MS,
      concurrencyMax,
    });
  new Sweeps({
    scheduler,
    dynamo: world.dynamo,
    deadLetterQueues: world.sqs.queues().filter((queue) => queue.options.deadLetter === undefined),
    invoke: () => world.lambda.invoke("sweeper", {}),
  });
  return {
    platform: platformOf({ world, clock, points, book }),
    world,
    deploy(exports) {
      userCode = createRegistry(exports);
      world.lambda.recycle();
    },
  };
}

interface Parts {
  readonly world: World;
  readonly clock: InteractiveClock;
  readonly points: CrashPoints;
  readonly book: CallBook;
}

function platformOf({ world, clock, points, book }: Parts): TestPlatform {
  const { scheduler, lambda } = world;
  const fetch = gatewayFetch(
    (event) => lambda.invoke("api", event),
    () => scheduler.now(),
  );
  // What earlier requests set off is done before, and what this one sets off before its answer is
  // seen, as far as no time has to pass for it: what a test sees does not depend on speed.
  const request = async (...[url, init]: Parameters<Fetch>): Promise<Response> => {
    await clock.caughtUp();
    const response = await fetch(url, init);
    await clock.caughtUp();
    return response;
  };
  const client = new Client({
    baseUrl: BASE_URL,
    fetch: (url, init) => clock.waiting(request(url, init)),
    clock: {
      now: () => scheduler.now(),
      sleep: (ms) => clock.waiting(scheduler.sleep(ms, undefined, { passive: "poll" })),
    },
  });
  const close = async (): Promise<void> => {
    clock.close();
    for (const process of lambda.busy()) lambda.kill(process);
    lambda.recycle();
  };
  return {
    target: "memory",
    client,
    fetch: (path, init = {}) =>
      clock.waiting(
        request(BASE_URL + path, {
          ...init,
          method: init.method ?? "GET",
          headers: { ...init.headers },
          signal: new AbortController().signal,
        }),
      ),
    advance: async (duration) =>
      clock.advance(durationMs(duration, { where: "platform.advance", option: "duration" })),
    crash: (point) => points.arm(point),
    counts: () => book.counts(),
    deliver: async (message) => {
      world.sqs.queue(WORKFLOW_QUEUE).send(messageBody(message), 0);
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

function handlerOf(
  kind: FunctionName,
  userCode: UserCode,
  ports: ReturnType<typeof createPorts>,
): Handler {
  // Each handler takes the events that this world sends to its function; Lambda itself checks none.
  switch (kind) {
    case "workflow-task":
      return createWorkflowTaskHandler(userCode, ports) as Handler;
    case "activity-task":
      return createActivityTaskHandler(userCode, ports) as Handler;
    case "api":
      return createApiHandler(ports) as Handler;
    case "sweeper":
      return createSweeperHandler(ports);
  }
}

async function exportsOf(options: TestPlatformOptions): Promise<Readonly<Record<string, unknown>>> {
  const { entry, workflows = {}, activities = {} } = options;
  if (entry === undefined) return { ...activities, ...workflows };
  const url = entry.startsWith("file:") ? entry : pathToFileURL(resolve(entry)).href;
  const module: Readonly<Record<string, unknown>> = await import(url);
  return { ...module, ...activities, ...workflows };
}

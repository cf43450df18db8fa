/** The production functions, composed as in `functions/`, deployed into a fake AWS with faults. */
import type { SQSEvent } from "aws-lambda";
import { createActivityTaskHandler } from "../../functions/activity-task.ts";
import { createApiHandler } from "../../functions/api.ts";
import { createPorts } from "../../functions/compose.ts";
import { ENV } from "../../functions/environment.ts";
import { createSweeperHandler } from "../../functions/sweeper.ts";
import { createWorkflowTaskHandler } from "../../functions/workflow-task.ts";
import { TABLES } from "../../sdk/adapters/dynamodb/layout.ts";
import type { Host } from "../../sdk/ports/host.ts";
import type { Ports } from "../../sdk/ports/ports.ts";
import type { Fields, Telemetry } from "../../sdk/ports/telemetry.ts";
import type { UserCode } from "../../sdk/ports/user-code.ts";
import type { Handler } from "../../sdk/testing/world/lambda.ts";
import type { Process } from "../../sdk/testing/world/process.ts";
import type { Scheduler } from "../../sdk/testing/world/scheduler.ts";
import type { FakeQueue } from "../../sdk/testing/world/sqs-queue.ts";
import { Sweeps } from "../../sdk/testing/world/sweeps.ts";
import { World } from "../../sdk/testing/world/world.ts";
import type { FaultPlan } from "./faults.ts";
import { FaultGate, NAMESPACE, type PlannedFault } from "./gate.ts";
import { inProcess } from "./theatre.ts";
import type { Trace } from "./trace.ts";
import type { Violations } from "./violations.ts";

export const WORKFLOW_QUEUE = "workflow-tasks";
export const ACTIVITY_QUEUE = "activity-tasks-default";
export const BUCKET = "payloads";
/** Any instant; seeds differ by what happens, not by the date. */
export const EPOCH_MS = Date.UTC(2026, 0, 1);
const QUEUE_HOST = "https://sqs.invalid";
const API_TIMEOUT_MS = 29_000;
const SWEEPER_TIMEOUT_MS = 60_000;
const SKEW_MS_MAX = 1_500;

export interface StackOptions {
  readonly seed: string;
  readonly scheduler: Scheduler;
  readonly plan: FaultPlan;
  readonly trace: Trace;
  readonly violations: Violations;
  readonly userCode: UserCode;
  readonly planned: readonly PlannedFault[];
  readonly operationsMax: number;
}

export class Stack {
  readonly world: World;
  readonly gate: FaultGate;
  /** The processes whose last invocation is a query. */
  readonly asked: Set<Process> = new Set();
  /** When each message was first handed to a function. */
  readonly receivedAt: Map<string, number> = new Map();
  /** The ids of messages that are gone although nobody deleted them. */
  readonly vanished: Set<string> = new Set();
  readonly #options: StackOptions;
  readonly #skews = new Map<Process, number>();

  constructor(options: StackOptions) {
    this.#options = options;
    const { plan, scheduler } = options;
    this.gate = new FaultGate({
      ...options,
      world: () => this.world,
      elapsedMs: () => scheduler.now() - EPOCH_MS,
      isAsked: (process) => this.asked.has(process),
    });
    this.world = new World({
      scheduler,
      tables: Object.values(TABLES),
      queues: queues(plan),
      queueUrl: urlOf,
      buckets: [BUCKET],
      seed: options.seed,
      nameOf: (physical) => physical.split("/").at(-1) ?? physical,
      gate: this.gate.gate,
      staleMs: (_table, index) =>
        index !== undefined && plan.strikes("staleIndex") ? plan.int(50, 5_000) : 0,
      staleMsMax: 5_000,
    });
    this.#define(
      "workflow-task",
      plan.settings.workflowTimeoutMs,
      (ports, userCode) => createWorkflowTaskHandler(userCode, ports) as Handler,
    );
    this.#define(
      "activity-task",
      plan.settings.activityTimeoutMs,
      (ports, userCode) => createActivityTaskHandler(userCode, ports) as Handler,
    );
    this.#define("api", API_TIMEOUT_MS, (ports) => createApiHandler(ports) as Handler);
    this.#define("sweeper", SWEEPER_TIMEOUT_MS, (ports) => createSweeperHandler(ports));
    this.#connect();
    const deadLetterQueues = this.world.sqs
      .queues()
      .filter(({ options: queue }) => queue.deadLetter === undefined);
    if (plan.settings.sweeps)
      new Sweeps({
        scheduler,
        dynamo: this.world.dynamo,
        deadLetterQueues,
        invoke: () => this.world.lambda.invoke("sweeper", {}),
      });
    for (const queue of deadLetterQueues)
      queue.disturbance = {
        ...queue.disturbance,
        hideMs: (ms, why) => {
          if (why === "sent") plan.note("deadLettered");
          return ms;
        },
      };
    if (!plan.settings.redelivers) this.#deliverOnce();
    this.world.lambda.onInvoke = () => {
      if (plan.strikes("coldStart")) this.world.lambda.recycle();
    };
  }

  /** By how many milliseconds the clock of a process is ahead. */
  skewOf(process: Process | undefined): number {
    return process === undefined ? 0 : (this.#skews.get(process) ?? 0);
  }

  #define(
    name: string,
    timeoutMs: number,
    create: (ports: Ports, userCode: UserCode) => Handler,
  ): void {
    this.world.lambda.define({
      name,
      timeoutMs,
      memoryMb: 1_024,
      start: async (process) => {
        const ports = createPorts({
          environment: environmentOf(this.#options.plan),
          clients: this.world.clientsOf(process),
          host: this.#hostOf(process),
          telemetry: this.#telemetryOf(process),
        });
        const handler = create(ports, boundTo(process, this.#options.userCode));
        return async (event, context) => {
          const { plan, trace } = this.#options;
          // Another clock for every invocation: a Lambda's clock is adjusted while it is frozen.
          const skewMs = plan.strikes("clockSkew") ? plan.int(-SKEW_MS_MAX, SKEW_MS_MAX) : 0;
          const elapsedMs = this.#options.scheduler.now() - EPOCH_MS;
          this.#skews.set(process, skewMs + plan.jumpMs(elapsedMs));
          trace.add(`INVOKE ${process.id} ${context.awsRequestId} ${bodiesOf(event)}`);
          this.#noteEvent(process, event);
          return await handler(event, context);
        };
      },
    });
  }

  #noteEvent(process: Process, event: unknown): void {
    for (const { body } of recordsOf(event)) {
      const id = messageIdOf(body);
      if (!this.receivedAt.has(id)) this.receivedAt.set(id, this.#options.scheduler.now());
    }
    if (typeof event === "object" && event !== null && "kind" in event && event.kind === "query")
      this.asked.add(process);
    else this.asked.delete(process);
  }

  #hostOf(process: Process): Host {
    const host = this.world.hostOf(process);
    return { ...host, now: () => host.now() + this.skewOf(process) };
  }

  #telemetryOf(process: Process): Telemetry {
    const { trace, violations } = this.#options;
    const log =
      (level: string) =>
      (message: string, fields: Fields = {}): void => {
        trace.add(
          `${level} ${process.id} ${message} ${String(fields["error"] ?? "").split("\n")[0]}`,
        );
      };
    return {
      debug: log("debug"),
      info: log("info"),
      warn: log("warn"),
      // Nothing that the simulation does is an error of the software or of its users.
      error: (message, fields = {}) => {
        log("error")(message, fields);
        // A request that the services below did not carry; what else the API fails with is a defect.
        if (fields["status"] === 503 || String(fields["error"]).startsWith("InfrastructureError"))
          return;
        violations.report(
          "ERROR",
          `${process.id}: ${message} ${JSON.stringify(fields).slice(0, 1_500)}`,
        );
      },
      count: () => undefined,
    };
  }

  /** A message whose invocation fails, or leaves it undecided, is gone: SQS without redelivery. */
  #deliverOnce(): void {
    const { lambda, sqs } = this.world;
    const invoke = lambda.invoke.bind(lambda);
    lambda.invoke = async (functionName, event) => {
      const result = await invoke(functionName, event);
      for (const { handle, id, queue } of recordsOf(event)) {
        const failed = result.kind === "failed" || isUndecided(result.payload, id);
        if (!failed || (result.kind === "returned" && this.gate.deferred.has(handle))) continue;
        this.#vanish(sqs.queue(queue), handle);
      }
      return result;
    };
  }

  #vanish(queue: FakeQueue, handle: string): void {
    const { plan, trace } = this.#options;
    const told = queue.onDelete;
    queue.onDelete = (body) => {
      trace.add(`VANISHED ${messageIdOf(body)}`);
      plan.note("vanished");
      this.vanished.add(messageIdOf(body));
    };
    queue.delete(handle);
    queue.onDelete = told;
  }

  #connect(): void {
    const { plan } = this.#options;
    const { windowMs, batchSize, concurrency } = plan.settings;
    for (const [queue, functionName] of [
      [WORKFLOW_QUEUE, "workflow-task"],
      [ACTIVITY_QUEUE, "activity-task"],
    ] as const)
      this.world.connect({ queue, functionName, batchSize, windowMs, concurrencyMax: concurrency });
    for (const queue of this.world.sqs.queues())
      queue.disturbance = {
        hideMs: (ms, why) => {
          if (why === "received")
            return plan.strikes("duplicate")
              ? plan.pick([0, plan.int(1, 100), plan.int(100, 8_000)])
              : ms;
          return (
            ms + (plan.strikes("late") ? plan.int(500, 30_000) : plan.active ? plan.int(1, 20) : 1)
          );
        },
        deletesByOlderHandle: () => plan.strikes("olderHandleDeletes"),
      };
  }
}

const urlOf = (name: string): string => `${QUEUE_HOST}/000000000000/${name}`;

const environmentOf = ({ settings }: FaultPlan): Readonly<Record<string, string>> => ({
  [ENV.leaseMs]: String(settings.leaseMs),
  [ENV.localConcurrency]: String(settings.places),
  [ENV.namespace]: NAMESPACE,
  [ENV.runsTable]: TABLES.workflow_runs.name,
  [ENV.historyTable]: TABLES.history_events.name,
  [ENV.executionsTable]: TABLES.activity_executions.name,
  [ENV.attemptsTable]: TABLES.activity_attempts.name,
  [ENV.timersTable]: TABLES.timers.name,
  [ENV.payloadBucket]: BUCKET,
  [ENV.workflowQueueUrl]: urlOf(WORKFLOW_QUEUE),
  [ENV.activityQueueUrls]: JSON.stringify({ default: urlOf(ACTIVITY_QUEUE) }),
  [ENV.deadLetterQueueUrls]: JSON.stringify(
    Object.fromEntries(
      [WORKFLOW_QUEUE, ACTIVITY_QUEUE].map((queue) => [urlOf(`${queue}-dead`), urlOf(queue)]),
    ),
  ),
  [ENV.workflowFunction]: "workflow-task",
  [ENV.version]: "0.0.0",
});

function queues({ settings }: FaultPlan) {
  const { maxReceiveCount } = settings;
  return [
    { name: WORKFLOW_QUEUE, visibilityTimeoutMs: settings.workflowTimeoutMs },
    { name: ACTIVITY_QUEUE, visibilityTimeoutMs: settings.activityTimeoutMs },
  ].flatMap(({ name, visibilityTimeoutMs }) => [
    { name: `${name}-dead`, visibilityTimeoutMs: 30_000 },
    { name, visibilityTimeoutMs, deadLetter: { queue: `${name}-dead`, maxReceiveCount } },
  ]);
}

/** The same user code for one process: what a body gives arrives only while the process runs. */
function boundTo(process: Process, userCode: UserCode): UserCode {
  return {
    workflowTypes: userCode.workflowTypes,
    activityTypes: userCode.activityTypes,
    workflow: (type) => userCode.workflow(type),
    activity: (type) => userCode.activity(type),
    runWorkflow: (definition, context, input) => userCode.runWorkflow(definition, context, input),
    runInWorkflow: (definition, context, call) => userCode.runInWorkflow(definition, context, call),
    runActivity: (definition, runtime, args) =>
      process.await(inProcess(process, () => userCode.runActivity(definition, runtime, args))),
  };
}

/** What an event brings, for the trace. */
function bodiesOf(event: unknown): string {
  return recordsOf(event)
    .map(({ body }) => messageIdOf(body).slice(-24))
    .join(" ");
}

interface Received {
  readonly id: string;
  readonly handle: string;
  readonly body: string;
  readonly queue: string;
}

/** The messages of an event, which the fake event source made as SQS does. */
function recordsOf(event: unknown): readonly Received[] {
  if (typeof event !== "object" || event === null || !("Records" in event)) return [];
  const { Records: records } = event as SQSEvent;
  return records.map(({ messageId, receiptHandle, body, eventSourceARN }) => ({
    id: messageId,
    handle: receiptHandle,
    body,
    queue: eventSourceARN.split(":").at(-1) ?? "",
  }));
}

function isUndecided(payload: unknown, id: string): boolean {
  return JSON.stringify(payload ?? null).includes(`"itemIdentifier":"${id}"`);
}

function messageIdOf(body: string): string {
  const message: unknown = JSON.parse(body);
  return typeof message === "object" && message !== null && "message_id" in message
    ? String(message.message_id)
    : "?";
}

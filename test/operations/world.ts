/**
 * The operations over the real adapters and fake AWS clients: a clock that only sleeping moves, and a
 * hook at every call, where a test can fail it, stop it, or do what somebody else does meanwhile.
 */
import { createHash } from "node:crypto";
import { createPorts } from "../../functions/compose.ts";
import { ENV } from "../../functions/environment.ts";
import { TABLES } from "../../sdk/adapters/dynamodb/layout.ts";
import type { Batch, HistoryEvent, RunKey } from "../../sdk/core/events.ts";
import type { WorkflowTaskMessage } from "../../sdk/core/messages.ts";
import { createOperations, type Operations } from "../../sdk/engine/operations/operations.ts";
import type { DirectAnswer, DirectRequest } from "../../sdk/ports/functions.ts";
import type { Ports } from "../../sdk/ports/ports.ts";
import { FakeDynamo } from "../../sdk/testing/world/dynamo.ts";
import { FakeS3 } from "../../sdk/testing/world/s3.ts";
import { Scheduler } from "../../sdk/testing/world/scheduler.ts";
import { FakeSqs } from "../../sdk/testing/world/sqs.ts";
import { type Recorded, recordingTelemetry } from "../contract/recording-telemetry.ts";

export const NOW = Date.parse("2026-03-01T12:00:00.000Z");

/** One call of a service: "PutItem history_events", "SendMessageBatch workflow", "Invoke types". */
export type Hook = (call: string) => void | Promise<void>;

export class ApiWorld {
  readonly ports: Ports;
  readonly operations: Operations;
  readonly logged: readonly Recorded[];
  readonly calls: string[] = [];
  /** Runs before the service sees the call; what it throws, the caller gets instead. */
  before: Hook = () => {};
  /** Runs when the service has done it; what it throws, the caller gets instead of the answer. */
  after: Hook = () => {};
  /** What the workflow-task function answers. */
  answer: (request: DirectRequest) => Promise<DirectAnswer> = async (request) =>
    request.kind === "types"
      ? { kind: "types", workflow_types: ["order"], activity_types: [] }
      : { kind: "task" };
  now = NOW;
  readonly #sqs: FakeSqs;
  readonly #s3: FakeS3;
  #deadlines: (() => void)[] = [];
  #ids = 0;

  constructor() {
    const dynamo = new FakeDynamo({
      tables: Object.values(TABLES),
      now: () => this.now,
      removeUndefinedValues: true,
    });
    const queues = ["workflow", "default"].map((name) => ({ name, visibilityTimeoutMs: 30_000 }));
    this.#sqs = new FakeSqs(queues, (name) => `https://sqs/${name}`, new Scheduler(NOW));
    this.#s3 = new FakeS3(["payloads"]);
    const { telemetry, lines } = recordingTelemetry();
    this.logged = lines;
    this.ports = createPorts({
      environment: ENVIRONMENT,
      telemetry,
      host: {
        now: () => this.now,
        newId: () => `id-${String(++this.#ids).padStart(4, "0")}`,
        random: () => 0.5,
        sleep: (ms, signal) => this.#sleep(ms, signal),
        settle: () => Promise.resolve(),
        watchLoop: () => () => undefined,
      },
      clients: {
        dynamo: { send: (command) => this.#hooked(nameOf(command), () => dynamo.send(command)) },
        sqs: { send: (command) => this.#hooked(nameOf(command), () => this.#sqs.send(command)) },
        s3: { send: (command) => this.#hooked(nameOf(command), () => this.#s3.send(command)) },
        lambda: {
          send: async (command) => {
            const request = requestIn(command.input.Payload);
            const answer = await this.#hooked(`Invoke ${request.kind}`, () => this.answer(request));
            return { Payload: new TextEncoder().encode(JSON.stringify(answer)) };
          },
        },
      },
    });
    this.operations = createOperations(this.ports, sha256);
  }

  /** The messages in the workflow queue, the delayed ones included. */
  sent(): readonly WorkflowTaskMessage[] {
    return this.#sqs
      .queue("workflow")
      .bodies()
      .map((body) => JSON.parse(body) as WorkflowTaskMessage);
  }

  visibleMessages(): number {
    return this.#sqs.queue("workflow").depth().visible;
  }

  blobKeys(): readonly string[] {
    return this.#s3.keys("payloads");
  }

  /** The events of a run's log. */
  async events(run: RunKey): Promise<readonly HistoryEvent[]> {
    return (await this.ports.history.readFrom(run, 1)).flatMap((batch) => batch.events);
  }

  /** Appends as a workflow task or another request would. */
  async append(run: RunKey, batch: Batch): Promise<void> {
    if ((await this.ports.history.append(run, batch)) === "lost")
      throw new Error("the test's own append lost a race");
  }

  /** Lets the deadlines pass that operations wait for at the moment. */
  passDeadlines(): void {
    const due = this.#deadlines;
    this.#deadlines = [];
    for (const pass of due) pass();
  }

  async #hooked<T>(call: string, perform: () => Promise<T>): Promise<T> {
    this.calls.push(call);
    await this.before(call);
    const answer = await perform();
    await this.after(call);
    return answer;
  }

  /** A wait that can be broken off is a deadline, which a test lets pass; others take no real time. */
  #sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
    if (signal === undefined) {
      this.now += ms;
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      signal.addEventListener("abort", () => resolve());
      this.#deadlines.push(() => {
        this.now += ms;
        resolve();
      });
    });
  }
}

const ENVIRONMENT = {
  [ENV.namespace]: "shop",
  [ENV.version]: "1.2.3",
  [ENV.runsTable]: "workflow_runs",
  [ENV.historyTable]: "history_events",
  [ENV.executionsTable]: "activity_executions",
  [ENV.attemptsTable]: "activity_attempts",
  [ENV.timersTable]: "timers",
  [ENV.payloadBucket]: "payloads",
  [ENV.workflowQueueUrl]: "https://sqs/workflow",
  [ENV.activityQueueUrls]: JSON.stringify({ default: "https://sqs/default" }),
  [ENV.workflowFunction]: "workflow-task",
};

/** The adapter encodes what the port was asked. */
function requestIn(payload: unknown): DirectRequest {
  const text = payload instanceof Uint8Array ? new TextDecoder().decode(payload) : String(payload);
  return JSON.parse(text) as DirectRequest;
}

interface AnyCommand {
  readonly input: object;
}

function nameOf(command: AnyCommand): string {
  const input: Readonly<Record<string, unknown>> = { ...command.input };
  const action = command.constructor.name.replace(/Command$/, "");
  const target = input["TableName"] ?? input["QueueUrl"] ?? input["Bucket"];
  return `${ACTIONS[action] ?? action} ${String(target).split("/").at(-1)}`;
}

const ACTIONS: Readonly<Record<string, string>> = {
  PutCommand: "Put",
  GetCommand: "Get",
  QueryCommand: "Query",
  UpdateCommand: "Update",
};

/** The service did not answer: what the SDK throws after its last try. */
export function unanswered(): Error {
  return Object.assign(new Error("socket hang up"), { name: "TimeoutError" });
}

export function sha256(text: string): string {
  return createHash("sha256").update(text, "utf8").digest("hex");
}

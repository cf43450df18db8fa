/** What the adapters do that no emulator shows: partial failures, lost answers, the wire format. */
import { describe, expect, test } from "vitest";
import { createPorts } from "../../functions/compose.ts";
import { ENV } from "../../functions/environment.ts";
import { dynamoProjection } from "../../sdk/adapters/dynamodb/projection.ts";
import type { DynamoClient, DynamoOutput } from "../../sdk/adapters/dynamodb/table.ts";
import { dynamoTimers } from "../../sdk/adapters/dynamodb/timers.ts";
import { type LambdaOutput, lambdaWorkflowFunction } from "../../sdk/adapters/lambda/functions.ts";
import { nodeHost } from "../../sdk/adapters/lambda/host.ts";
import { type SqsOutput, sqsQueue } from "../../sdk/adapters/sqs/queue.ts";
import { parseMessage } from "../../sdk/adapters/wire.ts";
import { InfrastructureError } from "../../sdk/core/errors.ts";
import { BATCH_TRIES_MAX } from "../../sdk/core/limits.ts";
import type { Host } from "../../sdk/ports/host.ts";
import { fresh, localRows, runKey, workflowTask } from "./fixtures.ts";
import { recordingTelemetry } from "./recording-telemetry.ts";
import { scripted, serviceError } from "./scripted-client.ts";

/** A host whose sleeps end at once and are written down. */
function setup() {
  const slept: number[] = [];
  const host: Host = {
    ...nodeHost(),
    random: () => 1,
    sleep: (ms) => {
      slept.push(ms);
      return Promise.resolve();
    },
  };
  const urls = { workflow: "https://sqs/workflow", activities: { default: "https://sqs/default" } };
  return { host, slept, urls };
}

const outgoing = (count: number) =>
  Array.from({ length: count }, () => ({ message: workflowTask(), delayMs: 0 }));

describe("sending to SQS", () => {
  test("entries that a call did not take are sent again, alone, later and later", async () => {
    const { host, slept, urls } = setup();
    const client = scripted<SqsOutput>(
      { Failed: [{ Id: "1" }, { Id: "2", SenderFault: false }] },
      { Failed: [{ Id: "2" }] },
      {},
    );
    await sqsQueue(client, urls, host).send(outgoing(3));
    const ids = client.inputs.map((input) => idsOf(input));
    expect(ids).toEqual([["0", "1", "2"], ["1", "2"], ["2"]]);
    expect(slept).toEqual([50, 100]);
  });

  test("entries that are never taken end as an infrastructure error, after a bounded number of tries", async () => {
    const { host, urls } = setup();
    const client = scripted<SqsOutput>({ Failed: [{ Id: "0" }] });
    const sent = sqsQueue(client, urls, host).send(outgoing(1));
    await expect(sent).rejects.toBeInstanceOf(InfrastructureError);
    expect(client.inputs).toHaveLength(BATCH_TRIES_MAX);
  });

  test("an entry that is our own fault is not tried again", async () => {
    const { host, urls } = setup();
    const client = scripted<SqsOutput>({
      Failed: [{ Id: "0", SenderFault: true, Code: "InvalidMessageContents" }],
    });
    const sent = sqsQueue(client, urls, host).send(outgoing(1));
    await expect(sent).rejects.toThrow(/InvalidMessageContents/);
    expect(client.inputs).toHaveLength(1);
  });

  test("25 messages go in calls of ten, and a delay is rounded up to seconds", async () => {
    const { host, urls } = setup();
    const client = scripted<SqsOutput>({});
    const queue = sqsQueue(client, urls, host);
    await queue.send(outgoing(25));
    expect(client.inputs.map((input) => idsOf(input).length)).toEqual([10, 10, 5]);
    await queue.send([{ message: workflowTask(), delayMs: 1_001 }]);
    await queue.send([{ message: workflowTask(), delayMs: 10_000_000 }]);
    expect(client.inputs.slice(3)).toMatchObject([
      { Entries: [{ DelaySeconds: 2 }] },
      { Entries: [{ DelaySeconds: 900 }] },
    ]);
  });

  test("deferring ignores a handle that is gone in every form SQS says so, and nothing else", async () => {
    const { host, urls } = setup();
    const received = { message: workflowTask(), handle: "h" };
    const gone = Object.assign(
      new Error("Message does not exist or is not available for visibility timeout change."),
      { name: "InvalidParameterValue" },
    );
    for (const error of [
      gone,
      serviceError("ReceiptHandleIsInvalid"),
      serviceError("MessageNotInflight"),
    ])
      await sqsQueue(scripted<SqsOutput>(error), urls, host).defer(received, 1);
    const down = sqsQueue(scripted<SqsOutput>(serviceError("TimeoutError")), urls, host);
    await expect(down.defer(received, 1)).rejects.toBeInstanceOf(InfrastructureError);
  });
});

function idsOf(input: unknown): readonly string[] {
  if (typeof input !== "object" || input === null || !("Entries" in input)) return [];
  return Array.isArray(input.Entries) ? input.Entries.map(({ Id }: { Id: string }) => Id) : [];
}

describe("reading a message", () => {
  test("what is no message of Pawl is undefined", () => {
    const bodies = [
      "",
      "null",
      "[]",
      "{",
      "{}",
      '{"schema":1,"type":"workflow_task"}',
      JSON.stringify({ ...workflowTask(), announces: { kind: "moon" } }),
      JSON.stringify({ ...workflowTask(), run_id: 1 }),
      JSON.stringify({ ...workflowTask(), type: "query_task" }),
    ];
    for (const body of bodies) expect(parseMessage(body), body).toBeUndefined();
  });

  test("a message of a newer schema is refused by name, however it looks (A13)", () => {
    const body = JSON.stringify({ schema: 2, type: "unheard of" });
    expect(() => parseMessage(body)).toThrow(expect.objectContaining({ code: "schema_unknown" }));
  });

  test("a field that this version does not know is no error", () => {
    const message = { ...workflowTask(), tomorrow: 1 };
    expect(parseMessage(JSON.stringify(message))).toEqual(message);
  });
});

describe("writing projected rows", () => {
  const run = runKey();
  const rows = (count: number) =>
    localRows(
      run,
      Array.from({ length: count }, (_, index) => index),
    ).executions;
  const tablesOver = (client: DynamoClient) => ({
    executions: { client, name: "executions" },
    attempts: { client, name: "attempts" },
  });

  test("rows have the contract's names, and a call takes each key once and 25 at most (S-09)", async () => {
    const { host } = setup();
    const client = scripted<DynamoOutput>({});
    const written = rows(30);
    await dynamoProjection(tablesOver(client), host).write([...written, ...written], []);
    expect(client.inputs.map((input) => putsOf(input, "executions").length)).toEqual([25, 5]);
    expect(putsOf(client.inputs[0], "executions")[3]).toMatchObject({
      id: `${run.run_id}/3`,
      workflow_run_id: run.run_id,
      sequence: 3,
      activity_class: "price",
      activity_type: "price",
      status: "completed",
      attempt_count: 1,
      execution_mode: "local",
      local_activity: true,
      activity_options: { execution_mode: "local" },
      payload_codec: "json",
      result: expect.stringMatching(/^\{"json":/),
    });
  });

  test("what a call did not get to is sent again, and given up by name in the end", async () => {
    const { host, slept } = setup();
    const [one] = rows(1);
    if (one === undefined) throw new Error("there is a row");
    const left = { UnprocessedItems: { executions: [{ PutRequest: { Item: { pk: "left" } } }] } };
    const client = scripted<DynamoOutput>(left, {});
    await dynamoProjection(tablesOver(client), host).write([one], []);
    expect(client.inputs.map((input) => putsOf(input, "executions"))).toMatchObject([
      [{ sequence: 0 }],
      [{ pk: "left" }],
    ]);
    expect(slept).toEqual([50]);
    const stuck = dynamoProjection(tablesOver(scripted<DynamoOutput>(left)), host);
    await expect(stuck.write([one], [])).rejects.toBeInstanceOf(InfrastructureError);
  });

  function putsOf(input: unknown, table: string): readonly unknown[] {
    const found: unknown = JSON.parse(JSON.stringify(input)).RequestItems[table];
    if (!Array.isArray(found)) return [];
    return found.map((request: { PutRequest: { Item: unknown } }) => request.PutRequest.Item);
  }
});

test("a timer that cannot be read is reported and does not hold up the others", async () => {
  const { telemetry, lines } = recordingTelemetry();
  const good = workflowTask();
  const items = [
    { id: "newer", namespace: "n", due: 1, message: '{"schema":2}' },
    { id: "damaged", namespace: "n", due: 2, message: "{" },
    { id: "unnamed", namespace: "n", due: 3, message: JSON.stringify(good) },
    { id: "good", namespace: "n", due: 3, nonce: "a", message: JSON.stringify(good) },
  ];
  const client = scripted<DynamoOutput>({ Items: items }, {});
  const timers = dynamoTimers({ client, name: "timers" }, telemetry);
  expect(await timers.due("n", 10, 1)).toEqual([
    { id: "good", namespace: "n", due: 3, nonce: "a", message: good },
  ]);
  expect(lines.map(({ level, fields }) => [level, fields["id"]])).toEqual([
    ["error", "newer"],
    ["error", "damaged"],
    ["error", "unnamed"],
  ]);
});

describe("asking the workflow-task function", () => {
  const request = { kind: "types" } as const;
  const payload = (value: unknown): LambdaOutput => ({
    Payload: new TextEncoder().encode(JSON.stringify(value)),
  });
  const functionOver = (answer: LambdaOutput | Error) =>
    lambdaWorkflowFunction(scripted<LambdaOutput>(answer), () => "workflow-task");

  test("every kind of answer comes back as it was given", async () => {
    const answers = [
      { kind: "task" },
      { kind: "task", closing: { status: "completed", closed_at: 1, output: { json: "1" } } },
      { kind: "query", result: { blob: "k", bytes: 9 } },
      { kind: "types", workflow_types: ["order"], activity_types: [] },
      { kind: "error", error: { code: "query_failed", message: "m", hint: "h", status: 422 } },
    ];
    for (const answer of answers)
      expect(await functionOver(payload(answer)).invoke(request)).toEqual(answer);
  });

  test("a crash, a timeout and a strange answer are infrastructure errors (R16)", async () => {
    const bad: readonly (LambdaOutput | Error)[] = [
      { FunctionError: "Unhandled", ...payload({ errorMessage: "canary" }) },
      payload({ kind: "error", error: { code: "no_code", message: "", hint: "", status: 1 } }),
      payload(null),
      {},
      serviceError("TimeoutError"),
    ];
    for (const answer of bad) {
      const error: unknown = await functionOver(answer)
        .invoke(request)
        .catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(InfrastructureError);
      expect(error).toMatchObject({ maybeApplied: true });
      expect(String(error)).not.toContain("canary");
    }
  });
});

describe("the host", () => {
  test("a sleep ends at once when its signal aborts, and leaves no listener and no timer", async () => {
    const { sleep } = nodeHost();
    const controller = new AbortController();
    let listeners = 0;
    const signal = controller.signal;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      listeners += 1;
      add(...args);
    };
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      listeners -= 1;
      remove(...args);
    };
    const sleeping = sleep(1_000_000_000, signal);
    const timers = () => process.getActiveResourcesInfo().filter((name) => name === "Timeout");
    const before = timers().length;
    expect(listeners).toBe(1);
    controller.abort();
    await sleeping;
    expect(listeners).toBe(0);
    expect(timers().length).toBe(before - 1);
    await sleep(1_000_000_000, signal);
    await sleep(0);
  });

  test("ids are unique and sort by time", () => {
    const { newId } = nodeHost();
    const ids = Array.from({ length: 1_000 }, () => newId());
    expect(new Set(ids).size).toBe(1_000);
    expect(ids.toSorted()).toEqual(ids);
  });

  test("settle waits for microtasks that start microtasks", async () => {
    let count = 0;
    const chain = async (): Promise<void> => {
      for (; count < 100; count++) await Promise.resolve();
    };
    void chain();
    await nodeHost().settle();
    expect(count).toBe(100);
  });
});

describe("composing the ports", () => {
  const environment = {
    [ENV.namespace]: "n",
    [ENV.version]: "1",
    [ENV.runsTable]: "runs",
    [ENV.historyTable]: "history",
    [ENV.executionsTable]: "executions",
    [ENV.attemptsTable]: "attempts",
    [ENV.timersTable]: "timers",
    [ENV.payloadBucket]: "payloads",
    [ENV.workflowQueueUrl]: "https://sqs/workflow",
    [ENV.activityQueueUrls]: '{"default":"https://sqs/default"}',
  };
  const compose = (variables: Readonly<Record<string, string | undefined>>) =>
    createPorts({
      environment: variables,
      clients: { dynamo: scripted({}), sqs: scripted({}), s3: scripted({}), lambda: scripted({}) },
      host: setup().host,
      telemetry: recordingTelemetry().telemetry,
    });

  test.for(Object.keys(environment))("a missing %s is named", (variable) => {
    expect(() => compose({ ...environment, [variable]: undefined })).toThrow(variable);
    expect(() => compose({ ...environment, [variable]: "" })).toThrow(variable);
  });

  test("the name of the workflow-task function is needed only by who invokes it", async () => {
    const { workflowFunction } = compose(environment);
    await expect(workflowFunction.invoke({ kind: "types" })).rejects.toThrow(ENV.workflowFunction);
  });

  test("the activity queues must hold the default one", () => {
    const queues = { ...environment, [ENV.activityQueueUrls]: '{"slow":"https://sqs/slow"}' };
    expect(() => compose(queues)).toThrow(/default/);
  });

  test.for([ENV.localConcurrency, ENV.leaseMs])(
    "a wrong %s is refused by its name (case 45)",
    (variable) => {
      for (const value of ["0", "-1", "2.5", "many", "1e400"])
        expect(() => compose({ ...environment, [variable]: value })).toThrow(
          `${variable} is ${value}; expected a whole number, at least `,
        );
      expect(compose({ ...environment, [variable]: "5000" })).toBeDefined();
    },
  );

  test("a hundred local bodies run at the same time unless the deployment says otherwise (B20)", () => {
    expect(compose(environment).localConcurrency).toBe(100);
    expect(compose({ ...environment, [ENV.localConcurrency]: "7" }).localConcurrency).toBe(7);
  });

  test("guards carry a time to live in seconds, far in the future (reliability 5, row 22)", async () => {
    const dynamo = scripted<DynamoOutput>({});
    const ports = createPorts({
      environment,
      clients: { dynamo, sqs: scripted({}), s3: scripted({}), lambda: scripted({}) },
      host: { ...setup().host, now: () => 1_000_000 },
      telemetry: recordingTelemetry().telemetry,
    });
    await ports.guards.guard(runKey(), fresh("request"), 3);
    expect(dynamo.inputs).toMatchObject([{ Item: { from: 3, expires_at: 1_000 + 90 * 86_400 } }]);
  });
});

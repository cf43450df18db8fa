/** Lambda's execution environments: warm, frozen, abandoned, revived; and crashes at the gate. */
import { InvokeCommand } from "@aws-sdk/client-lambda";
import { GetObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { GetCommand, PutCommand } from "@aws-sdk/lib-dynamodb";
import { beforeEach, describe, expect, test } from "vitest";
import { TABLES } from "../../sdk/adapters/dynamodb/layout.ts";
import { CrashPoints } from "../../sdk/testing/world/crash-points.ts";
import type { Handler, InvocationResult } from "../../sdk/testing/world/lambda.ts";
import type { Process } from "../../sdk/testing/world/process.ts";
import { Scheduler } from "../../sdk/testing/world/scheduler.ts";
import { World } from "../../sdk/testing/world/world.ts";

let scheduler: Scheduler;
let world: World;
let points: CrashPoints;
let processes: Process[];

beforeEach(() => {
  scheduler = new Scheduler(0);
  processes = [];
  points = new CrashPoints({
    kill: (process) => world.lambda.kill(process),
    kindOf: () => "workflow-task",
    onCall: () => {},
  });
  world = new World({
    scheduler,
    tables: Object.values(TABLES),
    queues: [],
    queueUrl: (name) => `https://sqs.invalid/0/${name}`,
    buckets: ["payloads"],
    seed: "processes",
    nameOf: (name) => name,
    gate: points.gate,
  });
});

/** Defines the function `work`; `create` runs once per process. */
function define(create: (process: Process) => Handler, timeoutMs: number = 60_000): void {
  world.lambda.define({
    name: "work",
    timeoutMs,
    memoryMb: 128,
    start: async (process) => {
      processes.push(process);
      return create(process);
    },
  });
}

/** Invokes and lets virtual time run until nothing is left. */
async function invoke(event: unknown = {}): Promise<InvocationResult> {
  const result = world.lambda.invoke("work", event);
  await scheduler.run();
  return result;
}

const put = (sk: number) => new PutCommand({ TableName: "history_events", Item: { pk: "p", sk } });
const rows = (): number[] => world.dynamo.items("history_events").map(({ sk }) => Number(sk));

describe("an execution environment", () => {
  test("keeps its globals between invocations and is replaced after a kill", async () => {
    define(() => {
      let count = 0;
      return async () => ++count;
    });
    expect(await invoke()).toEqual({ kind: "returned", payload: 1 });
    expect(await invoke()).toEqual({ kind: "returned", payload: 2 });
    world.lambda.recycle();
    expect(await invoke()).toEqual({ kind: "returned", payload: 1 });
    expect(processes.map(({ id }) => id)).toEqual(["work/1", "work/2"]);
  });

  test("passes events and answers as JSON, and tells the time that is left", async () => {
    define(() => async (event, context) => {
      await scheduler.sleep(1_000);
      return { event, left: context.getRemainingTimeInMillis(), gone: undefined };
    });
    expect(await invoke({ at: new Date(0) })).toEqual({
      kind: "returned",
      payload: { event: { at: "1970-01-01T00:00:00.000Z" }, left: 59_000 },
    });
  });

  test("is killed at its timeout: what it waits for never arrives", async () => {
    const seen: string[] = [];
    define(
      (process) => async () => {
        await world.hostOf(process).sleep(20_000);
        seen.push("woken");
        await world.clientsOf(process).dynamo.send(put(1));
      },
      10_000,
    );
    expect(await invoke()).toMatchObject({ kind: "failed", ending: "timeout" });
    expect(seen).toEqual([]);
    expect(rows()).toEqual([]);
  });

  test("goes on as a zombie when it is revived, but its answer reaches nobody", async () => {
    define(
      (process) => async () => {
        await world.hostOf(process).sleep(20_000);
        await world.clientsOf(process).dynamo.send(put(1));
        return "late";
      },
      10_000,
    );
    const result = await invoke();
    expect(result).toMatchObject({ kind: "failed", ending: "timeout" });
    processes[0]?.revive();
    await scheduler.run();
    expect(rows()).toEqual([1]);
  });

  test("freezes with its answer: an unfinished call goes on in the next invocation", async () => {
    define((process) => async () => {
      void world
        .hostOf(process)
        .sleep(1_000)
        .then(() => world.clientsOf(process).dynamo.send(put(scheduler.now())));
      return "answered";
    });
    await invoke();
    await scheduler.run({ until: 5_000 });
    expect(rows()).toEqual([]);
    await invoke();
    expect(rows()).toEqual([5_000]);
  });

  test("answers errors of the handler as a function error", async () => {
    define(() => async () => {
      throw new TypeError("no");
    });
    const [first] = [world.clientsOf(await processOf("caller"))];
    const answer = first.lambda.send(new InvokeCommand({ FunctionName: "work", Payload: "{}" }));
    await scheduler.run();
    const { FunctionError, Payload } = await answer;
    expect(FunctionError).toBe("Unhandled");
    expect(JSON.parse(new TextDecoder().decode(Payload))).toEqual({
      errorType: "TypeError",
      errorMessage: "no",
    });
  });
});

/** A process of another function, that does nothing by itself. */
async function processOf(name: string): Promise<Process> {
  const started: Process[] = [];
  world.lambda.define({
    name,
    timeoutMs: 60_000,
    memoryMb: 128,
    start: async (process) => {
      started.push(process);
      return () => new Promise(() => {});
    },
  });
  void world.lambda.invoke(name, {});
  const [process] = started;
  if (process === undefined) throw new Error("the process did not start");
  return process;
}

describe("a crash point", () => {
  beforeEach(() => {
    define((process) => async () => {
      const { dynamo } = world.clientsOf(process);
      try {
        await dynamo.send(put(1));
        await dynamo.send(put(2));
        return "done";
      } catch (error) {
        return error instanceof Error ? error.name : "no error";
      }
    });
  });
  const call = "PutItem history_events";
  const at = (when: "before" | "after" | "applied", nth: number) =>
    points.arm({ function: "workflow-task", call, when, nth });

  test.each([
    ["before", 1, []],
    ["after", 1, [1]],
    ["before", 2, [1]],
    ["after", 2, [1, 2]],
  ] as const)("kills %s call %i, once", async (when, nth, expected) => {
    const point = at(when, nth);
    expect(await invoke()).toMatchObject({ kind: "failed", ending: "killed" });
    await point.reached;
    expect(rows()).toEqual(expected);
    expect(await invoke()).toEqual({ kind: "returned", payload: "done" });
  });

  test("applies a call and lets the caller believe that no answer came", async () => {
    at("applied", 1);
    expect(await invoke()).toEqual({ kind: "returned", payload: "TimeoutError" });
    expect(rows()).toEqual([1]);
  });

  test("does nothing once it is disarmed", async () => {
    at("before", 1).disarm();
    expect(await invoke()).toEqual({ kind: "returned", payload: "done" });
  });
});

describe("the fakes of the world", () => {
  test("give ids that sort by time and are the same for the same seed", async () => {
    const host = world.hostOf(await processOf("ids"));
    const first = host.newId();
    scheduler.moveTo(5);
    const second = host.newId();
    expect(first < second).toBe(true);
    const other = new World({
      scheduler: new Scheduler(0),
      tables: [],
      queues: [],
      queueUrl: String,
      buckets: [],
      seed: "processes",
      nameOf: String,
    });
    expect(other.hostOf(await processOf("ids")).newId()).toBe(first);
  });

  test("show a process a clock that is ahead when it is skewed", async () => {
    const host = world.hostOf(await processOf("skewed"), { skewMs: 1_500 });
    expect(host.now()).toBe(1_500);
  });

  test("keep objects and name the one that is missing", async () => {
    const { s3 } = world.clientsOf(await processOf("blobs"));
    await s3.send(new PutObjectCommand({ Bucket: "payloads", Key: "k", Body: "text" }));
    const { Body: body } = await s3.send(new GetObjectCommand({ Bucket: "payloads", Key: "k" }));
    expect(await body?.transformToString()).toBe("text");
    await expect(
      s3.send(new GetObjectCommand({ Bucket: "payloads", Key: "other" })),
    ).rejects.toMatchObject({ name: "NoSuchKey" });
  });

  test("answer an eventually consistent read from the past, a consistent one from now", async () => {
    const stale = new World({
      scheduler,
      tables: Object.values(TABLES),
      queues: [],
      queueUrl: String,
      buckets: [],
      seed: "stale",
      nameOf: String,
      staleMs: () => 1_000,
      staleMsMax: 5_000,
    });
    scheduler.moveTo(10_000);
    await stale.dynamo.send(put(1));
    const read = async (ConsistentRead: boolean): Promise<unknown> => {
      const Key = { pk: "p", sk: 1 };
      const command = new GetCommand({ TableName: "history_events", Key, ConsistentRead });
      return (await stale.dynamo.send(command)).Item;
    };
    expect(await read(false)).toBeUndefined();
    expect(await read(true)).toEqual({ pk: "p", sk: 1 });
    scheduler.moveTo(11_000);
    expect(await read(false)).toEqual({ pk: "p", sk: 1 });
  });
});

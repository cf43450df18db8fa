/** FakeSqs and the event-source mapping: what AWS promises, and what it does not. */
import {
  ChangeMessageVisibilityCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  PurgeQueueCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SendMessageCommand,
} from "@aws-sdk/client-sqs";
import type { SQSEvent } from "aws-lambda";
import { beforeEach, describe, expect, test } from "vitest";
import { EventSource, succeeded } from "../../sdk/testing/world/event-source.ts";
import { openGate } from "../../sdk/testing/world/gate.ts";
import { FakeLambda, type Handler } from "../../sdk/testing/world/lambda.ts";
import { Scheduler } from "../../sdk/testing/world/scheduler.ts";
import { FakeSqs } from "../../sdk/testing/world/sqs.ts";

const url = (name: string): string => `https://sqs.invalid/0/${name}`;
const QueueUrl = url("work");

let scheduler: Scheduler;
let sqs: FakeSqs;

beforeEach(() => {
  scheduler = new Scheduler(1_000_000);
  const work = {
    name: "work",
    visibilityTimeoutMs: 30_000,
    deadLetter: { queue: "dead", maxReceiveCount: 2 },
  };
  sqs = new FakeSqs([{ name: "dead", visibilityTimeoutMs: 30_000 }, work], url, scheduler);
});

async function pass(ms: number): Promise<void> {
  await scheduler.run({ until: scheduler.now() + ms });
}

interface Seen {
  readonly Body: string;
  readonly ReceiptHandle: string;
  readonly Attributes: Readonly<Record<string, string>>;
}
async function receive(queue: string = QueueUrl): Promise<readonly Seen[]> {
  const command = new ReceiveMessageCommand({ QueueUrl: queue, MaxNumberOfMessages: 10 });
  const { Messages: messages = [] } = await sqs.send(command);
  return messages as readonly Seen[];
}
const send = (MessageBody: string, DelaySeconds?: number) =>
  sqs.send(
    new SendMessageCommand({
      QueueUrl,
      MessageBody,
      ...(DelaySeconds === undefined ? {} : { DelaySeconds }),
    }),
  );

describe("FakeSqs", () => {
  test("hides a received message for the visibility timeout and counts its receives", async () => {
    await send("one");
    const [first] = await receive();
    expect(first?.Attributes["ApproximateReceiveCount"]).toBe("1");
    expect(first?.Attributes["SentTimestamp"]).toBe("1000000");
    await pass(29_999);
    expect(await receive()).toEqual([]);
    await pass(1);
    const [second] = await receive();
    expect(second?.Attributes["ApproximateReceiveCount"]).toBe("2");
  });

  test("keeps a delayed message back for exactly its delay", async () => {
    await send("later", 900);
    await pass(899_999);
    expect(await receive()).toEqual([]);
    await pass(1);
    expect((await receive()).map(({ Body }) => Body)).toEqual(["later"]);
  });

  test("moves a message that was received too often to the dead-letter queue, body unchanged", async () => {
    await send("poison");
    for (let count = 0; count < 2; count++) {
      expect(await receive()).toHaveLength(1);
      await pass(30_000);
    }
    expect(await receive()).toEqual([]);
    expect((await receive(url("dead"))).map(({ Body }) => Body)).toEqual(["poison"]);
  });

  test("shortens and lengthens the visibility of a message in flight", async () => {
    await send("one");
    const [message] = await receive();
    const change = (VisibilityTimeout: number) =>
      sqs.send(
        new ChangeMessageVisibilityCommand({
          QueueUrl,
          ReceiptHandle: message?.ReceiptHandle,
          VisibilityTimeout,
        }),
      );
    await change(100);
    await pass(99_999);
    expect(await receive()).toEqual([]);
    await change(5);
    await pass(5_000);
    expect(await receive()).toHaveLength(1);
    await expect(change(5)).rejects.toMatchObject({ name: "InvalidParameterValue" });
  });

  test("deletes by the newest handle only", async () => {
    await send("one");
    const [old] = await receive();
    await pass(30_000);
    const [newest] = await receive();
    const remove = (ReceiptHandle: string | undefined) =>
      sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }));
    await remove(old?.ReceiptHandle);
    expect(sqs.queue("work").depth().inFlight).toBe(1);
    await remove(newest?.ReceiptHandle);
    expect(sqs.queue("work").depth()).toEqual({ visible: 0, delayed: 0, inFlight: 0 });
    await remove(newest?.ReceiptHandle);
  });

  test.each([
    ["a delay above 900 s", () => send("a", 901), "InvalidParameterValue"],
    ["a delay of half a second", () => send("a", 0.5), "InvalidParameterValue"],
    ["more than 1 MiB", () => send("x".repeat(1_048_577)), "InvalidParameterValue"],
    ["a character that XML does not have", () => send("\u0000"), "InvalidMessageContents"],
    ["U+FFFF", () => send("\uffff"), "InvalidMessageContents"],
    ["half a surrogate pair", () => send("\ud800"), "InvalidMessageContents"],
    ["an empty body", () => send(""), "MissingParameter"],
    ["an unknown queue", () => receive(url("nowhere")), "QueueDoesNotExist"],
    [
      "a command that is not imitated",
      () => sqs.send(new PurgeQueueCommand({ QueueUrl })),
      "UnsupportedByFake",
    ],
  ])("refuses %s by the service's name for it", async (_what, call, name) => {
    await expect(call()).rejects.toMatchObject({ name });
  });

  test("takes a message of exactly 1 MiB, and whitespace that XML allows", async () => {
    await send("x".repeat(1_048_576));
    await send("\t\r\n\u{10ffff}");
    expect(await receive()).toHaveLength(2);
  });

  test("sends the good entries of a batch and names the bad ones", async () => {
    const answer = await sqs.send(
      new SendMessageBatchCommand({
        QueueUrl,
        Entries: [
          { Id: "good", MessageBody: "a" },
          { Id: "bad", MessageBody: "\u0001" },
        ],
      }),
    );
    expect(answer.Successful?.map(({ Id }) => Id)).toEqual(["good"]);
    expect(answer.Failed).toMatchObject([
      { Id: "bad", Code: "InvalidMessageContents", SenderFault: true },
    ]);
  });

  test.each([
    ["none", [], "EmptyBatchRequest"],
    [
      "eleven",
      Array.from({ length: 11 }, (_, index) => String(index)),
      "TooManyEntriesInBatchRequest",
    ],
    ["the same id twice", ["a", "a"], "BatchEntryIdsNotDistinct"],
    ["an id with a slash", ["a/b"], "InvalidBatchEntryId"],
  ])("refuses a batch of %s as a whole", async (_what, ids, name) => {
    const Entries = ids.map((Id) => ({ Id, MessageBody: "a" }));
    await expect(
      sqs.send(new SendMessageBatchCommand({ QueueUrl, Entries })),
    ).rejects.toMatchObject({
      name,
    });
    expect(await receive()).toEqual([]);
  });

  test("refuses a batch above 1 MiB in all", async () => {
    const Entries = ["a", "b"].map((Id) => ({ Id, MessageBody: "x".repeat(600_000) }));
    await expect(
      sqs.send(new SendMessageBatchCommand({ QueueUrl, Entries })),
    ).rejects.toMatchObject({ name: "BatchRequestTooLong" });
  });

  test("tells how many messages are visible, delayed and in flight", async () => {
    await send("a");
    await receive();
    await send("b");
    await send("c", 10);
    const command = new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["All"] });
    expect((await sqs.send(command)).Attributes).toMatchObject({
      ApproximateNumberOfMessages: "1",
      ApproximateNumberOfMessagesDelayed: "1",
      ApproximateNumberOfMessagesNotVisible: "1",
    });
  });
});

describe("the event-source mapping", () => {
  let lambda: FakeLambda;
  let source: EventSource;

  function connect(handler: Handler, concurrencyMax: number = 2): void {
    lambda = new FakeLambda(scheduler);
    lambda.define({
      name: "worker",
      timeoutMs: 10_000,
      memoryMb: 128,
      start: async () => handler,
    });
    source = new EventSource(
      {
        queue: sqs.queue("work"),
        functionName: "worker",
        batchSize: 10,
        windowMs: 0,
        concurrencyMax,
      },
      { lambda, scheduler, gate: openGate },
    );
  }

  test("hands over real SQS events of up to ten messages and deletes what succeeded", async () => {
    const events: SQSEvent[] = [];
    connect(async (event) => {
      // What the mapping sends is the event that handlers are typed for.
      events.push(event as SQSEvent);
      return { batchItemFailures: [] };
    });
    for (let index = 0; index < 12; index++) await send(`message ${index}`);
    await pass(1);
    expect(events.map(({ Records }) => Records.length)).toEqual([10, 2]);
    expect(events[0]?.Records[0]).toMatchObject({
      body: "message 0",
      eventSource: "aws:sqs",
      eventSourceARN: sqs.queue("work").arn,
      attributes: { ApproximateReceiveCount: "1", SentTimestamp: "1000000" },
    });
    expect(sqs.queue("work").depth()).toEqual({ visible: 0, delayed: 0, inFlight: 0 });
  });

  test("runs no more invocations at the same time than it may", async () => {
    let [running, most] = [0, 0];
    connect(async () => {
      running += 1;
      most = Math.max(most, running);
      await scheduler.sleep(100);
      running -= 1;
    });
    for (let index = 0; index < 60; index++) await send("a");
    await pass(0);
    expect(source.running).toBe(2);
    await pass(1_000);
    expect(most).toBe(2);
    expect(sqs.queue("work").depth().inFlight).toBe(0);
  });

  test("returns the messages of a function that is killed at its timeout, after their visibility", async () => {
    let starts = 0;
    connect(() => {
      starts += 1;
      return starts === 1 ? new Promise(() => {}) : Promise.resolve(null);
    });
    await send("a");
    await pass(29_999);
    expect(starts).toBe(1);
    await pass(1);
    expect(starts).toBe(2);
    expect(sqs.queue("work").depth().inFlight).toBe(0);
  });

  const failing = (...ids: unknown[]) => ({
    batchItemFailures: ids.map((itemIdentifier) => ({ itemIdentifier })),
  });
  test.each([
    ["deletes all when there is no list", {}, "all"],
    ["deletes all when the answer is null", null, "all"],
    ["deletes all when the list is null", { batchItemFailures: null }, "all"],
    ["deletes all when the list is empty", failing(), "all"],
    ["keeps what the list names", failing("m1"), "m2"],
    ["keeps all when an id is unknown", failing("m1", "m9"), "none"],
    ["keeps all when an id is empty", failing(""), "none"],
    ["keeps all when an entry has another key", { batchItemFailures: [{ id: "m1" }] }, "none"],
    ["keeps all when an entry is null", { batchItemFailures: [null] }, "none"],
  ])("%s (reliability 5, row 8)", (_what, payload, expected) => {
    const messages = ["m1", "m2"].map((messageId) => ({
      messageId,
      receiptHandle: "",
      body: "",
      md5: "",
      sentAt: 0,
      firstReceivedAt: 0,
      receives: 1,
    }));
    const kept = { all: ["m1", "m2"], none: [], m2: ["m2"] }[expected];
    expect(
      succeeded(messages, { kind: "returned", payload }).map(({ messageId }) => messageId),
    ).toEqual(kept);
    const failed = {
      kind: "failed",
      ending: "thrown",
      errorType: "Error",
      errorMessage: "",
    } as const;
    expect(succeeded(messages, failed)).toEqual([]);
  });
});

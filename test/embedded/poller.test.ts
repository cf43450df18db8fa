import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { RECEIVES_MAX } from "../../sdk/core/limits.ts";
import { deliveries, delivery } from "./fixture/lines.ts";
import { type FixtureStack, startFixture } from "./fixture/stack.ts";

let fixture: FixtureStack;

// The timeout is also the visibility timeout: how long the tests wait for a message to come back.
beforeAll(async () => {
  fixture = await startFixture({ queues: ["gpu"], timeouts: { "workflow-task": 2_000 } });
});
afterAll(() => fixture.stop());

describe("the event source of a queue", () => {
  test("delivers a message with Lambda's record, and deletes it when the function is done", async () => {
    await fixture.send([{ do: "ok", id: "one" }]);

    const { record } = await fixture.lines.first(delivery("one", 1));
    expect(record).toMatchObject({
      messageId: expect.any(String),
      receiptHandle: expect.any(String),
      body: JSON.stringify({ do: "ok", id: "one" }),
      attributes: { ApproximateReceiveCount: "1", SentTimestamp: expect.stringMatching(/^\d+$/) },
      messageAttributes: {},
      md5OfBody: expect.stringMatching(/^[0-9a-f]{32}$/),
      eventSource: "aws:sqs",
      eventSourceARN: "arn:aws:sqs:us-east-1:000000000000:workflow-tasks",
      awsRegion: "us-east-1",
    });
    await fixture.untilEmpty();
    expect(deliveries(fixture.lines.all, "one")).toBe(1);
  });

  test("of a batch, only the message that the function names as failed comes back", async () => {
    await fixture.send([
      { do: "ok", id: "partial-1" },
      { do: "fail", id: "partial-2" },
      { do: "ok", id: "partial-3" },
    ]);

    expect(await fixture.lines.first(delivery("partial-2", 1))).toMatchObject({ batch: 3 });
    await fixture.lines.first(delivery("partial-2", 2));
    await fixture.untilEmpty();
    expect(deliveries(fixture.lines.all, "partial-1")).toBe(1);
    expect(deliveries(fixture.lines.all, "partial-2")).toBe(2);
    expect(deliveries(fixture.lines.all, "partial-3")).toBe(1);
  });

  test("a null answer deletes the whole batch", async () => {
    await fixture.send([
      { do: "answer-null", id: "null-1" },
      { do: "ok", id: "null-2" },
    ]);

    await fixture.lines.first(delivery("null-1", 1));
    await fixture.untilEmpty();
    expect(deliveries(fixture.lines.all, "null-1")).toBe(1);
    // The function never saw it, and Lambda deletes it all the same.
    expect(deliveries(fixture.lines.all, "null-2")).toBe(0);
  });

  test.each([
    ["names an unknown message", "answer-unknown-id"],
    ["throws", "throw"],
    ["ends its process", "exit"],
    ["runs into its timeout", "hang"],
  ] as const)("the whole batch comes back when the function %s", async (_, kind) => {
    await fixture.send([
      { do: "ok", id: `${kind}-1` },
      { do: kind, id: `${kind}-2` },
    ]);

    expect(await fixture.lines.first(delivery(`${kind}-2`, 1))).toMatchObject({ batch: 2 });
    await fixture.lines.first(delivery(`${kind}-1`, 2));
    await fixture.lines.first(delivery(`${kind}-2`, 2));
    await fixture.untilEmpty();
  });

  test("a message goes to the dead-letter queue after its last receive (R13)", async () => {
    await fixture.send([{ do: "fail-always", id: "poison" }]);

    await fixture.untilVisible(1, "workflow-tasks-dead");
    expect(deliveries(fixture.lines.all, "poison")).toBe(RECEIVES_MAX);
  });

  test("every activity queue has a function of its own", async () => {
    await fixture.send([{ do: "ok", id: "activity" }], "activity-tasks-gpu");

    const line = await fixture.lines.first(({ fields }) => fields?.["activity"]);
    expect(line).toMatchObject({ functionName: "activity-task-gpu" });
    await fixture.untilEmpty("activity-tasks-gpu");
  });
});

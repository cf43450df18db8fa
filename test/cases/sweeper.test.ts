/** The last net: what was lost, late, dead-lettered or never sent is found, and a poisoned run hurts only itself. */
import { describe, expect, test } from "vitest";
import { messageBody } from "../../sdk/adapters/sqs/queue.ts";
import { startMessage } from "../../sdk/engine/operations/start.ts";
import { activity, activityInfo, localActivity, sleep, workflow } from "../../sdk/index.ts";
import { eventsOf, outline } from "../support/history.ts";
import { type Stack, startStack, times } from "./stack.ts";

const add = activity({ startToCloseTimeout: 5 }, async (n: number) => n + 1);
const flaky = activity(
  { startToCloseTimeout: 5, retryPolicy: { initialInterval: "10m", maximumInterval: "1h" } },
  async () => {
    if (activityInfo().attempt === 1) throw new Error("not yet");
    return "second";
  },
);

const exports = {
  add,
  flaky,
  sums: workflow(async (n: number) => await add(await localActivity(add, n))),
  naps: workflow(async (n: number) => {
    await sleep("10m");
    return await add(n);
  }),
  retriesLocal: workflow(async () => await localActivity(flaky)),
  retriesQueued: workflow(async () => await flaky()),
};

/** A start whose caller goes away with the first answer, whatever it is. */
async function startOnce(stack: Stack, type: string, input: unknown, id: string): Promise<number> {
  const answer = await stack.platform.fetch("/api/workflows", {
    method: "POST",
    body: JSON.stringify({ workflow_type: type, workflow_id: id, input }),
  });
  return answer.status;
}

describe("the sweeper", () => {
  test("sends the message of a start that never left, while nobody asks again (R12, H14, K6)", async () => {
    const stack = await startStack(exports);
    const crash = stack.platform.crash({
      function: "api",
      call: "SendMessageBatch workflow-tasks",
      when: "before",
    });
    expect(await startOnce(stack, "sums", 1, "lost-start")).toBe(502);
    await crash.reached;
    const handle = stack.platform.client.handle("lost-start");
    expect((await handle.describe()).status).toBe("pending");
    await stack.advance("2m");
    expect((await handle.describe()).status).toBe("completed");
    expect(await handle.result()).toBe(3);
  });

  test.each([
    ["naps", 7, 8, "workflow-tasks"],
    ["retriesLocal", null, "second", "workflow-tasks"],
    ["retriesQueued", null, "second", "activity-tasks-default"],
  ] as const)(
    "goes on with a run (%s) whose messages were purged (I14, K12)",
    async (type, input, expected, queue) => {
      const stack = await startStack(exports);
      const handle = await stack.start(type, input);
      await stack.advance("1m");
      expect(stack.queue(queue).bodies().length).toBeGreaterThan(0);
      stack.queue(queue).purge();
      await stack.advance("1h");
      expect((await handle.describe()).status).toBe("completed");
      expect(await handle.result()).toBe(expected);
      // Once each, for all that was sent again.
      const events = await eventsOf(handle);
      expect(times(events, "TimerFired").length).toBe(type === "naps" ? 1 : 0);
      expect(times(events, "ActivityCompleted").length).toBe(1);
    },
  );

  test("goes on with a run whose outcome was written by a worker and whose messages were all purged (H11)", async () => {
    const stack = await startStack(exports);
    const crash = stack.platform.crash({
      function: "activity-task",
      call: "SendMessageBatch workflow-tasks",
      when: "before",
    });
    const handle = await stack.start("sums", 1);
    await crash.reached;
    stack.queue("activity-tasks-default").purge();
    stack.queue("workflow-tasks").purge();
    await stack.advance("1h");
    expect(await handle.result()).toBe(3);
    expect(times(await eventsOf(handle), "ActivityRetryScheduled")).toEqual([]);
  });

  test("sends dead letters back unchanged, and their run goes on (R13, H15)", async () => {
    const stack = await startStack(exports);
    const crash = stack.platform.crash({
      function: "api",
      call: "SendMessageBatch workflow-tasks",
      when: "before",
    });
    await startOnce(stack, "sums", 5, "dead-start");
    await crash.reached;
    const handle = stack.platform.client.handle("dead-start");
    const { run_id } = await handle.describe();
    const run = { namespace: "default", workflow_id: handle.id, run_id };
    const dead = stack.queue("workflow-tasks-dead");
    dead.send(messageBody(startMessage(run)), 0);
    await stack.advance("5m");
    expect(await handle.result()).toBe(7);
    expect(dead.bodies()).toEqual([]);
  });

  test("is not needed twice: one that dies in the middle of its work is followed by the next (K6)", async () => {
    const stack = await startStack(exports);
    const lost = stack.platform.crash({
      function: "api",
      call: "SendMessageBatch workflow-tasks",
      when: "before",
    });
    await startOnce(stack, "sums", 1, "twice");
    await lost.reached;
    const calls = ["SendMessageBatch workflow-tasks", "UpdateItem workflow_runs"];
    const points = calls.map((call) =>
      stack.platform.crash({ function: "sweeper", call, when: "after" }),
    );
    await stack.advance("10m");
    await Promise.race(points.map(({ reached }) => reached));
    const handle = stack.platform.client.handle("twice");
    expect(await handle.result()).toBe(3);
    expect(times(await eventsOf(handle), "ActivityCompleted").length).toBe(2);
  });
});

describe("a workflow whose task kills its process every time", () => {
  test("is visible on its run, disturbs no other, and goes on with better code (K10)", async () => {
    let poisonous = true;
    const stack: Stack = await startStack({
      ...exports,
      poison: workflow(async () => {
        if (poisonous)
          for (const process of stack.world.lambda.busy())
            if (process.functionName === "workflow-task") stack.world.lambda.kill(process);
        await sleep(1);
        return "cured";
      }),
    });
    const poisoned = await stack.start("poison");
    const neighbours = [await stack.start("sums", 1), await stack.start("naps", 1)];
    expect(await neighbours[0]?.result()).toBe(3);
    expect(await neighbours[1]?.result()).toBe(2);
    await stack.advance("50m");
    const detail = await poisoned.describe();
    expect(detail.task_failure).toMatchObject({ code: "dead_lettered" });
    expect(detail.history_length).toBeLessThanOrEqual(1);
    const later = await stack.start("sums", 4);
    expect(await later.result()).toBe(6);
    poisonous = false;
    expect(await poisoned.result()).toBe("cured");
    expect(outline(await eventsOf(poisoned))).toEqual([
      "WorkflowStarted",
      "TimerScheduled 1",
      "TimerFired 1",
      "WorkflowCompleted",
    ]);
  });
});

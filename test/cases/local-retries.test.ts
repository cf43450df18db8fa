/** Retries of local activities are later workflow tasks, whatever the delay; and what ends them for good. */
import { describe, expect, test } from "vitest";
import {
  activity,
  activityInfo,
  LocalActivityOptions,
  localActivity,
  workflow,
} from "../../sdk/index.ts";
import { difference } from "../../sdk/testing/index.ts";
import { eventsOf, outline } from "../support/history.ts";
import { startStack, times } from "./stack.ts";

const failsUntil = activity({ startToCloseTimeout: "5s" }, async (wanted: number) => {
  const { attempt } = activityInfo();
  if (attempt < wanted) throw new Error(`attempt ${attempt}`);
  return attempt;
});

describe("a local retry", () => {
  test("without a delay is a message and a task of its own all the same, no loop (G-04, G-05, F-09)", async () => {
    const patient = new LocalActivityOptions({ maxAttempts: 4, backoff: 0 });
    const stack = await startStack({
      failsUntil,
      work: workflow(() => localActivity(failsUntil, patient, 4)),
    });
    const before = stack.platform.counts();
    const handle = await stack.start("work");
    expect(await handle.result()).toBe(4);
    const events = await eventsOf(handle);
    expect(outline(events).filter((line) => line.includes("Retry"))).toEqual(
      [1, 2, 3].map(
        (attempt) => `ActivityRetryScheduled failsUntil 1 local #${attempt} failure 0s`,
      ),
    );
    const tasks = events
      .filter(({ type }) => type === "ActivityStarted")
      .map(({ payload }) => payload["workflow_task_id"]);
    expect(new Set(tasks).size).toBe(4);
    // The start and three retries.
    const spent = difference(before, stack.platform.counts());
    expect(spent.queue["workflow-tasks"]?.messages).toBe(4);
    // Each batch but the last one ends its task: one attempt, one write more.
    expect(spent.store["history_events"]?.writes).toBe(8);
  });

  test("waits for any time, beyond what a queue can delay, and no invocation waits with it (G-10, B7, C7)", async () => {
    const delays = [1, 899, 900, 901, "1h", "30d"] as const;
    const patient = new LocalActivityOptions({ maxAttempts: 7, backoff: delays });
    const stack = await startStack({
      failsUntil,
      work: workflow(() => localActivity(failsUntil, patient, 7)),
    });
    const handle = await stack.start("work");
    const invocations = () => stack.platform.counts().invocations["workflow-task"];
    const early = invocations();
    await stack.advance(0.5);
    expect(invocations()).toBe(early);
    await stack.advance("31d");
    expect(await handle.result()).toBe(7);
    const events = await eventsOf(handle);
    const planned = events
      .filter(({ type }) => type === "ActivityRetryScheduled")
      .map(({ payload }) => Date.parse(String(payload["retry_available_at"])));
    const began = times(events, "ActivityStarted").slice(1);
    expect(began.length).toBe(delays.length);
    for (const [index, at] of began.entries()) {
      // Never early, and as late as a queue's whole seconds and the sweeper's hand-over make it.
      expect(at - (planned[index] ?? 0)).toBeGreaterThanOrEqual(0);
      expect(at - (planned[index] ?? 0)).toBeLessThan(5_000);
    }
  });

  test("keeps its siblings running, and is seen by the task that runs them (R7, G-11)", async () => {
    const held = Promise.withResolvers<void>();
    const entered: string[] = [];
    const slow = activity({ startToCloseTimeout: "60s" }, async () => {
      entered.push("slow");
      await held.promise;
    });
    const flaky = activity({ startToCloseTimeout: "5s" }, async () => {
      const { attempt } = activityInfo();
      entered.push(`flaky ${attempt}`);
      if (attempt === 1) throw new Error("once");
    });
    const stack = await startStack({
      slow,
      flaky,
      work: workflow(async () => {
        await Promise.all([localActivity(slow), localActivity(flaky)]);
      }),
    });
    const handle = await stack.start("work");
    await stack.advance("10s");
    expect(entered.toSorted()).toEqual(["flaky 1", "flaky 2", "slow"]);
    held.resolve();
    await handle.result();
    expect(entered.length).toBe(3);
  });

  test("that is too late for the whole activity does not start: it times out by schedule_to_close (H-02)", async () => {
    const options = new LocalActivityOptions({
      maxAttempts: 5,
      backoff: 2,
      scheduleToCloseTimeout: 10,
    });
    const entered: number[] = [];
    const fails = activity(async (): Promise<never> => {
      entered.push(activityInfo().attempt);
      throw new Error("no");
    });
    const stack = await startStack({ fails, work: workflow(() => localActivity(fails, options)) });
    const queue = stack.queue("workflow-tasks");
    const { disturbance } = queue;
    // The retry's message is late by an hour: an outage.
    queue.disturbance = {
      ...disturbance,
      hideMs: (ms, why) => (why === "sent" && ms > 0 ? 3_600_000 : ms),
    };
    const handle = await stack.start("work");
    await stack.advance("1s");
    queue.disturbance = disturbance;
    await stack.advance("2h");
    await expect(handle.result()).rejects.toMatchObject({
      failure: { activity: { outcome: "timed_out", timeout_kind: "schedule_to_close" } },
    });
    expect(entered).toEqual([1]);
    expect(outline(await eventsOf(handle)).slice(1, -1)).toEqual([
      "ActivityScheduled fails 1 local",
      "ActivityStarted fails 1 local #1",
      "ActivityRetryScheduled fails 1 local #1 failure 2s",
      "ActivityTimedOut fails 1 local #1",
    ]);
  });
});

describe("what does not fit into the rest of an invocation", () => {
  test("is handed to a fresh one, while what fits goes on here (B21, R-09)", async () => {
    const first = Promise.withResolvers<void>();
    const opener = activity({ startToCloseTimeout: "100s" }, async () => await first.promise);
    const short = activity({ startToCloseTimeout: "5s" }, async () => "short");
    const long = activity({ startToCloseTimeout: "60s" }, async () => "long");
    const stack = await startStack({
      opener,
      short,
      long,
      work: workflow(async () => {
        await localActivity(opener);
        return await Promise.all([localActivity(long), localActivity(short)]);
      }),
    });
    const handle = await stack.start("work");
    // 120 s less 70 s and the reserve of 7 s: enough for 5 s, not for 60 s.
    await stack.advance("70s");
    first.resolve();
    expect(await handle.result()).toEqual(["long", "short"]);
    const tasks = new Map(
      (await eventsOf(handle))
        .filter(({ type }) => type === "ActivityStarted")
        .map(({ payload }) => [payload["activity_type"], payload["workflow_task_id"]]),
    );
    expect(tasks.get("short")).toBe(tasks.get("opener"));
    expect(tasks.get("long")).not.toBe(tasks.get("opener"));
  });

  test("because another run's body takes the invocation's time is worked elsewhere, and soon (B13, B21)", async () => {
    const held = Promise.withResolvers<void>();
    const hogs = activity({ startToCloseTimeout: "100s" }, async () => await held.promise);
    const next = activity({ startToCloseTimeout: "80s" }, async () => {
      const { startedAt, deadline } = activityInfo();
      return deadline - startedAt;
    });
    const stack = await startStack({
      hogs,
      next,
      first: workflow(() => localActivity(hogs)),
      second: workflow(() => localActivity(next)),
    });
    // Both starts come in one batch.
    const queue = stack.queue("workflow-tasks");
    const { disturbance } = queue;
    queue.disturbance = { ...disturbance, hideMs: () => 5_000 };
    const first = await stack.start("first");
    const second = await stack.start("second");
    queue.disturbance = disturbance;
    await stack.advance("45s");
    expect(await second.result()).toBe(80_000);
    expect((await first.describe()).status).toBe("running");
    held.resolve();
    await first.result();
  });

  test("because its limit is longer than any invocation starts in a fresh one, and ends with it (V-08, H-06)", async () => {
    const endless = activity(
      { startToCloseTimeout: "10m", retryPolicy: { maxAttempts: 2, backoff: ["1s"] } },
      () => new Promise<never>(() => undefined),
    );
    const stack = await startStack({ endless, work: workflow(() => localActivity(endless)) });
    const handle = await stack.start("work");
    await stack.advance("10m");
    await expect(handle.result()).rejects.toMatchObject({
      failure: { activity: { outcome: "timed_out", timeout_kind: "start_to_close", attempts: 2 } },
    });
    const events = await eventsOf(handle);
    expect(outline(events).filter((line) => line.startsWith("ActivityStarted")).length).toBe(2);
  });
});

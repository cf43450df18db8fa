/** Cancellation is cooperative, and its result does not depend on when the request is seen. */
import { describe, expect, test } from "vitest";
import {
  ActivityCancellation,
  activity,
  CancelledFailure,
  heartbeat,
  localActivity,
  sleep,
  workflow,
} from "../../sdk/index.ts";
import { eventsOf, outline } from "../support/history.ts";
import { startStack } from "./stack.ts";

const modes = ["local", "queued"] as const;

/** A workflow of one activity and one clean-up, and what their bodies did. */
function cancellable(body: (entered: string[]) => Promise<unknown>) {
  const entered: string[] = [];
  const work = activity({ startToCloseTimeout: 60 }, async () => {
    entered.push("work");
    return await body(entered);
  });
  const clean = activity({ startToCloseTimeout: 60 }, async () => {
    entered.push("clean");
  });
  const run = async (call: () => Promise<unknown>): Promise<unknown> => {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof ActivityCancellation)) throw error;
      await localActivity(clean);
      await clean();
      throw error;
    }
  };
  return {
    entered,
    exports: {
      work,
      clean,
      local: workflow(() => run(() => localActivity(work))),
      queued: workflow(() => run(() => work())),
    },
  };
}

describe("a cancel request", () => {
  test.each(modes)(
    "that is there before the first task keeps a %s body from being entered (E1)",
    async (mode) => {
      const { entered, exports } = cancellable(async () => "done");
      const stack = await startStack(exports);
      // The start's message is late: the request comes first.
      const queue = stack.queue("workflow-tasks");
      const { disturbance } = queue;
      queue.disturbance = { ...disturbance, hideMs: () => 5_000 };
      const handle = await stack.start(mode);
      await handle.cancel("too late");
      queue.disturbance = disturbance;
      await expect(handle.result()).rejects.toThrow("cancelled");
      expect(entered).toEqual(["clean", "clean"]);
      const lines = outline(await eventsOf(handle));
      expect(lines.filter((line) => line.includes("work"))).toEqual([
        `ActivityScheduled work 1 ${mode}`,
        expect.stringMatching(new RegExp(`^ActivityCancelled work 1 ${mode}`)),
      ]);
      expect(lines.at(-1)).toBe("WorkflowCancelled");
    },
  );

  test("that is there before a worker takes an activity keeps its body from being entered (E1)", async () => {
    const { entered, exports } = cancellable(async () => "done");
    const stack = await startStack(exports);
    const queue = stack.queue("activity-tasks-default");
    const { disturbance } = queue;
    queue.disturbance = { ...disturbance, hideMs: (ms, why) => (why === "sent" ? 60_000 : ms) };
    const handle = await stack.start("queued");
    await handle.cancel("not wanted");
    queue.disturbance = disturbance;
    await expect(handle.result()).rejects.toThrow("cancelled");
    await stack.advance("10m");
    expect(entered).toEqual(["clean", "clean"]);
  });

  test.each(modes)(
    "reaches a %s body at its next heartbeat, and ends it as cancelled (E2, J-02, J-03, J-05)",
    async (mode) => {
      const go = Promise.withResolvers<void>();
      const { entered, exports } = cancellable(async (log) => {
        await heartbeat({ step: 1 });
        await go.promise;
        return await heartbeat({ step: 2 }).catch((error: unknown) => {
          log.push(error instanceof CancelledFailure ? "told" : String(error));
          throw error;
        });
      });
      const stack = await startStack(exports);
      const handle = await stack.start(mode);
      await stack.advance(5);
      await handle.cancel("no longer");
      await stack.advance(5);
      go.resolve();
      await expect(handle.result()).rejects.toThrow("cancelled");
      await stack.advance(5);
      expect(entered.toSorted()).toEqual(["clean", "clean", "told", "work"]);
      const events = await eventsOf(handle);
      const cancelled = events.find(({ type }) => type === "ActivityCancelled");
      expect(cancelled?.payload).toMatchObject({
        execution_mode: mode,
        local_activity: mode === "local",
      });
      expect(events.map(({ type }) => type)).not.toContain("ActivityFailed");
    },
  );

  test.each(modes)("that a %s body ignores drops what it returns (E5, J-04)", async (mode) => {
    const go = Promise.withResolvers<void>();
    const { entered, exports } = cancellable(async () => {
      await go.promise;
      return "a late result";
    });
    const stack = await startStack(exports);
    const handle = await stack.start(mode);
    await stack.advance(5);
    await handle.cancel("no longer");
    await stack.advance(5);
    go.resolve();
    await expect(handle.result()).rejects.toThrow("cancelled");
    await stack.advance("2m");
    expect(entered).toEqual(["work", "clean", "clean"]);
    const events = await eventsOf(handle);
    expect(JSON.stringify(events)).not.toContain("a late result");
    expect(outline(events).filter((line) => line.includes(" work 1"))).toContainEqual(
      expect.stringMatching(/^ActivityCancelled/),
    );
  });

  test.each(modes)("ends a %s activity that waits for its next attempt", async (mode) => {
    const { entered, exports } = cancellable(async () => {
      throw new Error("try again");
    });
    const stack = await startStack(exports);
    const handle = await stack.start(mode);
    await handle.cancel("no longer");
    await expect(handle.result()).rejects.toThrow("cancelled");
    await stack.advance("5m");
    expect(entered).toEqual(["work", "clean", "clean"]);
  });

  test.each(modes)(
    "ends a %s body that hangs at its timeout, as cancelled and without a retry (J-02, J-03)",
    async (mode) => {
      const { entered, exports } = cancellable(() => new Promise<never>(() => undefined));
      const stack = await startStack(exports);
      const handle = await stack.start(mode);
      await stack.advance(5);
      await handle.cancel("no longer");
      await stack.advance("2m");
      await expect(handle.result()).rejects.toThrow("cancelled");
      expect(entered).toEqual(["work", "clean", "clean"]);
      const types = outline(await eventsOf(handle)).filter((line) => line.includes(" work 1"));
      expect(types.at(-1)).toMatch(new RegExp(`^ActivityCancelled work 1 ${mode} #1`));
      expect(types.join()).not.toMatch(/TimedOut|Retry/);
    },
  );

  test("that is in the log while activities alone are waited for ends them: no other event is needed (E1)", async () => {
    const { entered, exports } = cancellable(async () => "done");
    const stack = await startStack(exports);
    const activities = stack.queue("activity-tasks-default");
    const { disturbance } = activities;
    activities.disturbance = {
      ...disturbance,
      hideMs: (ms, why) => (why === "sent" ? 3_600_000 : ms),
    };
    const handle = await stack.start("queued");
    await stack.advance("1s");
    const crash = stack.platform.crash({
      function: "workflow-task",
      call: "PutItem history_events",
      when: "before",
    });
    await handle.cancel("not wanted");
    await crash.reached;
    activities.disturbance = disturbance;
    await stack.advance("20m");
    expect((await handle.describe()).status).toBe("cancelled");
    expect(entered).toEqual(["clean", "clean"]);
  });

  test("ends local activities that wait for a place, and none of them is entered (E1, B20)", async () => {
    const held = Promise.withResolvers<void>();
    let entered = 0;
    const one = activity({ startToCloseTimeout: "60s" }, async () => {
      entered += 1;
      await held.promise;
    });
    const stack = await startStack({
      one,
      many: workflow(async () => {
        await Promise.all(Array.from({ length: 150 }, () => localActivity(one)));
      }),
    });
    const handle = await stack.start("many");
    await stack.advance("1s");
    await handle.cancel("too many");
    await stack.advance("5s");
    held.resolve();
    await expect(handle.result()).rejects.toThrow("cancelled");
    await stack.advance("2m");
    expect(entered).toBe(100);
    const lines = outline(await eventsOf(handle));
    expect(lines.filter((line) => line.startsWith("ActivityStarted")).length).toBe(100);
    expect(lines.filter((line) => line.startsWith("ActivityCompleted"))).toEqual([]);
  });

  test("wakes a workflow that sleeps at once, and a later sleep is its own affair (E8)", async () => {
    const stack = await startStack({
      sleeper: workflow(async () => {
        try {
          await sleep("30d");
          return "slept";
        } catch (error) {
          await sleep("1m");
          throw error;
        }
      }),
    });
    const handle = await stack.start("sleeper");
    await handle.cancel("wake up");
    await stack.advance("61s");
    expect((await handle.describe()).status).toBe("cancelled");
    const lines = outline(await eventsOf(handle));
    expect(lines.filter((line) => line.startsWith("Timer"))).toEqual([
      "TimerScheduled 1",
      "TimerCancelled 1",
      "TimerScheduled 2",
      "TimerFired 2",
    ]);
  });
});

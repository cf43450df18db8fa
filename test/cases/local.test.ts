/** Local activities: limits, places, hand-over, scope and what is said about them. */
import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import {
  activity,
  activityInfo,
  depends,
  LocalActivityOptions,
  localActivity,
  runActivitiesLocally,
  sleep,
  workflow,
} from "../../sdk/index.ts";
import { eventsOf, outline } from "../support/history.ts";
import { startStack, times } from "./stack.ts";

describe("limits", () => {
  test("an attempt that takes too long is retried by its policy, with the timeout's kind (B9, H-04)", async () => {
    const hangsOnce = activity(
      { startToCloseTimeout: "1s", retryPolicy: { maxAttempts: 2 } },
      async () => {
        const { attempt } = activityInfo();
        if (attempt === 1) await new Promise<never>(() => undefined);
        return attempt;
      },
    );
    const stack = await startStack({
      hangsOnce,
      local: workflow(async () => await localActivity(hangsOnce)),
      queued: workflow(async () => await hangsOnce()),
    });
    for (const mode of ["local", "queued"]) {
      const handle = await stack.start(mode);
      await stack.advance("10s");
      expect(await handle.result()).toBe(2);
      const events = await eventsOf(handle);
      expect(outline(events).slice(1, -1)).toEqual([
        `ActivityScheduled hangsOnce 1 ${mode}`,
        `ActivityStarted hangsOnce 1 ${mode} #1`,
        `ActivityRetryScheduled hangsOnce 1 ${mode} #1 timeout 1s`,
        `ActivityStarted hangsOnce 1 ${mode} #2`,
        `ActivityCompleted hangsOnce 1 ${mode} #2`,
      ]);
      const retry = events.find(({ type }) => type === "ActivityRetryScheduled");
      expect(retry?.payload["timeout_kind"]).toBe("start_to_close");
    }
  });

  test("the limit of one attempt never exceeds that of the whole activity, as its information says (B12, B24)", async () => {
    const within = activity(
      { startToCloseTimeout: "60s", scheduleToCloseTimeout: "5s" },
      async () => {
        const { deadline, scheduledAt } = activityInfo();
        return deadline - scheduledAt;
      },
    );
    const stack = await startStack({
      within,
      both: workflow(async () => [
        await within(),
        await localActivity(within),
        await localActivity(within, new LocalActivityOptions({ scheduleToCloseTimeout: 3 })),
        await within.with({ startToCloseTimeout: 2, scheduleToCloseTimeout: 9 })(),
      ]),
    });
    const [queued, local, called, shorter] = (await (
      await stack.start("both")
    ).result()) as number[];
    expect([queued, local, called]).toEqual([5_000, 5_000, 3_000]);
    // Two seconds from its start, which is a little after it was scheduled.
    expect(shorter).toBeGreaterThanOrEqual(2_000);
    expect(shorter).toBeLessThan(9_000);
  });

  test("retries end with the time of the whole activity, attempts left or not (H-02, C14)", async () => {
    const fails = activity(
      {
        scheduleToCloseTimeout: "10s",
        retryPolicy: { maxAttempts: 50, initialInterval: "4s", backoffCoefficient: 1 },
      },
      async (): Promise<never> => {
        throw new Error(`attempt ${activityInfo().attempt}`);
      },
    );
    const stack = await startStack({
      fails,
      local: workflow(async () => await localActivity(fails)),
      queued: workflow(async () => await fails()),
    });
    for (const mode of ["local", "queued"]) {
      const handle = await stack.start(mode);
      await expect(handle.result()).rejects.toMatchObject({ failure: { message: "attempt 3" } });
      const events = await eventsOf(handle);
      expect(times(events, "ActivityStarted").length).toBe(3);
      const [scheduled = 0] = times(events, "ActivityScheduled");
      expect(Math.max(...times(events, "ActivityFailed"))).toBeLessThan(scheduled + 10_000);
    }
  });

  test("a body that is still running when the whole activity's time is over ends with it (H-02)", async () => {
    const hangs = activity(
      { scheduleToCloseTimeout: "3s" },
      () => new Promise<never>(() => undefined),
    );
    const stack = await startStack({
      hangs,
      local: workflow(async () => await localActivity(hangs)),
      queued: workflow(async () => await hangs()),
    });
    for (const mode of ["local", "queued"]) {
      const handle = await stack.start(mode);
      await stack.advance("10s");
      await expect(handle.result()).rejects.toMatchObject({
        failure: {
          activity: { outcome: "timed_out", timeout_kind: "schedule_to_close", attempts: 1 },
        },
      });
    }
  });
});

describe("places and time", () => {
  test("of 250 parallel local activities 100 run at a time, and all are recorded by one invocation (B20)", async () => {
    let [running, most] = [0, 0];
    const counted = activity({ startToCloseTimeout: "1m" }, async (index: number) => {
      most = Math.max(most, ++running);
      await turn();
      running -= 1;
      return index;
    });
    const stack = await startStack({
      counted,
      many: workflow(async (count: number) => {
        const all = await runActivitiesLocally(() =>
          Promise.all(Array.from({ length: count }, (_, index) => counted(index))),
        );
        return all.reduce((sum, index) => sum + index, 0);
      }),
    });
    const before = stack.platform.counts().invocations["workflow-task"];
    const handle = await stack.platform.client.start("many", { input: 250, wait: 20 });
    expect(await handle.result()).toBe((249 * 250) / 2);
    expect(most).toBe(100);
    const events = await eventsOf(handle);
    expect(times(events, "ActivityStarted").length).toBe(250);
    expect(times(events, "ActivityCompleted").length).toBe(250);
    // One tells the registered types, one works.
    expect(stack.platform.counts().invocations["workflow-task"] - before).toBeLessThanOrEqual(2);
  });

  test("a local activity that the rest of the invocation does not cover is handed to a fresh one (B21, R-09)", async () => {
    const first = Promise.withResolvers<void>();
    const long = activity({ startToCloseTimeout: "110s" }, async () => await first.promise);
    const next = activity({ startToCloseTimeout: "30s" }, async () => activityInfo().attempt);
    const stack = await startStack({
      long,
      next,
      both: workflow(async () => {
        await localActivity(long);
        return await localActivity(next);
      }),
    });
    const handle = await stack.start("both");
    await stack.advance("95s");
    first.resolve();
    expect(await handle.result()).toBe(1);
    const events = await eventsOf(handle);
    const tasks = events
      .filter(({ type }) => type === "ActivityStarted")
      .map(({ payload }) => payload["workflow_task_id"]);
    expect(new Set(tasks).size).toBe(2);
    expect(outline(events).filter((line) => line.includes("Retry"))).toEqual([]);
  });
});

describe("scope and options", () => {
  test("the scope holds for what is called inside of it, across awaits, and for no parallel branch (E-01 to E-03)", async () => {
    const inside = activity(async (depth: number) => depth);
    const outside = activity(async (depth: number) => depth);
    const stack = await startStack({
      inside,
      outside,
      branches: workflow(async () => {
        await Promise.all([
          runActivitiesLocally(async () => {
            await inside(1);
            await sleep(1);
            await runActivitiesLocally(() => inside(2));
            await inside(3);
          }),
          (async () => {
            await outside(1);
            await sleep(1);
            await outside(2);
          })(),
        ]);
        await outside(3);
      }),
    });
    const handle = await stack.start("branches");
    await handle.result();
    const modes = (await handle.describe()).activities.map(
      ({ type, execution_mode }) => `${type} ${execution_mode}`,
    );
    expect(modes.toSorted()).toEqual([
      ...["inside local", "inside local", "inside local"],
      ...["outside queued", "outside queued", "outside queued"],
    ]);
  });

  test("options of the definition that have no meaning locally are ignored, and named once per process (E-05, V-02)", async () => {
    const held = Promise.withResolvers<void>();
    const routed = activity(
      {
        startToCloseTimeout: "1m",
        heartbeatTimeout: "1s",
        queue: "nowhere",
        scheduleToStartTimeout: "1s",
        rateLimit: { timeWindow: "1h", maxExecution: 1 },
      },
      async () => {
        await held.promise;
        return activityInfo().attempt;
      },
    );
    const stack = await startStack({ routed, local: workflow(() => localActivity(routed)) });
    const handles = [await stack.start("local"), await stack.start("local")];
    await stack.advance("20s");
    held.resolve();
    for (const handle of handles) expect(await handle.result()).toBe(1);
    const said = stack.lines.filter(({ message }) => message?.includes("are ignored"));
    const processes = new Set(stack.lines.map((line) => line["worker"]));
    expect(said[0]?.message).toBe(
      "activity routed runs locally: its options queue, scheduleToStartTimeout, heartbeatTimeout, rateLimit are ignored",
    );
    expect(said.length).toBeLessThanOrEqual(2);
    expect(processes.size).toBeGreaterThan(0);
  });
});

describe("diagnostics", () => {
  test("an activity without a limit is named once, whatever runs and replays (H-06)", async () => {
    const unlimited = activity(async () => 1);
    const limited = activity({ startToCloseTimeout: "5s" }, async () => 1);
    const whole = activity({ scheduleToCloseTimeout: "5s" }, async () => 1);
    const stack = await startStack({
      unlimited,
      limited,
      whole,
      calls: workflow(async () => {
        await localActivity(unlimited);
        await localActivity(unlimited);
        await localActivity(limited);
        await whole();
        await unlimited();
      }),
    });
    for (let run = 0; run < 3; run++) await (await stack.start("calls")).result();
    const warned = stack.lines.filter(({ message }) => message?.includes("startToCloseTimeout"));
    expect(warned.map(({ level, message }) => `${level}: ${message}`)).toEqual([
      "warn: local activity unlimited has no startToCloseTimeout: an attempt that hangs ends only with the time of its function",
      "warn: activity unlimited has no startToCloseTimeout: an attempt that hangs ends only with the time of its function",
    ]);
  });

  test("an attempt without a limit is capped by the time of its function, and then retried (H-06, V-08)", async () => {
    const hangsOnce = activity({ retryPolicy: { initialInterval: 1 } }, async () => {
      const { attempt, startedAt, deadline } = activityInfo();
      if (attempt === 1) await new Promise<never>(() => undefined);
      return Math.round((deadline - startedAt) / 1_000);
    });
    const stack = await startStack({
      hangsOnce,
      local: workflow(() => localActivity(hangsOnce)),
      queued: workflow(() => hangsOnce()),
    });
    for (const [mode, seconds] of [
      ["local", 113],
      ["queued", 893],
    ] as const) {
      const handle = await stack.start(mode);
      await stack.advance("20m");
      expect(await handle.result()).toBe(seconds);
      const retry = (await eventsOf(handle)).find(({ type }) => type === "ActivityRetryScheduled");
      expect(retry?.payload).toMatchObject({
        retry_reason: "timeout",
        timeout_kind: "start_to_close",
      });
    }
  });

  test("a local activity above a second is named once with how long it took, a regular one is not (E-09)", async () => {
    const held = Promise.withResolvers<void>();
    const slow = activity({ startToCloseTimeout: "1m" }, async () => await held.promise);
    const quick = activity({ startToCloseTimeout: "1m" }, async () => 1);
    const stack = await startStack({
      slow,
      quick,
      local: workflow(async () => {
        await localActivity(quick);
        await Promise.all([localActivity(slow), localActivity(slow)]);
      }),
      queued: workflow(async () => await slow()),
    });
    const handles = [await stack.start("local"), await stack.start("queued")];
    await stack.advance("5s");
    held.resolve();
    for (const handle of handles) await handle.result();
    const warned = stack.lines.filter(({ message }) => message?.includes("is slow"));
    expect(warned).toEqual([
      expect.objectContaining({
        level: "warn",
        function: "workflow-task",
        workflow_id: handles[0]?.id,
        activity_type: "slow",
        attempt: 1,
      }),
    ]);
    expect(warned[0]?.["took_ms"]).toBeGreaterThanOrEqual(5_000);
  });
});

describe("dependencies", () => {
  test("are made once and given to local and regular bodies alike, and never recorded (O-01, O-03, O-04, E-04)", async () => {
    let made = 0;
    const connection = async () => {
      made += 1;
      return { name: "secret-connection" };
    };
    const uses = activity(
      { startToCloseTimeout: "5s" },
      async (word: string, db = depends(connection)) => `${word} ${db.name.length}`,
    );
    const stack = await startStack({
      uses,
      both: workflow(async () => [
        await uses("there"),
        await localActivity(uses, "here"),
        await uses("again"),
      ]),
    });
    const handle = await stack.start("both");
    expect(await handle.result()).toEqual(["there 17", "here 17", "again 17"]);
    expect(made).toBe(1);
    const events = await eventsOf(handle);
    expect(JSON.stringify(events)).not.toContain("secret-connection");
    const given = events
      .filter(({ type }) => type === "ActivityScheduled")
      .map(({ payload }) => JSON.stringify(payload));
    expect(given.length).toBe(3);
    expect(given[1]).toContain("here");
  });
});

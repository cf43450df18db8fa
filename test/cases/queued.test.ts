/** Regular activities: dead workers, broken messages, queues that nobody works, heartbeats, retries. */
import { describe, expect, test } from "vitest";
import {
  type ActivityOptions,
  activity,
  activityInfo,
  CancelledFailure,
  heartbeat,
  heartbeatDetails,
  LocalActivityOptions,
  localActivity,
  sleep,
  workflow,
} from "../../sdk/index.ts";
import { eventsOf, outline } from "../support/history.ts";
import { type Stack, startStack, times } from "./stack.ts";

const hang = (): Promise<never> => new Promise<never>(() => undefined);

/** Ends the process that runs an invocation of this function, as SIGKILL does. */
function killBusy(stack: Stack, functionName: string): void {
  for (const process of stack.world.lambda.busy())
    if (process.functionName === functionName) stack.world.lambda.kill(process);
}

describe("a worker that dies", () => {
  test.each([
    ["start-to-close", { startToCloseTimeout: 20 }, 20, "start_to_close"],
    ["heartbeat", { startToCloseTimeout: 600, heartbeatTimeout: 5 }, 5, "heartbeat"],
  ] as const)(
    "in the middle of a body is noticed by the %s timeout, and the next attempt runs elsewhere (C4, D-06, H-07, I-04)",
    async (_what, options, seconds, kind) => {
      const work = activity({ ...options, retryPolicy: { initialInterval: 1 } }, async () => {
        const { attempt } = activityInfo();
        if (attempt === 1) await hang();
        return attempt;
      });
      const stack = await startStack({ work, run: workflow(async () => await work()) });
      const handle = await stack.start("run");
      await stack.advance(1);
      killBusy(stack, "activity-task");
      await stack.advance("1m");
      expect(await handle.result()).toBe(2);
      const retry = (await eventsOf(handle)).find(({ type }) => type === "ActivityRetryScheduled");
      expect(retry?.payload).toMatchObject({ retry_reason: "timeout", timeout_kind: kind });
      const [first, second] = (await handle.describe()).activities[0]?.attempts ?? [];
      expect(second?.lease_owner).not.toBe(first?.lease_owner);
      const gapMs = Date.parse(second?.started_at ?? "") - Date.parse(first?.started_at ?? "");
      // The timeout, the margin of clocks, whole seconds of the queue, and the backoff of a second.
      expect(gapMs).toBeGreaterThanOrEqual(seconds * 1_000);
      expect(gapMs).toBeLessThan((seconds + 3 + 3 + 1) * 1_000);
    },
  );
});

describe("messages", () => {
  test("that are broken go to the dead-letter queue, stay there, and disturb nobody (C9)", async () => {
    const add = activity({ startToCloseTimeout: 5 }, async (n: number) => n + 1);
    const stack = await startStack({
      add,
      sum: workflow(async (n: number) => (await add(n)) + (await localActivity(add, n))),
    });
    const broken = [
      "not json",
      "{}",
      "[]",
      '{"schema":1,"type":"workflow_task"}',
      '{"schema":1,"type":"something_else","message_id":"x"}',
      '{"schema":999,"type":"workflow_task","message_id":"x"}',
      JSON.stringify({ __proto__: null, type: "activity_task", schema: 1, sequence: "1" }),
    ];
    const queues = ["workflow-tasks", "activity-tasks-default"];
    for (const name of queues) for (const body of broken) stack.queue(name).send(body, 0);
    const first = await stack.start("sum", 1);
    expect(await first.result()).toBe(4);
    await stack.advance("8h");
    for (const name of queues) {
      expect(stack.queue(name).bodies()).toEqual([]);
      expect([...stack.queue(`${name}-dead`).bodies()].toSorted()).toEqual(broken.toSorted());
    }
    const later = await stack.start("sum", 2);
    expect(await later.result()).toBe(6);
    expect(stack.lines.some(({ message }) => message?.includes("malformed"))).toBe(true);
  });

  test("of a run that does not exist any more are dropped (K12)", async () => {
    const stack = await startStack({ run: workflow(async () => 1) });
    const key = { namespace: "default", workflow_id: "gone", run_id: "gone" };
    await stack.platform.deliver({
      ...key,
      schema: 1,
      type: "workflow_task",
      message_id: "gone/start",
      announces: { kind: "start" },
      from: 0,
    });
    await stack.advance("1h");
    expect(stack.queue("workflow-tasks").bodies()).toEqual([]);
    expect(stack.queue("workflow-tasks-dead").bodies()).toEqual([]);
  });
});

describe("a queue that nobody works", () => {
  async function idleStack(options: ActivityOptions) {
    let entered = 0;
    const work = activity({ ...options, queue: "idle" }, async () => {
      entered += 1;
      return entered;
    });
    const stack = await startStack(
      {
        work,
        run: workflow(async () => {
          const caught = await work().catch((error: unknown) => String(error));
          await sleep("3h");
          return caught;
        }),
      },
      { queues: ["idle"] },
    );
    // Its messages are there, and for two hours nobody sees them.
    stack.queue("activity-tasks-idle").disturbance = {
      hideMs: (ms, why) => (why === "sent" ? 7_200_000 : ms),
      deletesByOlderHandle: () => false,
    };
    return { stack, entered: () => entered };
  }

  test.each([
    ["schedule_to_start", { scheduleToStartTimeout: 30, startToCloseTimeout: 5 }],
    ["schedule_to_close", { scheduleToCloseTimeout: 30, startToCloseTimeout: 5 }],
  ] as const)(
    "ends an activity by %s on time, once, and its body is never entered afterwards (C14, H-02)",
    async (kind, options) => {
      const { stack, entered } = await idleStack({ ...options, retryPolicy: { maxAttempts: 5 } });
      const handle = await stack.start("run");
      expect(await handle.result()).toContain("ActivityTimeout");
      const events = await eventsOf(handle);
      expect(outline(events).slice(1, 3)).toEqual([
        "ActivityScheduled work 1 queued",
        "ActivityTimedOut work 1 queued #1",
      ]);
      expect(events[2]?.payload["timeout_kind"]).toBe(kind);
      const [scheduled = 0] = times(events, "ActivityScheduled");
      const [timedOut = 0] = times(events, "ActivityTimedOut");
      expect(timedOut - scheduled).toBeGreaterThanOrEqual(30_000);
      expect(timedOut - scheduled).toBeLessThan(32_000);
      await stack.advance("3h");
      expect(entered()).toBe(0);
      expect(stack.queue("activity-tasks-idle").bodies()).toEqual([]);
    },
  );
});

describe("heartbeats", () => {
  /** A body that beats when the test says so, and ends when the test says so. */
  function beating() {
    let next = Promise.withResolvers<"beat" | "end">();
    const answers: string[] = [];
    const body = async (): Promise<unknown> => {
      const resumedFrom = heartbeatDetails();
      if (resumedFrom !== undefined) return { attempt: activityInfo().attempt, resumedFrom };
      for (let done = 1; ; done++) {
        if ((await next.promise) === "end") return { attempt: activityInfo().attempt, done };
        next = Promise.withResolvers();
        answers.push(
          await heartbeat({ done }).then(
            () => "renewed",
            (error: unknown) => (error instanceof CancelledFailure ? "stop" : String(error)),
          ),
        );
      }
    };
    return {
      body,
      answers,
      tell: (what: "beat" | "end") => next.resolve(what),
    };
  }

  const modes = ["queued", "local"] as const;
  function exportsOf(body: () => Promise<unknown>, seconds: number) {
    const options = { startToCloseTimeout: 100, retryPolicy: { initialInterval: 1 } };
    const work = activity({ ...options, heartbeatTimeout: seconds }, body);
    const local = new LocalActivityOptions({ heartbeatTimeout: seconds });
    return {
      work,
      queued: workflow(async () => await work()),
      local: workflow(async () => await localActivity(work, local)),
    };
  }

  test.each(modes)(
    "keep a %s attempt alive that works longer than its heartbeat timeout (D1, I-06, I-07)",
    async (mode) => {
      const { body, answers, tell } = beating();
      const stack = await startStack(exportsOf(body, 3));
      const handle = await stack.start(mode);
      for (let second = 0; second < 10; second++) {
        await stack.advance(1);
        tell("beat");
      }
      await stack.advance(1);
      tell("end");
      expect(await handle.result()).toEqual({ attempt: 1, done: 11 });
      expect(answers).toEqual(Array.from({ length: 10 }, () => "renewed"));
      const events = await eventsOf(handle);
      const beats = events.filter(({ type }) => type === "ActivityHeartbeatRecorded");
      // Local beats are events, those of a regular attempt stand in its row and with its outcome.
      expect(beats.length).toBe(mode === "local" ? 10 : 0);
      for (const { payload } of beats)
        expect(payload).toMatchObject({ execution_mode: "local", local_activity: true });
      expect((await handle.describe()).activities[0]?.last_heartbeat_progress).toEqual({
        done: 10,
      });
    },
  );

  test.each(modes)(
    "that stop end a %s attempt, and the next one goes on from the last details (D2, H-03, I-03, I-05)",
    async (mode) => {
      const { body, tell } = beating();
      const stack = await startStack(exportsOf(body, 5));
      const handle = await stack.start(mode);
      await stack.advance(1);
      tell("beat");
      await stack.advance(1);
      tell("beat");
      await stack.advance("1m");
      expect(await handle.result()).toEqual({ attempt: 2, resumedFrom: { done: 2 } });
      const retry = (await eventsOf(handle)).find(({ type }) => type === "ActivityRetryScheduled");
      expect(retry?.payload).toMatchObject({ retry_reason: "timeout", timeout_kind: "heartbeat" });
    },
  );

  test("of an attempt that was superseded tell its body to stop, and change nothing (D6, I-11)", async () => {
    const { body, answers, tell } = beating();
    const stack = await startStack(exportsOf(body, 5));
    const handle = await stack.start("queued");
    await stack.advance(1);
    tell("beat");
    await stack.advance(1);
    const [worker] = stack.world.lambda
      .busy()
      .filter(({ functionName }) => functionName === "activity-task");
    if (worker === undefined) throw new Error("no worker runs");
    stack.world.lambda.kill(worker);
    await stack.advance("1m");
    expect(await handle.result()).toEqual({ attempt: 2, resumedFrom: { done: 1 } });
    // The process was not dead, only away: its body goes on.
    worker.revive();
    tell("beat");
    await stack.advance("2m");
    expect(answers).toEqual(["renewed", "stop"]);
    expect((await handle.describe()).activities[0]?.last_heartbeat_progress).toEqual({ done: 1 });
  });

  test.each(["terminate", "cancel"] as const)(
    "after a %s tell the body to stop (D6, E9, J-05)",
    async (stop) => {
      const { body, answers, tell } = beating();
      const stack = await startStack(exportsOf(body, 30));
      const handle = await stack.start("queued");
      await stack.advance(2);
      tell("beat");
      await stack.advance(2);
      await handle[stop]("enough");
      await stack.advance(2);
      tell("beat");
      await stack.advance(1);
      expect(answers).toEqual(["renewed", "stop"]);
      tell("end");
      await stack.advance("1m");
      const types = (await eventsOf(handle)).map(({ type }) => type);
      expect(types).not.toContain("ActivityCompleted");
    },
  );

  test.each(modes)(
    "in a flood are written at most once a second by a %s attempt (D7)",
    async (mode) => {
      const flooded = activity({ startToCloseTimeout: 60 }, async () => {
        const beats = Array.from({ length: 1_000 }, (_, done) => heartbeat({ done }));
        void Promise.allSettled(beats);
        return "flooded";
      });
      const stack = await startStack({
        flooded,
        queued: workflow(async () => await flooded()),
        local: workflow(async () => await localActivity(flooded)),
      });
      const handle = await stack.start(mode);
      expect(await handle.result()).toBe("flooded");
      const { calls } = stack.platform.counts();
      expect(calls["activity-task: UpdateItem activity_attempts"] ?? 0).toBeLessThanOrEqual(2);
      expect((await eventsOf(handle)).length).toBeLessThanOrEqual(7);
    },
  );
});

describe("retries", () => {
  test.each(["local", "queued"] as const)(
    "of a %s activity come after an hour when the policy says so (G-10, C7)",
    async (mode) => {
      const flaky = activity(
        { startToCloseTimeout: 5, retryPolicy: { initialInterval: "1h", maximumInterval: "10h" } },
        async () => {
          const { attempt } = activityInfo();
          if (attempt < 3) throw new Error("not yet");
          return attempt;
        },
      );
      const stack = await startStack({
        flaky,
        local: workflow(async () => await localActivity(flaky)),
        queued: workflow(async () => await flaky()),
      });
      const handle = await stack.start(mode);
      expect(await handle.result()).toBe(3);
      const attempts = (await handle.describe()).activities[0]?.attempts ?? [];
      const starts = attempts.map(({ started_at }) => Date.parse(started_at ?? ""));
      const gaps = starts.slice(1).map((start, index) => start - (starts[index] ?? 0));
      expect(gaps.length).toBe(2);
      for (const [index, hours] of [1, 2].entries()) {
        expect(gaps[index]).toBeGreaterThanOrEqual(hours * 3_600_000);
        expect(gaps[index]).toBeLessThan(hours * 3_600_000 + 2_000);
      }
    },
  );
});

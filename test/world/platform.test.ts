/** The memory platform: the real handlers, adapters and client over the fakes and virtual time. */
import { afterEach, describe, expect, test } from "vitest";
import {
  activity,
  activityInfo,
  condition,
  defineSignal,
  localActivity,
  setHandler,
  sleep,
  workflow,
} from "../../sdk/index.ts";
import {
  createTestPlatform,
  difference,
  type TestPlatform,
  type TestPlatformOptions,
} from "../../sdk/testing/index.ts";

/** What activity bodies did, in order: bodies run in this process. */
let bodies: string[] = [];
let platform: TestPlatform;

afterEach(async () => {
  await platform?.close();
  bodies = [];
});

async function start(options: Partial<TestPlatformOptions> = {}): Promise<TestPlatform> {
  platform = await createTestPlatform({ target: "memory", workflows, activities, ...options });
  return platform;
}

const add = activity(async (left: number, right: number) => {
  bodies.push(`add #${activityInfo().attempt}`);
  return left + right;
});
const failsOnce = activity(
  { retryPolicy: { initialInterval: "50s", maxAttempts: 2 } },
  async () => {
    const { attempt } = activityInfo();
    bodies.push(`failsOnce #${attempt}`);
    if (attempt === 1) throw new Error("the first attempt fails");
    return attempt;
  },
);
const hangs = activity(
  { startToCloseTimeout: "1s", retryPolicy: { maxAttempts: 1 } },
  () => new Promise<never>(() => {}),
);
const slow = activity(async (ms: number) => {
  await new Promise((resolve) => setTimeout(resolve, ms));
  return activityInfo().deadline;
});
const activities = { add, failsOnce, hangs, slow };

const go = defineSignal<[string]>("go");
const workflows = {
  sums: workflow(async (first: number) => {
    const one = await localActivity(add, first, 1);
    return await add(one, 10);
  }),
  waits: workflow(async (duration: "30d" | "1h") => {
    await sleep(duration);
    return "woken";
  }),
  retries: workflow(async () => await failsOnce()),
  times: workflow(async () => {
    try {
      return await localActivity(hangs);
    } catch (error) {
      return error instanceof Error ? error.name : "no error";
    }
  }),
  outlivesHanging: workflow(async () => {
    await localActivity(hangs).catch(() => undefined);
    await sleep("1h");
    return "an hour later";
  }),
  takesTime: workflow(async (ms: number) => await localActivity(slow, ms)),
  listens: workflow(async () => {
    let heard = "";
    setHandler(go, (word) => {
      heard = word;
    });
    await condition(() => heard !== "");
    return heard;
  }),
};

describe("the memory platform", () => {
  test("runs a workflow of a local and a queued activity through the production handlers", async () => {
    const { client } = await start();
    const handle = await client.start("sums", { input: 1 });
    expect(await handle.result()).toBe(12);
    expect(bodies).toEqual(["add #1", "add #1"]);
  });

  test("passes thirty days at once while a client waits for the result", async () => {
    const { client } = await start();
    const handle = await client.start("waits", { input: "30d" });
    expect(await handle.result()).toBe("woken");
    const events = await handle.history();
    const [scheduled, fired] = ["TimerScheduled", "TimerFired"].map((type) =>
      Date.parse(events.find((event) => event.type === type)?.recorded_at ?? ""),
    );
    expect((fired ?? 0) - (scheduled ?? 0)).toBe(30 * 86_400_000);
  });

  test("lets time stand still while nobody waits, and moves it exactly as far as it is told", async () => {
    const { client, advance } = await start();
    const handle = await client.start("waits", { input: "1h" });
    for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve));
    await advance("59m");
    expect((await handle.describe()).status).toBe("running");
    await advance("1m");
    expect((await handle.describe()).status).toBe("completed");
  });

  test("keeps a retry back for exactly its backoff", async () => {
    const { client, advance } = await start();
    const handle = await client.start("retries");
    await advance("1s");
    expect(bodies).toEqual(["failsOnce #1"]);
    await advance("48s");
    expect(bodies).toEqual(["failsOnce #1"]);
    await advance("1s");
    expect(bodies).toEqual(["failsOnce #1", "failsOnce #2"]);
    expect(await handle.result()).toBe(2);
  });

  test("times a body out that hangs for real, at once when the test advances the clock", async () => {
    const { client, advance } = await start();
    const handle = await client.start("times");
    await advance("2s");
    expect((await handle.describe()).status).toBe("completed");
    expect(await handle.result()).toBe("ActivityTimeout");
  });

  test("forgets a body that hangs past its deadline: time jumps again", async () => {
    const { client } = await start();
    const handle = await client.start("outlivesHanging");
    expect(await handle.result()).toBe("an hour later");
  });

  test("lets a body that works for real finish before the clock moves past its deadline", async () => {
    const { client, advance } = await start();
    const handle = await client.start("takesTime", { input: 30 });
    await advance("1d");
    const run = await handle.describe();
    expect(run.status).toBe("completed");
    expect(run.activities[0]?.attempt_count).toBe(1);
  });

  test("delivers a signal without moving the clock", async () => {
    const { client } = await start();
    const handle = await client.start("listens");
    await handle.signal(go, "hello");
    expect((await handle.describe()).status).toBe("completed");
    expect(await handle.result()).toBe("hello");
  });

  test.each([
    ["before", "PutItem history_events", 1],
    ["after", "PutItem history_events", 1],
    ["applied", "PutItem history_events", 1],
    ["before", "PutItem history_events", 2],
    ["after", "PutItem history_events", 2],
    ["before", "SendMessageBatch activity-tasks/default", 1],
    ["after", "SendMessageBatch activity-tasks/default", 1],
  ] as const)(
    "goes on after a crash of a workflow task %s its %s number %i",
    async (when, call, nth) => {
      const { client, crash } = await start();
      const point = crash({ function: "workflow-task", call, when, nth });
      const handle = await client.start("sums", { input: 1 });
      expect(await handle.result()).toBe(12);
      await point.reached;
    },
  );

  test("goes on after a crash of the activity task before it writes its outcome", async () => {
    const { client, crash } = await start();
    const point = crash({
      function: "activity-task",
      call: "UpdateItem activity_attempts",
      when: "before",
    });
    const handle = await client.start("sums", { input: 1 });
    expect(await handle.result()).toBe(12);
    await point.reached;
    expect(bodies).toEqual(["add #1", "add #1", "add #2"]);
  });

  test("counts what a step of the test made the functions do", async () => {
    const { client, counts } = await start();
    const before = counts();
    const handle = await client.start("sums", { input: 1 });
    await handle.result();
    const did = difference(before, counts());
    expect(did.queue["activity-tasks/default"]).toEqual({ calls: 1, messages: 1 });
    expect(did.store["history_events"]?.writes).toBeGreaterThan(0);
    expect(did.invocations["activity-task"]).toBe(1);
    expect(did.calls["activity-task: PutItem activity_attempts"]).toBe(1);
    expect(difference(counts(), counts()).store).toEqual({});
  });

  test("runs the workflows of an entry module", async () => {
    const { client } = await start({
      workflows: {},
      activities: {},
      entry: new URL("./entry.ts", import.meta.url).href,
    });
    const handle = await client.start("greets", { input: "world" });
    expect(await handle.result()).toBe("hello world");
  });

  test("sends activities of another queue to it", async () => {
    const { client, counts } = await start({
      queues: ["gpu"],
      activities: {},
      workflows: {},
      entry: new URL("./entry.ts", import.meta.url).href,
    });
    const handle = await client.start("renders");
    expect(await handle.result()).toBe("rendered");
    expect(counts().queue["activity-tasks/gpu"]).toEqual({ calls: 1, messages: 1 });
  });
});

describe("createTestPlatform", () => {
  test("refuses what a target does not have by a named error", async () => {
    await expect(
      createTestPlatform({ target: "embedded", workflows, entry: "entry.ts" }),
    ).rejects.toMatchObject({ code: "target_unsupported" });
    await expect(createTestPlatform({ target: "embedded" })).rejects.toMatchObject({
      code: "target_unsupported",
    });
    platform = await createTestPlatform({ target: "localstack", apiUrl: "http://127.0.0.1:1" });
    await expect(platform.advance("1s")).rejects.toMatchObject({ code: "target_unsupported" });
    expect(() =>
      platform.crash({ function: "api", call: "PutItem workflow_runs", when: "before" }),
    ).toThrow(expect.objectContaining({ code: "target_unsupported" }));
    expect(() => platform.counts()).toThrow(
      expect.objectContaining({ code: "target_unsupported" }),
    );
  });
});

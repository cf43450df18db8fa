/** History and replay: code that no longer fits its history, and histories that were tampered with. */
import { existsSync } from "node:fs";
import { PutCommand } from "@aws-sdk/lib-dynamodb";
import { describe, expect, test } from "vitest";
import {
  activity,
  defineSignal,
  LocalActivityOptions,
  localActivity,
  sideEffect,
  sleep,
  waitForSignal,
  workflow,
} from "../../sdk/index.ts";
import type { Item } from "../../sdk/testing/world/item.ts";
import { eventsOf, outline } from "../support/history.ts";
import { type Stack, startStack } from "./stack.ts";

const go = defineSignal<[string]>("go");

function orderCode() {
  const bodies: string[] = [];
  const step = (name: string) =>
    activity({ name, startToCloseTimeout: "10s" }, async () => {
      bodies.push(name);
      return name;
    });
  const [reserve, charge, ship] = [step("reserve"), step("charge"), step("ship")];
  const v1 = workflow({ name: "order" }, async () => {
    await localActivity(reserve);
    await sleep("1h");
    await charge();
    const word = await waitForSignal(go);
    return `${await ship()} ${word}`;
  });
  const v2 = workflow({ name: "order" }, async () => {
    await charge();
    await sleep("1h");
    return await ship();
  });
  const activities = { reserve, charge, ship };
  return { bodies, old: { ...activities, v1 }, changed: { ...activities, v2 } };
}

describe("code that does not fit the history", () => {
  test("fails the task by name, with expected, actual and sequence; the run stays open and nothing is appended (A6, P-06)", async () => {
    const { old, changed, bodies } = orderCode();
    const stack = await startStack(old);
    const handle = await stack.start("order");
    await stack.advance("1m");
    const before = await handle.describe();
    stack.deploy(changed);
    await stack.advance("1h");
    const detail = await handle.describe();
    expect(detail).toMatchObject({
      status: "running",
      history_length: before.history_length,
      task_failure: { code: "nondeterminism" },
    });
    const message = detail.task_failure?.message ?? "";
    expect(message).toContain("at sequence 1");
    expect(message).toMatch(/recorded .*reserve.*asks for .*charge/);
    expect(bodies).toEqual(["reserve"]);
    stack.deploy(old);
    await stack.advance("2m");
    expect((await handle.describe()).status).toBe("running");
  });

  test("heals by itself when the old code is back, also after its messages were dead-lettered, and loses no signal (A7)", async () => {
    const { old, changed, bodies } = orderCode();
    const stack = await startStack(old);
    const handle = await stack.start("order");
    await stack.advance("1m");
    stack.deploy(changed);
    await stack.advance("1h");
    await handle.signal(go, "kept");
    await stack.advance("3h");
    const failing = await handle.describe();
    expect(failing.task_failure?.count).toBeGreaterThan(1);
    expect(outline(await eventsOf(handle)).slice(4)).toEqual([
      "TimerScheduled 2",
      "SignalReceived",
    ]);
    stack.deploy(old);
    expect(await handle.result()).toBe("ship kept");
    expect(bodies).toEqual(["reserve", "charge", "ship"]);
    expect((await handle.describe()).task_failure).toBeNull();
  });

  test("shows a task failure only until a task succeeds again", async () => {
    const { old, changed } = orderCode();
    const stack = await startStack(old);
    const handle = await stack.start("order");
    stack.deploy(changed);
    await stack.advance("61m");
    expect((await handle.describe()).task_failure).not.toBeNull();
    stack.deploy(old);
    await stack.advance("5m");
    const healed = await handle.describe();
    expect(healed.activities.map(({ status }) => status)).toEqual(["completed", "completed"]);
    expect(healed).toMatchObject({ status: "running", task_failure: null });
  });

  test("an activity that finished needs no registration any more (B5)", async () => {
    const { old, bodies } = orderCode();
    const stack = await startStack(old);
    const handle = await stack.start("order");
    const { reserve: _gone, ...rest } = old;
    stack.deploy(rest);
    await handle.signal(go, "without it");
    expect(await handle.result()).toBe("ship without it");
    expect(bodies).toEqual(["reserve", "charge", "ship"]);
  });

  test("a workflow type that the deployment lost is a task failure, and comes back (K11)", async () => {
    const { old, changed } = orderCode();
    const stack = await startStack(old);
    const handle = await stack.start("order");
    const { v2, ...activities } = changed;
    stack.deploy({ ...activities, other: workflow({ name: "other" }, async () => v2.kind) });
    await stack.advance("2h");
    expect((await handle.describe()).task_failure?.code).toBe("workflow_type_unknown");
    stack.deploy(old);
    await handle.signal(go, "back");
    expect(await handle.result()).toBe("ship back");
  });
});

describe("a history that was tampered with", () => {
  const pick = activity({ startToCloseTimeout: "10s" }, async () => 1);
  const one = activity({ startToCloseTimeout: "10s" }, async () => "one");
  const two = activity({ startToCloseTimeout: "10s" }, async () => "two");
  const exports = {
    pick,
    one,
    two,
    choice: workflow(async () => {
      const picked = await localActivity(pick);
      const first = picked === 1 ? await localActivity(one) : await localActivity(two);
      await sleep("1h");
      return first;
    }),
  };

  async function tamperedRun(change: (item: Item) => Item) {
    const stack = await startStack(exports);
    const handle = await stack.start("choice");
    const [item] = stack.world.dynamo
      .items("history_events")
      .filter((candidate) => String(candidate["events"]).includes("ActivityCompleted"));
    if (item === undefined) throw new Error("there is no such batch");
    const original = structuredClone(item);
    put(stack, change(structuredClone(item)));
    // No process may know the run from before.
    stack.world.lambda.recycle();
    await stack.advance("61m");
    return { stack, handle, restore: () => put(stack, original) };
  }

  function put(stack: Stack, item: Item): void {
    const command = new PutCommand({ TableName: "history_events", Item: item });
    stack.world.dynamo.perform(stack.world.dynamo.request(command));
  }

  test.each([
    ["a newer schema", (item: Item): Item => ({ ...item, schema: 99 })],
    [
      "an unknown event",
      (item: Item): Item => ({
        ...item,
        events: String(item["events"]).replace("ActivityCompleted", "ActivityPostponed"),
      }),
    ],
  ])(
    "%s is refused by name, the run stays open and goes on when it is understood again (A13)",
    async (_what, change) => {
      const { stack, handle, restore } = await tamperedRun(change);
      await expect(handle.describe()).rejects.toMatchObject({
        code: "schema_unknown",
        status: 409,
      });
      await expect(handle.history()).rejects.toMatchObject({ code: "schema_unknown" });
      expect(stack.lines.filter(({ code }) => code === "schema_unknown").length).toBeGreaterThan(0);
      restore();
      expect(await handle.result()).toBe("one");
    },
  );

  test("a changed result leads to other commands: never continued, always reported (A14)", async () => {
    const { handle, restore } = await tamperedRun((item) => ({
      ...item,
      events: String(item["events"])
        .replace('{\\"json\\":\\"1\\"}', '{\\"json\\":\\"2\\"}')
        .replace('{"json":"1"}', '{"json":"2"}'),
    }));
    const detail = await handle.describe();
    expect(detail).toMatchObject({ status: "running", task_failure: { code: "nondeterminism" } });
    expect(detail.task_failure?.message).toMatch(/at sequence 2: recorded .*one.*asks for .*two/);
    restore();
    expect(await handle.result()).toBe("one");
  });
});

describe("workflow code of its own", () => {
  test("a side effect that throws is recorded, not retried, and fails the workflow (Q-02)", async () => {
    let calls = 0;
    const failing = (): never => {
      calls += 1;
      throw new RangeError("no snapshot");
    };
    const stack = await startStack({
      uncaught: workflow(async () => await sideEffect(failing)),
      caught: workflow(async () => {
        const caught = await sideEffect(failing).catch((error: unknown) => String(error));
        await sleep("1h");
        return caught;
      }),
    });
    const uncaught = await stack.start("uncaught");
    await expect(uncaught.result()).rejects.toMatchObject({
      failure: { type: "RangeError", message: "no snapshot" },
    });
    expect(calls).toBe(1);
    const caught = await stack.start("caught");
    stack.world.lambda.recycle();
    expect(await caught.result()).toContain("no snapshot");
    expect(calls).toBe(2);
  });

  test("a rejected local option fails before any event of the activity (B4, C-10)", async () => {
    const act = activity(async () => 1);
    const stack = await startStack({
      act,
      wrong: workflow(async (option: string) => {
        const options = Reflect.construct(LocalActivityOptions, [{ [option]: "x" }]);
        return await localActivity(act, options);
      }),
    });
    for (const option of ["connection", "queue", "session", "scheduleToStartTimeout"]) {
      const handle = await stack.start("wrong", option);
      await expect(handle.result()).rejects.toMatchObject({
        failure: {
          type: "local_activity_option_rejected",
          message: expect.stringContaining(option),
        },
      });
      expect(outline(await eventsOf(handle))).toEqual(["WorkflowStarted", "WorkflowFailed"]);
    }
  });

  test("the guard refuses the outside world by name until code comes that does without (P-08, A11)", async () => {
    const own = import.meta.filename;
    const unguarded = workflow({ determinismGuard: false }, async () => existsSync(own));
    const stack = await startStack({ guarded: workflow(async () => existsSync(own)), unguarded });
    const free = await stack.start("unguarded");
    expect(await free.result()).toBe(true);
    const guarded = await stack.start("guarded");
    await stack.advance("1m");
    expect(await guarded.describe()).toMatchObject({
      outcome: null,
      task_failure: { code: "nondeterministic_call" },
    });
    stack.deploy({ guarded: workflow(async () => "no files"), unguarded });
    expect(await guarded.result()).toBe("no files");
  });
});

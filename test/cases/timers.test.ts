/** Timers: once each, never early, late by less than the queue's whole seconds. */
import { describe, expect, test } from "vitest";
import { wakeUp } from "../../sdk/core/dispatch.ts";
import { condition, defineSignal, setHandler, sleep, workflow } from "../../sdk/index.ts";
import { eventsOf, outline } from "../support/history.ts";
import { startStack, times } from "./stack.ts";

const flag = defineSignal("flag");
/** Milliseconds by which a timer may be late: a whole second of the queue, and the work itself. */
const LATE_MS_MAX = 1_500;

const exports = {
  waits: workflow(async (seconds: number) => {
    await sleep(seconds === 0 ? "0ms" : { seconds });
    return "woke";
  }),
  many: workflow(async (count: number) => {
    const order: number[] = [];
    await Promise.all(
      Array.from({ length: count }, async (_, index) => {
        // Every two share one time; the later ones are due first.
        await sleep({ seconds: 10 + Math.floor((count - index) / 2) });
        order.push(index);
      }),
    );
    return order;
  }),
  races: workflow(async () => {
    let set = false;
    setHandler(flag, () => {
      set = true;
    });
    const first = await condition(() => set, "10s");
    await sleep("1h");
    return first;
  }),
};

describe("a timer", () => {
  test.each([0, 1, 899, 900, 901, 86_400, 30 * 86_400])(
    "of %d s fires once, not early, and hardly late (F1, C7)",
    async (seconds) => {
      const stack = await startStack(exports);
      const handle = await stack.start("waits", seconds);
      expect(await handle.result()).toBe("woke");
      const events = await eventsOf(handle);
      const [scheduled = 0] = times(events, "TimerScheduled");
      const fired = times(events, "TimerFired");
      expect(fired.length).toBe(1);
      const lateMs = (fired[0] ?? 0) - scheduled - seconds * 1_000;
      expect(lateMs).toBeGreaterThanOrEqual(0);
      expect(lateMs).toBeLessThan(LATE_MS_MAX);
      await stack.advance("40d");
      expect((await eventsOf(handle)).length).toBe(events.length);
    },
  );

  test("whose message comes early or twice fires once, and not early (F2)", async () => {
    const stack = await startStack(exports);
    const handle = await stack.start("waits", 60);
    const detail = await handle.describe();
    const due = Date.parse(detail.timers[0]?.fire_at ?? "");
    const run = { namespace: "default", workflow_id: handle.id, run_id: detail.run_id };
    const early = wakeUp(run, { kind: "timer", sequence: 1, due }, 1);
    for (const passed of ["30s", "29s"] as const) {
      await stack.advance(passed);
      await stack.platform.deliver(early);
      await stack.platform.deliver(early);
    }
    expect((await handle.describe()).timers[0]?.status).toBe("open");
    expect(await handle.result()).toBe("woke");
    await stack.platform.deliver(early);
    await stack.advance("10m");
    const fired = times(await eventsOf(handle), "TimerFired");
    expect(fired.length).toBe(1);
    expect(fired[0]).toBeGreaterThanOrEqual(due);
    expect(fired[0]).toBeLessThan(due + LATE_MS_MAX);
    expect(stack.queue("workflow-tasks").bodies()).toEqual([]);
  });

  test("that was cancelled never fires, although its message is on its way (F5)", async () => {
    const stack = await startStack(exports);
    const handle = await stack.start("races");
    await stack.advance("5s");
    await handle.signal(flag);
    const detail = await handle.describe();
    expect(detail.timers.map(({ status }) => status)).toEqual(["cancelled", "open"]);
    const run = { namespace: "default", workflow_id: handle.id, run_id: detail.run_id };
    const due = Date.parse(detail.timers[0]?.fire_at ?? "");
    await stack.platform.deliver(wakeUp(run, { kind: "timer", sequence: 1, due }, 1));
    expect(await handle.result()).toBe(true);
    expect(outline(await eventsOf(handle)).filter((line) => line.startsWith("TimerFired"))).toEqual(
      ["TimerFired 2"],
    );
  });

  test("that is due during an outage fires once after it (F6)", async () => {
    const stack = await startStack(exports);
    const handle = await stack.start("waits", 60);
    const queue = stack.queue("workflow-tasks");
    const { disturbance } = queue;
    queue.disturbance = {
      ...disturbance,
      hideMs: (ms, why) => (why === "received" ? 3_600_000 : ms),
    };
    const dies = stack.platform.crash({
      function: "workflow-task",
      call: "PutItem history_events",
      when: "before",
    });
    await stack.advance("10m");
    await dies.reached;
    queue.disturbance = disturbance;
    expect(await handle.result()).toBe("woke");
    expect(times(await eventsOf(handle), "TimerFired").length).toBe(1);
  });

  test("fires before those that are due later, and of those due together the first that was asked for (F4)", async () => {
    const count = 200;
    const stack = await startStack(exports);
    const handle = await stack.start("many", count);
    const order = await handle.result();
    const dueAt = (index: number) => Math.floor((count - index) / 2);
    const expected = Array.from({ length: count }, (_, index) => index).toSorted(
      (left, right) => dueAt(left) - dueAt(right) || left - right,
    );
    expect(order).toEqual(expected);
  });
});

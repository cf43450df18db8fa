/** Heartbeats of local and regular bodies: what is durable when, what the next attempt is told, and when a body must stop. */
import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import type { EventView } from "../../sdk/core/api.ts";
import {
  activityInfo,
  CancelledFailure,
  heartbeat,
  heartbeatDetails,
  PawlError,
} from "../../sdk/index.ts";
import { difference } from "../../sdk/testing/index.ts";
import { eventsOf, outline } from "../support/history.ts";
import { calling } from "./calling.ts";
import { type Stack, startStack } from "./stack.ts";

const modes = ["local", "queued"] as const;

function beatsIn(events: readonly EventView[]): readonly unknown[] {
  return events
    .filter(({ type }) => type === "ActivityHeartbeatRecorded")
    .map(({ payload }) => payload["progress"]);
}

/** Writes of heartbeats: to the log, or to the attempt's row. */
function beatWrites(stack: Stack, mode: "local" | "queued"): () => number {
  const before = stack.platform.counts();
  return () => {
    const { store } = difference(before, stack.platform.counts());
    const table = mode === "local" ? "history_events" : "activity_attempts";
    return store[table]?.writes ?? 0;
  };
}

describe("an awaited heartbeat", () => {
  test("is one event and one write, durable when it resolves (I-06, D4, D7)", async () => {
    const seen: unknown[][] = [];
    let look: () => Promise<readonly EventView[]> = async () => [];
    const exports = calling(async () => {
      for (const step of [1, 2, 3, 4, 5]) {
        await heartbeat(step);
        seen.push([...beatsIn(await look())]);
      }
    });
    const stack = await startStack(exports);
    // The first one also asks for the registered types.
    await (await stack.start("local")).result();
    const writes = beatWrites(stack, "local");
    look = () => eventsOf(stack.platform.client.handle("beats"));
    seen.length = 0;
    const handle = await stack.start("local", null, "beats");
    await handle.result();
    expect(seen).toEqual([[1], [1, 2], [1, 2, 3], [1, 2, 3, 4], [1, 2, 3, 4, 5]]);
    // The start, five beats, the end.
    expect(writes()).toBe(7);
    const events = await eventsOf(handle);
    const beats = events.filter(({ type }) => type === "ActivityHeartbeatRecorded");
    const task = events.find(({ type }) => type === "ActivityStarted")?.payload["workflow_task_id"];
    expect(task).toEqual(expect.any(String));
    for (const { payload } of beats)
      expect(payload).toMatchObject({
        execution_mode: "local",
        local_activity: true,
        attempt_number: 1,
        lease_expires_at: expect.any(String),
      });
  });

  test("of a regular body is one write of the attempt's row, however soon it follows the last (D7)", async () => {
    const stack = await startStack(
      calling(async () => {
        for (const step of [1, 2, 3, 4, 5]) await heartbeat(step);
      }),
    );
    const writes = beatWrites(stack, "queued");
    await (await stack.start("queued")).result();
    // The claim, five beats, the outcome.
    expect(writes()).toBe(7);
  });
});

describe("heartbeats that nobody awaits", () => {
  test.each(modes)(
    "of a %s body: a flood becomes one write a second, and the last one is not lost (D7, I-05)",
    async (mode) => {
      let told: unknown;
      const gate = Promise.withResolvers<void>();
      const exports = calling(async () => {
        if (activityInfo().attempt === 2) {
          told = heartbeatDetails();
          return;
        }
        for (let second = 0; second < 5; second++) {
          for (let beat = 0; beat < 1_000; beat++) void heartbeat({ second, beat });
          if (second === 4) await gate.promise;
          else await new Promise((resolve) => setTimeout(resolve, 5));
        }
        void heartbeat("the last");
        throw new Error("ends behind its last heartbeat");
      });
      const stack = await startStack(exports);
      const handle = await stack.start(mode);
      await stack.advance("10s");
      gate.resolve();
      await handle.result();
      expect(told).toBe("the last");
      const [began = "", ended = ""] = (await eventsOf(handle))
        .filter(({ type }) => type === "ActivityStarted" || type === "ActivityRetryScheduled")
        .map(({ recorded_at: at }) => at);
      const seconds = (Date.parse(ended) - Date.parse(began)) / 1_000;
      if (mode === "local")
        expect(beatsIn(await eventsOf(handle)).length).toBeLessThanOrEqual(seconds + 1);
    },
  );

  test("make one event at most of an attempt that completes at once: the last one stands in its outcome (D7)", async () => {
    const stack = await startStack(
      calling(() => {
        for (let beat = 1; beat <= 100; beat++) void heartbeat(beat);
      }),
    );
    const handle = await stack.start("local");
    await handle.result();
    const events = await eventsOf(handle);
    expect(beatsIn(events).length).toBeLessThanOrEqual(1);
    const [{ attempts } = { attempts: [] }] = (await handle.describe()).activities;
    expect(attempts[0]?.last_heartbeat_progress).toBe(100);
  });
});

describe("the details of the last heartbeat reach the next attempt (I-05, D2)", () => {
  const large = "x".repeat(60_000);
  const shapes: readonly unknown[] = [
    { processed: 3, total: 9 },
    7,
    { message: "half", job_id: "j", state: { deep: [1, null] } },
    "text",
    null,
    [large],
  ];

  test.each(modes)("of a %s activity, whatever JSON they are (I-02, V-04)", async (mode) => {
    const told: unknown[] = [];
    const exports = calling(
      async () => {
        const { attempt } = activityInfo();
        told.push(heartbeatDetails());
        if (attempt > shapes.length) return;
        await heartbeat(shapes[attempt - 1]);
        throw new Error("again");
      },
      { retryPolicy: { backoff: ["1s"], maxAttempts: shapes.length + 1 } },
    );
    const stack = await startStack(exports);
    await (await stack.start(mode)).result();
    expect(told).toEqual([undefined, ...shapes]);
  });

  test.each(modes)("of a %s activity that timed out", async (mode) => {
    const told: unknown[] = [];
    const exports = calling(
      async () => {
        told.push(heartbeatDetails());
        if (activityInfo().attempt === 2) return;
        void heartbeat(1);
        void heartbeat(2);
        await new Promise<never>(() => undefined);
      },
      { startToCloseTimeout: "5s" },
    );
    const stack = await startStack(exports);
    const handle = await stack.start(mode);
    await stack.advance("30s");
    await handle.result();
    expect(told).toEqual([undefined, 2]);
  });

  test.each([large, "short"])("of a process that died (R-03)", async (details) => {
    const told: unknown[] = [];
    const exports = calling(async () => {
      told.push(heartbeatDetails());
      await heartbeat(details);
    });
    const stack = await startStack(exports);
    const crash = stack.platform.crash({
      function: "workflow-task",
      call: "PutItem history_events",
      when: "after",
      nth: 2,
    });
    const handle = await stack.start("local");
    await crash.reached;
    await stack.advance("1m");
    await handle.result();
    expect(told).toEqual([undefined, details]);
    expect(outline(await eventsOf(handle))).toContain(
      "ActivityRetryScheduled work 1 local #1 cold_replay 1s",
    );
  });
});

describe("a heartbeat is refused by name", () => {
  test.each(modes)("in a %s body when its details are too large, or no JSON", async (mode) => {
    const codes: unknown[] = [];
    const exports = calling(async () => {
      for (const details of ["x".repeat(65_537), 1n, () => 1])
        await heartbeat(details).catch((error: unknown) =>
          codes.push(error instanceof PawlError ? error.code : error),
        );
      // Nobody awaits it: the refusal ends nothing.
      void heartbeat("x".repeat(70_000));
      await turn();
      await heartbeat("x".repeat(65_534));
    });
    const stack = await startStack(exports);
    await (await stack.start(mode)).result();
    expect(codes).toEqual([
      "payload_too_large",
      "payload_not_serializable",
      "payload_not_serializable",
    ]);
  });

  test.each(modes)("in a %s body when the run was terminated (D6, E9)", async (mode) => {
    const go = Promise.withResolvers<void>();
    const told = Promise.withResolvers<unknown>();
    const exports = calling(async () => {
      await heartbeat("alive");
      await go.promise;
      await heartbeat("late").then(told.reject, told.resolve);
    });
    const stack = await startStack(exports);
    const handle = await stack.start(mode);
    await stack.advance(5);
    await handle.terminate("enough");
    await stack.advance(5);
    go.resolve();
    expect(await told.promise).toBeInstanceOf(CancelledFailure);
    await stack.advance("2m");
    const events = await eventsOf(handle);
    expect(events.at(-1)?.type).toBe("WorkflowTerminated");
    expect(JSON.stringify(events)).not.toContain("late");
  });

  test("when the attempt is over: by what a body left behind", async () => {
    const after = Promise.withResolvers<unknown>();
    const ended = Promise.withResolvers<void>();
    const exports = calling(() => {
      void ended.promise.then(() => heartbeat("too late")).then(after.reject, after.resolve);
      return "done";
    });
    const stack = await startStack(exports);
    for (const mode of modes) {
      const handle = await stack.start(mode);
      await handle.result();
      ended.resolve();
      expect(await after.promise).toBeInstanceOf(CancelledFailure);
      expect(beatsIn(await eventsOf(handle))).toEqual([]);
    }
  });
});

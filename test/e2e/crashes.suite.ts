/**
 * What only a crash point or a count can show; runs on `memory` and `embedded`. Deployed bundles have
 * neither; crashes on LocalStack are those of the crash matrix (test/faults).
 */

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { WorkflowHandle } from "../../sdk/client.ts";
import type { Counts } from "../../sdk/core/test-points.ts";
import { startMessage } from "../../sdk/engine/operations/start.ts";
import {
  type CrashPoint,
  difference,
  replayHistory,
  type TestPlatform,
} from "../../sdk/testing/index.ts";
import { eventsOf, outline } from "../support/history.ts";
import type { EndToEndTarget } from "./end-to-end.suite.ts";
import * as worker from "./worker.ts";

export function crashes(target: EndToEndTarget): void {
  describe(`crashes and counts on ${target.name}`, () => {
    let platform: TestPlatform;
    const finished: WorkflowHandle[] = [];

    beforeAll(async () => {
      platform = await target.create();
    });

    afterAll(async () => {
      for (const handle of finished)
        await replayHistory(worker, { history_events: await handle.history() });
      await platform.close();
    });

    async function start(type: string, input: unknown, id?: string): Promise<WorkflowHandle> {
      const handle = await platform.client.start(type, {
        input,
        ...(id === undefined ? {} : { id }),
      });
      finished.push(handle);
      return handle;
    }

    async function runWithCrash(point: CrashPoint, type: string, input: unknown) {
      const crash = platform.crash(point);
      const handle = await start(type, input);
      const result = await handle.result();
      await crash.reached;
      return { handle, result, events: await eventsOf(handle) };
    }

    test("a crash after Started is a cold replay: counted, recorded, retried (R-03, R-04, B18)", async () => {
      const { result, events } = await runWithCrash(
        { function: "workflow-task", call: "PutItem history_events", when: "after" },
        "tenLocal",
        null,
      );
      expect(result).toBe(10);
      expect(outline(events).slice(0, 6)).toEqual([
        "WorkflowStarted",
        "ActivityScheduled add 1 local",
        "ActivityStarted add 1 local #1",
        "ActivityRetryScheduled add 1 local #1 cold_replay 1s",
        "ActivityStarted add 1 local #2",
        "ActivityCompleted add 1 local #2",
      ]);
    });

    test("a local body that ends the process is retried in another one, until attempts are spent (B17)", async () => {
      if (target.name === "memory") return;
      const handle = await start("survives", 1);
      expect(await handle.result()).toBe(2);
      const detail = await handle.describe();
      expect(
        detail.activities[0]?.attempts.map(
          ({ status, retry_reason }) => `${status} ${retry_reason}`,
        ),
      ).toEqual(["expired cold_replay", "completed null"]);
    });

    test("a crash after the commit and before the dispatch loses nothing (C1)", async () => {
      const { result, events } = await runWithCrash(
        {
          function: "workflow-task",
          call: "SendMessageBatch activity-tasks/default",
          when: "before",
        },
        "sequentialRegular",
        2,
      );
      expect(result).toBe(2);
      expect(events.filter(({ type }) => type === "ActivityCompleted").length).toBe(2);
      expect(events.filter(({ type }) => type === "ActivityRetryScheduled")).toEqual([]);
    });

    test("an append whose answer is lost is recognised as one's own: no second attempt (R9, K3)", async () => {
      const { result, events } = await runWithCrash(
        { function: "workflow-task", call: "PutItem history_events", when: "applied" },
        "tenLocal",
        null,
      );
      expect(result).toBe(10);
      expect(events.filter(({ type }) => type === "ActivityRetryScheduled")).toEqual([]);
    });

    test("a worker that dies behind its outcome is not run again: the outcome is sent by the next delivery (R10)", async () => {
      const { result, events } = await runWithCrash(
        { function: "activity-task", call: "UpdateItem activity_attempts", when: "after" },
        "sequentialRegular",
        1,
      );
      expect(result).toBe(1);
      expect(outline(events).filter((line) => line.includes("#"))).toEqual([
        "ActivityStarted add 1 queued #1",
        "ActivityCompleted add 1 queued #1",
      ]);
    });

    test("the API dies between its message and its append: the signal is there once (R8, K6)", async () => {
      const handle = await start("approval", null);
      const crash = platform.crash({
        function: "api",
        call: "PutItem history_events",
        when: "before",
      });
      await handle.signal(worker.note, "only once");
      await crash.reached;
      await handle.signal(worker.approve, "ada");
      expect(await handle.result()).toEqual({ approvedBy: "ada", notes: ["only once"], count: 1 });
    });

    test("the API dies before its message: an unanswered signal may be lost, the repeated one is there once (R8)", async () => {
      const handle = await start("approval", null);
      const crash = platform.crash({
        function: "api",
        call: "SendMessageBatch workflow-tasks",
        when: "before",
      });
      await handle.signal(worker.note, "only once");
      await crash.reached;
      await handle.signal(worker.approve, "ada");
      expect(await handle.result()).toMatchObject({ notes: ["only once"] });
    });

    test("a copy of the lease owner's message leaves its alarm alone: the owner dies and the run goes on (R5, H4)", async () => {
      const crash = platform.crash({
        function: "workflow-task",
        call: "PutItem history_events",
        when: "after",
        nth: 3,
      });
      const handle = await start("tenLocal", null);
      const { run_id } = await handle.describe();
      await platform.deliver(
        startMessage({ namespace: "default", workflow_id: handle.id, run_id }),
      );
      expect(await handle.result()).toBe(10);
      await crash.reached;
      const completed = (await eventsOf(handle)).filter(({ type }) => type === "ActivityCompleted");
      expect(completed.length).toBe(10);
    });

    test("a local activity sends no queue message and costs one history write (A-05, E-01, F-05, P1, B2)", async () => {
      await start("tenLocal", null).then((handle) => handle.result());
      const before = platform.counts();
      const handle = await platform.client.start("tenLocal", { wait: 10 });
      finished.push(handle);
      expect(await handle.result()).toBe(10);
      const spent = difference(before, platform.counts());
      // P8: 10 local activities are answered by one invocation, 11 history writes, 2 on the run's row.
      expect(spent.invocations["workflow-task"]).toBe(1);
      expect(spent.store["history_events"]?.writes).toBe(11);
      const rowWrites = Object.entries(spent.calls)
        // The sweeper counts runs in its own time.
        .filter(([call]) => /^(?:api|workflow-task): \w+Item workflow_runs$/.test(call))
        .filter(([call]) => !call.includes(": GetItem "));
      expect(rowWrites.reduce((sum, [, count]) => sum + count, 0)).toBe(2);
      expect(spent.queue["activity-tasks/default"]?.messages ?? 0).toBe(0);
      expect(spent.queue["workflow-tasks"]?.messages).toBe(1);
    });

    test("100 parallel local activities start with one write (P1, B20)", async () => {
      const before = platform.counts();
      const handle = await start("manyLocal", 100);
      expect(await handle.result()).toBe(4_950);
      const spent = difference(before, platform.counts());
      const events = await eventsOf(handle);
      const started = events.filter(({ type }) => type === "ActivityStarted");
      expect(started.length).toBe(100);
      // One write starts all; the first completion stands in a later one.
      expect(events.findIndex(({ type }) => type === "ActivityCompleted")).toBeGreaterThan(200);
      expect(spent.store["history_events"]?.writes).toBeLessThan(100);
    });

    test("a regular activity costs at most 3 writes, 2 messages, and no read on a warm hit (P6)", async () => {
      await start("sequentialRegular", 1).then((handle) => handle.result());
      const readsOf = (spent: Counts): number =>
        spent.calls["workflow-task: Query history_events"] ?? 0;
      const cost = async (count: number) => {
        const before = platform.counts();
        const handle = await platform.client.start("sequentialRegular", { input: count });
        finished.push(handle);
        await waitUntilClosed(platform, handle);
        return difference(before, platform.counts());
      };
      // An outcome may come while the process that has the run still deletes a message: a second process,
      // which has no cache, then reads. Only a chain that stayed in one process tells of warm hits.
      const warm = async (count: number) => {
        let least = await cost(count);
        for (let again = 0; again < 3 && readsOf(least) > 0; again++) {
          const next = await cost(count);
          if (readsOf(next) < readsOf(least)) least = next;
        }
        return least;
      };
      const few = await warm(5);
      const many = await warm(15);
      const more = difference(few, many);
      const writes = Object.values(more.store).reduce((sum, table) => sum + table.writes, 0);
      const messages = Object.values(more.queue).reduce((sum, queue) => sum + queue.messages, 0);
      const calls = (name: string) => (many.calls[name] ?? 0) - (few.calls[name] ?? 0);
      expect(writes).toBeLessThanOrEqual(30);
      expect(messages).toBe(20);
      expect(calls("workflow-task: Query history_events")).toBe(0);
      expect(calls("workflow-task: GetItem workflow_runs")).toBe(0);
      expect(calls("activity-task: GetItem activity_attempts")).toBe(0);
    });
  });
}

/** Waits without reading through the store the numbers that the test counts. */
async function waitUntilClosed(_platform: TestPlatform, handle: WorkflowHandle): Promise<void> {
  await handle.result();
}

/**
 * The end-to-end text: one for every target, through the public API and the history export only.
 * What moves the clock or needs a crash point is in `crashes.suite.ts` and stays off LocalStack.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Client, WorkflowHandle } from "../../sdk/client.ts";
import { startMessage } from "../../sdk/engine/operations/start.ts";
import { replayHistory, type TestPlatform } from "../../sdk/testing/index.ts";
import { eventsOf, outline } from "../support/history.ts";
import { differing, recount } from "../support/recount.ts";
import * as worker from "./worker.ts";

export interface EndToEndTarget {
  readonly name: "memory" | "embedded" | "localstack";
  create(): Promise<TestPlatform>;
}

export function endToEnd(target: EndToEndTarget): void {
  describe(`end to end on ${target.name}`, () => {
    let platform: TestPlatform;
    let client: Client;
    const finished: WorkflowHandle[] = [];

    beforeAll(async () => {
      platform = await target.create();
      client = platform.client;
    });

    afterAll(async () => {
      // A4: every history of this file replays on the code at hand.
      for (const handle of finished)
        await replayHistory(worker, { history_events: await handle.history() });
      await platform.close();
    });

    async function start(type: string, input: unknown, id?: string): Promise<WorkflowHandle> {
      const handle = await client.start(type, { input, ...(id === undefined ? {} : { id }) });
      finished.push(handle);
      return handle;
    }

    async function run(
      type: string,
      input: unknown,
    ): Promise<{ readonly handle: WorkflowHandle; readonly result: unknown }> {
      const handle = await start(type, input);
      return { handle, result: await handle.result() };
    }

    test("local and regular activities mix: local ones inline, regular ones elsewhere (A-05, A-06, B-11, B-16, E-02, F-03)", async () => {
      const { handle, result } = await run("mixed", { start: 4 });
      expect(result).toMatchObject({
        sum: 15,
        named: "named",
        here: { isLocal: true, attempt: 1 },
        there: { isLocal: false, attempt: 1 },
      });
      const detail = await handle.describe();
      expect(
        detail.activities.map(({ type, execution_mode }) => `${type} ${execution_mode}`),
      ).toEqual([
        "add local",
        "where local",
        "where queued",
        "add local",
        "custom_activity_name queued",
      ]);
      const workers = detail.activities.map(({ attempts }) => attempts[0]?.lease_owner);
      expect(workers[2]).not.toBe(workers[1]);
      if (target.name === "memory") return;
      const { here, there } = result as { here: { pid: number }; there: { pid: number } };
      expect(here.pid).not.toBe(there.pid);
    });

    test("the history of a local activity has ordinary event names, all marked local (F-07, F-12, S-01, S-02, B25)", async () => {
      const { handle } = await run("tenLocal", null);
      const events = await eventsOf(handle);
      expect(outline(events.slice(0, 6))).toEqual([
        "WorkflowStarted",
        "ActivityScheduled add 1 local",
        "ActivityStarted add 1 local #1",
        "ActivityCompleted add 1 local #1",
        "ActivityScheduled add 2 local",
        "ActivityStarted add 2 local #1",
      ]);
      const unmarked = events.filter(
        ({ type, payload }) => type.startsWith("Activity") && payload["local_activity"] !== true,
      );
      expect(unmarked).toEqual([]);
      expect(events.map(({ sequence }) => sequence)).toEqual(events.map((_, index) => index + 1));
    });

    test("a failed regular attempt is retried after its backoff and then succeeds (B-12, G-01, G-08)", async () => {
      const { handle, result } = await run("retries", false);
      expect(result).toBe(2);
      expect(outline(await eventsOf(handle))).toEqual([
        "WorkflowStarted",
        "ActivityScheduled succeedsAt 1 queued",
        "ActivityStarted succeedsAt 1 queued #1",
        "ActivityRetryScheduled succeedsAt 1 queued #1 failure 1s",
        "ActivityStarted succeedsAt 1 queued #2",
        "ActivityCompleted succeedsAt 1 queued #2",
        "WorkflowCompleted",
      ]);
    });

    test("a local retry is a later workflow task: the invocation ended during the backoff (G-04 to G-07, B7)", async () => {
      const { handle, result } = await run("retries", true);
      expect(result).toBe(3);
      const events = await eventsOf(handle);
      expect(outline(events)).toEqual([
        "WorkflowStarted",
        "ActivityScheduled succeedsAt 1 local",
        "ActivityStarted succeedsAt 1 local #1",
        "ActivityRetryScheduled succeedsAt 1 local #1 failure 1s",
        "ActivityStarted succeedsAt 1 local #2",
        "ActivityRetryScheduled succeedsAt 1 local #2 failure 2s",
        "ActivityStarted succeedsAt 1 local #3",
        "ActivityCompleted succeedsAt 1 local #3",
        "WorkflowCompleted",
      ]);
      const tasks = events
        .filter(({ type }) => type === "ActivityStarted")
        .map(({ payload }) => payload["workflow_task_id"]);
      expect(new Set(tasks).size).toBe(3);
    });

    for (const local of [true, false]) {
      const mode = local ? "local" : "regular";

      test(`exhausted, timed out and unserialisable ${mode} activities are caught by name in workflow code (F-11, G-03, H-04, B22, B23)`, async () => {
        const { result } = await run("failures", local);
        expect(result).toMatchObject({
          exhausted: {
            name: "ActivityFailure",
            type: "GatewayError",
            message: "the gateway said no",
            attempts: 2,
            details: { code: 7 },
          },
          timeout: { name: "ActivityTimeout", attempts: 1, timeoutKind: "start_to_close" },
          notData: { name: "ActivityFailure", type: "payload_not_serializable", attempts: 1 },
          unregistered: local
            ? { name: "ActivityFailure", type: "activity_type_unknown", attempts: 1 }
            : null,
          after: 2,
        });
      });

      test(`1.9 MB pass a ${mode} activity both ways, and a result above 2 MB is a typed failure (M-01, M-03 to M-05)`, async () => {
        const { result } = await run("large", { local, bytes: 1_900_000, tooLarge: 2_200_000 });
        expect(result).toMatchObject({
          measured: 1_900_000,
          tooLarge: { name: "ActivityFailure", type: "payload_too_large", attempts: 1 },
        });
      });
    }

    // In memory all processes are the test's own: it would end with the body's.
    const inOwnProcesses = target.name !== "memory";

    test.runIf(inOwnProcesses).for([true, false])(
      "errors that a body leaves to nobody fail its attempt, not its process (local: %s) (B15)",
      async (local) => {
        const { handle, result } = await run("recovers", local);
        expect(result).toBe(3);
        const retries = (await eventsOf(handle)).filter(
          ({ type }) => type === "ActivityRetryScheduled",
        );
        expect(retries.map(({ payload }) => payload)).toMatchObject([
          { retry_reason: "failure", message: "left to nobody" },
          { retry_reason: "failure", message: "thrown in a timer" },
        ]);
      },
    );

    test.runIf(inOwnProcesses)(
      "a poisoned local body ends its process, and the activity after exactly its attempts (B17, R-03, R-05)",
      // Three leases, of 10 s on LocalStack.
      { timeout: 180_000 },
      async () => {
        const handle = await start("survives", 3);
        await expect(handle.result({ timeout: 170 })).rejects.toMatchObject({
          failure: { type: "ActivityInterrupted", activity: { attempts: 3 } },
        });
        const lines = outline(await eventsOf(handle)).filter((line) => line.includes("#"));
        expect(lines).toEqual([
          "ActivityStarted diesAt 1 local #1",
          "ActivityRetryScheduled diesAt 1 local #1 cold_replay 1s",
          "ActivityStarted diesAt 1 local #2",
          "ActivityRetryScheduled diesAt 1 local #2 cold_replay 2s",
          "ActivityStarted diesAt 1 local #3",
          "ActivityFailed diesAt 1 local #3",
        ]);
      },
    );

    test("a workflow takes and returns 1.9 MB, and more is refused by name (M-01)", async () => {
      const { result } = await run("returnsLarge", 1_900_000);
      expect(String(result).length).toBe(1_900_000);
      await expect(client.start("echoes", { input: "z".repeat(2_100_000) })).rejects.toMatchObject({
        code: "payload_too_large",
      });
    });

    test("an uncaught failure fails the workflow with its type, message and details (A3, D-09)", async () => {
      const handle = await start("throwing", null);
      await expect(handle.result()).rejects.toMatchObject({
        failure: { type: "Impossible", message: "this order cannot be", details: { why: "test" } },
      });
      expect((await handle.describe()).status).toBe("failed");
    });

    test("signals are delivered once, in order, and a query answers from the committed state (G1, G5, A10, F-10)", async () => {
      const handle = await start("approval", null);
      for (const text of ["one", "two", "three"]) await handle.signal(worker.note, text);
      await handle.signal("note", "four");
      await expect
        .poll(() => handle.query(worker.state), { timeout: 20_000 })
        .toEqual({ notes: ["one", "two", "three", "four"], approvedBy: null });
      const before = (await handle.describe()).history_length;
      await handle.query("state");
      expect((await handle.describe()).history_length).toBe(before);
      await handle.signal(worker.approve, "ada");
      expect(await handle.result()).toEqual({
        approvedBy: "ada",
        notes: ["one", "two", "three", "four"],
        count: 4,
      });
      expect(await handle.query(worker.state)).toMatchObject({ approvedBy: "ada" });
      await expect(handle.signal(worker.note, "late")).rejects.toMatchObject({
        code: "workflow_closed",
      });
    });

    test("cancel wakes the workflow, lets it clean up, and closes the run as cancelled (J-06, E8)", async () => {
      const handle = await start("cancellable", null);
      await handle.cancel("no longer wanted");
      await expect(handle.result()).rejects.toThrow();
      const detail = await handle.describe();
      expect(detail.status).toBe("cancelled");
      expect(detail.activities.map(({ status }) => status)).toEqual(["completed"]);
    });

    test("terminate closes the run at once, whatever it waits for (E9)", async () => {
      const handle = await start("cancellable", null);
      await handle.terminate("stop");
      await expect(handle.result()).rejects.toThrow();
      expect((await handle.describe()).status).toBe("terminated");
    });

    test("timers fire once, side effects are made once (20, 22, Q-03)", async () => {
      const { handle, result } = await run("timers", { seconds: 1 });
      expect(result).toMatchObject({ won: "timer", id: "made once" });
      const outlined = outline(await eventsOf(handle));
      expect(outlined.filter((line) => line.startsWith("TimerFired"))).toEqual(["TimerFired 1"]);
    });

    test("the clock and random numbers of workflow code are the same on every replay (A11, P-07)", async () => {
      const { result } = await run("readsClock", null);
      expect(result).toEqual({ later: true, random: true });
    });

    test("several tasks race on one run, and one history comes of it (R-06, R-07, C3)", async () => {
      const handle = await start("mixed", { start: 1 });
      const detail = await handle.describe();
      const message = startMessage({
        namespace: "default",
        workflow_id: handle.id,
        run_id: detail.run_id,
      });
      await Promise.all(Array.from({ length: 5 }, () => platform.deliver(message)));
      expect(await handle.result()).toMatchObject({ sum: 12 });
      await platform.deliver(message);
      const events = await eventsOf(handle);
      const terminal = events
        .filter(({ type }) => type === "ActivityCompleted")
        .map(({ payload }) => payload["sequence"]);
      expect(terminal).toEqual([1, 2, 3, 4, 5]);
      expect(events.filter(({ type }) => type === "WorkflowCompleted").length).toBe(1);
    });

    test("a repeated start with the same request finds the same run; another one is refused while it is open (G6)", async () => {
      const id = `repeat-${target.name}-${Date.now()}`;
      const first = await client.start("approval", { id, requestId: `${id}-request` });
      finished.push(first);
      const again = await client.start("approval", { id, requestId: `${id}-request` });
      expect(again.runId).toBe(first.runId);
      await expect(client.start("approval", { id })).rejects.toMatchObject({
        code: "workflow_already_started",
      });
      const existing = await client.start("approval", {
        id,
        duplicatePolicy: "return_existing_active",
      });
      expect(existing.runId).toBe(first.runId);
      await first.terminate();
      const next = await client.start("tenLocal", { id });
      finished.push(next);
      expect(await next.result()).toBe(10);
      expect(next.runId).not.toBe(first.runId);
      expect((await client.handle(id, first.runId).describe()).status).toBe("terminated");
    });

    test("a direct start answers within one call, and lists show the run (A-09)", async () => {
      const handle = await client.start("tenLocal", { wait: 20 });
      finished.push(handle);
      expect(await handle.result()).toBe(10);
      await expect
        .poll(
          async () =>
            (await client.list({ type: "tenLocal", status: "completed" })).workflows.some(
              ({ run_id }) => run_id === handle.runId,
            ),
          { timeout: 20_000 },
        )
        .toBe(true);
    });

    test("the export is complete, checksummed and equal to the history (A1, S-05)", async () => {
      const { handle } = await run("mixed", { start: 0 });
      const bundle = await handle.export();
      expect(bundle).toMatchObject({
        schema: "durable-workflow.v2.history-export",
        history_complete: true,
      });
      expect(bundle.history_events.map(({ type }) => type)).toEqual(
        (await eventsOf(handle)).map(({ type }) => type),
      );
    });

    test("operator metrics equal a count over all logs, local and queued apart (S-07, S-08, B26)", async () => {
      const before = (await client.metrics()).activities;
      await run("mixed", { start: 1 });
      await expect
        .poll(async () => differing(await client.metrics(), await recount(client)), {
          timeout: 60_000,
        })
        .toEqual([]);
      const { activities: after, projections } = await client.metrics();
      expect(projections.complete).toBe(true);
      expect(after.local).toBeGreaterThan(before.local);
      expect(after.local_attempts - before.local_attempts).toBe(after.local - before.local);
      expect(after.queued).toBeGreaterThan(before.queued);
      expect(after.total).toBe(after.local + after.queued);
    });

    test("a run's rows are written again from its log, on demand", async () => {
      const { handle } = await run("mixed", { start: 2 });
      const { activities } = await handle.describe();
      const local = activities.filter(({ local_activity: isLocal }) => isLocal);
      const rebuilt = await handle.rebuild();
      expect(rebuilt.activity_executions).toBe(local.length);
      expect(rebuilt.activity_attempts).toBe(
        local.reduce((sum, { attempt_count: count }) => sum + count, 0),
      );
      expect(await handle.rebuild()).toEqual(rebuilt);
    });

    test("an argument that looks like options is data (localActivity, section 4)", async () => {
      const input = {
        maxAttempts: 99,
        queue: "nowhere",
        nested: { __proto__: null, constructor: "mine" },
      };
      expect((await run("echoes", input)).result).toEqual({
        maxAttempts: 99,
        queue: "nowhere",
        nested: { constructor: "mine" },
      });
    });

    test("cluster info names the local activities contract, health needs nothing (T-01, A-11)", async () => {
      const info = await client.clusterInfo();
      expect(info).toHaveProperty(
        "worker_protocol.server_capabilities.local_activities.execution.same_process",
        true,
      );
      await client.health();
    });
  });
}

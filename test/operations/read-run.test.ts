import { beforeEach, describe, expect, test } from "vitest";
import { inboundBatch, tailOf } from "../../sdk/core/batch.ts";
import type { HistoryEvent, RunKey } from "../../sdk/core/events.ts";
import { canonicalJson } from "../../sdk/core/views/canonical-json.ts";
import { ReportedError } from "../../sdk/engine/operations/query.ts";
import { ApiWorld, NOW, sha256, unanswered } from "./world.ts";

const REF = { workflow_id: "o-1" } as const;

let world: ApiWorld;
let run: RunKey;
beforeEach(async () => {
  world = new ApiWorld();
  const answer = await world.operations.start({
    workflow_type: "order",
    workflow_id: "o-1",
    input: { total: 1 },
  });
  run = { namespace: "shop", workflow_id: "o-1", run_id: answer.run_id };
});

function started(): HistoryEvent {
  return {
    type: "WorkflowStarted",
    at: NOW,
    workflow_type: "order",
    workflow_id: "o-1",
    run_id: run.run_id,
    input: { json: '{"total":1}' },
    seed: "seed",
  };
}

function sideEffect(sequence: number, json: string): HistoryEvent {
  return { type: "SideEffectRecorded", at: NOW, sequence, result: { json } };
}

async function write(...events: readonly HistoryEvent[]): Promise<void> {
  const tail = await world.ports.history.readTail(run);
  const nonce = `test-${tail?.sequence ?? 0}`;
  await world.append(run, inboundBatch(tailOf(tail), events, nonce));
}

describe("run details", () => {
  test("a run without a log is pending, with its input", async () => {
    expect(await world.operations.describe(REF)).toMatchObject({
      status: "pending",
      input: { total: 1 },
      outcome: null,
      history_length: 0,
      activities: [],
      started_at: "2026-03-01T12:00:00.000Z",
      closed_at: null,
    });
  });

  test("the log decides the status, and the row is repaired on sight", async () => {
    await write(started(), { type: "WorkflowCompleted", at: NOW + 7, output: { json: "[1]" } });
    expect(await world.operations.describe(REF)).toMatchObject({
      status: "completed",
      closed_at: "2026-03-01T12:00:00.007Z",
      outcome: { status: "completed", result: [1] },
    });
    expect(await world.ports.runs.get(run)).toMatchObject({ status: "completed" });
  });

  test("a row that is right is not written again by those who look at it", async () => {
    await write(started(), { type: "WorkflowCancelled", at: NOW });
    await world.operations.describe(REF);
    world.calls.length = 0;
    await world.operations.describe(REF);
    await world.operations.result(REF, 0);
    expect(world.calls.filter((call) => /^(Put|Update)/.test(call))).toEqual([]);
  });

  test("the detail is answered although its row cannot be repaired at the moment", async () => {
    await write(started(), { type: "WorkflowCancelled", at: NOW });
    world.before = (call) => {
      if (call.startsWith("Update")) throw unanswered();
    };
    expect(await world.operations.describe(REF)).toMatchObject({ status: "cancelled" });
  });

  test("a failing workflow task shows on the run while it is open", async () => {
    await world.ports.runs.setTaskFailure(run, {
      code: "nondeterminism",
      message: "they disagree",
      at: NOW,
      count: 3,
    });
    expect((await world.operations.describe(REF)).task_failure).toEqual({
      code: "nondeterminism",
      message: "they disagree",
      at: "2026-03-01T12:00:00.000Z",
      count: 3,
    });
  });

  test("values beyond what one answer can hold are named with their size, the outcome first", async () => {
    const large = JSON.stringify("x".repeat(1_900_000));
    const blob = { blob: "shop/large", bytes: large.length };
    await world.ports.blobs.put("shop/large", large);
    const signal: HistoryEvent = {
      type: "ActivityScheduled",
      at: NOW,
      sequence: 1,
      activity_type: "a",
      execution_mode: "queued",
      local_activity: false,
      arguments: { ...blob },
      options: {},
    };
    await write(started(), signal, { type: "WorkflowCompleted", at: NOW, output: { ...blob } });
    const detail = await world.operations.describe(REF);
    expect(detail.outcome).toEqual({ status: "completed", result: "x".repeat(1_900_000) });
    expect(detail.activities[0]?.arguments).toEqual({ $pawl: "omitted", bytes: 1_900_002 });
  });
});

describe("results", () => {
  test("an open run has no outcome; a given wait ends", async () => {
    await write(started());
    expect(await world.operations.result(REF, 3)).toEqual({
      workflow_id: "o-1",
      run_id: run.run_id,
      status: "running",
    });
    expect(world.now - NOW).toBe(3_000);
  });

  test("the looks at the tail start close together and grow apart", async () => {
    world.calls.length = 0;
    await world.operations.result(REF, 20);
    const looks = world.calls.filter((call) => call === "Query history_events").length;
    expect(looks).toBeGreaterThan(40);
    expect(looks).toBeLessThan(60);
  });

  test("an earlier run keeps its result under its run id after the id was used again", async () => {
    await write(started(), { type: "WorkflowCompleted", at: NOW, output: { json: "1" } });
    const second = await world.operations.start({ workflow_type: "order", workflow_id: "o-1" });
    const ref = { workflow_id: "o-1", run_id: run.run_id };
    expect((await world.operations.result(ref, 0)).outcome).toEqual({
      status: "completed",
      result: 1,
    });
    expect((await world.operations.result(REF, 0)).run_id).toBe(second.run_id);
  });
});

describe("histories", () => {
  test("pages follow each other by sequence number and end with null", async () => {
    await write(started(), sideEffect(1, "1"));
    await write(sideEffect(2, "2"), sideEffect(3, "3"));
    const first = await world.operations.history(REF, { after: 0, limit: 3 });
    expect(first.events.map(({ sequence }) => sequence)).toEqual([1, 2, 3]);
    expect(first.next_after).toBe(3);
    const second = await world.operations.history(REF, { after: 3, limit: 3 });
    expect(second.events.map(({ sequence }) => sequence)).toEqual([4]);
    expect(second.next_after).toBeNull();
    expect(await world.operations.history(REF, { after: 4, limit: 3 })).toMatchObject({
      events: [],
      next_after: null,
    });
  });

  test("a page ends early when its values would not fit, and every value is shown in full", async () => {
    const value = JSON.stringify("x".repeat(1_400_000));
    const payload = { blob: "shop/v", bytes: value.length };
    await world.ports.blobs.put("shop/v", value);
    const events: HistoryEvent[] = [1, 2, 3, 4, 5].map((sequence) => ({
      type: "SideEffectRecorded",
      at: NOW,
      sequence,
      result: { ...payload },
    }));
    await write(started(), ...events);
    const pages: number[] = [];
    for (let after: number | null = 0; after !== null; ) {
      const page = await world.operations.history(REF, { after, limit: 100 });
      pages.push(page.events.length);
      for (const event of page.events.slice(after === 0 ? 1 : 0))
        expect(event.payload["result"]).toHaveLength(1_400_000);
      after = page.next_after;
    }
    expect(pages).toEqual([3, 2, 1]);
  });

  test("a value that no page can hold is named with its size and does not end the history", async () => {
    const payload = { blob: "shop/huge", bytes: 4_000_000 };
    const huge: HistoryEvent = {
      type: "SideEffectRecorded",
      at: NOW,
      sequence: 1,
      result: payload,
    };
    await write(started(), huge, sideEffect(2, "2"));
    const page = await world.operations.history(REF, { after: 1, limit: 10 });
    expect(page.events.map(({ payload: shown }) => shown["result"])).toEqual([
      { $pawl: "omitted", bytes: 4_000_000 },
    ]);
    expect(page.next_after).toBe(2);
  });

  test("an export is complete once the run is closed, and its checksum is that of its canonical JSON", async () => {
    await write(started(), sideEffect(1, '{"b":1,"a":2}'));
    const open = await world.operations.exportHistory(REF);
    expect(open).toMatchObject({ history_complete: false, dedupe_key: `${run.run_id}:2` });

    await write({ type: "WorkflowCompleted", at: NOW, output: { json: "1" } });
    const { integrity, ...rest } = await world.operations.exportHistory(REF);
    expect(rest.history_complete).toBe(true);
    expect(integrity).toMatchObject({
      checksum_algorithm: "sha256",
      checksum: sha256(canonicalJson(JSON.parse(JSON.stringify(rest)))),
    });
  });

  test("an export that cannot be sent is refused by name and points to the pages", async () => {
    const payload = { blob: "shop/v", bytes: 2_000_000 };
    const events = [1, 2, 3].map(
      (sequence): HistoryEvent => ({
        type: "SideEffectRecorded",
        at: NOW,
        sequence,
        result: { ...payload },
      }),
    );
    await write(started(), ...events);
    await expect(world.operations.exportHistory(REF)).rejects.toMatchObject({
      code: "response_too_large",
      hint: expect.stringContaining("history?limit="),
    });
  });
});

describe("lists", () => {
  test("runs are listed by status, newest first, and pages follow each other", async () => {
    for (const id of ["o-2", "o-3"]) {
      world.now += 1_000;
      await world.operations.start({ workflow_type: "order", workflow_id: id });
    }
    const first = await world.operations.list({ limit: 2, status: "pending" });
    expect(first.workflows.map((summary) => summary.workflow_id)).toEqual(["o-3", "o-2"]);
    const cursor = first.next_cursor ?? "";
    const second = await world.operations.list({ limit: 2, status: "pending", cursor });
    expect(second.workflows.map((summary) => summary.workflow_id)).toEqual(["o-1"]);
    expect((await world.operations.list({ limit: 2, status: "failed" })).workflows).toEqual([]);
    await expect(world.operations.list({ limit: 2, cursor: "forged" })).rejects.toMatchObject({
      code: "invalid_cursor",
    });
  });
});

describe("queries", () => {
  test("a query goes to the workflow-task function with its arguments and writes nothing (F-10)", async () => {
    world.answer = async (request) => {
      expect(request).toEqual({ kind: "query", run, name: "total", arguments: { json: "[2]" } });
      return { kind: "query", result: { json: '{"total":4}' } };
    };
    world.calls.length = 0;
    expect(await world.operations.query(REF, "total", { args: [2] })).toEqual({
      result: { total: 4 },
    });
    expect(world.calls).toEqual(["Get workflow_runs", "Invoke query"]);
  });

  test("what the function reports is passed on with its code, text and status", async () => {
    const error = {
      code: "query_unknown",
      message: "no query",
      hint: "add it",
      status: 404,
    } as const;
    world.answer = async () => ({ kind: "error", error });
    const asked = world.operations.query(REF, "total", {});
    await expect(asked).rejects.toBeInstanceOf(ReportedError);
    await expect(asked).rejects.toMatchObject({
      status: 404,
      body: { code: "query_unknown", message: "no query", hint: "add it" },
    });
  });
});

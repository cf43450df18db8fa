/** The totals' steps and a request for metrics, with somebody else at work between any two calls. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { inboundBatch, tailOf } from "../../sdk/core/batch.ts";
import { NO_COUNTERS, type RunCounters } from "../../sdk/core/counters.ts";
import type { HistoryEvent, RunKey } from "../../sdk/core/events.ts";
import { COUNT_MS, FOLDS_MAX } from "../../sdk/core/limits.ts";
import { foldTotals } from "../../sdk/engine/totals.ts";
import { ApiWorld, unanswered } from "./world.ts";

let world: ApiWorld;
/** Calls that {@link meanwhile} still waits for. */
let awaited: Set<string>;
beforeEach(() => {
  world = new ApiWorld();
  awaited = new Set();
});
afterEach(() => {
  expect([...awaited]).toEqual([]);
});

async function start(workflow_id: string): Promise<RunKey> {
  const { run_id } = await world.operations.start({ workflow_type: "order", workflow_id });
  return { namespace: "shop", workflow_id, run_id };
}

/** Appends an event after which the run counts this. */
async function logged(run: RunKey, counters: Partial<RunCounters>, event?: HistoryEvent) {
  const tail = await world.ports.history.readTail(run);
  const { ports, now: at } = world;
  const first: HistoryEvent = {
    type: "WorkflowStarted",
    at,
    workflow_type: "order",
    workflow_id: run.workflow_id,
    run_id: run.run_id,
    input: { json: "null" },
    seed: "s",
  };
  const events = [...(tail === undefined ? [first] : []), event ?? { type: "LeaseRenewed", at }];
  const all = { ...NO_COUNTERS, ...counters };
  await world.append(run, inboundBatch(tailOf(tail), events, ports.host.newId(), all));
}

async function closed(run: RunKey, counters: Partial<RunCounters> = {}): Promise<void> {
  const all = { ...NO_COUNTERS, ...counters };
  await logged(run, all, { type: "WorkflowCancelled", at: world.now });
  const closing = { status: "cancelled", closed_at: world.now, counters: all } as const;
  await world.ports.runs.markClosed(run, closing);
}

/** A pass of the sweeper, this much later. */
async function pass(afterMs: number): Promise<void> {
  world.now += afterMs;
  await foldTotals(world.ports);
}

const markOf = async ({ workflow_id }: RunKey) =>
  (await world.ports.counting.share("shop", workflow_id))?.count_at;

/** Does this once, right before the next such call. */
function meanwhile(call: string, work: () => Promise<void>): void {
  awaited.add(call);
  world.before = async (each) => {
    if (each !== call) return;
    awaited.delete(call);
    world.before = () => {};
    await work();
  };
}

describe("a pass", () => {
  test("leaves the mark of a run that has not begun, and of one that went on just now", async () => {
    const run = await start("late");
    await pass(2 * COUNT_MS);
    expect(await markOf(run)).toBe(world.now + COUNT_MS);
    await pass(20 * COUNT_MS);
    expect(await markOf(run)).toBe(world.now + COUNT_MS);
    await logged(run, { local: 1 });
    await pass(2 * COUNT_MS - 1_000);
    expect(await markOf(run)).toBeUndefined();
    expect((await world.operations.metrics()).activities.local).toBe(1);
    await world.ports.counting.mark(run, world.now + COUNT_MS);
    world.now += COUNT_MS;
    await logged(run, { local: 2 });
    await pass(10_000);
    expect(await markOf(run)).toBe(world.now + COUNT_MS);
  });

  test("moves a run that closed while it was looked at with the next pass", async () => {
    const run = await start("closing");
    await logged(run, { local: 1, local_pending: 1 });
    meanwhile("Put workflow_runs", () => closed(run, { local: 1 }));
    await pass(2 * COUNT_MS);
    expect(await markOf(run)).toBeDefined();
    const between = await world.operations.metrics();
    expect(between).toMatchObject({
      runs: { total: 1, cancelled: 1 },
      activities: { local: 1, local_pending: 0 },
    });
    await pass(60_000);
    expect(await markOf(run)).toBeUndefined();
    const { generated_at: _then, projections: _marked, ...same } = between;
    expect(await world.operations.metrics()).toMatchObject(same);
  });

  test("closes a row whose log is closed, and counts it", async () => {
    const run = await start("unnoticed");
    await logged(run, { local: 2 }, { type: "WorkflowCancelled", at: world.now });
    await pass(2 * COUNT_MS);
    expect(await world.ports.runs.get(run)).toMatchObject({
      status: "cancelled",
      counters: { local: 2 },
    });
    await pass(60_000);
    expect(await markOf(run)).toBeUndefined();
    expect((await world.operations.metrics()).runs).toMatchObject({ total: 1, cancelled: 1 });
  });

  test("counts a run once when a new one takes its id between the reading and the telling", async () => {
    const run = await start("again");
    await closed(run, { local: 3 });
    meanwhile("Put workflow_runs", async () => {
      await closed(await start("again"), { local: 4 });
    });
    await pass(2 * COUNT_MS);
    await pass(2 * COUNT_MS);
    const { runs, activities, projections } = await world.operations.metrics();
    expect([runs.total, runs.cancelled, activities.local]).toEqual([2, 2, 7]);
    expect(projections.marked_workflows).toBe(0);
  });

  test("gives way to another pass that moves the totals first", async () => {
    const runs = [await start("a"), await start("b")];
    for (const run of runs) await closed(run, { local: 1 });
    meanwhile("Put workflow_runs", () => foldTotals(world.ports));
    await pass(2 * COUNT_MS);
    expect((await world.operations.metrics()).activities.local).toBe(2);
    await pass(60_000);
    expect((await world.operations.metrics()).runs.cancelled).toBe(2);
  });

  test("completes the step of one that died, before it reads a row", async () => {
    const run = await start("died");
    await closed(run, { local: 1 });
    world.before = (call) => {
      if (call === "Update workflow_runs") throw unanswered();
    };
    await expect(pass(2 * COUNT_MS)).rejects.toThrow();
    world.before = () => {};
    expect((await world.operations.metrics()).activities.local).toBe(1);
    expect((await world.ports.counting.totals("shop")).batch).toHaveLength(1);
    await pass(60_000);
    expect((await world.operations.metrics()).activities.local).toBe(1);
    expect(await markOf(run)).toBeUndefined();
  });

  test("takes several steps when much is marked, and ends by clearing the last one", async () => {
    const count = FOLDS_MAX + 20;
    for (let index = 0; index < count; index++) await closed(await start(`w-${index}`));
    await pass(2 * COUNT_MS);
    const { runs, projections } = await world.operations.metrics();
    expect([runs.cancelled, projections.marked_workflows]).toEqual([count, 0]);
    expect((await world.ports.counting.totals("shop")).batch).toEqual([]);
    const calls = world.calls.length;
    await pass(60_000);
    // The index, once for each shard, and nothing else.
    expect(world.calls.slice(calls)).toEqual(
      Array.from({ length: 8 }, () => "Query workflow_runs"),
    );
  });
});

describe("a request for metrics", () => {
  test("is read again when the totals move meanwhile", async () => {
    for (const id of ["a", "b", "c"]) await closed(await start(id), { local: 1 });
    world.now += 2 * COUNT_MS;
    let reads = 0;
    world.before = async (call) => {
      if (call !== "Query workflow_runs" || reads++ !== 0) return;
      await foldTotals(world.ports);
    };
    const { activities, projections } = await world.operations.metrics();
    expect([activities.local, projections.complete]).toEqual([3, true]);
  });

  test("says that it is not complete when they never stand still", async () => {
    for (let index = 0; index < 30; index++) await closed(await start(`w-${index}`), { local: 1 });
    let reads = 0;
    world.before = async (call) => {
      if (call !== "Query activity_attempts" && call !== "Query workflow_runs") return;
      if (reads++ % 8 !== 0) return;
      const { counting } = world.ports;
      const totals = await counting.totals("shop");
      await counting.writeTotals("shop", { ...totals, version: totals.version + 1 }, `n-${reads}`);
    };
    expect((await world.operations.metrics()).projections.complete).toBe(false);
  });

  test("looks past a marked row that is gone", async () => {
    await start("gone");
    const { counting } = world.ports;
    const share = counting.share.bind(counting);
    Object.assign(counting, { share: async () => undefined });
    expect((await world.operations.metrics()).runs.total).toBe(0);
    await pass(2 * COUNT_MS);
    Object.assign(counting, { share });
    expect((await world.operations.metrics()).runs).toMatchObject({ total: 1, pending: 1 });
  });
});

/** Operator metrics: exact against a full scan of all logs, whatever died on the way, and without a scan. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { TABLES } from "../../sdk/adapters/dynamodb/layout.ts";
import type { MetricsResponse, WorkflowHandle } from "../../sdk/client.ts";
import type { CrashPoint } from "../../sdk/core/test-points.ts";
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
import { difference } from "../../sdk/testing/counts.ts";
import { recount } from "../support/recount.ts";
import { type Stack, startStack } from "./stack.ts";

const go = defineSignal<[]>("go");

interface Step {
  readonly mode: "local" | "queued";
  /** Attempts that fail before one succeeds. */
  readonly failures: number;
  readonly attempts: number;
}

const flaky = activity(async (failures: number) => {
  if (activityInfo().attempt <= failures) throw new Error("not yet");
  return activityInfo().attempt;
});

/** Works the steps, waits for its signals, and works the rest. */
const works = workflow(
  async (plan: {
    readonly steps: readonly Step[];
    readonly signals: number;
    readonly pauseMs: number;
  }) => {
    let signals = 0;
    setHandler(go, () => {
      signals++;
    });
    const work = ({ mode, failures, attempts }: Step) => {
      const policy = { maxAttempts: attempts, backoff: [1] };
      const call = flaky.with({ retryPolicy: policy });
      return (mode === "local" ? localActivity(call, failures) : call(failures)).catch(() => -1);
    };
    const half = Math.ceil(plan.steps.length / 2);
    await Promise.all(plan.steps.slice(0, half).map(work));
    if (plan.pauseMs > 0) await sleep({ milliseconds: plan.pauseMs });
    await condition(() => signals >= plan.signals);
    for (const step of plan.steps.slice(half)) await work(step);
  },
);

const stuck = activity(
  { startToCloseTimeout: "50m", retryPolicy: { maxAttempts: 2 } },
  async () => {
    await new Promise<never>(() => undefined);
  },
);
const waitsForWorker = workflow(async () => {
  await stuck();
});
const backsOff = workflow(async () => {
  const call = flaky.with({ retryPolicy: { maxAttempts: 2, backoff: ["2h"] } });
  await Promise.all([localActivity(call, 1), call(1)]);
});

const EXPORTS = { flaky, works, stuck, waitsForWorker, backsOff };

async function expectExact(stack: Stack): Promise<MetricsResponse> {
  const counted = await recount(stack.platform.client);
  const metrics = await stack.platform.client.metrics();
  expect({ runs: metrics.runs, activities: metrics.activities }).toEqual(counted);
  expect(metrics.projections.complete).toBe(true);
  return metrics;
}

describe("operator metrics", () => {
  test("one local and one queued run are counted apart (B26, S-07, S-08)", async () => {
    const stack = await startStack(EXPORTS);
    for (const mode of ["local", "queued"]) {
      const steps = [{ mode, failures: 1, attempts: 2 }];
      await stack.start("works", { steps, signals: 0, pauseMs: 0 });
    }
    await stack.advance("1m");
    const { activities, runs } = await expectExact(stack);
    expect(runs).toMatchObject({ total: 2, completed: 2, running: 0 });
    expect(activities).toMatchObject({
      local: 1,
      local_open: 0,
      local_attempts: 2,
      local_failed_attempts: 1,
      queued_open: 0,
      queued_failed_attempts: 1,
      retrying: 0,
      max_attempt_count: 2,
    });
  });

  test("what is open, waits, runs and is retried is counted while it does", async () => {
    const stack = await startStack(EXPORTS);
    await stack.start("waitsForWorker");
    await stack.start("backsOff");
    await stack.advance("10s");
    const before = await stack.platform.client.metrics();
    expect(before.activities).toMatchObject({
      local_pending: 1,
      local_running: 0,
      queued_pending: 1,
      queued_running: 1,
      retrying: 2,
      open: 3,
    });
    await expectExact(stack);
    // Behind the time for which starts are marked: the totals alone say the same.
    await stack.advance("13m");
    const after = await expectExact(stack);
    expect(after.activities).toEqual(before.activities);
    expect(after.projections.marked_workflows).toBe(0);
    await stack.advance("10h");
    const closed = await expectExact(stack);
    expect(closed.activities).toMatchObject({ open: 0, retrying: 0 });
  });

  test("a workflow id that is used again keeps counting its earlier runs", async () => {
    const stack = await startStack(EXPORTS);
    const plan = { steps: [{ mode: "local", failures: 0, attempts: 1 }], signals: 0, pauseMs: 0 };
    for (let run = 1; run <= 4; run++) {
      await stack.start("works", plan, "again");
      await stack.advance(run % 2 === 0 ? "1s" : "10m");
      const { runs, activities } = await expectExact(stack);
      expect([runs.total, activities.local]).toEqual([run, run]);
    }
  });

  test("a run that goes on after days is counted again, and its row says so with one write", async () => {
    const stack = await startStack(EXPORTS);
    const steps = [
      { mode: "local", failures: 0, attempts: 1 },
      { mode: "queued", failures: 0, attempts: 1 },
    ];
    const handle = await stack.start("works", { steps, signals: 1, pauseMs: 0 });
    await stack.advance("3d");
    expect((await expectExact(stack)).projections.marked_workflows).toBe(0);
    const before = stack.platform.counts();
    await handle.signal(go);
    await stack.advance("1s");
    await expectExact(stack);
    const spent = difference(before, stack.platform.counts());
    // One mark, and the closing.
    expect(spent.calls["workflow-task: UpdateItem workflow_runs"]).toBe(2);
    await stack.advance("10m");
    expect((await expectExact(stack)).projections.marked_workflows).toBe(0);
  });

  test("a request reads what is marked and nothing else, however many runs there are", async () => {
    const stack = await startStack(EXPORTS);
    const plan = { steps: [], signals: 0, pauseMs: 0 };
    const reads = async () => {
      const before = stack.platform.counts();
      await stack.platform.client.metrics();
      return Object.values(difference(before, stack.platform.counts()).store).reduce(
        (sum, table) => sum + table.reads,
        0,
      );
    };
    const idle = await reads();
    for (let run = 0; run < 30; run++) await stack.start("works", plan);
    await stack.advance("10m");
    expect(await reads()).toBe(idle);
    expect((await stack.platform.client.metrics()).runs.completed).toBe(30);
  });
});

describe("rebuilding", () => {
  test("damaged counters of current and earlier runs come back from their logs", async () => {
    const stack = await startStack(EXPORTS);
    const plan = { steps: [{ mode: "local", failures: 1, attempts: 2 }], signals: 0, pauseMs: 0 };
    const handles: WorkflowHandle[] = [];
    for (const id of ["again", "again", "once"]) {
      handles.push(await stack.start("works", plan, id));
      await stack.advance("10m");
    }
    const runs = TABLES.workflow_runs.name;
    for (const item of stack.world.dynamo.items(runs)) {
      const zeros = item["counters"] === undefined ? {} : { counters: "0 0 0 0 0 0 0 0 0 0 0" };
      const past = item["past"] === undefined ? {} : { past: "0 0 9 0 0 0 0 0 0 0 0 0 0 0 0 0 0" };
      const damaged = { TableName: runs, Item: { ...item, ...zeros, ...past } };
      stack.world.dynamo.perform({ action: "PutItem", input: damaged });
    }
    for (const handle of handles) await handle.rebuild();
    await expectExact(stack);
    await stack.advance("10m");
    expect((await expectExact(stack)).runs.total).toBe(3);
  });
});

describe("a sweeper that dies half way", () => {
  const calls = ["PutItem workflow_runs", "UpdateItem workflow_runs"] as const;
  const points = calls.flatMap((call) =>
    (["before", "after"] as const).flatMap((when) =>
      [1, 2, 3, 4].map((nth): CrashPoint => ({ function: "sweeper", call, when, nth })),
    ),
  );

  test.each(points)("counts each run once: $when $call, number $nth", async (point) => {
    const stack = await startStack(EXPORTS);
    const plan = { steps: [{ mode: "local", failures: 1, attempts: 2 }], signals: 0, pauseMs: 0 };
    stack.platform.crash(point);
    for (let run = 0; run < 3; run++) {
      await stack.start("works", plan, `w-${run % 2}`);
      await stack.advance("20s");
      // Also while the sweeper is dead, and what it has written half counts.
      await expectExact(stack);
    }
    await stack.advance("2m");
    await expectExact(stack);
    await stack.start("works", { ...plan, signals: 1 });
    await stack.advance("30m");
    const { projections } = await expectExact(stack);
    expect(projections.marked_workflows).toBe(0);
  });
});

describe("random programs", () => {
  const step = fc.record({
    mode: fc.constantFrom("local" as const, "queued" as const),
    failures: fc.nat({ max: 3 }),
    attempts: fc.integer({ min: 1, max: 3 }),
  });
  const run = fc.record({
    id: fc.constantFrom("a", "b", "c"),
    plan: fc.record({
      steps: fc.array(step, { maxLength: 4 }),
      signals: fc.nat({ max: 1 }),
      pauseMs: fc.constantFrom(0, 0, 1_000, 900_000),
    }),
    end: fc.constantFrom("let", "signal", "cancel", "terminate"),
    waitMs: fc.constantFrom(0, 1_000, 60_000, 600_000),
  });
  const crash: fc.Arbitrary<CrashPoint> = fc.record({
    function: fc.constantFrom("workflow-task", "sweeper", "api", "activity-task"),
    call: fc.constantFrom(
      "PutItem history_events",
      "UpdateItem workflow_runs",
      "PutItem workflow_runs",
      "SendMessageBatch workflow-tasks",
    ),
    when: fc.constantFrom("before", "after", "applied"),
    nth: fc.integer({ min: 1, max: 6 }),
  });

  test("metrics equal a recount of all logs at rest, before and behind the sweeper's passes", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(run, { minLength: 1, maxLength: 6 }),
        fc.array(crash, { maxLength: 3 }),
        async (runs, crashes) => {
          const stack = await startStack(EXPORTS);
          for (const point of crashes) stack.platform.crash(point);
          for (const { id, plan, end, waitMs } of runs) {
            const handle = await tolerated(stack.start("works", plan, id));
            await stack.advance(waitMs / 1_000);
            if (handle !== undefined) await tolerated(endBy(handle, end));
          }
          await stack.advance("20m");
          await expectExact(stack);
          await stack.advance("1d");
          const { projections } = await expectExact(stack);
          expect(projections.marked_workflows).toBe(0);
        },
      ),
      { numRuns: 40 },
    );
  });
});

async function endBy(handle: WorkflowHandle, how: string): Promise<void> {
  if (how === "signal") await handle.signal(go);
  if (how === "cancel") await handle.cancel();
  if (how === "terminate") await handle.terminate();
}

/** A request may find the run closed, or the id taken; an API that died is asked again by the client. */
async function tolerated<T>(request: Promise<T>): Promise<T | undefined> {
  return await request.catch(() => undefined);
}

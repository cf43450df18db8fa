import { describe, expect, test } from "vitest";
import {
  ActivityFailure,
  ApplicationFailure,
  abortSignal,
  activity,
  activityInfo,
  heartbeat,
  heartbeatDetails,
  LocalActivityOptions,
  localActivity,
  runActivitiesLocally,
  Workflow,
  workflow,
} from "../../sdk/index.ts";
import { resultOf, type StartedRun, startRun } from "./run.ts";

const double = activity({ queue: "math", heartbeatTimeout: 5 }, async (n: number, factor = 2) => {
  return n * factor;
});

/** What the run scheduled: type, mode, arguments and options of each activity. */
function scheduled(run: StartedRun) {
  return run.history.flatMap((event) =>
    event.type === "ActivityScheduled" && "json" in event.arguments
      ? [
          {
            type: event.activity_type,
            mode: event.execution_mode,
            args: JSON.parse(event.arguments.json),
            options: event.options,
          },
        ]
      : [],
  );
}

function failing(run: StartedRun): unknown {
  const outcome = run.outcome();
  return outcome?.kind === "threw" ? outcome.error : outcome;
}

describe("calling an activity", () => {
  test("in a workflow it is queued with its recorded options, and answers with its result (B-04)", async () => {
    const run = await startRun({ double, wf: workflow(async () => await double(4)) }, "wf");
    expect(run.outcome()).toEqual({ kind: "returned", value: 8 });
    expect(scheduled(run)).toEqual([
      {
        type: "double",
        mode: "queued",
        args: [4],
        options: { queue: "math", heartbeat_ms: 5_000 },
      },
    ]);
  });

  test("default values apply to arguments that are left out or trailing undefined (B-07)", async () => {
    const wf = workflow(async () => [
      await double(4),
      await double(4, undefined),
      await double(4, 3),
    ]);
    const run = await startRun({ double, wf }, "wf");
    expect(run.outcome()).toEqual({ kind: "returned", value: [8, 8, 12] });
    expect(scheduled(run).map(({ args }) => args)).toEqual([[4], [4], [4, 3]]);
  });

  test("many run in parallel from one workflow (D-07)", async () => {
    const wf = workflow(async () => await Promise.all([1, 2, 3].map((n) => double(n))));
    expect(await resultOf({ double, wf }, "wf")).toEqual([2, 4, 6]);
  });

  test("a void activity answers null (B-08)", async () => {
    const nothing = activity(async () => {});
    const wf = workflow(async () => await nothing());
    expect(await resultOf({ nothing, wf }, "wf")).toBeNull();
  });

  test("an activity may be a plain function, and zero options are legal (B-02)", async () => {
    const plain = activity((text: string) => text.toUpperCase());
    expect(await resultOf({ plain, wf: workflow(() => plain("a")) }, "wf")).toBe("A");
  });

  test("outside of everything it is a plain call, as in a unit test of an activity", async () => {
    expect(await double(4)).toBe(8);
  });

  test("in an activity it is inline: no history, and its own options do not apply (K-01, K-02, K-05)", async () => {
    const outer = activity(async (n: number) => (await double(n)) + 1);
    const run = await startRun({ double, outer, wf: workflow(() => outer(4)) }, "wf");
    expect(run.outcome()).toEqual({ kind: "returned", value: 9 });
    expect(scheduled(run).map(({ type }) => type)).toEqual(["outer"]);
  });

  test("an error of a nested activity is what its parent reports (K-04)", async () => {
    const inner = activity(() => {
      throw ApplicationFailure.nonRetryable("no money", "Declined");
    });
    const outer = activity(async () => await inner());
    const run = await startRun({ inner, outer, wf: workflow(() => outer()) }, "wf");
    const error = failing(run);
    expect(error).toBeInstanceOf(ActivityFailure);
    expect(error).toMatchObject({ type: "Declined", nonRetryable: true, activityType: "outer" });
  });

  test("a nested activity beats for the attempt of its parent", async () => {
    const beats: unknown[] = [];
    const inner = activity(async () => await heartbeat({ processed: 1 }));
    const outer = activity(async () => {
      await inner();
      return activityInfo().activityId;
    });
    const heartbeatOf = async (details: unknown) => void beats.push(details);
    const runtime = { heartbeat: heartbeatOf };
    expect(await resultOf({ inner, outer, wf: workflow(() => outer()) }, "wf", { runtime })).toBe(
      "r/1",
    );
    expect(beats).toEqual([{ processed: 1 }]);
  });

  test("the name option is the name in history, then the export, then the function (B-05)", async () => {
    const named = activity({ name: "custom_activity_name" }, async () => 1);
    const exported = activity(async function own() {
      return 2;
    });
    const loose = activity(async function unlisted() {
      return 3;
    });
    const wf = workflow(async () => {
      await named();
      await exported();
      await loose().catch(() => {});
    });
    const run = await startRun({ named, exported, wf }, "wf");
    const names = scheduled(run).map(({ type }) => type);
    expect(names).toEqual(["custom_activity_name", "exported", "unlisted"]);
  });

  test("options of a call override those of the definition, and leave it as it is (C-15)", async () => {
    const wf = workflow(async () => {
      await double.with({ queue: "fast", retryPolicy: { maxAttempts: 1 } })(1);
      await double(1);
    });
    const run = await startRun({ double, wf }, "wf");
    expect(scheduled(run)).toEqual([
      {
        type: "double",
        mode: "queued",
        args: [1],
        options: { queue: "fast", heartbeat_ms: 5_000, retry_policy: { max_attempts: 1 } },
      },
      {
        type: "double",
        mode: "queued",
        args: [1],
        options: { queue: "math", heartbeat_ms: 5_000 },
      },
    ]);
  });

  test.for<readonly [string, object]>([
    ["invalid_option", { startToCloseTimeout: -1 }],
    ["unknown_option", { timeout: 5 }],
    ["invalid_option", { name: 5 }],
    ["invalid_id", { name: "__reserved" }],
    ["invalid_option", { input: {} }],
    ["invalid_option", { output: "schema" }],
  ])("%s for the options %j when it is defined (L9)", ([code, options]) => {
    const define = () => activity(options, async () => 1);
    expect(define).toThrow(expect.objectContaining({ code }));
  });

  test("without a function it is refused by name", () => {
    // @ts-expect-error: options alone are no activity
    expect(() => activity({})).toThrow("activity(): the option function must be a function");
  });
});

describe("running locally", () => {
  test("activities inside the scope are local, before and after it queued (E-01, E-02, B-16)", async () => {
    const wf = workflow(async () => {
      await double(1);
      await runActivitiesLocally(async () => {
        await double(2);
        await double(3);
      });
      await double(4);
    });
    const run = await startRun({ double, wf }, "wf");
    expect(scheduled(run).map(({ mode, args }) => [mode, ...args])).toEqual([
      ["queued", 1],
      ["local", 2],
      ["local", 3],
      ["queued", 4],
    ]);
  });

  test("the scope reaches neither parallel branches nor what was begun before it (E-03)", async () => {
    const branch = async (n: number) => {
      await double(n);
      return await double(n + 1);
    };
    const wf = workflow(async () => {
      const before = branch(10);
      const inside = runActivitiesLocally(() => Promise.all([branch(20), branch(30)]));
      const after = branch(40);
      await Promise.all([before, inside, after]);
    });
    const run = await startRun({ double, wf }, "wf");
    const modes = new Map(scheduled(run).map(({ args, mode }) => [args[0], mode]));
    const local = [...modes].filter(([, mode]) => mode === "local").map(([n]) => n);
    expect(modes.size).toBe(8);
    expect(new Set(local)).toEqual(new Set([20, 21, 30, 31]));
  });

  test("the scope ends when its function throws, and answers what it returns", async () => {
    const wf = workflow(async () => {
      await runActivitiesLocally(async () => {
        throw new Error("inside");
      }).catch(() => {});
      await double(1);
      return await runActivitiesLocally(() => double(2));
    });
    const run = await startRun({ double, wf }, "wf");
    expect(run.outcome()).toEqual({ kind: "returned", value: 4 });
    expect(scheduled(run).map(({ mode }) => mode)).toEqual(["queued", "local"]);
  });

  test("options without a meaning there are ignored with one diagnostic (E-05, V-02)", async () => {
    const routed = activity(
      {
        startToCloseTimeout: 5,
        heartbeatTimeout: 5,
        queue: "gpu",
        stickyToWorker: true,
        rateLimit: { timeWindow: 1, maxExecution: 1 },
      },
      async () => 1,
    );
    const wf = workflow(async () => {
      await runActivitiesLocally(() => routed());
      await localActivity(routed);
    });
    const run = await startRun({ routed, wf }, "wf");
    expect(scheduled(run).map(({ options }) => options)).toEqual([
      { start_to_close_ms: 5_000 },
      { start_to_close_ms: 5_000 },
    ]);
    expect(run.diagnostics).toEqual([
      "activity routed runs locally: its options queue, heartbeatTimeout, stickyToWorker, rateLimit are ignored",
    ]);
  });

  test("localActivity with and without options, and the facade, are one thing (F-01, F-02)", async () => {
    const options = new LocalActivityOptions({ maxAttempts: 2, heartbeatTimeout: 7 });
    const wf = workflow(async () => [
      await localActivity(double, 1),
      await localActivity(double, options, 2),
      await Workflow.localActivity(double, 3, 3),
      await Workflow.executeLocalActivity(double, options, 4, 4),
    ]);
    const run = await startRun({ double, wf }, "wf");
    expect(run.outcome()).toEqual({ kind: "returned", value: [2, 4, 9, 16] });
    const overridden = { heartbeat_ms: 7_000, retry_policy: { max_attempts: 2 } };
    expect(scheduled(run).map((one) => [one.mode, one.args, one.options])).toEqual([
      ["local", [1], {}],
      ["local", [2], overridden],
      ["local", [3, 3], {}],
      ["local", [4, 4], overridden],
    ]);
  });

  test("a plain object in the place of the options is the first argument (F-01)", async () => {
    const echo = activity(async (value: { maxAttempts: number }) => value);
    const wf = workflow(() => localActivity(echo, { maxAttempts: 2 }));
    expect(await resultOf({ echo, wf }, "wf")).toEqual({ maxAttempts: 2 });
  });

  test("a rejected option ends before anything is recorded (C-10)", async () => {
    const wf = workflow(async () => {
      // @ts-expect-error: a local activity enters no queue
      await localActivity(double, new LocalActivityOptions({ queue: "gpu" }), 1);
    });
    const run = await startRun({ double, wf }, "wf");
    expect(failing(run)).toMatchObject({ code: "local_activity_option_rejected" });
    expect(run.history.map(({ type }) => type)).toEqual(["WorkflowStarted"]);
  });

  test("an activity that is not registered is scheduled by its own name, for the engine to refuse (B-15)", async () => {
    const loose = activity(async function loose() {
      return 1;
    });
    const run = await startRun({ wf: workflow(() => localActivity(loose)) }, "wf");
    expect(scheduled(run)).toMatchObject([{ type: "loose", mode: "local" }]);
  });

  test("an activity without any name is refused by name", async () => {
    const wf = workflow(() => activity(async () => 1)());
    expect(failing(await startRun({ wf }, "wf"))).toMatchObject({ code: "registry_unnamed" });
  });

  test("what is no activity is refused by name", async () => {
    // @ts-expect-error: a function is no activity
    const wf = workflow(() => localActivity(async () => 1));
    expect(failing(await startRun({ wf }, "wf"))).toMatchObject({ code: "invalid_option" });
  });

  test.for<readonly [string, () => unknown]>([
    ["localActivity()", () => localActivity(double, 1)],
    ["runActivitiesLocally()", () => runActivitiesLocally(() => double(1))],
  ])(
    "%s outside of a workflow, and inside an activity, is refused by name",
    async ([what, call]) => {
      const outside = { code: "outside_workflow", details: { what } };
      await expect((async () => await call())()).rejects.toMatchObject(outside);
      const nested = activity(async () => await call());
      await expect(nested()).rejects.toMatchObject(outside);
    },
  );
});

describe("inside an activity", () => {
  test("the last details of the attempt before are there (I-05)", async () => {
    const resume = activity(async () => heartbeatDetails<{ processed: number }>()?.processed);
    const wf = workflow(() => resume());
    const runtime = { heartbeatDetails: { processed: 7 } };
    expect(await resultOf({ resume, wf }, "wf", { runtime })).toBe(7);
  });

  test("the signal of the attempt is there to pass on (J-02)", async () => {
    const controller = new AbortController();
    const listen = activity(async () => {
      const signal = abortSignal();
      controller.abort();
      return signal.aborted;
    });
    const runtime = { signal: controller.signal };
    expect(await resultOf({ listen, wf: workflow(() => listen()) }, "wf", { runtime })).toBe(true);
  });

  test.for<readonly [string, () => unknown]>([
    ["abortSignal()", () => abortSignal()],
    ["heartbeat()", () => heartbeat()],
    ["heartbeatDetails()", () => heartbeatDetails()],
    ["activityInfo()", () => activityInfo()],
  ])("%s elsewhere is refused by name", ([what, call]) => {
    expect(call).toThrow(expect.objectContaining({ code: "outside_activity", details: { what } }));
  });
});

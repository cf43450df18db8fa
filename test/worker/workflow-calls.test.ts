import { describe, expect, test } from "vitest";
import {
  activity,
  CancelledFailure,
  cancelRequested,
  condition,
  defineQuery,
  defineSignal,
  now,
  random,
  setHandler,
  sideEffect,
  sleep,
  uuid,
  waitForSignal,
  workflow,
  workflowInfo,
} from "../../sdk/index.ts";
import { resultOf, STARTED_AT, startRun } from "./run.ts";

const approve = defineSignal<[by: string]>("approve");
const status = defineQuery<string, [prefix: string]>("status");
const echo = activity(async (value: string) => value);
const withoutValue = { kind: "threw", error: expect.any(CancelledFailure) };

describe("time", () => {
  test("sleep takes a duration and moves the workflow's clock by it", async () => {
    const wf = workflow(async () => {
      await sleep("2d");
      return now();
    });
    expect(await resultOf({ wf }, "wf")).toBe(STARTED_AT + 172_800_000);
  });

  test("sleep rejects with CancelledFailure when the run is asked to cancel (J-01)", async () => {
    const wf = workflow(async () => await sleep("2d"));
    const run = await startRun({ wf }, "wf");
    await run.cancel();
    expect(run.outcome()).toEqual(withoutValue);
  });

  test("a duration that is none is refused by name before anything is recorded (L9)", async () => {
    const wf = workflow(async () => await sleep(-1));
    await expect(resultOf({ wf }, "wf")).rejects.toMatchObject({ code: "invalid_option" });
  });
});

describe("conditions", () => {
  const setup = (timeout?: number) => {
    const wf = workflow(async () => {
      let approved = false;
      setHandler(approve, () => {
        approved = true;
      });
      const held =
        timeout === undefined ? condition(() => approved) : condition(() => approved, timeout);
      return [await held, await echo("after")];
    });
    return startRun({ wf, echo }, "wf");
  };

  test("a condition without a timeout waits until it holds", async () => {
    const run = await setup();
    expect(run.outcome()).toBeUndefined();
    await run.signal("approve", "ann");
    expect(run.outcome()).toEqual({ kind: "returned", value: [true, "after"] });
  });

  test("a condition that holds in time answers true and cancels its timer", async () => {
    const run = await setup(60);
    await run.signal("approve", "ann");
    expect(run.outcome()).toEqual({ kind: "returned", value: [true, "after"] });
    const timers = run.history.map(({ type }) => type).filter((type) => type.startsWith("Timer"));
    expect(timers).toEqual(["TimerScheduled", "TimerCancelled"]);
  });

  test("a condition whose time is over answers false, and is not looked at again", async () => {
    let looks = 0;
    const wf = workflow(async () => {
      const held = await condition(() => ++looks < 0, 60);
      const looksAtTimeout = looks;
      await sleep(1);
      await sleep(1);
      return [held, looks - looksAtTimeout];
    });
    expect(await resultOf({ wf }, "wf")).toEqual([false, 0]);
  });

  test("a condition that holds already asks for nothing", async () => {
    const run = await startRun({ wf: workflow(() => condition(() => true, 60)) }, "wf");
    expect(run.outcome()).toEqual({ kind: "returned", value: true });
    expect(run.history.map(({ type }) => type)).toEqual(["WorkflowStarted"]);
  });

  test("a cancel request ends the wait with CancelledFailure", async () => {
    const run = await setup(60);
    await run.cancel();
    expect(run.outcome()).toEqual(withoutValue);
  });

  test("a predicate must only look: a command or a random number in it is refused by name", async () => {
    const commands = workflow(() => condition(() => echo("x") === undefined));
    const draws = workflow(() => condition(() => Math.random() > 2));
    const where = "the predicate of a condition";
    for (const wf of [commands, draws]) {
      const refused = { code: "read_only_scope", details: { where } };
      await expect(resultOf({ wf, echo }, "wf")).rejects.toMatchObject(refused);
    }
  });

  test("a predicate that throws rejects the wait", async () => {
    let broken = false;
    const wf = workflow(async () => {
      setHandler(approve, () => {
        broken = true;
      });
      return await condition(() => {
        if (broken) throw new Error("broken");
        return false;
      }).catch((error: Error) => error.message);
    });
    const run = await startRun({ wf }, "wf");
    await run.signal("approve", "ann");
    expect(run.outcome()).toEqual({ kind: "returned", value: "broken" });
  });
});

describe("signals and queries", () => {
  test("waitForSignal takes signals one by one with their argument, whatever else was sent", async () => {
    const wf = workflow(async () => [await waitForSignal(approve), await waitForSignal(approve)]);
    const run = await startRun({ wf }, "wf");
    await run.signal("approve", "ann", "more");
    await run.signal("approve", "bob");
    expect(run.outcome()).toEqual({ kind: "returned", value: ["ann", "bob"] });
  });

  test("a handler gets the signals that came before it, and may start activities", async () => {
    const wf = workflow(async () => {
      const seen: string[] = [];
      await sleep(1);
      setHandler(approve, async (by) => void seen.push(await echo(by)));
      await condition(() => seen.length === 2);
      return seen;
    });
    const run = await startRun({ wf, echo }, "wf");
    await run.signal("approve", "ann");
    await run.fireTimers();
    await run.signal("approve", "bob");
    expect(run.outcome()).toEqual({ kind: "returned", value: ["ann", "bob"] });
  });

  test("a query reads the state, also after the workflow has ended (F-10)", async () => {
    const wf = workflow(async () => {
      let state = "new";
      setHandler(status, (prefix) => `${prefix}:${state}`);
      state = await waitForSignal(approve);
    });
    const run = await startRun({ wf }, "wf");
    expect(run.query("status", "s")).toBe("s:new");
    await run.signal("approve", "ann");
    expect(run.query("status", "s")).toBe("s:ann");
  });

  test.for<readonly [string, () => unknown]>([
    ["sleep()", () => sleep(1)],
    ["activity echo", () => echo("x")],
    ["random()", () => random()],
    ["uuid()", () => uuid()],
    ["sideEffect()", () => sideEffect(() => 1)],
    ["waitForSignal()", () => waitForSignal(approve)],
    ["setHandler()", () => setHandler(approve, () => {})],
    ["Math.random()", () => Math.random()],
    ["randomUUID()", () => crypto.randomUUID()],
    ["setTimeout()", () => setTimeout(() => {}, 1)],
  ])("a query cannot call %s", async ([what, call]) => {
    const errors: unknown[] = [];
    const wf = workflow(async () => {
      setHandler(status, () => {
        try {
          const answer = call();
          if (answer instanceof Promise) answer.catch((error: unknown) => errors.push(error));
        } catch (error) {
          errors.push(error);
        }
        return "";
      });
      await waitForSignal(approve);
    });
    const run = await startRun({ wf, echo }, "wf");
    const before = run.history.length;
    run.query("status", "s");
    await run.signal("approve", "ann");
    expect(errors).toMatchObject([
      { code: "read_only_scope", details: { what, where: "a query handler" } },
    ]);
    expect(run.history.length).toBe(before + 1);
  });

  test("names of signals and queries are checked like ids (L6)", () => {
    expect(() => defineSignal("")).toThrow(expect.objectContaining({ code: "invalid_id" }));
    expect(() => defineQuery("__q")).toThrow(expect.objectContaining({ code: "invalid_id" }));
  });
});

describe("side effects", () => {
  test("run once, unguarded, and a replay gets the recorded value (Q-01, Q-03)", async () => {
    let calls = 0;
    const wf = workflow(async () => {
      const first = await sideEffect(() => [++calls, Date.now() > STARTED_AT]);
      return [first, await waitForSignal(approve)];
    });
    const run = await startRun({ wf }, "wf");
    const replayed = await startRun({ wf }, "wf", { history: run.history });
    await replayed.signal("approve", "ann");
    expect(replayed.outcome()).toEqual({ kind: "returned", value: [[1, false], "ann"] });
    expect(calls).toBe(1);
  });

  test("a promise is refused by name, and belongs into an activity (Q-02)", async () => {
    // @ts-expect-error: no promises
    const wf = workflow(() => sideEffect(async () => 1));
    await expect(resultOf({ wf }, "wf")).rejects.toMatchObject({
      code: "payload_not_serializable",
    });
  });
});

describe("replay-stable values", () => {
  test("now, random and uuid are the same in every replay, and random differs between draws (P-07)", async () => {
    const wf = workflow(async () => {
      const values = [now(), random(), random(), uuid(), uuid()];
      return [values, await waitForSignal(approve)];
    });
    const run = await startRun({ wf }, "wf");
    const replayed = await startRun({ wf }, "wf", { history: run.history });
    for (const one of [run, replayed]) await one.signal("approve", "ann");
    expect(replayed.outcome()).toEqual(run.outcome());
    const outcome = run.outcome();
    const [values] = outcome?.kind === "returned" ? (outcome.value as [unknown[]]) : [[]];
    expect(new Set(values).size).toBe(5);
    expect(values[3]).toMatch(
      /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    );
  });

  test("workflowInfo and cancelRequested tell about the run", async () => {
    const wf = workflow(async () => {
      const before = cancelRequested();
      await sleep(1).catch(() => {});
      return [workflowInfo(), before, cancelRequested()];
    });
    const run = await startRun({ wf }, "wf");
    await run.cancel();
    const info = {
      namespace: "test",
      workflowId: "w",
      runId: "r",
      workflowType: "wf",
      startedAt: STARTED_AT,
    };
    expect(run.outcome()).toEqual({ kind: "returned", value: [info, false, true] });
  });

  test.for<readonly [string, () => unknown]>([
    ["now()", () => now()],
    ["random()", () => random()],
    ["uuid()", () => uuid()],
    ["workflowInfo()", () => workflowInfo()],
    ["cancelRequested()", () => cancelRequested()],
    ["sleep()", () => sleep(1)],
    ["condition()", () => condition(() => true)],
    ["sideEffect()", () => sideEffect(() => 1)],
    ["waitForSignal()", () => waitForSignal(approve)],
    ["setHandler()", () => setHandler(approve, () => {})],
  ])("%s outside of a workflow, and in an activity, is refused by name", async ([what, call]) => {
    const outside = { code: "outside_workflow", details: { what } };
    await expect((async () => await call())()).rejects.toMatchObject(outside);
    const inActivity = activity(async () => await call());
    const wf = workflow(() => inActivity());
    await expect(resultOf({ wf, inActivity }, "wf")).rejects.toMatchObject({
      type: "outside_workflow",
    });
  });
});

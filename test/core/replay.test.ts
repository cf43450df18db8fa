/** Given this history, workflow code asks for these commands, and for nothing more. */
import { describe, expect, test } from "vitest";
import type { HistoryEvent } from "../../sdk/core/events.ts";
import { ActivityTimeout, ApplicationFailure } from "../../sdk/core/failure.ts";
import {
  askLocal,
  askQueued,
  askSideEffect,
  askTimer,
  charge,
  failure,
  instanceOf,
  leaseRenewed,
  local,
  price,
  queued,
  replay,
  settledWith,
  sideEffectRecorded,
  sideEffectThrew,
  started,
  T,
  timerFired,
  timerScheduled,
  type WorkflowCode,
  wait,
} from "../support/core.ts";

const chargeThenShip: WorkflowCode = async (context, input) => {
  const receipt = await charge(context, "charge", input);
  return await charge(context, "ship", receipt);
};

describe("activities in sequence (P-01, P-02, P-05)", () => {
  const charged = [queued(1).scheduled(), queued(1).completed("receipt")];
  const shipped = [queued(2, "ship").scheduled(), queued(2, "ship").completed("parcel")];

  test.for([
    ["nothing yet", [], [askQueued(1, "charge", null)]],
    ["scheduled: waits", [queued(1).scheduled()], []],
    ["completed: goes on with the result", charged, [askQueued(2, "ship", "receipt")]],
    ["both completed: nothing more", [...charged, ...shipped], []],
  ] as const)("%s", async ([, history, commands]) => {
    const instance = await replay(chargeThenShip, ...history);
    expect(instance.unrecorded()).toEqual(commands);
  });

  test("the end is the code's own value", async () => {
    const instance = await replay(chargeThenShip, ...charged, ...shipped);
    expect(instance.outcome).toEqual({ kind: "returned", value: "parcel" });
    expect(instance.wantsSomething()).toBe(true);
  });

  test("the input reaches the code as it was recorded", async () => {
    const { instance } = instanceOf(chargeThenShip);
    await instance.feed(started({ input: { json: '{"total":5}' } }));
    expect(instance.unrecorded()).toEqual([askQueued(1, "charge", { total: 5 })]);
  });

  test("before its start, code has asked for nothing", () => {
    const { instance } = instanceOf(chargeThenShip);
    expect(instance.unrecorded()).toEqual([]);
    expect(instance.wantsSomething()).toBe(false);
  });

  test("bookkeeping of attempts is nothing to the code (F-10, P-03)", async () => {
    const instance = await replay(
      async (context) => await price(context),
      local(1).scheduled(),
      local(1).started(),
      local(1).heartbeat("half"),
      local(1).retryScheduled(),
      leaseRenewed(),
      local(1).retryDue(),
      local(1).started(2),
    );
    expect(instance.unrecorded()).toEqual([]);
    expect(instance.outcome).toBeUndefined();
    await instance.feed(local(1).completed(9, 2));
    expect(instance.outcome).toEqual({ kind: "returned", value: 9 });
  });
});

test("a command is forgotten once an event has answered it: a waiting run stays small (P5)", async () => {
  const history = [queued(1).scheduled(), queued(1).completed("receipt")];
  const open = await replay(chargeThenShip, ...history.slice(0, 1));
  expect(open.commandAt(1)).toEqual(askQueued(1, "charge", null));
  const answered = await replay(chargeThenShip, ...history);
  expect(answered.commandAt(1)).toBeUndefined();
  expect(answered.commandAt(2)).toEqual(askQueued(2, "ship", "receipt"));
});

describe("activities in parallel", () => {
  const both: WorkflowCode = async (context) =>
    await Promise.all([charge(context, "charge"), price(context, "price")]);

  test("are asked for in the order of the calls, local and queued alike (B-16)", async () => {
    const instance = await replay(both);
    expect(instance.unrecorded()).toEqual([askQueued(1, "charge"), askLocal(2, "price")]);
    expect(instance.commandAt(2)).toEqual(askLocal(2, "price"));
    expect(instance.commandAt(3)).toBeUndefined();
  });

  test("may be recorded in another order: positions name them", async () => {
    const instance = await replay(both, local(2).scheduled());
    expect(instance.unrecorded()).toEqual([askQueued(1, "charge")]);
    await instance.feed(queued(1).scheduled());
    expect(instance.unrecorded()).toEqual([]);
  });

  test("keep their places, whoever completes first", async () => {
    const scheduled = [queued(1).scheduled(), local(2).scheduled()];
    const ends = [queued(1).completed("a"), local(2).completed("b")];
    for (const order of [ends, [...ends].reverse()]) {
      const instance = await replay(both, ...scheduled, ...order);
      expect(instance.outcome).toEqual({ kind: "returned", value: ["a", "b"] });
    }
  });

  test("none at all resolve in the same task (reliability row 42)", async () => {
    const instance = await replay(async () => await Promise.all([]));
    expect(instance.outcome).toEqual({ kind: "returned", value: [] });
  });

  test("the loser of a race may fail later without harm", async () => {
    const instance = await replay(
      async (context) => await Promise.race([charge(context, "slow"), charge(context, "fast")]),
      queued(1, "slow").scheduled(),
      queued(2, "fast").scheduled(),
      queued(2, "fast").completed("won"),
      queued(1, "slow").failed(),
    );
    expect(instance.outcome).toEqual({ kind: "returned", value: "won" });
  });

  test("a race is won by whoever stands first in the log, on every replay", async () => {
    const race: WorkflowCode = async (context) =>
      await Promise.race([
        charge(context).then(() => "charged"),
        wait(context, 1_000).then(() => "too late"),
      ]);
    const begin = [queued(1).scheduled(), timerScheduled(2)];
    const winner = async (...ends: readonly HistoryEvent[]) =>
      (await replay(race, ...begin, ...ends)).outcome;
    expect(await winner(queued(1).completed(), timerFired(2))).toMatchObject({ value: "charged" });
    expect(await winner(timerFired(2), queued(1).completed())).toMatchObject({ value: "too late" });
  });
});

describe("failures (A3, F-11, G-03)", () => {
  const chargeOnly: WorkflowCode = async (context) => await charge(context);

  test.for([
    [queued(1).failed(failure("CardDeclined"), 3), "ActivityFailure", "CardDeclined"],
    [queued(1).timedOut("heartbeat", 3), "ActivityTimeout", "TimeoutError"],
    [queued(1).cancelled(3), "ActivityCancellation", "CancelledFailure"],
  ] as const)("%j is thrown into the code", async ([event, name, type]) => {
    const instance = await replay(chargeOnly, queued(1).scheduled(), event);
    expect(instance.outcome).toMatchObject({
      kind: "threw",
      error: { name, type, activityType: "charge", attempts: 3 },
    });
  });

  test("a timeout says its kind", async () => {
    const instance = await replay(
      chargeOnly,
      queued(1).scheduled(),
      queued(1).timedOut("heartbeat"),
    );
    const { outcome } = instance;
    expect(outcome?.kind === "threw" && outcome.error).toBeInstanceOf(ActivityTimeout);
    expect(outcome).toMatchObject({ error: { timeoutKind: "heartbeat" } });
  });

  test("caught, the code goes on with its fallback (reliability row 19)", async () => {
    const instance = await replay(
      async (context) => {
        try {
          return await charge(context);
        } catch {
          return await charge(context, "invoice");
        }
      },
      queued(1).scheduled(),
      queued(1).failed(),
    );
    expect(instance.unrecorded()).toEqual([askQueued(2, "invoice")]);
  });

  test("code that throws at once ends with what it threw", async () => {
    const error = new Error("no order");
    const instance = await replay(() => {
      throw error;
    });
    expect(instance.outcome).toEqual({ kind: "threw", error });
  });

  test("an argument that cannot be stored fails the call by name and takes no position (B-09)", async () => {
    const seen: unknown[] = [];
    const instance = await replay(async (context) => {
      seen.push(await settledWith(charge(context, "charge", 1n)));
      return await charge(context, "ship");
    });
    expect(seen).toEqual([expect.any(ApplicationFailure)]);
    expect(seen[0]).toMatchObject({
      type: "payload_not_serializable",
      nonRetryable: true,
      message:
        "the argument of activity charge cannot be stored as JSON: it contains a BigInt (send it as a string)",
    });
    expect(instance.unrecorded()).toEqual([askQueued(1, "ship")]);
  });

  test("a refused call that nobody awaits does not end the process", async () => {
    // An unhandled rejection fails the run of the tests, as it would end the function's process.
    const instance = await replay(async (context) => {
      void charge(context, "charge", 1n);
      return await wait(context, 5);
    });
    expect(instance.unrecorded()).toEqual([askTimer(1, 5)]);
  });
});

describe("timers", () => {
  const twoWaits: WorkflowCode = async (context) => {
    await wait(context, 100);
    await wait(context, 200);
    return "done";
  };

  test.for([
    [[], [askTimer(1, 100)]],
    [[timerScheduled(1)], []],
    [[timerScheduled(1), timerFired(1)], [askTimer(2, 200)]],
    [[timerScheduled(1), timerFired(1), timerScheduled(2), timerFired(2)], []],
  ] as const)("after %j the code asks for %j", async ([history, commands]) => {
    expect((await replay(twoWaits, ...history)).unrecorded()).toEqual(commands);
  });

  test.for([
    // Nothing runs backwards, and the log holds whole milliseconds.
    [-5, 0],
    [0.4, 0],
    [1.5, 2],
    [2_592_000_000, 2_592_000_000],
  ] as const)("a delay of %d ms is recorded as %i", async ([asked, recorded]) => {
    const instance = await replay(async (context) => await wait(context, asked));
    expect(instance.unrecorded()).toEqual([askTimer(1, recorded)]);
  });
});

describe("side effects (Q-01 to Q-03)", () => {
  const produce = () => 5;
  const once: WorkflowCode = async (context) => await context.sideEffect(produce);

  test("are asked for with what produces them", async () => {
    const instance = await replay(once);
    expect(instance.unrecorded()).toEqual([askSideEffect(1, produce)]);
  });

  test("a replay gets the recorded value and produces nothing", async () => {
    const instance = await replay(
      async (context) => await context.sideEffect(() => expect.unreachable("produced again")),
      sideEffectRecorded(1, "recorded"),
    );
    expect(instance.outcome).toEqual({ kind: "returned", value: "recorded" });
  });

  test("a recorded throw is thrown again, equal on every replay", async () => {
    const cause = failure("NoDice", { message: "six sides only", non_retryable: true });
    const instance = await replay(once, sideEffectThrew(1, cause));
    expect(instance.outcome).toEqual({
      kind: "threw",
      error: ApplicationFailure.nonRetryable("six sides only", "NoDice"),
    });
  });

  test("one without a value and without a failure fails by a name of its own", async () => {
    const instance = await replay(once, { type: "SideEffectRecorded", at: T, sequence: 1 });
    expect(instance.outcome).toMatchObject({
      error: { message: "the side effect failed", type: "Error", nonRetryable: false },
    });
  });
});

describe("what workflow code may know (P-07)", () => {
  test("its ids, and the clock of the event that is being worked", async () => {
    const seen: unknown[] = [];
    await replay(
      async (context) => {
        seen.push(context.info, context.now() - T);
        await wait(context, 1_000);
        seen.push(context.now() - T);
        await charge(context);
        seen.push(context.now() - T);
      },
      timerScheduled(1),
      timerFired(1, T + 1_005),
      queued(2).scheduled(),
      // Written by a machine whose clock is behind: time does not go back.
      queued(2).completed(),
    );
    expect(seen).toEqual([
      {
        namespace: "shop",
        workflowId: "o-1",
        runId: "r-1",
        workflowType: "order",
        startedAt: T,
      },
      0,
      1_005,
      1_005,
    ]);
  });

  test("random numbers that are the same on every replay of this run, and only of this run", async () => {
    const draws: WorkflowCode = (context) => [context.random(), context.random()];
    const first = (await replay(draws)).outcome;
    expect((await replay(draws)).outcome).toEqual(first);
    expect((await replay(draws, started({ seed: "other" }))).outcome).not.toEqual(first);
  });

  test("a diagnostic is given once, however often the code runs into it", async () => {
    const { instance, diagnostics } = instanceOf((context) => {
      for (const message of ["slow", "slow", "odd"]) context.diagnose(message);
    });
    await instance.feed(started());
    expect(diagnostics).toEqual(["slow", "odd"]);
  });

  test.for([
    // E-05: what the definition says and local execution ignores.
    [
      "local",
      { options: { start_to_close_ms: 1 }, ignoredOptions: ["rateLimit", "queue"] },
      ["activity price runs locally: its options rateLimit, queue are ignored"],
    ],
    ["local", { options: { start_to_close_ms: 1 }, ignoredOptions: [] }, []],
    ["queued", { options: { start_to_close_ms: 1 } }, []],
    // H-06: nothing but the function's time ends an attempt that hangs.
    [
      "local",
      { options: {} },
      [
        "local activity price has no startToCloseTimeout: an attempt that hangs ends only with the time of its function",
      ],
    ],
    [
      "queued",
      { options: {} },
      [
        "activity price has no startToCloseTimeout: an attempt that hangs ends only with the time of its function",
      ],
    ],
  ] as const)("a %s activity with %j is reported with %j", async ([mode, parts, expected]) => {
    const { instance, diagnostics } = instanceOf(async (context) => {
      await context.scheduleActivity({ activityType: "price", mode, args: [], ...parts });
    });
    await instance.feed(started());
    expect(diagnostics).toEqual(expected);
  });
});

/** Signals, conditions, cancel requests and queries, given a history. */
import { describe, expect, test } from "vitest";
import { CancelledFailure } from "../../sdk/core/failure.ts";
import {
  askQueued,
  askTimer,
  cancelled,
  cancelRequested,
  charge,
  instanceOf,
  price,
  queued,
  replay,
  settledWith,
  signal,
  started,
  terminated,
  timerCancelled,
  timerFired,
  timerScheduled,
  type WorkflowCode,
  wait,
} from "../support/core.ts";

describe("signals (G1)", () => {
  const approval: WorkflowCode = async (context) => {
    await charge(context);
    return await context.nextSignal("approve");
  };

  test("one that comes before its wait is kept, one that comes after ends the wait", async () => {
    const before = await replay(
      approval,
      signal("approve", "ada"),
      queued(1).scheduled(),
      queued(1).completed(),
    );
    const after = await replay(
      approval,
      queued(1).scheduled(),
      queued(1).completed(),
      signal("approve", "ada"),
    );
    expect(before.outcome).toEqual({ kind: "returned", value: ["ada"] });
    expect(after.outcome).toEqual(before.outcome);
  });

  test("what is waited for, and how many wait to be taken, can be told", async () => {
    const instance = await replay(approval, signal("approve", 1), signal("note", 2));
    expect(instance.pendingSignals()).toBe(2);
    expect(instance.awaitedSignals()).toEqual([]);
    await instance.feed(queued(1).scheduled());
    await instance.feed(queued(1).completed());
    expect(instance.pendingSignals()).toBe(1);
    const waiting = await replay(approval, queued(1).scheduled(), queued(1).completed());
    expect(waiting.awaitedSignals()).toEqual(["approve"]);
  });

  test("a handler gets all arguments of all signals in log order, early ones included", async () => {
    const notes: unknown[] = [];
    await replay(
      async (context) => {
        await charge(context);
        context.onSignal("note", (...args) => notes.push(args));
        await wait(context, 5);
      },
      signal("note", "a", 1),
      queued(1).scheduled(),
      signal("note", "b"),
      queued(1).completed(),
      signal("note"),
    );
    expect(notes).toEqual([["a", 1], ["b"], []]);
  });

  test("arguments that are no list count as one argument", async () => {
    const instance = await replay(async (context) => await context.nextSignal("go"), {
      ...signal("go"),
      arguments: { json: '"bare"' },
    });
    expect(instance.outcome).toEqual({ kind: "returned", value: ["bare"] });
  });

  test("a handler may ask for activities: they take the next positions", async () => {
    const instance = await replay(
      async (context) => {
        context.onSignal("refund", async (amount) => {
          await charge(context, "refund", amount);
        });
        await wait(context, 5);
      },
      timerScheduled(1),
      signal("refund", 7),
    );
    expect(instance.unrecorded()).toEqual([askQueued(2, "refund", 7)]);
  });
});

describe("handlers that throw end the workflow with their error", () => {
  const error = new Error("bad note");
  const throwsAtOnce = () => {
    throw error;
  };
  const throwsLater = async () => {
    await Promise.resolve();
    throw error;
  };

  test.for([
    ["at once", throwsAtOnce],
    ["after an await", throwsLater],
  ] as const)("%s", async ([, handler]) => {
    const { instance, diagnostics } = instanceOf(async (context) => {
      context.onSignal("note", handler);
      await wait(context, 5);
    });
    await instance.feed(started());
    await instance.feed(timerScheduled(1));
    await instance.feed(signal("note"));
    expect(instance.outcome).toEqual({ kind: "threw", error });
    expect(diagnostics).toEqual([
      "the handler of signal note threw; the workflow fails with its error",
    ]);
  });

  test("but not a workflow that has ended", async () => {
    const instance = await replay((context) => {
      context.onSignal("note", throwsAtOnce);
      return "done";
    });
    await instance.feed(signal("note"));
    expect(instance.outcome).toEqual({ kind: "returned", value: "done" });
  });
});

describe("conditions", () => {
  test("hold as soon as an event makes them true", async () => {
    let notes = 0;
    const code: WorkflowCode = async (context) => {
      context.onSignal("note", () => notes++);
      await context.waitUntil(() => notes >= 2);
      return await charge(context);
    };
    const instance = await replay(code, signal("note"));
    expect(instance.unrecorded()).toEqual([]);
    await instance.feed(signal("note"));
    expect(instance.unrecorded()).toEqual([askQueued(1)]);
  });

  test("one that makes the next one true is followed in the same task", async () => {
    const instance = await replay(async (context) => {
      const steps: number[] = [];
      const second = context.waitUntil(() => steps.length > 0).then(() => steps.push(2));
      await context.waitUntil(() => true);
      steps.push(1);
      await second;
      return steps;
    });
    expect(instance.outcome).toEqual({ kind: "returned", value: [1, 2] });
  });

  test("that throw fail the wait", async () => {
    const error = new Error("no stock");
    const instance = await replay(async (context) => {
      await context.waitUntil(() => {
        throw error;
      });
    });
    expect(instance.outcome).toEqual({ kind: "threw", error });
  });
});

describe("a cancel request is cooperative (J-01)", () => {
  test("wakes every wait for time, signals and conditions, and cancels the timers", async () => {
    const seen: unknown[] = [];
    const instance = await replay(
      async (context) => {
        const waits = [
          wait(context, 100),
          context.nextSignal("go"),
          context.waitUntil(() => false),
        ];
        seen.push(...(await Promise.all(waits.map(settledWith))));
        return context.cancelRequested();
      },
      timerScheduled(1),
      cancelRequested(),
    );
    expect(seen).toEqual(Array(3).fill(new CancelledFailure("the workflow was asked to cancel")));
    expect(instance.timersToCancel()).toEqual([1]);
    expect(instance.outcome).toEqual({ kind: "returned", value: true });
  });

  test("leaves activities to their own end: the engine cancels them", async () => {
    const instance = await replay(
      async (context) => await charge(context),
      queued(1).scheduled(),
      cancelRequested(),
    );
    expect(instance.outcome).toBeUndefined();
    await instance.feed(queued(1).cancelled());
    expect(instance.outcome).toMatchObject({ error: { name: "ActivityCancellation" } });
  });

  test("what the code does to clean up is not disturbed, a second request neither", async () => {
    const instance = await replay(
      async (context) => {
        await settledWith(wait(context, 100));
        await wait(context, 5);
        return await charge(context, "refund");
      },
      timerScheduled(1),
      cancelRequested("a"),
      timerCancelled(1),
    );
    expect(instance.unrecorded()).toEqual([askTimer(2, 5)]);
    await instance.feed(timerScheduled(2, 5));
    await instance.feed(cancelRequested("b"));
    expect(instance.timersToCancel()).toEqual([]);
    await instance.feed(timerFired(2));
    expect(instance.unrecorded()).toEqual([askQueued(3, "refund")]);
  });

  test("code that was not asked sees no request", async () => {
    const instance = await replay((context) => context.cancelRequested());
    expect(instance.outcome).toEqual({ kind: "returned", value: false });
  });
});

describe("timers that the code itself cancels", () => {
  /** Cancels its timer when the signal comes. */
  const stoppable: WorkflowCode = async (context) => {
    const timer = context.startTimer(1_000);
    await context.nextSignal("stop");
    timer.cancel();
    timer.cancel();
    return await charge(context);
  };

  test("are cancelled once, and never settle", async () => {
    const instance = await replay(stoppable, timerScheduled(1), signal("stop"));
    expect(instance.timersToCancel()).toEqual([1]);
    expect(instance.unrecorded()).toEqual([askQueued(2)]);
    await instance.feed(timerCancelled(1));
    expect(instance.timersToCancel()).toEqual([]);
  });

  test("are not cancelled any more when they have fired already", async () => {
    const fired = await replay(stoppable, timerScheduled(1), timerFired(1), signal("stop"));
    expect(fired.timersToCancel()).toEqual([]);
    // Fired and cancelled in one batch: what stands in the log has happened.
    const raced = await replay(stoppable, timerScheduled(1), signal("stop"), timerFired(1));
    expect(raced.timersToCancel()).toEqual([]);
  });

  test("are recorded first and cancelled then, when both happen in one task", async () => {
    const instance = await replay(async (context) => {
      context.startTimer(1_000).cancel();
      await charge(context);
    });
    expect(instance.timersToCancel()).toEqual([]);
    expect(instance.unrecorded()).toEqual([askTimer(1, 1_000), askQueued(2)]);
    await instance.feed(timerScheduled(1));
    expect(instance.timersToCancel()).toEqual([1]);
  });
});

describe("a promise that is not durable is found out", () => {
  test.for([
    ["a foreign promise", async () => await new Promise(() => undefined), true],
    ["an activity", async (context) => await price(context), false],
    ["a timer", async (context) => await wait(context, 5), false],
    ["a signal", async (context) => await context.nextSignal("go"), false],
    ["a condition", async (context) => await context.waitUntil(() => false), false],
    ["a side effect", async (context) => await context.sideEffect(() => 1), false],
    // Both: the durable one may bring the code on.
    [
      "an activity or a foreign promise",
      async (context) => await Promise.race([charge(context), new Promise(() => undefined)]),
      false,
    ],
    ["nothing: it has ended", () => "done", false],
  ] satisfies readonly (readonly [string, WorkflowCode, boolean])[])(
    "waiting for %s",
    async ([, code, blocked]) => {
      expect((await replay(code)).isBlocked()).toBe(blocked);
    },
  );
});

describe("queries and ends", () => {
  test("query handlers are kept by name, the last one counts", async () => {
    const instance = await replay(async (context) => {
      context.onQuery("state", () => "first");
      context.onQuery("state", (detail) => `second ${String(detail)}`);
      await wait(context, 5);
    });
    expect([...instance.queryHandlers.keys()]).toEqual(["state"]);
    expect(instance.queryHandlers.get("state")?.("x")).toBe("second x");
  });

  test("a run that was ended from outside leaves its code where it was", async () => {
    const code: WorkflowCode = async (context) => await wait(context, 5);
    for (const end of [terminated(), cancelled()]) {
      const instance = await replay(code, timerScheduled(1, 5), end);
      expect(instance.outcome).toBeUndefined();
    }
  });
});

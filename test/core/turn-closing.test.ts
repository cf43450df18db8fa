/** How a turn closes its run: by the code's own end, or by a limit. */
import { describe, expect, test } from "vitest";
import { pawlError } from "../../sdk/core/errors.ts";
import type { HistoryEvent } from "../../sdk/core/events.ts";
import { ApplicationFailure, CancelledFailure } from "../../sdk/core/failure.ts";
import { HISTORY_EVENTS_MAX, PENDING_ACTIVITIES_MAX } from "../../sdk/core/limits.ts";
import {
  cancelRequested,
  charge,
  leaseRenewed,
  queued,
  settledWith,
  timerScheduled,
  type WorkflowCode,
  wait,
} from "../support/core.ts";
import { NOW, setup } from "./drafts.ts";

/** The events of a whole decision behind this history. */
async function decided(
  code: WorkflowCode,
  ...history: readonly HistoryEvent[]
): Promise<readonly HistoryEvent[]> {
  const { turn } = await setup(code, ...history);
  await turn.recordCommands(100);
  await turn.closeIfEnded();
  return turn.events;
}

function throwing(error: unknown): WorkflowCode {
  return () => {
    throw error;
  };
}

describe("the end of the code closes the run", () => {
  test.for([
    [
      "a value",
      () => ({ total: 5 }),
      { type: "WorkflowCompleted", output: { json: '{"total":5}' } },
    ],
    ["nothing", () => undefined, { type: "WorkflowCompleted", output: { json: "null" } }],
    [
      "a value that cannot be stored",
      () => new Map(),
      {
        type: "WorkflowFailed",
        failure: { type: "payload_not_serializable", category: "application", non_retryable: true },
      },
    ],
    [
      "a failure",
      throwing(ApplicationFailure.nonRetryable("never", "Impossible")),
      {
        type: "WorkflowFailed",
        failure: { type: "Impossible", message: "never", non_retryable: true },
      },
    ],
  ] as const)("with %s", async ([, code, event]) => {
    expect(await decided(code)).toMatchObject([{ at: NOW, ...event }]);
  });

  test("an activity's failure that nobody caught closes it with that activity (G-03)", async () => {
    const events = await decided(
      async (context) => await charge(context),
      queued(1).scheduled(),
      queued(1).failed(),
    );
    expect(events).toMatchObject([
      { type: "WorkflowFailed", failure: { activity: { activity_type: "charge", sequence: 1 } } },
    ]);
  });

  test("commands behind the end are not recorded any more", async () => {
    const events = await decided((context) => {
      void charge(context);
      return "done";
    });
    expect(events).toMatchObject([{ type: "WorkflowCompleted" }]);
  });

  test("a call that the guard refuses fails the task and not the run (A11)", async () => {
    const refused = pawlError("nondeterministic_call", { what: "fetch", instead: "an activity" });
    expect(await settledWith(decided(throwing(refused)))).toBe(refused);
  });

  test("any other error of the catalogue is the workflow's own failure", async () => {
    const events = await decided(throwing(pawlError("invalid_option")));
    expect(events).toMatchObject([{ type: "WorkflowFailed", failure: { type: "invalid_option" } }]);
  });
});

describe("a cancelled workflow (J-01)", () => {
  const sleeping: WorkflowCode = async (context) => await context.nextSignal("never");
  const charging: WorkflowCode = async (context) => await charge(context);

  test.for([
    ["lets the cancellation through", sleeping, [cancelRequested()], "WorkflowCancelled"],
    [
      "lets an activity's cancellation through",
      charging,
      [queued(1).scheduled(), cancelRequested(), queued(1).cancelled()],
      "WorkflowCancelled",
    ],
    ["ends with a result all the same", () => "done", [cancelRequested()], "WorkflowCompleted"],
    // Nobody asked: then it is an error like any other.
    ["was not asked to", throwing(new CancelledFailure("by itself")), [], "WorkflowFailed"],
  ] as const)("that %s", async ([, code, history, type]) => {
    expect((await decided(code, ...history)).at(-1)?.type).toBe(type);
  });
});

describe("limits end a run by name (L11)", () => {
  const manyTimers =
    (count: number): WorkflowCode =>
    async (context) =>
      await Promise.all(Array.from({ length: count }, () => wait(context, 5)));

  test("as many as are allowed may be open at the same time", async () => {
    const events = await decided(manyTimers(PENDING_ACTIVITIES_MAX));
    expect(events).toHaveLength(PENDING_ACTIVITIES_MAX);
    expect(events.at(-1)?.type).toBe("TimerScheduled");
  });

  test("one more closes the run", async () => {
    const events = await decided(manyTimers(PENDING_ACTIVITIES_MAX + 1));
    expect(events).toHaveLength(PENDING_ACTIVITIES_MAX + 1);
    expect(events.at(-1)).toMatchObject({
      type: "WorkflowFailed",
      failure: {
        type: "pending_limit",
        message: "run r-1 has 2000 open activities and timers; at most 2000 are allowed",
        category: "structural_limit",
        non_retryable: true,
      },
    });
  });

  const renewals = (count: number) => Array.from({ length: count }, leaseRenewed);
  const asking: WorkflowCode = async (context) => await wait(context, 5);

  test("the last event of a history may still be a command", async () => {
    // WorkflowStarted is one of them.
    const events = await decided(asking, ...renewals(HISTORY_EVENTS_MAX - 2));
    expect(events).toMatchObject([{ type: "TimerScheduled" }]);
  });

  test("code that asks for more behind a full history fails", async () => {
    const events = await decided(asking, ...renewals(HISTORY_EVENTS_MAX - 1));
    expect(events).toMatchObject([
      {
        type: "WorkflowFailed",
        failure: {
          type: "history_limit",
          message: "run r-1 has 50000 events; at most 50000 are allowed",
          category: "structural_limit",
        },
      },
    ]);
  });

  test("of two limits, the one that was reached is named", async () => {
    const timers = Array.from({ length: PENDING_ACTIVITIES_MAX }, (_, at) =>
      timerScheduled(at + 1),
    );
    // One event is still free when the timers are all open.
    const history = [...timers, ...renewals(HISTORY_EVENTS_MAX - PENDING_ACTIVITIES_MAX - 2)];
    const events = await decided(manyTimers(PENDING_ACTIVITIES_MAX + 1), ...history);
    expect(events).toMatchObject([{ failure: { type: "pending_limit" } }]);
  });

  test("code that only waits, or has ended, is not ended by a full history", async () => {
    const full = renewals(HISTORY_EVENTS_MAX - 1);
    expect(await decided(async (context) => await context.nextSignal("go"), ...full)).toEqual([]);
    expect(await decided(() => "done", ...full)).toMatchObject([{ type: "WorkflowCompleted" }]);
  });
});

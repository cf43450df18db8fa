/** Given this log, these messages and these endings, a turn drafts these events, and nothing more. */
import { describe, expect, test } from "vitest";
import type { Announcement } from "../../sdk/core/messages.ts";
import {
  cancelRequested,
  charge,
  failure,
  json,
  local,
  price,
  queued,
  signal,
  T,
  terminated,
  timerScheduled,
  type WorkflowCode,
  wait,
} from "../support/core.ts";
import { drafted, START, setup } from "./drafts.ts";

describe("what arrives is recorded once, in message order", () => {
  const waiting: WorkflowCode = async (context) => {
    await charge(context);
    await context.nextSignal("go");
  };
  const request = (event: ReturnType<typeof signal>): Announcement => ({ kind: "request", event });
  const retry: Announcement = { kind: "retry", sequence: 2, attempt: 1, due: T };
  const done: Announcement = {
    kind: "outcome",
    sequence: 1,
    attempt: 1,
    outcome: { kind: "completed", result: json(1) },
  };

  test("copies, voids and wake-ups add nothing", async () => {
    const { turn } = await setup(waiting, queued(1).scheduled(), signal("known"));
    await turn.arrive(
      [
        { kind: "start" },
        done,
        request(signal("known")),
        done,
        { kind: "timer", sequence: 9, due: T },
        request(signal("go", 1)),
        { kind: "check", at: T },
      ],
      "others",
    );
    expect(drafted(turn)).toEqual(["ActivityCompleted 1", "SignalReceived"]);
  });

  test("a due retry is recorded only when it did not start (R7)", async () => {
    const history = [
      queued(1).scheduled(),
      local(2).scheduled(),
      local(2).started(),
      local(2).retryScheduled(),
    ];
    const code: WorkflowCode = async (context) =>
      await Promise.all([charge(context), price(context)]);
    const full = await setup(code, ...history);
    await full.turn.arrive([retry, done], "others");
    await full.turn.startLocals({ ...START, places: 0 });
    await full.turn.arrive([retry, done], "retries");
    expect(drafted(full.turn)).toEqual(["ActivityCompleted 1", "ActivityRetryDue 2"]);
    const free = await setup(code, ...history, local(2).retryDue());
    await free.turn.startLocals(START);
    await free.turn.arrive([retry], "retries");
    expect(drafted(free.turn)).toEqual(["ActivityStarted 2"]);
  });

  test("nothing arrives in a run that is closed meanwhile (E9)", async () => {
    const { turn } = await setup(waiting, queued(1).scheduled());
    await turn.arrive(
      [{ kind: "request", event: terminated() }, request(signal("late"))],
      "others",
    );
    expect(drafted(turn)).toEqual(["WorkflowTerminated"]);
  });
});

describe("how attempts that ran here ended", () => {
  const code: WorkflowCode = async (context) =>
    await Promise.all([price(context, "a"), price(context, "b")]);
  const running = [
    local(1, "a").scheduled(),
    local(2, "b").scheduled(),
    local(1, "a").started(),
    local(2, "b").started(),
  ];
  const completedAs = (sequence: number, attempt: number) =>
    ({ sequence, attempt, ending: { kind: "completed", result: json(9) } }) as const;

  test("is recorded for attempts that the log still holds open, and for no other (I12)", async () => {
    const { turn } = await setup(code, ...running);
    await turn.concludeLocals([
      completedAs(1, 1),
      // Twice, of another attempt, and of an activity that is not known.
      completedAs(1, 1),
      completedAs(2, 2),
      completedAs(9, 1),
      { sequence: 2, attempt: 1, ending: { kind: "failed", failure: failure() } },
    ]);
    expect(drafted(turn)).toEqual(["ActivityCompleted 1", "ActivityRetryScheduled 2"]);
  });

  test("a heartbeat that the end overtook stands in the outcome, and the next attempt has it (I-05)", async () => {
    const { turn, state } = await setup(code, ...running);
    const ending = { kind: "failed", failure: failure() } as const;
    await turn.concludeLocals([{ sequence: 2, attempt: 1, ending, lastHeartbeat: json(7) }]);
    expect(turn.events).toMatchObject([
      { type: "ActivityRetryScheduled", last_heartbeat: json(7) },
    ]);
    expect(state.openActivities.get(2)?.last_heartbeat).toEqual(json(7));
  });

  test("an outcome behind a cancel request is dropped (J-04)", async () => {
    const { turn } = await setup(code, ...running, cancelRequested());
    await turn.concludeLocals([completedAs(1, 1)]);
    expect(drafted(turn)).toEqual(["ActivityCancelled 1"]);
  });

  test("an attempt that nobody runs any more was interrupted (R-03)", async () => {
    const { turn } = await setup(code, ...running);
    await turn.concludeInterrupted((sequence) => sequence === 1);
    expect(turn.events).toMatchObject([
      { type: "ActivityRetryScheduled", sequence: 2, retry_reason: "cold_replay" },
    ]);
  });
});

describe("a cancel request (J-01 to J-05)", () => {
  test("ends what was scheduled before it; local bodies end themselves", async () => {
    const code: WorkflowCode = async (context) =>
      await Promise.all([
        charge(context),
        price(context, "running"),
        price(context, "waiting"),
        price(context, "backing off"),
        wait(context, 5_000),
      ]);
    const { turn, state } = await setup(
      code,
      queued(1).scheduled(),
      local(2, "running").scheduled(),
      local(2, "running").started(),
      local(3, "waiting").scheduled(),
      local(4, "backing off").scheduled(),
      local(4, "backing off").started(),
      local(4, "backing off").retryScheduled(),
      local(4, "backing off").started(2),
      local(4, "backing off").retryScheduled(2),
      timerScheduled(5, 5_000),
      cancelRequested(),
    );
    await turn.cancelOpenActivities();
    await turn.recordCommands(100);
    expect(drafted(turn)).toEqual([
      "ActivityCancelled 1",
      "ActivityCancelled 3",
      "ActivityCancelled 4",
      "TimerCancelled 5",
    ]);
    // The attempt that was handed out, or was the last to run; one that never ran counts as the first.
    const attempts = turn.events.map((event) => "attempt_number" in event && event.attempt_number);
    expect(attempts).toEqual([1, 1, 2, false]);
    expect([...state.openActivities.keys()]).toEqual([2]);
    expect(state.openTimers.size).toBe(0);
  });

  test("ends what found no place before it and is recorded after it: it never starts", async () => {
    const code: WorkflowCode = async (context) => {
      await Promise.allSettled([price(context, "a"), price(context, "b")]);
      await price(context, "cleaning up");
    };
    const { turn } = await setup(code, local(1, "a").scheduled(), local(1, "a").started());
    await turn.recordCommands(1);
    expect(turn.events).toEqual([]);
    await turn.push(cancelRequested());
    await turn.concludeLocals([{ sequence: 1, attempt: 1, ending: { kind: "cancelled" } }]);
    await turn.recordCommands(1);
    expect(drafted(turn)).toEqual([
      "CancelRequested",
      "ActivityCancelled 1",
      "ActivityScheduled 2",
      "ActivityCancelled 2",
      "ActivityScheduled 3",
    ]);
    await turn.startLocals(START);
    expect(turn.starts).toEqual([{ sequence: 3, attempt: 1 }]);
  });

  test("that overtakes the first task ends what the code asks for there, and not its cleaning up", async () => {
    const { turn } = await setup(async (context) => {
      await Promise.allSettled([charge(context), wait(context, 5)]);
      await charge(context, "refund");
    }, cancelRequested());
    await turn.recordCommands(100);
    expect(drafted(turn)).toEqual([
      "ActivityScheduled 1",
      "ActivityCancelled 1",
      "TimerScheduled 2",
      "TimerCancelled 2",
      "ActivityScheduled 3",
    ]);
  });

  test("leaves alone what the code does afterwards", async () => {
    const { turn } = await setup(
      async (context) => {
        await context.nextSignal("never").catch(() => undefined);
        await charge(context, "refund");
      },
      cancelRequested(),
      queued(1, "refund").scheduled(),
    );
    await turn.cancelOpenActivities();
    expect(turn.events).toEqual([]);
  });
});

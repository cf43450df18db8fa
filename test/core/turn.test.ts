/** Given this log and this code, a turn drafts these events, and nothing more. */

import { describe, expect, test } from "vitest";
import { NO_COUNTERS } from "../../sdk/core/counters.ts";
import {
  charge,
  json,
  LEASE,
  local,
  price,
  queued,
  signal,
  terminated,
  type WorkflowCode,
  wait,
} from "../support/core.ts";
import { drafted, NOW, START, setup, turnOf } from "./drafts.ts";

describe("commands become events", () => {
  const mixed: WorkflowCode = async (context) =>
    await Promise.all([
      charge(context, "charge", 5),
      price(context, "price"),
      wait(context, 70),
      context.sideEffect(() => "made"),
    ]);

  test("in the order of the calls, each with what a replay needs", async () => {
    const { turn } = await setup(mixed);
    await turn.recordCommands(100);
    expect(turn.events).toEqual([
      { ...queued(1, "charge").scheduled(), at: NOW, arguments: json([5]) },
      { ...local(2, "price").scheduled(), at: NOW },
      { type: "TimerScheduled", at: NOW, sequence: 3, delay_ms: 70, fire_at: NOW + 70 },
      { type: "SideEffectRecorded", at: NOW, sequence: 4, result: json("made") },
    ]);
  });

  test("and each is in the state and at hand for the code before the next decision", async () => {
    const { turn, state, loaded } = await setup(mixed);
    await turn.recordCommands(100);
    expect([...state.openActivities.keys(), ...state.openTimers.keys()]).toEqual([1, 2, 3]);
    expect(loaded).toEqual(turn.events.map(({ type }) => type));
  });

  test("what a side effect brings the code to is recorded in the same batch", async () => {
    const { turn } = await setup(async (context) => {
      const amount = await context.sideEffect(() => 7);
      await charge(context, "charge", amount);
    });
    await turn.recordCommands(100);
    expect(drafted(turn)).toEqual(["SideEffectRecorded 1", "ActivityScheduled 2"]);
    expect(turn.events[1]).toMatchObject({ arguments: json([7]) });
  });

  test("an activity's whole time is counted from its schedule (H-02)", async () => {
    const { turn, state } = await setup(async (context) => {
      await context.scheduleActivity({
        activityType: "charge",
        mode: "queued",
        args: [],
        options: { schedule_to_close_ms: 9_000 },
      });
    });
    await turn.recordCommands(100);
    expect(state.openActivities.get(1)?.schedule_to_close_deadline_at).toBe(NOW + 9_000);
  });

  test("nothing is drafted for code that only waits", async () => {
    const { turn } = await setup(mixed, queued(1).scheduled(), local(2).scheduled());
    await turn.recordCommands(0);
    expect(drafted(turn)).toEqual(["TimerScheduled 3", "SideEffectRecorded 4"]);
    const waiting = await setup(async (context) => await context.nextSignal("go"));
    await waiting.turn.recordCommands(100);
    await waiting.turn.closeIfEnded();
    expect(waiting.turn.events).toEqual([]);
  });

  test("time never goes back behind an earlier event", async () => {
    const { turn } = await setup(mixed, { ...signal("late"), at: NOW + 500 });
    await turn.recordCommands(100);
    expect(turn.events.every(({ at }) => at === NOW + 500)).toBe(true);
  });
});

describe("side effects run once and are recorded, whatever they do (Q-02)", () => {
  const effect =
    (produce: () => unknown): WorkflowCode =>
    async (context) =>
      await context.sideEffect(produce);

  const produced: readonly (readonly [string, () => unknown, object])[] = [
    ["a value", () => ({ dice: 6 }), { result: json({ dice: 6 }) }],
    ["nothing", () => undefined, { result: json(null) }],
    ["a promise", async () => "later", { result: json("later") }],
    [
      "a throw",
      () => {
        throw new RangeError("seven");
      },
      { failure: { type: "RangeError", message: "seven", category: "application" } },
    ],
    [
      "a value that cannot be stored",
      () => 1n,
      { failure: { type: "payload_not_serializable", non_retryable: true } },
    ],
  ];
  test.for(produced)("%s", async ([, produce, recorded]) => {
    const { turn } = await setup(effect(produce));
    await turn.recordCommands(100);
    expect(turn.events).toMatchObject([{ type: "SideEffectRecorded", sequence: 1, ...recorded }]);
  });
});

describe("local bodies have a limited number of places (design section 3)", () => {
  const three: WorkflowCode = async (context) =>
    await Promise.all([
      price(context, "a"),
      price(context, "b"),
      charge(context, "c"),
      price(context, "d"),
    ]);

  test("what finds no place is asked for later; everything else is not kept waiting", async () => {
    const { turn, instance } = await setup(three);
    await turn.recordCommands(2);
    expect(drafted(turn)).toEqual([
      "ActivityScheduled 1",
      "ActivityScheduled 2",
      "ActivityScheduled 3",
    ]);
    expect(instance.unrecorded().map(({ sequence }) => sequence)).toEqual([4]);
  });

  test("attempts that run already take places", async () => {
    const { turn } = await setup(three, local(1, "a").scheduled(), local(1, "a").started());
    await turn.recordCommands(2);
    expect(drafted(turn)).toEqual(["ActivityScheduled 2", "ActivityScheduled 3"]);
  });

  test("starts take the places that are left, in the order of the calls", async () => {
    const { turn } = await setup(three);
    await turn.recordCommands(100);
    await turn.startLocals({ ...START, places: 2 });
    expect(drafted(turn).slice(4)).toEqual(["ActivityStarted 1", "ActivityStarted 2"]);
    expect(turn.starts).toEqual([
      { sequence: 1, attempt: 1 },
      { sequence: 2, attempt: 1 },
    ]);
    const [, , , , start] = turn.events;
    expect(start).toEqual({
      ...local(1, "a").started(1),
      at: NOW,
      lease_expires_at: NOW + 30_000,
      close_deadline_at: NOW + 10_000,
      workflow_task_id: "me",
    });
  });

  test("a retry starts when it is due, and not before (G-06)", async () => {
    const waiting = (at: number) =>
      [
        local(1, "a").scheduled(),
        local(1, "a").started(),
        local(1, "a").retryScheduled(1, { retry_available_at: at }),
      ] as const;
    const code: WorkflowCode = async (context) => await price(context, "a");
    const early = await setup(code, ...waiting(NOW + 1));
    await early.turn.startLocals(START);
    expect(early.turn.events).toEqual([]);
    const due = await setup(code, ...waiting(NOW));
    await due.turn.startLocals(START);
    expect(due.turn.starts).toEqual([{ sequence: 1, attempt: 2 }]);
  });

  test("a retry is never started by the batch that schedules it, were its backoff nothing (G-04)", async () => {
    const { turn, state, instance } = await setup(
      async (context) =>
        await context.scheduleActivity({
          activityType: "a",
          mode: "local",
          args: [],
          options: { retry_policy: { backoff_ms: [0] } },
        }),
    );
    await turn.recordCommands(100);
    await turn.startLocals(START);
    turn.batch(LEASE, "n-1");
    const next = turnOf(state, instance);
    await next.concludeInterrupted(() => false);
    await next.startLocals(START);
    expect(drafted(next)).toEqual(["ActivityRetryScheduled 1"]);
    next.batch(LEASE, "n-2");
    const later = turnOf(state, instance);
    await later.startLocals(START);
    expect(later.starts).toEqual([{ sequence: 1, attempt: 2 }]);
  });

  test("an attempt that the rest of the invocation does not cover waits, those that it covers start (B21)", async () => {
    const { turn } = await setup(three);
    await turn.recordCommands(100);
    await turn.startLocals({ ...START, isCovered: ({ activity_type: type }) => type !== "a" });
    expect(drafted(turn).slice(4)).toEqual(["ActivityStarted 2", "ActivityStarted 4"]);
  });

  test.for([
    ["that waits for a place", [], 1],
    [
      "whose retry comes too late",
      [local(1, "a").started(), local(1, "a").retryScheduled(1, { retry_available_at: NOW - 5 })],
      1,
    ],
  ] as const)(
    "no attempt starts behind the time of the whole activity: one %s times out (H-02)",
    async ([, history, attempt]) => {
      const within = (deadline: number) =>
        setup(
          async (context) => await price(context, "a"),
          { ...local(1, "a").scheduled(), schedule_to_close_deadline_at: deadline },
          ...history,
        );
      const late = await within(NOW);
      await late.turn.concludeOverdue();
      expect(late.turn.events).toMatchObject([
        {
          type: "ActivityTimedOut",
          sequence: 1,
          attempt_number: attempt,
          timeout_kind: "schedule_to_close",
        },
      ]);
      const inTime = await within(NOW + 1);
      await inTime.turn.concludeOverdue();
      expect(inTime.turn.events).toEqual([]);
    },
  );

  test("a closed run starts nothing", async () => {
    const { turn } = await setup(three, local(1, "a").scheduled());
    await turn.push(terminated());
    await turn.startLocals(START);
    expect(drafted(turn)).toEqual(["WorkflowTerminated"]);
  });
});

describe("the drafted batch", () => {
  const code: WorkflowCode = async (context) => await price(context);

  test("ends its turn without a lease", async () => {
    const { turn, state } = await setup(code);
    await turn.recordCommands(100);
    expect(turn.batch(null, "n-1")).toEqual({
      schema: 1,
      sequence: 2,
      kind: "task",
      events: turn.events,
      lease: null,
      turn_from: null,
      closed: false,
      nonce: "n-1",
      basis: 2,
      pending_signals: 0,
      counters: { ...NO_COUNTERS, local: 1, local_pending: 1 },
      generation: 0,
    });
    expect(state.turnThatConsumed(2)).toEqual({ from: 2, to: 2 });
  });

  test("opens a turn with a lease, and the next one carries it on", async () => {
    const { turn, state, instance } = await setup(code);
    await turn.recordCommands(100);
    expect(turn.batch(LEASE, "n-1")).toMatchObject({ lease: LEASE, turn_from: 2 });
    expect(state.lease).toBe(LEASE);
    const next = turnOf(state, instance);
    await next.startLocals(START);
    expect(next.batch(LEASE, "n-2")).toMatchObject({ sequence: 3, turn_from: 2 });
  });
});

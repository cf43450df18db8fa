import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { HistoryEvent } from "../../sdk/core/events.ts";
import { RunState } from "../../sdk/core/run.ts";
import {
  cancelled,
  cancelRequested,
  completed,
  failed,
  fold,
  json,
  LEASE,
  leaseRenewed,
  local,
  queued,
  sideEffectRecorded,
  signal,
  started,
  T,
  terminated,
  timerCancelled,
  timerFired,
  timerScheduled,
} from "../support/core.ts";

const TURN = { lease: LEASE, turn_from: 1 } as const;

describe("what a log says about its run", () => {
  test("an empty log has seen nothing", () => {
    const state = new RunState();
    expect(state).toMatchObject({ next: 1, closed: false, lease: null, turnFrom: null, lastAt: 0 });
    expect(state.positionOf("start")).toBeUndefined();
  });

  test("the next event, the newest time and the start are known", () => {
    const late = { ...signal("a"), at: T + 50 };
    const state = fold([started(), late], [signal("b")]);
    // The clock of another writer is behind: time does not go back.
    expect(state).toMatchObject({ next: 4, lastAt: T + 50, started: started() });
  });

  test("lease, open turn and generation are those of the last batch (R11)", () => {
    const state = fold([started()], {
      events: [signal("a")],
      lease: LEASE,
      turn_from: 2,
    });
    expect(state).toMatchObject({ lease: LEASE, turnFrom: 2, generation: 0 });
  });

  test.for([
    [completed(), "WorkflowCompleted"],
    [failed(), "WorkflowFailed"],
    [cancelled(), "WorkflowCancelled"],
    [terminated(), "WorkflowTerminated"],
  ] as const)("%j closes it", ([event, type]) => {
    const state = fold([started(), event]);
    expect(state.closed).toBe(true);
    expect(state.terminal?.type).toBe(type);
  });

  test("the first cancel request counts, later ones are only known", () => {
    const state = fold([started(), cancelRequested("a"), signal("go"), cancelRequested("b")]);
    expect(state.cancelRequestedAt).toBe(2);
    expect(state.positionOf("sig/b")).toBeDefined();
  });

  test("timers are open until they fire or are cancelled", () => {
    const state = fold(
      [started(), timerScheduled(1, 10), timerScheduled(2), timerScheduled(3)],
      [timerFired(1), timerCancelled(2)],
    );
    expect([...state.openTimers.values()]).toEqual([
      { sequence: 3, fire_at: T + 1_000, announced_in: 1 },
    ]);
    expect(state.positionOf("fire/1")).toEqual({ batch: 5, selfContained: false });
    expect(state.positionOf("fire/2")).toBeUndefined();
  });

  test("side effects and renewals of the lease open nothing", () => {
    const state = fold([started(), sideEffectRecorded(1), leaseRenewed()]);
    expect(state.next).toBe(4);
    expect([state.openActivities.size, state.openTimers.size]).toEqual([0, 0]);
  });
});

describe("what a log says about a local activity", () => {
  const scheduled = local(1).scheduled({}, { schedule_to_close_deadline_at: T + 9 });
  const activityAfter = (...events: readonly HistoryEvent[]) =>
    fold([started(), scheduled], ...events.map((event) => [event])).openActivities.get(1);

  test("scheduled: no attempt yet, announced by its batch", () => {
    expect(activityAfter()).toMatchObject({
      phase: "scheduled",
      attempt: 0,
      scheduled_at: T,
      scheduled_in: 2,
      scheduled_batch: 1,
      announced_in: 1,
      schedule_to_close_deadline_at: T + 9,
      retry_due: false,
    });
  });

  test("started: attempt, deadline and time of the start", () => {
    expect(activityAfter(local(1).started(1, { close_deadline_at: T + 5 }))).toMatchObject({
      phase: "started",
      attempt: 1,
      started_at: T,
      close_deadline_at: T + 5,
    });
  });

  test("a heartbeat is kept for the next attempt (I-05)", () => {
    expect(activityAfter(local(1).started(), local(1).heartbeat({ done: 3 }))).toMatchObject({
      heartbeat_at: T,
      last_heartbeat: json({ done: 3 }),
    });
  });

  test("backing off: the retry is announced by its batch, the attempt stays that of the last start", () => {
    expect(activityAfter(local(1).started(), local(1).retryScheduled())).toMatchObject({
      phase: "backing_off",
      attempt: 1,
      retry_available_at: T + 1_000,
      announced_in: 4,
      scheduled_batch: 1,
      retry_due: false,
    });
  });

  test("the next attempt starts afresh, with the details of the last heartbeat only", () => {
    const activity = activityAfter(
      local(1).started(1, { close_deadline_at: T + 5 }),
      local(1).heartbeat(1),
      local(1).retryScheduled(),
      local(1).retryDue(),
      local(1).started(2),
    );
    expect(activity).toMatchObject({
      phase: "started",
      attempt: 2,
      retry_due: false,
      last_heartbeat: json(1),
    });
    for (const field of ["retry_available_at", "heartbeat_at", "close_deadline_at"])
      expect(activity).not.toHaveProperty(field);
  });

  test("a retry's details replace those of earlier heartbeats", () => {
    const retry = local(1).retryScheduled(1, { last_heartbeat: json("newer") });
    expect(activityAfter(local(1).started(), local(1).heartbeat("older"), retry)).toMatchObject({
      last_heartbeat: json("newer"),
    });
  });

  test.for([
    [local(1).completed()],
    [local(1).failed()],
    [local(1).timedOut()],
    [local(1).cancelled()],
  ])("%j ends it; no message announces that, so it gets no key (P5)", ([event]) => {
    if (event === undefined) throw new Error("a row without an event");
    const state = fold([started(), scheduled, local(1).started()], [event]);
    expect(state.openActivities.size).toBe(0);
    expect(state.positionOf("out/1/1")).toBeUndefined();
  });
});

describe("what a log says about a queued activity", () => {
  test("its first attempt is handed out with its schedule", () => {
    expect(fold([started(), queued(1).scheduled()]).openActivities.get(1)).toMatchObject({
      phase: "scheduled",
      attempt: 1,
    });
  });

  test.for([
    [queued(1).completed()],
    [queued(1).failed()],
    [queued(1).timedOut()],
    [queued(1).cancelled()],
  ])("%j ends it and is known as its outcome", ([event]) => {
    if (event === undefined) throw new Error("a row without an event");
    const state = fold([started(), queued(1).scheduled()], [event]);
    expect(state.openActivities.size).toBe(0);
    expect(state.positionOf("out/1/1")).toEqual({ batch: 3, selfContained: false });
  });

  test("a recorded start changes nothing: it stands beside its outcome", () => {
    const scheduled = fold([started(), queued(1).scheduled()]);
    const withStart = fold([started(), queued(1).scheduled(), queued(1).started()]);
    expect(withStart.openActivities.get(1)).toEqual(scheduled.openActivities.get(1));
  });

  test.for([
    // Recorded without a turn: settled as soon as its own dispatch is out.
    ["inbound", true],
    ["task", false],
  ] as const)("a retry from a %s batch hands out the next attempt", ([kind, selfContained]) => {
    const retry = queued(1).retryScheduled(1, { last_heartbeat: json(7) });
    const state = fold([started(), queued(1).scheduled()], { kind, events: [retry] });
    expect(state.openActivities.get(1)).toMatchObject({
      phase: "backing_off",
      attempt: 2,
      announced_in: 3,
      last_heartbeat: json(7),
    });
    expect(state.positionOf("out/1/1")).toEqual({ batch: 3, selfContained });
  });
});

describe("which local activities can run", () => {
  const state = fold([
    started(),
    local(1).scheduled(),
    local(2).scheduled(),
    local(2).started(),
    local(3).scheduled(),
    local(3).started(),
    local(3).retryScheduled(1, { retry_available_at: T + 500 }),
    local(4).scheduled(),
    local(4).started(),
    local(4).retryScheduled(1, { retry_available_at: T + 900 }),
    local(4).retryDue(),
    queued(5).scheduled(),
  ]);
  const numbers = (activities: readonly { readonly sequence: number }[]) =>
    activities.map(({ sequence }) => sequence);

  test.for([
    // 1 is new; 4 was said to be due by a message; 3 is due by the clock at its time.
    [T, [1, 4]],
    [T + 499, [1, 4]],
    [T + 500, [1, 3, 4]],
  ] as const)("at %i: %j", ([now, expected]) => {
    expect(numbers(state.startableLocals(now))).toEqual(expected);
  });

  test("a started one has an attempt without an outcome", () => {
    expect(numbers(state.startedLocals())).toEqual([2]);
  });
});

describe("which announced events the log holds, and in which batch", () => {
  const state = fold(
    [started(), local(1).scheduled(), queued(2).scheduled(), timerScheduled(3)],
    { kind: "inbound", events: [signal("go")] },
    [local(1).started()],
    [local(1).retryScheduled()],
    [local(1).retryDue(), cancelRequested("c")],
    [local(1).started(2), timerFired(3)],
    { kind: "inbound", events: [queued(2).completed()] },
    { kind: "inbound", events: [signal("go")] },
    [terminated("q")],
  );

  test.for([
    ["start", 1],
    ["sig/go-id", 5],
    // A retry is known once it is recorded as due, or else once it has started.
    ["due/1/1", 8],
    ["sig/c", 8],
    ["fire/3", 10],
    ["out/2/1", 12],
    ["sig/q", 14],
    // Not in the log: a local attempt whose retry is no outcome, and what was never announced.
    ["out/1/1", undefined],
    ["due/1/2", undefined],
    ["sig/other", undefined],
  ] as const)("%s: %s", ([key, batch]) => {
    expect(state.positionOf(key)?.batch).toBe(batch);
  });

  test("a retry that started without being recorded as due is known too", () => {
    const direct = fold(
      [started(), local(1).scheduled(), local(1).started(), local(1).retryScheduled()],
      [local(1).started(2)],
    );
    expect(direct.positionOf("due/1/1")).toEqual({ batch: 5, selfContained: false });
  });
});

describe("the end of an activity answers its wake-ups", () => {
  const limited = queued(1).scheduled(
    { schedule_to_start_ms: 5 },
    { schedule_to_close_deadline_at: T + 9 },
  );

  test.for([
    ["deadline/1/schedule_to_start/1", [limited, queued(1).completed()], true],
    ["deadline/1/schedule_to_close/1", [limited, queued(1).timedOut("schedule_to_start")], true],
    // No such deadline was announced.
    ["deadline/1/schedule_to_start/1", [queued(1).scheduled(), queued(1).completed()], false],
    ["deadline/1/schedule_to_close/1", [queued(1).scheduled(), queued(1).completed()], false],
    // Still open.
    ["deadline/1/schedule_to_close/1", [limited], false],
    // A local activity that was cancelled while it waited for its retry.
    [
      "due/1/1",
      [local(1).scheduled(), local(1).started(), local(1).retryScheduled(), local(1).cancelled()],
      true,
    ],
  ] as const)("%s behind %j: %s", ([key, events, known]) => {
    expect(fold([started(), ...events]).positionOf(key) !== undefined).toBe(known);
  });
});

describe("which turn consumed a batch (R2)", () => {
  // Batches:      1         2 inbound  3 task     4 inbound  5 task
  // Turn A: 1 to 3 under a lease, turn B: 5 alone.
  const state = fold(
    { events: [started()], ...TURN },
    { kind: "inbound", events: [signal("a")], ...TURN },
    [signal("b")],
    { kind: "inbound", events: [signal("c")] },
    [signal("d")],
  );

  test.for([
    [1, { from: 1, to: 3 }],
    [2, { from: 1, to: 3 }],
    [3, { from: 1, to: 3 }],
    [4, { from: 5, to: 5 }],
    [5, { from: 5, to: 5 }],
    // Behind the last turn: nobody has consumed it yet.
    [6, undefined],
  ] as const)("that of %i is %j", ([sequence, turn]) => {
    expect(state.turnThatConsumed(sequence)).toEqual(turn);
  });

  test("the turn that ended last is the last one", () => {
    expect(state.lastTurn()).toEqual({ from: 5, to: 5 });
    expect(fold({ events: [started()], ...TURN }).lastTurn()).toBeUndefined();
  });

  test("an open turn has consumed nothing yet", () => {
    expect(fold({ events: [started()], ...TURN }).turnThatConsumed(1)).toBeUndefined();
  });

  test("in any log, it is the first ended turn whose last batch is not before the batch", () => {
    const kinds = fc.array(fc.constantFrom("inbound", "task", "leased"), { maxLength: 40 });
    fc.assert(
      fc.property(kinds, (steps) => {
        const ends: number[] = [];
        let turnFrom: number | null = null;
        const parts = [["start"], ...steps.map((step) => [step])].map(([step], index) => {
          const sequence = index + 1;
          const events = [index === 0 ? started() : signal(`s${index}`)];
          if (step === "leased") turnFrom ??= sequence;
          if (step === "task" || step === "start") {
            ends.push(sequence);
            turnFrom = null;
          }
          const kind = step === "inbound" ? ("inbound" as const) : ("task" as const);
          return { events, kind, turn_from: turnFrom, lease: turnFrom === null ? null : LEASE };
        });
        const folded = fold(...parts);
        for (let sequence = 1; sequence <= parts.length; sequence++)
          expect(folded.turnThatConsumed(sequence)?.to).toBe(ends.find((end) => end >= sequence));
      }),
    );
  });
});

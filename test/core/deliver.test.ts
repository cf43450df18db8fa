import { describe, expect, test } from "vitest";
import { deliver, hasCancellable, isCancelled, isSelfContained } from "../../sdk/core/deliver.ts";
import type { Announcement, AttemptOutcome } from "../../sdk/core/messages.ts";
import {
  cancelRequested,
  failure,
  fold,
  json,
  local,
  queued,
  signal,
  started,
  T,
  terminated,
  timerScheduled,
} from "../support/core.ts";

const AT = T + 700;
const COMPLETED: AttemptOutcome = { kind: "completed", result: json(7) };
const FAILED: AttemptOutcome = { kind: "failed", failure: failure() };

function outcome(sequence: number, attempt: number, ended: AttemptOutcome): Announcement {
  return { kind: "outcome", sequence, attempt, outcome: ended };
}
function retry(sequence: number, attempt: number): Announcement {
  return { kind: "retry", sequence, attempt, due: T };
}
function deadline(
  sequence: number,
  timeout_kind: "schedule_to_start" | "schedule_to_close",
): Announcement {
  return { kind: "deadline", sequence, timeout_kind, attempt: 1, due: T };
}

/** 1 queued and handed out, 2 local and running, 3 local and backing off, 4 a timer, 5 queued, retried. */
function open() {
  return fold([
    started(),
    queued(1).scheduled({ schedule_to_start_ms: 100 }),
    local(2).scheduled(),
    local(2).started(),
    local(3).scheduled(),
    local(3).started(),
    local(3).retryScheduled(),
    timerScheduled(4),
    queued(5, "ship").scheduled(),
    queued(5, "ship").retryScheduled(),
  ]);
}

describe("what a message adds to the log", () => {
  test.for([
    // The start is put there by whoever writes the first batch; a check only wakes.
    [{ kind: "start" }, []],
    [{ kind: "check", at: T }, []],
    // Requests carry their event; the time is that of the append.
    [{ kind: "request", event: signal("go", 1) }, [{ ...signal("go", 1), at: AT }]],
    [{ kind: "request", event: terminated() }, [{ ...terminated(), at: AT }]],
    [{ kind: "timer", sequence: 4, due: T }, [{ type: "TimerFired", at: AT, sequence: 4 }]],
    [retry(3, 1), [{ ...local(3).retryDue(1), at: AT }]],
    [outcome(1, 1, COMPLETED), [{ ...queued(1).completed(7), at: AT }]],
    [
      outcome(1, 1, { kind: "cancelled", worker: "w-1" }),
      [{ ...queued(1).cancelled(), at: AT, worker: "w-1" }],
    ],
    // Attempt 2 of activity 5 was handed out by its retry.
    [outcome(5, 2, COMPLETED), [{ ...queued(5, "ship").completed(7, 2), at: AT }]],
    [deadline(1, "schedule_to_start"), [{ type: "ActivityTimedOut", sequence: 1, at: AT }]],
    [deadline(5, "schedule_to_close"), [{ type: "ActivityTimedOut", sequence: 5, at: AT }]],
  ] satisfies readonly (readonly [Announcement, readonly object[]])[])(
    "%j adds %j",
    ([announces, events]) => {
      expect(deliver(open(), announces, AT, "r-1")).toMatchObject(events);
    },
  );

  test.for([
    ["a timer that is not open", { kind: "timer", sequence: 1, due: T }],
    ["an outcome of an activity that is not open", outcome(9, 1, COMPLETED)],
    ["an outcome of an earlier attempt (D10)", outcome(5, 1, COMPLETED)],
    ["an outcome of a local activity", outcome(2, 1, COMPLETED)],
    ["a retry of a running attempt", retry(2, 1)],
    ["a retry of another attempt", retry(3, 2)],
    ["a retry of an activity that is not open", retry(9, 1)],
    ["a deadline of an activity that is not open", deadline(9, "schedule_to_close")],
    ["a deadline of a local activity", deadline(2, "schedule_to_close")],
    ["a deadline to start of an activity that was started once", deadline(5, "schedule_to_start")],
  ] satisfies readonly (readonly [string, Announcement])[])("%s is void (R5)", ([, announces]) => {
    expect(deliver(open(), announces, AT, "r-1")).toBe("void");
  });

  test("a retry that is recorded as due already is void", () => {
    const state = open();
    state.fold(local(3).retryDue(1));
    expect(deliver(state, retry(3, 1), AT, "r-1")).toBe("void");
  });

  test("the start of a queued attempt is recorded together with its outcome", () => {
    const ended: AttemptOutcome = {
      ...COMPLETED,
      started_at: T + 20,
      worker: "w-1",
      last_heartbeat: json("half"),
    };
    const known = { started_at: T + 20, worker: "w-1", last_heartbeat: json("half") };
    expect(deliver(open(), outcome(1, 1, ended), AT, "r-1")).toEqual([
      { ...queued(1).started(1), at: AT, workflow_task_id: "w-1" },
      { ...queued(1).completed(7), at: AT, ...known },
    ]);
  });

  test("a worker that gave no name leaves none", () => {
    const ended: AttemptOutcome = { ...COMPLETED, started_at: T + 20 };
    const [start] = deliver(open(), outcome(1, 1, ended), AT, "r-1");
    expect(start).toEqual({ ...queued(1).started(1), at: AT });
  });

  test("a failure that is retried needs no turn, one that ends the activity does (R7)", () => {
    const retried = deliver(open(), outcome(1, 1, FAILED), AT, "r-1");
    expect(retried).toMatchObject([{ type: "ActivityRetryScheduled", sequence: 1 }]);
    expect(isSelfContained(retried === "void" ? [] : retried)).toBe(true);
    expect(isSelfContained([queued(1).failed()])).toBe(false);
  });
});

describe("after a cancel request (J-02, J-04)", () => {
  function asked() {
    const state = open();
    state.fold(cancelRequested());
    state.beginBatch("task");
    state.fold(queued(6, "refund").scheduled());
    return state;
  }

  test("outcomes of what was scheduled before it are dropped: the activity is cancelled", () => {
    expect(deliver(asked(), outcome(1, 1, COMPLETED), AT, "r-1")).toMatchObject([
      { type: "ActivityCancelled", sequence: 1 },
    ]);
    expect(deliver(asked(), deadline(1, "schedule_to_start"), AT, "r-1")).toMatchObject([
      { type: "ActivityCancelled", sequence: 1 },
    ]);
  });

  test("what the code scheduled afterwards is its cleaning up, and counts", () => {
    expect(deliver(asked(), outcome(6, 1, COMPLETED), AT, "r-1")).toMatchObject([
      { type: "ActivityCompleted", sequence: 6 },
    ]);
  });

  test("an activity is cancelled when it was scheduled before the request", () => {
    const state = asked();
    const cancelled = [...state.openActivities.values()].map(
      (activity) => [activity.sequence, isCancelled(state, activity)] as const,
    );
    expect(cancelled).toEqual([
      [1, true],
      [2, true],
      [3, true],
      [5, true],
      [6, false],
    ]);
    const [first] = open().openActivities.values();
    if (first === undefined) throw new Error("an open activity");
    expect(isCancelled(open(), first)).toBe(false);
  });
});

describe("a cancel request finds something to end (E1, J-02)", () => {
  test.for([
    // Nobody asked to cancel.
    ["a queued activity, and no request", [queued(1).scheduled()], false],
    ["a queued activity", [queued(1).scheduled(), cancelRequested()], true],
    // A running local body ends itself at its next boundary.
    ["a running local body", [local(1).scheduled(), local(1).started(), cancelRequested()], false],
    [
      "a local retry that waits",
      [local(1).scheduled(), local(1).started(), local(1).retryScheduled(), cancelRequested()],
      true,
    ],
    // What is asked for after the request is the workflow's cleaning up.
    ["an activity of the cleanup", [cancelRequested(), queued(1).scheduled()], false],
  ] as const)("%s", ([, events, expected]) => {
    expect(hasCancellable(fold([started(), ...events]))).toBe(expected);
  });
});

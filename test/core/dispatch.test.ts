import { describe, expect, test } from "vitest";
import { cancelledAttempts, openDispatches, wakeUp } from "../../sdk/core/dispatch.ts";
import {
  completed,
  fold,
  json,
  type LogPart,
  local,
  queued,
  RUN,
  started,
  T,
  timerFired,
  timerScheduled,
} from "../support/core.ts";

/** The dispatches of a log, in short: message id and when it is due. */
function dispatches(parts: readonly LogPart[], from: number = 1, to: number = 99) {
  return openDispatches(RUN, fold(...parts), from, to).map(({ message, due }) => [
    message.message_id,
    due === undefined ? "at once" : due - T,
  ]);
}

describe("what a batch announces (protocol section 3)", () => {
  test.for([
    ["nothing", [], []],
    ["a queued activity, at once", [queued(1).scheduled()], [["r-1/activity/1/1", "at once"]]],
    ["a local activity: nothing", [local(1).scheduled()], []],
    ["a running local attempt: nothing", [local(1).scheduled(), local(1).started()], []],
    [
      "a local retry, at its time",
      [local(1).scheduled(), local(1).started(), local(1).retryScheduled()],
      [["r-1/due/1/1", 1_000]],
    ],
    [
      "a queued retry, at its time",
      [queued(1).scheduled(), queued(1).retryScheduled()],
      [["r-1/activity/1/2", 1_000]],
    ],
    ["a timer, at its time", [timerScheduled(1, 50)], [["r-1/fire/1", 50]]],
    // H-02, C14: ends what nobody picks up or finishes in time.
    [
      "the deadlines of a queued activity",
      [
        queued(1).scheduled(
          { schedule_to_start_ms: 30 },
          { schedule_to_close_deadline_at: T + 90 },
        ),
      ],
      [
        ["r-1/activity/1/1", "at once"],
        ["r-1/deadline/1/schedule_to_start/1", 30],
        ["r-1/deadline/1/schedule_to_close/1", 90],
      ],
    ],
    [
      "no deadline to start once it was started",
      [queued(1).scheduled({ schedule_to_start_ms: 30 }), queued(1).retryScheduled()],
      [["r-1/activity/1/2", 1_000]],
    ],
    [
      "no deadline of a local activity: its turn watches it",
      [local(1).scheduled({}, { schedule_to_close_deadline_at: T + 90 })],
      [],
    ],
    // What is answered is announced no more.
    ["an answered activity: nothing", [queued(1).scheduled(), queued(1).completed()], []],
    ["a fired timer: nothing", [timerScheduled(1), timerFired(1)], []],
  ] as const)("%s", ([, events, expected]) => {
    expect(dispatches([[started(), ...events]])).toEqual(expected);
  });

  test("a closed run announces nothing", () => {
    expect(
      dispatches([[started(), queued(1).scheduled(), timerScheduled(2), completed()]]),
    ).toEqual([]);
  });

  test("only what the asked batches announced, first and last included (R6)", () => {
    const parts = [
      [started()],
      [queued(1).scheduled({}, { schedule_to_close_deadline_at: T + 90 })],
      [timerScheduled(2, 5)],
      [queued(1).retryScheduled()],
    ];
    const deadline = ["r-1/deadline/1/schedule_to_close/1", 90];
    // The retry's batch announces the next attempt; its deadline stays that of the schedule.
    expect(dispatches(parts, 2, 2)).toEqual([deadline]);
    expect(dispatches(parts, 3, 3)).toEqual([["r-1/fire/2", 5]]);
    expect(dispatches(parts, 4, 4)).toEqual([["r-1/activity/1/2", 1_000]]);
    expect(dispatches(parts, 2, 4)).toHaveLength(3);
    expect(dispatches(parts, 5, 9)).toEqual([]);
  });
});

describe("attempts that a batch cancelled: their workers are told (J-05)", () => {
  test("queued ones with the attempt that was handed out, local ones never", () => {
    const state = fold(
      [started(), queued(1).scheduled(), queued(2).scheduled(), local(3).scheduled()],
      [queued(1).cancelled(), local(3).cancelled()],
      [queued(2).retryScheduled()],
      [queued(2).cancelled(2)],
    );
    expect(cancelledAttempts(state, 1, 4)).toEqual([]);
    expect(cancelledAttempts(state, 5, 7)).toEqual([{ batch: 5, sequence: 1, attempt: 1 }]);
    expect(cancelledAttempts(state, 5, 8)).toHaveLength(2);
    expect(cancelledAttempts(state, 8, 8)).toEqual([{ batch: 8, sequence: 2, attempt: 2 }]);
  });
});

describe("messages", () => {
  test("an activity message hands out one attempt, with everything that its worker needs", () => {
    const state = fold([
      started(),
      queued(1).scheduled(
        { queue: "slow" },
        { arguments: json([1]), schedule_to_close_deadline_at: T + 90_000 },
      ),
      queued(1).retryScheduled(1, { last_heartbeat: json("half") }),
    ]);
    expect(openDispatches(RUN, state, 1, 1)[0]).toEqual({
      message: {
        schema: 1,
        type: "activity_task",
        message_id: "r-1/activity/1/2",
        ...RUN,
        workflow_type: "order",
        sequence: 1,
        attempt: 2,
        activity_type: "charge",
        arguments: json([1]),
        options: { queue: "slow" },
        scheduled_at: T,
        from: 1,
        schedule_to_close_deadline_at: T + 90_000,
        last_heartbeat: json("half"),
      },
      due: T + 1_000,
    });
  });

  test("a wake-up has the same id whenever it is sent again", () => {
    const message = wakeUp(RUN, { kind: "timer", sequence: 4, due: T }, 7);
    expect(message).toEqual({
      schema: 1,
      type: "workflow_task",
      message_id: "r-1/fire/4",
      ...RUN,
      announces: { kind: "timer", sequence: 4, due: T },
      from: 7,
    });
    expect(wakeUp(RUN, { kind: "timer", sequence: 4, due: T + 9 }, 8).message_id).toBe(
      message.message_id,
    );
  });
});

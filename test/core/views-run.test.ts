/** Run details and exports of runs that hold what is rare. */
import { describe, expect, test } from "vitest";
import type { HistoryEvent } from "../../sdk/core/events.ts";
import { FUNCTION_NAMES } from "../../sdk/core/test-points.ts";
import { activityPayloads } from "../../sdk/core/views/activities.ts";
import { foldActivities, type LiveAttempt } from "../../sdk/core/views/activity-facts.ts";
import { canonicalJson } from "../../sdk/core/views/canonical-json.ts";
import { historyExport } from "../../sdk/core/views/history-export.ts";
import {
  detailPayloads,
  type RunFacts,
  runAsLogged,
  runDetail,
  workflowSummary,
} from "../../sdk/core/views/run-detail.ts";
import { failureView, payloadsOf } from "../../sdk/core/views/values.ts";
import {
  completed,
  failure,
  json,
  local,
  log,
  queued,
  RUN,
  sideEffectRecorded,
  sideEffectThrew,
  started,
  T,
  terminated,
  timerCancelled,
  timerFired,
  timerScheduled,
} from "../support/core.ts";
import { show } from "./view-fixtures.ts";

const ROW: RunFacts = {
  ...RUN,
  workflow_type: "order",
  status: "pending",
  input: json({ total: 1 }),
  started_at: T,
};
const LIVE: LiveAttempt = {
  sequence: 1,
  attempt: 1,
  worker: "w-1",
  started_at: T + 1,
  until: T + 9,
};

function exportOf(...events: readonly HistoryEvent[]) {
  const batches = log([started(), ...events]);
  return historyExport({
    run: ROW,
    batches,
    activities: foldActivities(batches, []),
    show,
    exportedAt: T,
    sha256: () => "hash",
  });
}

describe("a row, corrected by the log", () => {
  test.for([
    ["nothing logged yet", [], "pending", null],
    ["an open log", [[started()]], "running", null],
    ["a closed log", [[started()], [completed()]], "completed", "2030-01-01T00:00:00.000Z"],
  ] as const)("%s: %s", ([, parts, status, closed_at]) => {
    expect(workflowSummary(runAsLogged(ROW, log(...parts)))).toMatchObject({ status, closed_at });
  });

  test("a row that knows of an end before its log was read keeps it", () => {
    const closed: RunFacts = { ...ROW, status: "cancelled", closed_at: T };
    expect(runAsLogged(closed, log([started()]))).toBe(closed);
  });
});

describe("a detail loads the most wanted values first", () => {
  test("result, input, then those of its activities", () => {
    const batches = log([
      started(),
      local(1).scheduled(),
      local(1).started(),
      local(1).heartbeat("half"),
      local(1).completed("done"),
      completed("all"),
    ]);
    const activities = foldActivities(batches, []);
    expect(detailPayloads(ROW, batches, activities)).toEqual([
      json("all"),
      json({ total: 1 }),
      json([]),
      json("done"),
      json("half"),
    ]);
    expect(detailPayloads(ROW, [], [])).toEqual([json({ total: 1 })]);
    expect(activities.flatMap(activityPayloads)).toHaveLength(3);
  });

  test("and shows the failing task, and attempts whose worker gave no name", () => {
    const batches = log([started(), local(1).scheduled(), local(1).started()]);
    const failing = { ...ROW, task_failure: { code: "internal", message: "m", at: T, count: 2 } };
    expect(runDetail(failing, batches, foldActivities(batches, []), show)).toMatchObject({
      status: "running",
      task_failure: { at: "2030-01-01T00:00:00.000Z", count: 2 },
      activities: [{ attempts: [{ status: "running", lease_owner: null }] }],
    });
    // A task has written since: the failure is over, whatever the row still says.
    const over = { ...ROW, task_failure: { ...failing.task_failure, at: T - 1 } };
    expect(runDetail(over, batches, [], show).task_failure).toBeNull();
  });

  test("a side effect that threw has none", () => {
    expect(payloadsOf(sideEffectThrew(1, failure()))).toEqual([]);
    expect(payloadsOf(sideEffectRecorded(1, 5))).toEqual([json(5)]);
  });
});

describe("what a damaged log or a row too many cannot break", () => {
  test("the end of a timer that was never scheduled is no timer", () => {
    const detail = runDetail(ROW, log([started(), timerFired(7)]), [], show);
    expect(detail.timers).toEqual([]);
  });

  test("a row of an activity that the log does not know, and a heartbeat of no attempt", () => {
    const batches = log([started(), local(1).scheduled(), local(1).heartbeat("lost")]);
    const [facts, ...more] = foldActivities(batches, [{ ...LIVE, sequence: 9 }]);
    expect(more).toEqual([]);
    expect(facts).toMatchObject({ status: "pending", attempts: new Map() });
  });
});

test("a row that was concluded before any worker claimed it is no attempt (C14)", () => {
  const batches = log([started(), queued(1).scheduled(), queued(1).cancelled()]);
  const unclaimed = { ...LIVE, sequence: 1, attempt: 1, worker: "", started_at: 0 };
  expect(foldActivities(batches, [unclaimed])[0]).toMatchObject({
    status: "cancelled",
    attempts: new Map(),
  });
});

describe("activities that ended in a rare way", () => {
  const factsOf = (events: readonly HistoryEvent[], ...live: readonly LiveAttempt[]) =>
    foldActivities(log([started(), ...events]), live)[0];

  test("a retry that was recorded as due is still pending", () => {
    expect(
      factsOf([
        local(1).scheduled(),
        local(1).started(),
        local(1).retryScheduled(),
        local(1).retryDue(),
      ]),
    ).toMatchObject({ status: "pending", retry: { retry_available_at: T + 1_000 } });
  });

  test("an outcome that tells its own start makes the attempt known", () => {
    const ended = { ...queued(1).completed(), started_at: T + 3, worker: "w-2" };
    expect(factsOf([queued(1).scheduled(), ended])?.attempts.get(1)).toMatchObject({
      status: "completed",
      startedAt: T + 3,
      owner: "w-2",
    });
  });

  test.for([
    [{ kind: "completed", result: json(1) }, "completed", undefined],
    [{ kind: "cancelled" }, "cancelled", undefined],
    [{ kind: "timed_out", timeout_kind: "heartbeat" }, "expired", "heartbeat"],
  ] as const)("a worker's %j is shown before it is in the log", ([outcome, status, kind]) => {
    const facts = factsOf([queued(1).scheduled()], { ...LIVE, outcome });
    expect(facts?.attempts.get(1)).toMatchObject({ status });
    expect(facts?.attempts.get(1)?.timeoutKind).toBe(kind);
  });

  test("an attempt that still runs when its activity was cancelled counts as cancelled", () => {
    const facts = factsOf([queued(1).scheduled(), queued(1).cancelled()], LIVE);
    expect(facts?.attempts.get(1)).toMatchObject({ status: "cancelled", closedAt: T });
  });

  test("the end of the run leaves alone what had ended before", () => {
    const facts = factsOf([
      local(1).scheduled(),
      local(1).started(),
      local(1).retryScheduled(),
      local(1).started(2),
      { ...terminated(), at: T + 50 },
    ]);
    expect([...(facts?.attempts.values() ?? [])].map(({ status }) => status)).toEqual([
      "failed",
      "cancelled",
    ]);
    const done = factsOf([
      local(1).scheduled(),
      local(1).started(),
      local(1).completed(),
      { ...terminated(), at: T + 50 },
    ]);
    expect(done).toMatchObject({ status: "completed", closedAt: T });
  });
});

describe("exports of rare histories", () => {
  test("timers show how they ended, and when", () => {
    const { timers } = exportOf(
      timerScheduled(1),
      timerScheduled(2),
      timerScheduled(3),
      timerFired(1, T + 1_000),
      timerCancelled(2),
    );
    expect(timers).toMatchObject([
      { status: "fired", fired_at: "2030-01-01T00:00:01.000Z", cancelled_at: null },
      { status: "cancelled", fired_at: null, cancelled_at: "2030-01-01T00:00:00.000Z" },
      { status: "open", fired_at: null, cancelled_at: null },
    ]);
  });

  test("an open run is not complete, and has no output yet", () => {
    expect(exportOf()).toMatchObject({ history_complete: false, dedupe_key: "r-1:1" });
    expect(exportOf(completed(7)).payloads).toMatchObject({ output: { available: true, data: 7 } });
  });

  test("an activity without an attempt, and a side effect that threw", () => {
    const { activities, failures } = exportOf(
      queued(1).scheduled(),
      sideEffectThrew(2, failure("NoDice")),
    );
    expect(activities).toMatchObject([{ current_attempt_id: null, attempts: [] }]);
    expect(failures).toMatchObject([{ source_kind: "side_effect", type: "NoDice" }]);
  });
});

test("a timeout that a workflow did not catch shows which limit it was (H-04)", () => {
  const fields = {
    activity_type: "charge",
    sequence: 1,
    attempts: 3,
    outcome: "timed_out",
  } as const;
  expect(failureView(failure("TimeoutError", { activity: fields })).activity).toEqual(fields);
  const kind = { ...fields, timeout_kind: "heartbeat" } as const;
  expect(failureView(failure("TimeoutError", { activity: kind })).activity).toEqual(kind);
});

test("canonical JSON writes what JSON cannot hold as JSON does", () => {
  expect(canonicalJson([undefined, { gone: undefined }, -0])).toBe("[null,{},0]");
  expect(canonicalJson(undefined)).toBe("null");
});

test("the functions of a deployment are these four, on every target", () => {
  expect(FUNCTION_NAMES).toEqual(["workflow-task", "activity-task", "api", "sweeper"]);
});

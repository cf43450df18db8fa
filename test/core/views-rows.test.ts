/** The rows, snapshots and timelines of activities: what they say of each state of one. */
import { describe, expect, test } from "vitest";
import type { HistoryEvent } from "../../sdk/core/events.ts";
import {
  type ActivityFacts,
  ActivityFold,
  foldActivities,
} from "../../sdk/core/views/activity-facts.ts";
import { attemptRows, executionRow } from "../../sdk/core/views/activity-rows.ts";
import {
  activitySnapshot,
  attemptSnapshot,
  deadlineFields,
} from "../../sdk/core/views/activity-snapshots.ts";
import { HistoryContext, numberedEvents } from "../../sdk/core/views/history.ts";
import { EXPORT_SNAPSHOTS_MAX, historyExport } from "../../sdk/core/views/history-export.ts";
import { attemptSpans, timelineEntry } from "../../sdk/core/views/timeline.ts";
import { EVERY_EVENT } from "../contract/fixtures.ts";
import { historyProblems, problems } from "../support/local-schema.ts";
import { batchesOf, CARD_DECLINED, LOCAL, QUEUED, show, T } from "./view-fixtures.ts";

const RUN = { namespace: "shop", workflow_id: "o-1", run_id: "r" };

const scheduled: HistoryEvent = {
  ...LOCAL,
  type: "ActivityScheduled",
  at: T,
  arguments: { json: "[1]" },
  options: { heartbeat_ms: 4_000, schedule_to_close_ms: 60_000 },
  schedule_to_close_deadline_at: T + 60_000,
};
const started = (attempt_number: number): HistoryEvent => ({
  ...LOCAL,
  type: "ActivityStarted",
  at: T + attempt_number * 10,
  attempt_number,
  lease_expires_at: T + 30_000,
  close_deadline_at: T + 20_000,
  workflow_task_id: `task-${attempt_number}`,
});
const beat: HistoryEvent = {
  ...LOCAL,
  type: "ActivityHeartbeatRecorded",
  at: T + 15,
  attempt_number: 1,
  progress: { json: "7" },
  lease_expires_at: T + 45_000,
};
const retry: HistoryEvent = {
  ...LOCAL,
  type: "ActivityRetryScheduled",
  at: T + 16,
  attempt_number: 1,
  retry_reason: "failure",
  retry_available_at: T + 1_016,
  retry_backoff_ms: 1_000,
  failure: CARD_DECLINED,
};
const interrupted: HistoryEvent = {
  ...LOCAL,
  type: "ActivityFailed",
  at: T + 90,
  attempt_number: 2,
  failure: { ...CARD_DECLINED, type: "ActivityInterrupted", category: "activity" },
};

function factsAfter(...events: readonly HistoryEvent[]): ActivityFacts {
  const fold = new ActivityFold();
  for (const event of events) fold.fold(event);
  const [facts] = fold.activities.values();
  if (facts === undefined) throw new Error("no activity was scheduled");
  return facts;
}

function exportOf(...events: readonly HistoryEvent[]) {
  const batches = batchesOf(events);
  return historyExport({
    run: { ...RUN, workflow_type: "w", status: "running", input: { json: "1" }, started_at: T },
    batches,
    activities: foldActivities(batches, []),
    show,
    exportedAt: T,
    sha256: () => "",
  });
}

function checkedRows(facts: ActivityFacts) {
  const execution = executionRow(RUN, facts);
  const attempts = attemptRows(RUN, facts);
  // As the adapter writes them: values as JSON text.
  const text = (value: unknown) => (value === undefined ? {} : JSON.stringify(value));
  const marker = { execution_mode: "local", local_activity: true };
  const { exception, result } = execution;
  expect(
    problems({
      activity_execution: {
        ...execution,
        ...marker,
        arguments: text(execution.arguments),
        ...(result === undefined ? {} : { result: text(result) }),
        ...(exception === undefined ? {} : { exception: text(exception) }),
      },
    }),
  ).toEqual([]);
  for (const { last_heartbeat_progress: progress, ...attempt } of attempts)
    expect(
      problems({
        activity_attempt: {
          ...attempt,
          ...marker,
          ...(progress === undefined ? {} : { last_heartbeat_progress: text(progress) }),
        },
      }),
    ).toEqual([]);
  return { execution, attempts };
}

describe("rows", () => {
  test("a new local execution has no attempt and no deadline of one (V-09)", () => {
    const { execution, attempts } = checkedRows(factsAfter(scheduled));
    expect(execution).toMatchObject({
      status: "pending",
      attempt_count: 0,
      schedule_to_close_deadline_at: T + 60_000,
      created_at: T,
      updated_at: T,
    });
    for (const name of ["current_attempt_id", "started_at", "close_deadline_at", "closed_at"])
      expect(execution).not.toHaveProperty(name);
    expect(attempts).toEqual([]);
  });

  test("while an attempt runs its deadlines stand in the row, the heartbeat's moved by each beat (H-03)", () => {
    expect(checkedRows(factsAfter(scheduled, started(1))).execution).toMatchObject({
      status: "running",
      attempt_count: 1,
      current_attempt_id: "r/1/1",
      close_deadline_at: T + 20_000,
      heartbeat_deadline_at: T + 4_010,
    });
    const { execution, attempts } = checkedRows(factsAfter(scheduled, started(1), beat));
    expect(execution).toMatchObject({
      heartbeat_deadline_at: T + 4_015,
      last_heartbeat_at: T + 15,
      updated_at: T + 15,
    });
    expect(attempts).toMatchObject([
      { status: "running", lease_expires_at: T + 45_000, last_heartbeat_progress: { json: "7" } },
    ]);
  });

  test("between attempts nothing runs, and the first start stays the execution's (G-07)", () => {
    const { execution } = checkedRows(factsAfter(scheduled, started(1), retry));
    expect(execution).toMatchObject({ status: "pending", attempt_count: 1, started_at: T + 10 });
    expect(execution).not.toHaveProperty("heartbeat_deadline_at");
    const second = checkedRows(factsAfter(scheduled, started(1), retry, started(2), interrupted));
    expect(second.execution).toMatchObject({ status: "failed", started_at: T + 10 });
    expect(second.attempts.map(({ status }) => status)).toEqual(["failed", "expired"]);
  });

  test("a cancel or a deadline during a backoff leaves the attempt before it as it ended (J-03)", () => {
    const cancelled: HistoryEvent = {
      ...LOCAL,
      type: "ActivityCancelled",
      at: T + 50,
      attempt_number: 1,
    };
    const { execution, attempts } = checkedRows(
      factsAfter(scheduled, started(1), retry, cancelled),
    );
    expect(execution).toMatchObject({ status: "cancelled", closed_at: T + 50 });
    expect(attempts).toMatchObject([{ status: "failed", closed_at: T + 16 }]);
  });

  test("a retry that is due changes no row, and the end of the run ends what is open", () => {
    const fold = new ActivityFold();
    for (const event of [scheduled, started(1), retry]) fold.fold(event);
    const due: HistoryEvent = { ...LOCAL, type: "ActivityRetryDue", at: T + 20, attempt_number: 1 };
    expect(fold.fold(due)).toEqual([]);
    expect(fold.fold({ type: "LeaseRenewed", at: T + 21 })).toEqual([]);
    const ended = fold.fold({ type: "WorkflowCancelled", at: T + 30 });
    expect(ended.map(({ status, updatedAt }) => [status, updatedAt])).toEqual([
      ["cancelled", T + 30],
    ]);
  });

  test("a heartbeat of an attempt that the log does not know changes nothing of it", () => {
    const facts = factsAfter(scheduled, beat);
    expect(facts.attempts.size).toBe(0);
  });
});

describe("snapshots", () => {
  test("what is null is left out", () => {
    const facts = factsAfter(scheduled);
    expect(Object.keys(activitySnapshot("r", facts))).not.toContain("attempt_id");
    expect(activitySnapshot("r", facts)).not.toHaveProperty("queue");
    expect(deadlineFields(facts, undefined)).toEqual({
      schedule_to_close_deadline_at: "2026-03-01T12:01:00.000Z",
    });
  });

  test("a queued activity shows its queue, and a worker's limit to begin", () => {
    const facts = factsAfter({
      ...QUEUED,
      type: "ActivityScheduled",
      at: T,
      arguments: { json: "[]" },
      options: { schedule_to_start_ms: 1_000 },
    });
    expect(activitySnapshot("r", facts)).toMatchObject({ queue: "default" });
    expect(deadlineFields(facts, undefined)).toEqual({
      schedule_deadline_at: "2026-03-01T12:00:01.000Z",
    });
  });

  test("a timeout names all its deadlines, and a cancel the request that asked for it", () => {
    const events: readonly HistoryEvent[] = [
      scheduled,
      started(1),
      beat,
      {
        ...LOCAL,
        type: "ActivityTimedOut",
        at: T + 5_000,
        attempt_number: 1,
        timeout_kind: "heartbeat",
        failure: CARD_DECLINED,
      },
      { type: "CancelRequested", at: T + 5_001, request_id: "c-1" },
      { ...scheduled, sequence: 2 },
      { ...LOCAL, sequence: 2, type: "ActivityCancelled", at: T + 5_002, attempt_number: 1 },
    ];
    const numbered = numberedEvents(batchesOf(events));
    const context = new HistoryContext(RUN, numbered);
    const views = numbered.map((event) => context.view(event, show));
    expect(historyProblems(views)).toEqual([]);
    expect(views[3]?.payload).toMatchObject({
      close_deadline_at: "2026-03-01T12:00:20.000Z",
      heartbeat_deadline_at: "2026-03-01T12:00:04.015Z",
      schedule_to_close_deadline_at: "2026-03-01T12:01:00.000Z",
    });
    expect(views[6]?.payload["workflow_command_id"]).toBe("c-1");
  });

  test("an attempt's snapshot is what its row says", () => {
    const facts = factsAfter(scheduled, started(1), beat);
    const attempt = facts.attempts.get(1);
    if (attempt === undefined) throw new Error("attempt 1 started");
    expect(attemptSnapshot("r", facts, attempt)).toEqual({
      id: "r/1/1",
      activity_execution_id: "r/1",
      task_id: "task-1",
      attempt_number: 1,
      status: "running",
      lease_owner: "task-1",
      started_at: "2026-03-01T12:00:00.010Z",
      last_heartbeat_at: "2026-03-01T12:00:00.015Z",
      lease_expires_at: "2026-03-01T12:00:45.000Z",
    });
  });

  test("an export names the tasks that open local retries wait for, whatever led to them (T-04)", () => {
    const timeout: HistoryEvent = { ...retry, retry_reason: "timeout", timeout_kind: "heartbeat" };
    const queued: HistoryEvent = { ...scheduled, ...QUEUED };
    const again: HistoryEvent = { ...retry, ...QUEUED };
    for (const [events, kind] of [
      [[scheduled, started(1), retry], null],
      [[scheduled, started(1), timeout], "heartbeat"],
    ] as const) {
      const { tasks } = exportOf(...events);
      expect(tasks).toMatchObject([{ id: "r/due/1/1", payload: { timeout_kind: kind } }]);
      expect(problems({ workflow_task: tasks[0]?.["payload"] })).toEqual([]);
    }
    expect(exportOf(scheduled, started(1)).tasks).toEqual([]);
    expect(exportOf(queued, again).tasks).toEqual([]);
  });

  test("a long export leaves the snapshots out and keeps the list of activities", () => {
    const beats = Array.from({ length: EXPORT_SNAPSHOTS_MAX }, () => beat);
    const bundle = exportOf(scheduled, started(1), ...beats);
    for (const { payload } of bundle.history_events) {
      expect(payload).not.toHaveProperty("activity");
      expect(payload).not.toHaveProperty("activity_attempt");
    }
    expect(bundle.activities).toHaveLength(1);
  });

  test("an event is recorded by the task that held the lease of its batch", () => {
    const [batch] = batchesOf([scheduled]);
    if (batch === undefined) throw new Error("a batch");
    const lease = { owner: "task-9", until: T, alarm: "m" };
    const shown = (kind: "task" | "inbound") => {
      const numbered = numberedEvents([{ ...batch, kind, lease }]);
      const [event] = numbered;
      if (event === undefined) throw new Error("an event");
      return new HistoryContext(RUN, numbered).view(event, show).payload["workflow_task_id"];
    };
    expect([shown("task"), shown("inbound")]).toEqual(["task-9", undefined]);
  });
});

describe("queued attempts", () => {
  const handedOut: HistoryEvent = { ...scheduled, ...QUEUED, options: {} };
  const taken: HistoryEvent = { ...QUEUED, type: "ActivityStarted", at: T + 9, attempt_number: 1 };

  test("name no workflow task, and a worker only where one is known", () => {
    const [activity] = exportOf(handedOut, taken).activities;
    expect(activity?.["attempts"]).toMatchObject([{ workflow_task_id: null, lease_owner: null }]);
    expect(attemptSpans("r", factsAfter(handedOut, taken))).toMatchObject([{ task_id: null }]);
  });
});

describe("timelines", () => {
  test("every event has an entry with a source and one line for people (requirements 2.7)", () => {
    for (const event of Object.values(EVERY_EVENT)) {
      const numbered = numberedEvents(batchesOf([event]));
      const [first] = numbered;
      if (first === undefined) throw new Error(event.type);
      const entry = timelineEntry(RUN, new HistoryContext(RUN, numbered).view(first, show));
      expect(entry).toMatchObject({
        workflow_run_id: "r",
        workflow_instance_id: "o-1",
        type: event.type,
        entry_kind: "point",
        source_kind: entry.kind,
      });
      expect(entry.source_id).not.toMatch(/undefined/);
      expect(entry.summary).not.toMatch(/undefined|null|^$/);
    }
  });

  test("an attempt that runs is a span without an end, one that nobody started has no length", () => {
    expect(attemptSpans("r", factsAfter(scheduled, started(1)))).toMatchObject([
      { started_at: "2026-03-01T12:00:00.010Z", closed_at: null, duration_ms: null },
    ]);
    expect(attemptSpans("r", factsAfter(scheduled, started(1), retry))).toMatchObject([
      { duration_ms: 6, retry_reason: "failure", retry_available_at: "2026-03-01T12:00:01.016Z" },
    ]);
  });
});

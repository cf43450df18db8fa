import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { HistoryEvent, HistoryEventType, RunKey } from "../../sdk/core/events.ts";
import { foldActivities } from "../../sdk/core/views/activity-facts.ts";
import { canonicalJson } from "../../sdk/core/views/canonical-json.ts";
import { HistoryContext, numberedEvents } from "../../sdk/core/views/history.ts";
import { historyExport } from "../../sdk/core/views/history-export.ts";
import { type RunFacts, runDetail } from "../../sdk/core/views/run-detail.ts";
import { payloadsOf } from "../../sdk/core/views/values.ts";
import { EVERY_EVENT } from "../contract/fixtures.ts";
import { batchesOf, CARD_DECLINED, LOCAL, show, T } from "./view-fixtures.ts";

const RUN: RunKey = { namespace: "shop", workflow_id: "o-1", run_id: "r" };

/** A log that ends with this event. */
function logWith(event: HistoryEvent): readonly HistoryEvent[] {
  if (!("attempt_number" in event)) return [event];
  const { sequence, activity_type, execution_mode, local_activity } = event;
  const fields = { sequence, activity_type, execution_mode, local_activity };
  return [{ ...EVERY_EVENT.ActivityScheduled, ...fields }, event];
}

function viewsOf(events: readonly HistoryEvent[]) {
  const numbered = numberedEvents(batchesOf(events));
  const context = new HistoryContext(RUN, numbered);
  return numbered.map((event) => context.view(event, show));
}

const scheduled: HistoryEvent = {
  ...LOCAL,
  type: "ActivityScheduled",
  at: T,
  arguments: { json: "[1]" },
  options: { retry_policy: { max_attempts: 4, backoff_ms: [1_500] } },
};
const started: HistoryEvent = {
  ...LOCAL,
  type: "ActivityStarted",
  at: T + 1,
  attempt_number: 1,
  lease_expires_at: T + 30_000,
  workflow_task_id: "task-1",
};
const retry: HistoryEvent = {
  ...LOCAL,
  type: "ActivityRetryScheduled",
  at: T + 2,
  attempt_number: 1,
  retry_reason: "failure",
  retry_available_at: T + 1_502,
  retry_backoff_ms: 1_500,
  failure: CARD_DECLINED,
};

const RUN_FACTS: RunFacts = {
  ...RUN,
  workflow_type: "order",
  status: "running",
  input: { json: '{"total":1}' },
  started_at: T,
};

describe("events", () => {
  test("events are numbered without gaps across batches and carry their time", () => {
    const views = viewsOf([scheduled, started, retry]);
    expect(views.map(({ id, sequence, recorded_at }) => [id, sequence, recorded_at])).toEqual([
      ["r/event/1", 1, "2026-03-01T12:00:00.000Z"],
      ["r/event/2", 2, "2026-03-01T12:00:00.001Z"],
      ["r/event/3", 3, "2026-03-01T12:00:00.002Z"],
    ]);
  });

  test("every activity event of a local activity carries the marker (S-01, F-12)", () => {
    const types: readonly HistoryEventType[] = [
      "ActivityScheduled",
      "ActivityStarted",
      "ActivityHeartbeatRecorded",
      "ActivityRetryScheduled",
      "ActivityCompleted",
      "ActivityFailed",
      "ActivityTimedOut",
      "ActivityCancelled",
    ];
    for (const type of types) {
      const view = viewsOf(logWith({ ...EVERY_EVENT[type], ...LOCAL })).at(-1);
      expect(view).toMatchObject({
        type,
        payload: {
          execution_mode: "local",
          local_activity: true,
          activity_execution_id: "r/1",
          activity_type: "price",
          activity_class: "price",
          sequence: 1,
        },
      });
    }
  });

  test("every event of the log has a view whose payload is JSON without undefined", () => {
    for (const [type, event] of Object.entries(EVERY_EVENT)) {
      const view = viewsOf(logWith(event)).at(-1);
      expect(view?.type).toBe(type);
      expect(JSON.parse(JSON.stringify(view?.payload))).toEqual(view?.payload);
    }
  });

  test("the invocation that runs a local attempt stands on its later events too (F-03, F-08)", () => {
    const views = viewsOf([scheduled, started, retry]);
    expect(views.map(({ payload }) => payload["workflow_task_id"])).toEqual([
      undefined,
      "task-1",
      "task-1",
    ]);
  });

  test("a retry says which attempt ended, why, and when the next one comes, in seconds (G-05, G-08)", () => {
    expect(viewsOf([scheduled, started, retry])[2]?.payload).toMatchObject({
      activity_attempt_id: "r/1/1",
      retry_after_attempt: 1,
      retry_after_attempt_id: "r/1/1",
      retry_reason: "failure",
      retry_backoff_seconds: 1.5,
      retry_available_at: "2026-03-01T12:00:01.502Z",
      max_attempts: 4,
      retry_policy: { snapshot_version: 1, max_attempts: 4, backoff_seconds: [1.5] },
      exception_type: "CardDeclined",
    });
  });

  test("a failure shows its type, message, category, details and cause, and never its stack (S10)", () => {
    const [view] = viewsOf([{ type: "WorkflowFailed", at: T, failure: CARD_DECLINED }]);
    expect(view?.payload).toMatchObject({
      failure_category: "application",
      non_retryable: true,
      exception_class: "CardDeclined",
      exception: { details: { code: 51 }, cause: { message: "51" } },
    });
    expect(JSON.stringify(view)).not.toContain("/srv/app.js");
  });

  test("a timer's end repeats when it was due", () => {
    const [, fired] = viewsOf([
      { type: "TimerScheduled", at: T, sequence: 3, delay_ms: 2_500, fire_at: T + 2_500 },
      { type: "TimerFired", at: T + 2_600, sequence: 3 },
    ]);
    expect(fired?.payload).toEqual({
      timer_id: "r/3",
      sequence: 3,
      delay_seconds: 2.5,
      fire_at: "2026-03-01T12:00:02.500Z",
      fired_at: "2026-03-01T12:00:02.600Z",
    });
  });

  test("every stored value of an event is named for loading before it is shown", () => {
    for (const event of Object.values(EVERY_EVENT)) {
      const wanted: unknown[] = [];
      const numbered = numberedEvents(batchesOf(logWith(event)));
      new HistoryContext(RUN, numbered).view({ sequence: numbered.length, event }, (payload) => {
        wanted.push(payload);
        return null;
      });
      expect({ type: event.type, payloads: payloadsOf(event) }).toEqual({
        type: event.type,
        payloads: expect.arrayContaining(wanted),
      });
    }
  });
});

describe("run details", () => {
  test("timers, signals and a cancel request show where they stand", () => {
    const events: readonly HistoryEvent[] = [
      { type: "TimerScheduled", at: T, sequence: 1, delay_ms: 1, fire_at: T + 1 },
      { type: "TimerScheduled", at: T, sequence: 2, delay_ms: 1, fire_at: T + 1 },
      { type: "TimerScheduled", at: T, sequence: 3, delay_ms: 1, fire_at: T + 1 },
      { type: "TimerFired", at: T, sequence: 1 },
      { type: "TimerCancelled", at: T, sequence: 2 },
      {
        type: "SignalReceived",
        at: T,
        signal_id: "s",
        signal_name: "paid",
        arguments: { json: "[]" },
      },
      { type: "CancelRequested", at: T, request_id: "c" },
    ];
    const detail = runDetail(RUN_FACTS, batchesOf(events), [], show);
    expect(detail.timers.map(({ status }) => status)).toEqual(["fired", "cancelled", "open"]);
    expect(detail.signals).toEqual([
      { signal_id: "s", signal_name: "paid", received_at: "2026-03-01T12:00:00.000Z" },
    ]);
    expect(detail).toMatchObject({ cancel_requested: true, history_length: 7, outcome: null });
  });

  test("a task failure is history once the run is closed", () => {
    const failing = {
      ...RUN_FACTS,
      task_failure: { code: "internal", message: "m", at: T, count: 1 },
    };
    const closed = batchesOf([{ type: "WorkflowCancelled", at: T + 1 }]);
    expect(runDetail(failing, [], [], show).task_failure).toMatchObject({ count: 1 });
    expect(runDetail(failing, closed, [], show)).toMatchObject({
      task_failure: null,
      status: "cancelled",
      outcome: { status: "cancelled" },
    });
  });
});

describe("exports", () => {
  const batches = batchesOf([
    scheduled,
    started,
    retry,
    { type: "TimerScheduled", at: T, sequence: 2, delay_ms: 1_000, fire_at: T + 1_000 },
    {
      type: "SignalReceived",
      at: T,
      signal_id: "s",
      signal_name: "paid",
      arguments: { blob: "shop/b", bytes: 9_000 },
    },
    { type: "WorkflowFailed", at: T + 9, failure: CARD_DECLINED },
  ]);
  const bundle = historyExport({
    run: RUN_FACTS,
    batches,
    activities: foldActivities(batches, []),
    show,
    exportedAt: T + 10,
    sha256: (text) => `hash of ${text.length}`,
  });

  test("a bundle has every part of the contract (requirements 2.6)", () => {
    expect(Object.keys(bundle)).toEqual(
      expect.arrayContaining([
        "schema",
        "schema_version",
        "exported_at",
        "dedupe_key",
        "history_complete",
        "workflow",
        "payloads",
        "history_events",
        "integrity",
        "activities",
        "timers",
        "signals",
        "failures",
        "links",
        "redaction",
        "codec_schemas",
        "payload_manifest",
      ]),
    );
    expect(bundle).toMatchObject({
      schema_version: 1,
      dedupe_key: "r:6",
      history_complete: true,
      workflow: { namespace: "shop", workflow_id: "o-1", run_id: "r", status: "failed" },
      payloads: { arguments: { data: { total: 1 } }, output: { available: false } },
      timers: [{ id: "r/2", status: "open", delay_seconds: 1 }],
      signals: [{ id: "s", arguments: "blob shop/b" }],
      failures: [
        { source_kind: "activity_execution", source_id: "r/1" },
        { source_kind: "workflow_run", source_id: "r" },
      ],
      payload_manifest: { entries: [{ event_sequence: 5, bytes: 9_000, stored: "blob" }] },
    });
  });

  test("its activities carry the marker, their events and their attempts (S-05)", () => {
    expect(bundle.activities).toMatchObject([
      {
        id: "r/1",
        activity_type: "price",
        execution_mode: "local",
        local_activity: true,
        status: "cancelled",
        history_event_types: ["ActivityScheduled", "ActivityStarted", "ActivityRetryScheduled"],
        current_attempt_id: "r/1/1",
        attempts: [{ activity_execution_id: "r/1", attempt_number: 1, status: "failed" }],
      },
    ]);
  });

  test("the checksum covers everything but itself", () => {
    const { integrity, ...rest } = bundle;
    expect(integrity.checksum).toBe(`hash of ${canonicalJson(rest).length}`);
  });
});

describe("canonical JSON", () => {
  test("it parses to the same value, with sorted keys at every depth", () => {
    expect(canonicalJson({ b: [{ z: 1, y: null }], a: "ü" })).toBe(
      '{"a":"ü","b":[{"y":null,"z":1}]}',
    );
  });

  test("equal values have equal text whatever the order of their keys (L7: __proto__ is data)", () => {
    fc.assert(
      fc.property(fc.json(), (json) => {
        const value: unknown = JSON.parse(json);
        const text = canonicalJson(value);
        expect(JSON.parse(text)).toEqual(value);
        expect(canonicalJson(JSON.parse(text))).toBe(text);
      }),
    );
    expect(canonicalJson(JSON.parse('{"b":1,"__proto__":{"x":2}}'))).toBe(
      '{"__proto__":{"x":2},"b":1}',
    );
  });
});

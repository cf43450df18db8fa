/** The way back from a history export: what a replay needs of the events comes back as it was. */
import { describe, expect, test } from "vitest";
import type { EventView } from "../../sdk/core/api.ts";
import type { HistoryEvent } from "../../sdk/core/events.ts";
import type { Failure } from "../../sdk/core/failure.ts";
import { HistoryContext, numberedEvents } from "../../sdk/core/views/history.ts";
import { importEvents } from "../../sdk/core/views/history-import.ts";
import { EVERY_EVENT } from "../contract/fixtures.ts";
import {
  cancelRequested,
  charge,
  completed,
  failure,
  instanceOf,
  json,
  leaseRenewed,
  local,
  log,
  price,
  queued,
  RUN,
  settledWith,
  sideEffectRecorded,
  signal,
  started,
  T,
  terminated,
  timerCancelled,
  timerFired,
  timerScheduled,
  type WorkflowCode,
  wait,
} from "../support/core.ts";
import { show } from "./view-fixtures.ts";

/** The events as an export shows them, through the JSON of a file. */
function exported(events: readonly HistoryEvent[]): readonly EventView[] {
  const numbered = numberedEvents(log(events));
  const context = new HistoryContext(RUN, numbered);
  return JSON.parse(JSON.stringify(numbered.map((event) => context.view(event, show))));
}

function throughExport(...events: readonly HistoryEvent[]): readonly HistoryEvent[] {
  return importEvents(exported(events));
}

function view(type: string, payload: object, recorded_at: string = "2030-01-01T00:00:00.000Z") {
  // A newer version's types, and payloads from outside, are no EventView yet.
  return { id: "e", sequence: 1, type, recorded_at, payload } as unknown as EventView;
}

describe("events come back as a replay needs them", () => {
  const declined: Failure = failure("CardDeclined", {
    non_retryable: true,
    details: '{"code":51}',
    cause: failure("Timeout", { category: "timeout", cause: failure("Deep") }),
  });

  test.for([
    [started({ input: json({ total: 5 }), seed: "s-1" })],
    [completed(["done"])],
    [{ type: "WorkflowFailed", at: T, failure: declined }],
    [{ type: "WorkflowCancelled", at: T }],
    [terminated("q-1")],
    [cancelRequested("c-1")],
    [leaseRenewed()],
    [signal("go", 1, { two: 2 })],
    [local(1).scheduled({}, { arguments: json([1, "a"]) })],
    [queued(1).scheduled()],
    [local(1).started(2)],
    [local(1).retryDue(2)],
    [queued(1).completed({ id: 7 }, 3)],
    [queued(1).completed(null)],
    [queued(1).failed(declined, 2)],
    [queued(1).timedOut("schedule_to_start")],
    [queued(1).timedOut("schedule_to_close")],
    [queued(1).timedOut("start_to_close")],
    [local(1).timedOut("heartbeat", 2)],
    [queued(1).cancelled(2)],
    [local(1).retryScheduled(1, { retry_reason: "failure" })],
    [local(1).retryScheduled(1, { retry_reason: "timeout" })],
    [local(1).retryScheduled(1, { retry_reason: "cold_replay" })],
    // 1.001 s times 1,000 is not 1,001 in floating point.
    [local(1).retryScheduled(1, { retry_backoff_ms: 1_001, retry_available_at: T + 1_001 })],
    [sideEffectRecorded(1, { dice: 6 })],
    [sideEffectRecorded(1, null)],
    [{ type: "SideEffectRecorded", at: T, sequence: 1, failure: declined }],
  ] satisfies readonly (readonly [HistoryEvent])[])("%j", ([event]) => {
    expect(throughExport(event)).toEqual([event]);
  });

  test("timers, whose delay stands beside their schedule", () => {
    const timers = [
      timerScheduled(1, 1_001),
      timerScheduled(2, 86_400_000),
      timerFired(1, T + 1_500),
      timerCancelled(2),
    ];
    expect(throughExport(...timers)).toEqual(timers);
  });

  test("a heartbeat, but for its lease", () => {
    const beat = local(1).heartbeat({ done: 3 });
    expect(throughExport(beat)).toEqual([{ ...beat, lease_expires_at: T }]);
  });

  test("every event of the contract is known", () => {
    const events = Object.values(EVERY_EVENT);
    const types = events.map((event) => throughExport(event)[0]?.type);
    expect(types).toEqual(events.map(({ type }) => type));
  });

  test("a failure whose category is not known is the application's", () => {
    const payload = { exception_type: "X", message: "m", exception: { category: "new" } };
    expect(importEvents([view("WorkflowFailed", payload)])).toMatchObject([
      { failure: { category: "application", non_retryable: false } },
    ]);
    const bare = { exception_type: "X", message: "m", exception: null };
    expect(importEvents([view("WorkflowFailed", bare)])).toMatchObject([
      { failure: { category: "application" } },
    ]);
  });
});

describe("what came from outside is looked at before it is believed", () => {
  test("an event of another type is refused by name (A13)", () => {
    expect(() => importEvents([view("ChildWorkflowStarted", {})])).toThrow(
      expect.objectContaining({
        code: "schema_unknown",
        message: expect.stringContaining("an event of type ChildWorkflowStarted"),
      }),
    );
  });

  test.for([
    ["WorkflowStarted", {}, "workflow_type"],
    ["SignalReceived", { signal_id: 1 }, "signal_id"],
    ["TimerFired", { sequence: "1" }, "sequence"],
    ["TimerScheduled", { sequence: 1, delay_seconds: 1 }, "fire_at"],
    ["TimerScheduled", { sequence: 1, delay_seconds: 1, fire_at: "soon" }, "fire_at"],
    ["ActivityStarted", { sequence: 1, activity_type: "price" }, "attempt_number"],
    ["WorkflowFailed", { message: "m" }, "exception_type"],
    [
      "WorkflowFailed",
      { exception_type: "X", message: "m", exception: { cause: { type: "Y" } } },
      "message",
    ],
  ] as const)("%s with %j has no %s", ([type, payload, name]) => {
    expect(() => importEvents([view(type, payload)])).toThrow(
      `the request is not valid: an event of the history has no ${name}`,
    );
  });

  test.for(["LeaseRenewed", "ActivityCompleted"])("%s at no time", (type) => {
    expect(() => importEvents([view(type, {}, "yesterday")])).toThrow("has no recorded_at");
  });
});

describe("a replay of an export asks for what the log itself led to (A4)", () => {
  const order: WorkflowCode = async (context) => {
    const total = await price(context);
    const dice = await context.sideEffect(() => 6);
    const waiting = context.startTimer(1_001);
    const [note] = await context.nextSignal("note");
    waiting.cancel();
    let problem: unknown;
    try {
      await charge(context, "charge", total);
    } catch (error) {
      problem = error;
    }
    const seen = [total, dice, note, context.random(), context.now(), problem];
    await wait(context, 5);
    return seen;
  };
  const history: readonly HistoryEvent[] = [
    started(),
    local(1).scheduled(),
    local(1).started(),
    local(1).heartbeat("half"),
    local(1).retryScheduled(),
    local(1).started(2),
    local(1).completed({ total: 5 }, 2),
    sideEffectRecorded(2, 6),
    timerScheduled(3, 1_001),
    { ...signal("note", "hello"), at: T + 77 },
    timerCancelled(3),
    queued(4).scheduled(),
    queued(4).timedOut("heartbeat", 3),
    timerScheduled(5, 5),
    timerFired(5),
  ];

  test("after every event of a run with everything in it", async () => {
    const direct = instanceOf(order).instance;
    const imported = instanceOf(order).instance;
    const events = throughExport(...history);
    for (const [index, event] of history.entries()) {
      const back = events[index];
      if (back === undefined) throw new Error("as many events as were exported");
      await direct.feed(event);
      await imported.feed(back);
      expect(imported.unrecorded().map(({ kind }) => kind)).toEqual(
        direct.unrecorded().map(({ kind }) => kind),
      );
      expect(imported.timersToCancel()).toEqual(direct.timersToCancel());
    }
    expect(imported.outcome).toEqual(direct.outcome);
    expect(direct.outcome).toMatchObject({
      value: [{ total: 5 }, 6, "hello", expect.any(Number), T + 77, { timeoutKind: "heartbeat" }],
    });
  });

  test("a run that a limit ended is still one (L11)", async () => {
    const limit = failure("pending_limit", { category: "structural_limit" });
    const events = throughExport(started(), { type: "WorkflowFailed", at: T, failure: limit });
    const { instance } = instanceOf(order);
    for (const event of events) expect(await settledWith(instance.feed(event))).toBeUndefined();
  });
});

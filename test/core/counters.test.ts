/** What runs count, and sums of it: equal to a recount, whatever happens to activities. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { NO_COUNTERS, type RunCounters, sameCounters } from "../../sdk/core/counters.ts";
import type { HistoryEvent } from "../../sdk/core/events.ts";
import { difference, NO_TOTALS, plus, runTotals, sameTotals } from "../../sdk/core/totals.ts";
import { type ActivityFacts, foldActivities } from "../../sdk/core/views/activity-facts.ts";
import { metricsView } from "../../sdk/core/views/metrics.ts";
import {
  completed,
  fold,
  leaseRenewed,
  local,
  log,
  queued,
  signal,
  started,
  T,
  timerFired,
  timerScheduled,
} from "../support/core.ts";

/** What may follow in the life of one activity; the number chooses. */
function nextEvents(isLocal: boolean, sequence: number, phase: Phase, choice: number): Next {
  const one = isLocal ? local(sequence) : queued(sequence);
  const { kind, attempt } = phase;
  // A queued attempt's start is recorded beside its outcome, and only when a worker had it.
  const wasClaimed = choice % 2 === 0;
  const before = isLocal || !wasClaimed ? [] : [one.started(attempt)];
  const how = isLocal || !wasClaimed ? {} : { started_at: T, worker: "w" };
  const ends: readonly (() => readonly HistoryEvent[])[] = [
    () => [...before, { ...one.completed(1, attempt), ...how }],
    () => [...before, { ...one.failed(undefined, attempt), ...how }],
    () => [...before, { ...one.timedOut("schedule_to_close", attempt), ...how }],
    () => [...before, { ...one.cancelled(attempt), ...how }],
  ];
  const end: Next = { events: ends[choice % 4]?.() ?? [], phase: { kind: "over", attempt } };
  if (isLocal && kind === "waits") {
    if (choice < 3) {
      const [cancelled] = [one.cancelled(Math.max(1, attempt))];
      return { events: [cancelled], phase: { kind: "over", attempt } };
    }
    return { events: [one.started(attempt + 1)], phase: { kind: "runs", attempt: attempt + 1 } };
  }
  if (choice < 6) return end;
  if (isLocal)
    return {
      events: [one.heartbeat(1, attempt), one.retryScheduled(attempt), one.retryDue(attempt)],
      phase: { kind: "waits", attempt },
    };
  const claimed = [one.started(attempt), { ...one.retryScheduled(attempt), started_at: T }];
  return { events: claimed, phase: { kind: "waits", attempt: attempt + 1 } };
}

interface Phase {
  readonly kind: "waits" | "runs" | "over";
  readonly attempt: number;
}
interface Next {
  readonly events: readonly HistoryEvent[];
  readonly phase: Phase;
}

/** A log in which anything that can happen may happen. */
const logs = fc
  .tuple(
    fc.array(fc.boolean(), { maxLength: 5 }),
    fc.array(fc.tuple(fc.nat({ max: 4 }), fc.nat({ max: 9 })), { maxLength: 30 }),
    fc.boolean(),
  )
  .map(([modes, steps, isClosed]) => {
    const events: HistoryEvent[] = [started()];
    const phases = modes.map((isLocal, index): Phase => {
      const sequence = index + 1;
      events.push(isLocal ? local(sequence).scheduled() : queued(sequence).scheduled());
      return { kind: "waits", attempt: isLocal ? 0 : 1 };
    });
    for (const [which, choice] of steps) {
      const phase = phases[which];
      const isLocal = modes[which];
      if (phase === undefined || isLocal === undefined || phase.kind === "over") continue;
      const next = nextEvents(isLocal, which + 1, phase, choice);
      events.push(...next.events);
      phases[which] = next.phase;
    }
    if (isClosed) events.push(completed());
    return events;
  });

function recount(events: readonly HistoryEvent[]): RunCounters {
  const activities = foldActivities(log(events), []);
  const of = (isLocal: boolean) =>
    activities.filter(({ scheduled }) => scheduled.local_activity === isLocal);
  const attempts = (some: readonly ActivityFacts[]) =>
    some.flatMap((one) => [...one.attempts.values()]);
  const failed = (some: readonly ActivityFacts[]) =>
    attempts(some).filter(({ status }) => status === "failed" || status === "expired").length;
  const status = (some: readonly ActivityFacts[], ...wanted: readonly string[]) =>
    some.filter((one) => wanted.includes(one.status)).length;
  return {
    local: of(true).length,
    local_pending: status(of(true), "pending"),
    local_running: status(of(true), "running"),
    local_attempts: attempts(of(true)).length,
    local_failed_attempts: failed(of(true)),
    queued: of(false).length,
    queued_open: status(of(false), "pending", "running"),
    queued_attempts: attempts(of(false)).length,
    queued_failed_attempts: failed(of(false)),
    retrying: activities.filter(
      ({ closedAt, retry, attempts: own }) =>
        closedAt === undefined && (retry !== undefined || own.size > 1),
    ).length,
    max_attempt_count: Math.max(0, ...attempts(activities).map(({ number }) => number)),
  };
}

describe("counters", () => {
  test("they are what a recount of the log says, whatever happened (S-07, S-08)", () => {
    fc.assert(
      fc.property(logs, (events) => {
        expect(fold(events).counters).toEqual(recount(events));
      }),
      { numRuns: 500 },
    );
  });

  test("they stand in the tail that the next batch is built on", () => {
    const state = fold([
      started(),
      local(1).scheduled(),
      local(1).started(),
      queued(2).scheduled(),
    ]);
    expect(state.tail().counters).toEqual({
      ...NO_COUNTERS,
      local: 1,
      local_running: 1,
      local_attempts: 1,
      queued: 1,
      queued_open: 1,
      max_attempt_count: 1,
    });
  });

  test("what is no activity's changes nothing", () => {
    const { counters } = fold([
      started(),
      timerScheduled(1),
      timerFired(1),
      signal("go"),
      leaseRenewed(),
    ]);
    expect(sameCounters(counters, NO_COUNTERS)).toBe(true);
    expect(sameCounters({ ...counters, local: 1 }, NO_COUNTERS)).toBe(false);
  });
});

describe("totals", () => {
  const counters = fc.record(
    Object.fromEntries(Object.keys(NO_COUNTERS).map((name) => [name, fc.nat({ max: 99 })])),
  ) as fc.Arbitrary<RunCounters>;
  const statuses = [
    "pending",
    "running",
    "completed",
    "failed",
    "cancelled",
    "terminated",
  ] as const;
  const totals = fc
    .tuple(fc.constantFrom(...statuses), counters)
    .map(([status, own]) => runTotals(status, own));

  test("a difference that is added leads from one to the other; the maximum only grows", () => {
    fc.assert(
      fc.property(totals, totals, totals, (rest, before, after) => {
        const sum = plus(rest, before);
        const moved = plus(sum, difference(after, before));
        const max_attempt_count = Math.max(
          ...[rest, before, after].map((one) => one.max_attempt_count),
        );
        expect(moved).toEqual({ ...plus(rest, after), max_attempt_count });
        expect(plus(sum, NO_TOTALS)).toEqual(sum);
        expect(sameTotals(sum, { ...sum })).toBe(true);
        expect(sameTotals(sum, { ...sum, failed_runs: -1 })).toBe(false);
      }),
    );
  });

  test("a run counts as what it is", () => {
    for (const status of statuses) {
      const own = runTotals(status, NO_COUNTERS);
      expect(own[`${status}_runs`]).toBe(1);
      expect(sameTotals({ ...own, [`${status}_runs`]: 0 }, NO_TOTALS)).toBe(true);
    }
  });
});

describe("operator metrics", () => {
  test("open is pending and running, and more claims than open activities are not believed", () => {
    const sums = {
      ...NO_TOTALS,
      pending_runs: 1,
      running_runs: 2,
      completed_runs: 3,
      failed_runs: 4,
      cancelled_runs: 5,
      terminated_runs: 6,
      local: 9,
      local_pending: 1,
      local_running: 2,
      queued: 7,
      queued_open: 4,
    };
    const view = (queuedRunning: number) =>
      metricsView({
        generatedAt: T,
        sums,
        queuedRunning,
        markedWorkflows: 2,
        isComplete: true,
        structuralLimits: { pending_activity_count: 2_000 },
      });
    expect(view(3)).toMatchObject({
      generated_at: "2030-01-01T00:00:00.000Z",
      projections: { complete: true, marked_workflows: 2 },
      runs: { total: 21, pending: 1, running: 2, terminated: 6 },
      starts: { pending_runs: 1 },
      activities: {
        total: 16,
        open: 7,
        pending: 2,
        running: 5,
        local_open: 3,
        queued_open: 4,
        queued_pending: 1,
        queued_running: 3,
      },
    });
    expect(view(9).activities).toMatchObject({ queued_pending: 0, queued_running: 4 });
  });
});

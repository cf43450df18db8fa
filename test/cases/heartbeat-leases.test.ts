/** Heartbeats and the lease: they keep it, who loses it must stop, and silence ends an attempt. */
import { describe, expect, test } from "vitest";
import {
  abortSignal,
  activity,
  activityInfo,
  CancelledFailure,
  heartbeat,
  heartbeatDetails,
  LocalActivityOptions,
  localActivity,
  workflow,
} from "../../sdk/index.ts";
import { eventsOf, outline } from "../support/history.ts";
import { calling } from "./calling.ts";
import { startStack } from "./stack.ts";

describe("who lost the lease", () => {
  test("is told to stop by signal and heartbeat, and nothing late is recorded (D6, R-06, I-11)", async () => {
    const go = Promise.withResolvers<void>();
    const told = Promise.withResolvers<unknown>();
    const entered: unknown[] = [];
    const exports = calling(async () => {
      entered.push(heartbeatDetails());
      if (activityInfo().attempt === 2) return "the second";
      const signal = abortSignal();
      await heartbeat("from the first");
      await go.promise;
      const answer = await heartbeat("late").catch((error: unknown) => error);
      told.resolve([answer, signal.reason]);
      return "the first";
    });
    const stack = await startStack(exports);
    const handle = await stack.start("local");
    await stack.advance(3);
    const [owner] = stack.world.lambda.busy();
    if (owner === undefined) throw new Error("the owner is at work");
    stack.world.lambda.kill(owner);
    await stack.advance("1m");
    expect(await handle.result()).toBe("the second");
    // The process was not dead, only away: its body goes on.
    owner.revive();
    go.resolve();
    await stack.advance("1m");
    const [answer, reason] = (await told.promise) as unknown[];
    expect(answer).toBeInstanceOf(CancelledFailure);
    expect(reason).toBeInstanceOf(CancelledFailure);
    expect(entered).toEqual([undefined, "from the first"]);
    const events = await eventsOf(handle);
    expect(outline(events).slice(1)).toEqual([
      "ActivityScheduled work 1 local",
      "ActivityStarted work 1 local #1",
      "ActivityHeartbeatRecorded work 1 local #1",
      "ActivityRetryScheduled work 1 local #1 cold_replay 1s",
      "ActivityStarted work 1 local #2",
      "ActivityCompleted work 1 local #2",
      "WorkflowCompleted",
    ]);
    expect(JSON.stringify(events)).not.toContain("late");
  });
});

describe("a process that was frozen between the commit of a start and its body", () => {
  async function frozenFor(seconds: number) {
    const entered: string[] = [];
    const exports = calling(() => {
      const { attempt } = activityInfo();
      entered.push(`attempt ${attempt}`);
    });
    const stack = await startStack(exports);
    const { dynamo, lambda } = stack.world;
    const frozen = Promise.withResolvers<() => void>();
    dynamo.onWrite = (table, item) => {
      if (table !== "history_events" || item?.["sk"] === undefined) return;
      dynamo.onWrite = () => undefined;
      const [owner] = lambda.busy();
      owner?.freeze();
      frozen.resolve(() => owner?.thaw());
    };
    const handle = await stack.start("local");
    const thaw = await frozen.promise;
    await stack.advance(seconds);
    thaw();
    await stack.advance("1m");
    await handle.result();
    return { entered, lines: outline(await eventsOf(handle)) };
  }

  test("enters it once a renewal has shown that the run is still its own: a pause costs no attempt (R14)", async () => {
    const { entered, lines } = await frozenFor(31);
    expect(entered).toEqual(["attempt 1"]);
    expect(lines).toContain("LeaseRenewed");
    expect(lines.join()).not.toContain("Retry");
  });

  test("never enters it when another process has taken over (R14, I12)", async () => {
    const { entered, lines } = await frozenFor(60);
    expect(entered).toEqual(["attempt 2"]);
    expect(lines).toContain("ActivityRetryScheduled work 1 local #1 cold_replay 1s");
  });
});

test("rows of a local attempt follow within seconds while its body runs, beats and all (F-04, I-06, S-09)", async () => {
  const go = Promise.withResolvers<void>();
  const exports = calling(async () => {
    await heartbeat("alive");
    await go.promise;
  });
  const stack = await startStack(exports);
  const handle = await stack.start("local");
  await stack.advance("4s");
  const rows = (table: string) =>
    stack.world.dynamo.items(table).filter((row) => row["workflow_run_id"] === handle.runId);
  expect(rows("activity_executions")).toMatchObject([{ status: "running", attempt_count: 1 }]);
  expect(rows("activity_attempts")).toMatchObject([
    { status: "running", attempt_number: 1, last_heartbeat_at: expect.anything() },
  ]);
  go.resolve();
  await handle.result();
  await stack.advance("1s");
  expect(rows("activity_executions")).toMatchObject([{ status: "completed" }]);
  expect(rows("activity_attempts")).toMatchObject([{ status: "completed" }]);
});

describe("silence", () => {
  /** Beats at these virtual seconds of its first attempt, then waits to be told to stop. */
  async function beating(heartbeatTimeout: number | undefined) {
    const beat = { next: Promise.withResolvers<void>() };
    const told: unknown[] = [];
    const body = activity({ startToCloseTimeout: "10m", heartbeatTimeout: "1s" }, async () => {
      told.push(heartbeatDetails());
      for (let count = 1; activityInfo().attempt === 1; count++) {
        await beat.next.promise;
        beat.next = Promise.withResolvers<void>();
        await heartbeat(count);
      }
    });
    const options = new LocalActivityOptions({
      startToCloseTimeout: "10m",
      backoff: 1,
      ...(heartbeatTimeout === undefined ? {} : { heartbeatTimeout }),
    });
    const stack = await startStack({ body, work: workflow(() => localActivity(body, options)) });
    return { stack, told, handle: await stack.start("work"), next: () => beat.next.resolve() };
  }

  test("beyond the heartbeatTimeout of LocalActivityOptions ends the attempt, beats extend it (D1, D2, H-03, I-03, V-01)", async () => {
    const { stack, told, handle, next } = await beating(3);
    for (let second = 0; second < 10; second++) {
      await stack.advance("1s");
      next();
    }
    await stack.advance("20s");
    await handle.result();
    expect(told).toEqual([undefined, 10]);
    const retries = (await eventsOf(handle)).filter(
      ({ type }) => type === "ActivityRetryScheduled",
    );
    expect(retries.map(({ payload }) => payload)).toMatchObject([
      { retry_reason: "timeout", timeout_kind: "heartbeat", retry_after_attempt: 1 },
    ]);
  });

  test("means nothing to the heartbeatTimeout of a definition: beats keep the lease, and the run its owner (D3, I-07, E-05)", async () => {
    const { stack, told, handle, next } = await beating(undefined);
    for (let beat = 0; beat < 10; beat++) {
      await stack.advance("10s");
      next();
    }
    await stack.advance("1s");
    expect(told).toEqual([undefined]);
    const events = await eventsOf(handle);
    const leases = events
      .filter(({ type }) => type === "ActivityHeartbeatRecorded")
      .map(({ recorded_at: at, payload }) => {
        return Date.parse(String(payload["lease_expires_at"])) - Date.parse(at);
      });
    expect(leases.length).toBe(10);
    // Each beat begins the lease anew, as far as the function's time goes.
    expect(leases[0]).toBeGreaterThan(29_000);
    const attempt = (await handle.describe()).activities[0]?.attempts[0];
    expect(attempt).toMatchObject({ attempt_number: 1, last_heartbeat_progress: 10 });
    await stack.advance("5m");
    await handle.result();
  });
});

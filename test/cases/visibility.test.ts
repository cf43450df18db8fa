/** What can be seen of local activities: rows, histories, exports, details, timelines, and the way back from the log. */
import { describe, expect, test } from "vitest";
import { TABLES } from "../../sdk/adapters/dynamodb/layout.ts";
import { canonicalJson } from "../../sdk/core/views/canonical-json.ts";
import {
  activity,
  activityInfo,
  condition,
  defineSignal,
  heartbeat,
  LocalActivityOptions,
  localActivity,
  setHandler,
  workflow,
} from "../../sdk/index.ts";
import { eventsOf } from "../support/history.ts";
import { historyProblems, problems } from "../support/local-schema.ts";
import { type Stack, startStack } from "./stack.ts";

const go = defineSignal<[]>("go");

const price = activity(async (total: number) => total * 2);
const flaky = activity({ retryPolicy: { maxAttempts: 2, backoff: ["2s"] } }, async () => {
  const { attempt } = activityInfo();
  await heartbeat({ attempt });
  if (attempt === 1) throw new RangeError("not yet");
  return attempt;
});
const hopeless = activity({ retryPolicy: { maxAttempts: 1 } }, async () => {
  throw new TypeError("never");
});
const hangs = activity({ startToCloseTimeout: "1s", retryPolicy: { maxAttempts: 1 } }, async () => {
  await new Promise<never>(() => undefined);
});
const charge = activity({ retryPolicy: { backoff: [1] } }, async () => {
  if (activityInfo().attempt === 1) throw new Error("busy");
  return "paid";
});

/** One of each outcome, in both modes. */
const everything = workflow(async () => {
  const ended: unknown[] = [await localActivity(price, 21)];
  ended.push(await localActivity(flaky));
  for (const one of [hopeless, hangs])
    ended.push(await localActivity(one).catch((error: Error) => error.name));
  ended.push(await charge());
  return ended;
});

/** Leaves a local activity in its backoff, for an hour. */
const waits = workflow(async () => {
  setHandler(go, () => undefined);
  await localActivity(flaky, new LocalActivityOptions({ backoff: 3_600, heartbeatTimeout: 60 }));
});

/** Waits for a signal, after a local activity. */
const open = workflow(async () => {
  let went = false;
  setHandler(go, () => {
    went = true;
  });
  await localActivity(price, 1);
  await condition(() => went);
});

const EXPORTS = { price, flaky, hopeless, hangs, charge, everything, waits, open };
const { activity_executions: EXECUTIONS, activity_attempts: ATTEMPTS } = TABLES;

function rows(stack: Stack, table: { readonly name: string }, runId: string | undefined) {
  return stack.world.dynamo
    .items(table.name)
    .filter((item) => item["workflow_run_id"] === runId && item["local_activity"] === true)
    .toSorted((one, other) => (String(one["sk"]) < String(other["sk"]) ? -1 : 1));
}

/** All rows of local activities of a run, as text. */
function rowTexts(stack: Stack, runId: string | undefined): readonly string[] {
  return [EXECUTIONS, ATTEMPTS].flatMap((table) => rows(stack, table, runId)).map(canonicalJson);
}

describe("rows", () => {
  test("every local execution and attempt has a row with the contract's fields (F-04, F-06, G-07, S-03, S-09)", async () => {
    const stack = await startStack(EXPORTS);
    const handle = await stack.start("everything");
    await stack.advance("1m");
    expect(await handle.result()).toEqual([42, 2, "ActivityFailure", "ActivityTimeout", "paid"]);
    const executions = rows(stack, EXECUTIONS, handle.runId);
    const attempts = rows(stack, ATTEMPTS, handle.runId);
    for (const row of executions) expect(problems({ activity_execution: row })).toEqual([]);
    for (const row of attempts) expect(problems({ activity_attempt: row })).toEqual([]);
    expect(
      executions.map((row) => [row["activity_type"], row["status"], row["attempt_count"]]),
    ).toEqual([
      ["price", "completed", 1],
      ["flaky", "completed", 2],
      ["hopeless", "failed", 1],
      ["hangs", "failed", 1],
    ]);
    expect(attempts.map((row) => [row["sequence"], row["attempt_number"], row["status"]])).toEqual([
      [1, 1, "completed"],
      [2, 1, "failed"],
      [2, 2, "completed"],
      [3, 1, "failed"],
      [4, 1, "expired"],
    ]);
    expect(executions[0]).toMatchObject({
      activity_options: {
        execution_mode: "local",
        queue_bypassed: true,
        routing: "same_process_workflow_task",
      },
      arguments: '{"json":"[21]"}',
      result: '{"json":"42"}',
      current_attempt_id: `${handle.runId}/1/1`,
    });
    expect(executions[0]).not.toHaveProperty("queue");
    expect(executions[2]?.["exception"]).toContain("TypeError");
    expect(attempts[1]).toMatchObject({
      activity_execution_id: `${handle.runId}/2`,
      last_heartbeat_progress: '{"json":"{\\"attempt\\":1}"}',
    });
  });

  test("an attempt's row names the workflow task that owned it and the lease under which it ran (F-08, F-09)", async () => {
    const stack = await startStack(EXPORTS);
    const handle = await stack.start("everything");
    await stack.advance("1m");
    const started = (await eventsOf(handle)).filter(
      ({ type, payload }) => type === "ActivityStarted" && payload["local_activity"] === true,
    );
    const attempts = rows(stack, ATTEMPTS, handle.runId);
    expect(attempts.map((row) => [row["workflow_task_id"], row["lease_owner"]])).toEqual(
      started.map(({ payload }) => [payload["workflow_task_id"], payload["workflow_task_id"]]),
    );
    for (const row of attempts)
      expect(row["lease_expires_at"]).toBeGreaterThan(Number(row["started_at"]));
  });

  test("an open activity is pending with its attempts behind it, and cancelled with the end of its run", async () => {
    const stack = await startStack(EXPORTS);
    const handle = await stack.start("waits");
    await stack.advance("1s");
    expect(rows(stack, EXECUTIONS, handle.runId)).toMatchObject([
      { status: "pending", attempt_count: 1, activity_options: { backoff: [3_600] } },
    ]);
    await handle.terminate();
    await stack.advance("1s");
    expect(rows(stack, EXECUTIONS, handle.runId)).toMatchObject([{ status: "cancelled" }]);
    expect(rows(stack, ATTEMPTS, handle.runId)).toMatchObject([{ status: "failed" }]);
  });

  test("who takes over a dead task writes the rows that it left behind (R-03, R-04)", async () => {
    const stack = await startStack(EXPORTS);
    const crash = stack.platform.crash({
      function: "workflow-task",
      call: "PutItem history_events",
      when: "before",
      nth: 3,
    });
    const handle = await stack.start("everything");
    await crash.reached;
    // The first activity is completed in the log; its owner died before it wrote a row.
    expect(rows(stack, EXECUTIONS, handle.runId)).toEqual([]);
    await stack.advance("5m");
    await handle.result();
    const written = rowTexts(stack, handle.runId);
    expect(rows(stack, ATTEMPTS, handle.runId)).toMatchObject([
      { sequence: 1, status: "completed" },
      { sequence: 2, attempt_number: 1, status: "expired" },
      { sequence: 2, attempt_number: 2, status: "completed" },
      { sequence: 3 },
      { sequence: 4 },
    ]);
    await handle.rebuild();
    expect(rowTexts(stack, handle.runId)).toEqual(written);
  });
});

describe("rebuilding rows from the log", () => {
  test.each(["everything", "waits", "open"])(
    "deleted and damaged rows of %s come back byte for byte (S-09)",
    async (type) => {
      const stack = await startStack(EXPORTS);
      const handle = await stack.start(type);
      await stack.advance("1m");
      const written = rowTexts(stack, handle.runId);
      expect(written.length).toBeGreaterThan(1);
      for (const [index, table] of [EXECUTIONS, ATTEMPTS].entries())
        for (const row of rows(stack, table, handle.runId))
          damage(stack, table.name, row, (index + Number(row["sequence"])) % 2 === 0);
      expect(rowTexts(stack, handle.runId)).not.toEqual(written);
      const answer = await handle.rebuild();
      expect(rowTexts(stack, handle.runId)).toEqual(written);
      expect(answer.activity_executions + answer.activity_attempts).toBe(written.length);
      expect(answer.history_length).toBe((await eventsOf(handle)).length);
      expect(await handle.rebuild()).toEqual(answer);
      expect(rowTexts(stack, handle.runId)).toEqual(written);
    },
  );

  test("the row of a run that closed unnoticed is closed from its log", async () => {
    const stack = await startStack(EXPORTS);
    const crash = stack.platform.crash({
      function: "workflow-task",
      call: "UpdateItem workflow_runs",
      when: "before",
    });
    const handle = await stack.platform.client.start("everything", { id: "crashed" });
    await stack.advance("10s");
    await crash.reached;
    const rebuilt = await handle.rebuild();
    expect(rebuilt).toMatchObject({ workflow_id: "crashed" });
  });
});

/** Deletes a row, or overwrites what it says. */
function damage(
  stack: Stack,
  table: string,
  row: Readonly<Record<string, unknown>>,
  isDeleted: boolean,
): void {
  const { pk, sk } = row;
  const change = isDeleted
    ? { action: "DeleteItem" as const, input: { TableName: table, Key: { pk, sk } } }
    : {
        action: "PutItem" as const,
        input: { TableName: table, Item: { ...row, status: "x", id: "?" } },
      };
  stack.world.dynamo.perform(change);
}

describe("histories, exports and details", () => {
  test("every event of a local activity is as the published schema says, in history and export (S-01, S-05, S-10, T-02, B25)", async () => {
    const stack = await startStack(EXPORTS);
    for (const type of ["everything", "waits"]) {
      const handle = await stack.start(type);
      await stack.advance("1m");
      const events = await eventsOf(handle);
      expect(historyProblems(events)).toEqual([]);
      const bundle = await handle.export();
      expect(historyProblems(bundle.history_events)).toEqual([]);
      for (const one of bundle.activities) {
        const { activity_options, local_activity, execution_mode } = one;
        expect(problems({ activity_options })).toEqual([]);
        if (local_activity === true)
          expect(problems({ history_marker: { local_activity, execution_mode } })).toEqual([]);
      }
    }
  });

  test("an event shows its activity and attempt as they stood then, and the retry's task (G-08, requirements 2.2)", async () => {
    const stack = await startStack(EXPORTS);
    const handle = await stack.start("everything");
    await stack.advance("1m");
    const flakys = (await eventsOf(handle)).filter(
      ({ payload }) => payload["activity_type"] === "flaky",
    );
    expect(
      flakys.map(({ type, payload }) => [
        type,
        (payload["activity"] as { status: string }).status,
        (payload["activity_attempt"] as { status: string } | undefined)?.status,
      ]),
    ).toEqual([
      ["ActivityScheduled", "pending", undefined],
      ["ActivityStarted", "running", "running"],
      ["ActivityHeartbeatRecorded", "running", "running"],
      ["ActivityRetryScheduled", "pending", "failed"],
      ["ActivityStarted", "running", "running"],
      ["ActivityHeartbeatRecorded", "running", "running"],
      ["ActivityCompleted", "completed", "completed"],
    ]);
    expect(flakys[3]?.payload).toMatchObject({
      retry_task_id: `${handle.runId}/due/2/1`,
      retry_of_task_id: flakys[1]?.payload["workflow_task_id"],
      retry_after_attempt_id: `${handle.runId}/2/1`,
      retry_after_attempt: 1,
      retry_backoff_seconds: 2,
      retry_reason: "failure",
      max_attempts: 2,
      exception_type: "RangeError",
    });
  });

  test("a page in the middle of a history shows the same as the whole", async () => {
    const stack = await startStack(EXPORTS);
    const handle = await stack.start("everything");
    await stack.advance("1m");
    const events = await eventsOf(handle);
    const page = await handle.historyPage({ after: 9, limit: 3 });
    expect(page.events).toEqual(events.slice(9, 12));
  });

  test("run details have every field of an activity's view (S-04, S-10, requirements 2.8)", async () => {
    const stack = await startStack(EXPORTS);
    const handle = await stack.start("everything");
    await stack.advance("1m");
    const { activities } = await handle.describe();
    expect(activities[1]).toMatchObject({
      id: `${handle.runId}/2`,
      idempotency_key: `${handle.runId}/2`,
      type: "flaky",
      class: "flaky",
      execution_mode: "local",
      local_activity: true,
      history_authority: "typed_history",
      diagnostic_only: false,
      history_unsupported_reason: null,
      history_event_types: [
        "ActivityScheduled",
        "ActivityStarted",
        "ActivityHeartbeatRecorded",
        "ActivityRetryScheduled",
        "ActivityCompleted",
      ],
      row_status: "completed",
      attempt_id: `${handle.runId}/2/2`,
      connection: null,
      queue: null,
    });
    expect(activities[4]).toMatchObject({ local_activity: false, queue: "default" });
  });

  test("an export of an open run names the task that its local retry waits for (T-04)", async () => {
    const stack = await startStack(EXPORTS);
    const handle = await stack.start("waits");
    await stack.advance("1s");
    const { tasks } = await handle.export();
    expect(tasks).toMatchObject([
      { id: `${handle.runId}/due/1/1`, task_type: "workflow", status: "ready" },
    ]);
    expect(problems({ workflow_task: tasks[0]?.["payload"] })).toEqual([]);
    expect(tasks[0]?.["payload"]).toMatchObject({
      open_wait_id: `local-activity:${handle.runId}/1`,
      retry_backoff_seconds: 3_600,
      retry_reason: "failure",
    });
  });
});

describe("timelines", () => {
  test("entries follow the log, and local attempts stand apart from queued ones (S-06)", async () => {
    const stack = await startStack(EXPORTS);
    const handle = await stack.start("everything");
    await stack.advance("1m");
    const timeline = await handle.timeline();
    const events = await eventsOf(handle);
    expect(timeline.entries.map(({ sequence, type }) => [sequence, type])).toEqual(
      events.map(({ sequence, type }) => [sequence, type]),
    );
    const spans = (kind: "local" | "queued") =>
      timeline.attempts[kind].map((span) => [
        span.activity_type,
        span.attempt_number,
        span.status,
        span.retry_reason,
      ]);
    expect(spans("local")).toEqual([
      ["price", 1, "completed", null],
      ["flaky", 1, "failed", "failure"],
      ["flaky", 2, "completed", null],
      ["hopeless", 1, "failed", null],
      ["hangs", 1, "expired", null],
    ]);
    expect(spans("queued")).toEqual([
      ["charge", 1, "failed", "failure"],
      ["charge", 2, "completed", null],
    ]);
    for (const span of [...timeline.attempts.local, ...timeline.attempts.queued])
      expect(Date.parse(span.closed_at ?? "")).toBe(
        Date.parse(span.started_at ?? "") + Number(span.duration_ms),
      );
    expect(JSON.stringify(timeline.entries)).not.toContain('"result"');
  });

  test("a timeline is read in pages, of the current run and of one by its id", async () => {
    const stack = await startStack(EXPORTS);
    const handle = await stack.start("everything");
    await stack.advance("1m");
    const whole = await handle.timeline();
    const path = `/api/workflows/${handle.id}`;
    const page = async (where: string, after: number) =>
      (await (await stack.platform.fetch(`${where}/timeline?after=${after}&limit=10`)).json()) as {
        entries: unknown[];
        next_after: number | null;
      };
    const first = await page(path, 0);
    expect(first.next_after).toBe(10);
    const second = await page(`${path}/runs/${handle.runId}`, 10);
    expect([...first.entries, ...second.entries]).toEqual(whole.entries.slice(0, 20));
  });
});

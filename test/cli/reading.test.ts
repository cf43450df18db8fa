import { stripVTControlCharacters } from "node:util";
import { describe, expect, test } from "vitest";
import type { EventView } from "../../sdk/client.ts";
import { type Answer, ok } from "../client/scripted-api.ts";
import { HISTORY, RUN } from "./sample-history.ts";
import { activity, at, attempt, completedRun, failedRun, openRun } from "./sample-run.ts";
import { OPEN_TIMELINE, TIMELINE } from "./sample-timeline.ts";
import { pawl } from "./terminal.ts";

function page(shown: readonly EventView[], nextAfter: number | null = null): Answer {
  return ok({ ...RUN, events: shown, next_after: nextAfter });
}

describe("pawl show", () => {
  test("draws a completed run: local and queued work, waiting, retries and the result", async () => {
    const { stdout, exitCode } = await pawl(["show", "order-42"], { answers: [ok(completedRun)] });
    expect(exitCode).toBe(0);
    expect(`\n${stdout}`).toMatchInlineSnapshot(`
      "
      order-42  fulfilOrder  completed
      run       run-1
      started   1m ago, took 4s, 17 events
      input     {"order":"o-1","lines":3}
      signals   approve

         #  activity       mode    status     tries  took    0                                          4s
         1  validateOrder  local   completed  1/3    30ms    ━
         2  price          local   completed  1/3    670ms   ━━━━━━━━
         3  chargeCard     queued  completed  2/3    3.3s           ░░░░████┄┄┄┄┄┄┄┄┄┄┄┄██████████████████
              attempt 1  failed after 400ms: GatewayError: the gateway did not answer
              attempt 2  completed after 1.6s
            ━ local, in the workflow task   ░ in the queue   █ in a worker   ┄ until the retry

      result    {"shipped":true}
      "
    `);
  });

  test("says what an open run waits for", async () => {
    const { stdout } = await pawl(["show", "order-42"], { answers: [ok(openRun)] });
    expect(`\n${stdout}`).toMatchInlineSnapshot(`
      "
      order-42  fulfilOrder  running
      run       run-1
      started   1m ago, open for 1m, 17 events
      input     {"order":"o-1","lines":3}

         #  activity  mode    status     tries  took    0                                               1m
         1  resize    queued  running    1/3    1m      ░░░░██████████████████████████████████████████████
              heartbeat 5s ago: {"done":7}
         2  upload    queued  pending    1/3    1m      ░████████████████████████┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄
         3  notify    queued  pending    0/3    1m      ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░
            ░ in the queue   █ in a worker   ┄ until the retry

      waits for activity 1 resize, attempt 1 is running
                activity 2 upload, attempt 2 of 3 in 10s
                activity 3 notify, in the queue default
                timer 5, fires in 1m 30s
      "
    `);
  });

  test("shows the failure of a failed run down to its cause", async () => {
    const { stdout } = await pawl(["show", "order-42"], { answers: [ok(failedRun)] });
    expect(`\n${stdout}`).toMatchInlineSnapshot(`
      "
      order-42  fulfilOrder  failed
      run       run-1
      started   1m ago, took 4s, 17 events
      input     {"order":"o-1","lines":3}

      failed    GatewayError: the gateway did not answer
      in        activity 3 chargeCard, 3 attempts
      details   {"code":51}
      cause     Timeout: 10 s
      "
    `);
  });

  test("a failing workflow task and a request to cancel are named", async () => {
    const task_failure = { code: "nondeterminism", message: "at 3", at: at(0), count: 4 };
    const run = { ...openRun, activities: [], activity_count: 0, timers: [], task_failure };
    const { stdout } = await pawl(["show", "order-42"], {
      answers: [ok({ ...run, cancel_requested: true })],
    });
    expect(stdout).toContain("running  (asked to cancel)");
    expect(stdout).toContain(
      "waits for its workflow task, which fails (4 times): nondeterminism: at 3",
    );
  });

  test("fits into 100 columns, and into 60, whatever names and values are like", async () => {
    const run = {
      ...completedRun,
      input: "x".repeat(500),
      activities: [
        activity(1, "anActivityWithAVeryLongNameIndeed", "queued", {
          attempts: [
            attempt(1, [0, 10], {
              status: "failed",
              failure: {
                type: "E",
                message: "y".repeat(300),
                category: "application",
                non_retryable: false,
              },
            }),
          ],
        }),
      ],
    };
    for (const columns of [100, 60]) {
      const { stdout } = await pawl(["show", "order-42"], { answers: [ok(run)], columns });
      const table = stdout.split("\n");
      // The table of activities needs its columns; a bar is never narrower than 12 characters.
      const widest = Math.max(...table.map((line) => line.length));
      expect(widest).toBeLessThanOrEqual(Math.max(columns, 82));
    }
  });

  test("control characters of users cannot reach the terminal", async () => {
    const evil = "\u001b[2J\u009b31m\r\nforged line\u202e";
    const run = {
      ...failedRun,
      workflow_id: evil,
      workflow_type: evil,
      input: evil,
      outcome: {
        status: "failed",
        failure: { type: evil, message: evil, category: "application", non_retryable: true },
      },
    };
    const { stdout } = await pawl(["show", "x"], { answers: [ok(run)] });
    expect(stdout.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\u202e]/u);
    expect(stdout).not.toMatch(/^forged line/m);
  });

  test("colour is added on demand, and changes no text", async () => {
    const answers = [ok(completedRun)];
    const coloured = await pawl(["show", "order-42", "--color", "always"], { answers });
    const bare = await pawl(["show", "order-42", "--color", "never"], {
      answers,
      isTerminal: true,
    });
    expect(coloured.stdout).toContain("\u001b[32m━");
    expect(stripVTControlCharacters(coloured.stdout)).toBe(bare.stdout);
  });

  test.each([
    ["on a terminal", { isTerminal: true }, true],
    ["in a pipe", {}, false],
    ["with NO_COLOR", { isTerminal: true, env: { NO_COLOR: "1" } }, false],
    ["on a dumb terminal", { isTerminal: true, env: { TERM: "dumb" } }, false],
    ["with FORCE_COLOR in a pipe", { env: { FORCE_COLOR: "1" } }, true],
  ])("colour %s", async (_name, setting, expected) => {
    const { stdout } = await pawl(["show", "order-42"], {
      answers: [ok(completedRun)],
      ...setting,
    });
    expect(stdout.includes("\u001b[")).toBe(expected);
  });

  test("JSON is what the API says: compact in a pipe, indented on a terminal", async () => {
    const line = ["show", "order-42", "-o", "json"];
    const piped = await pawl(line, { answers: [ok(completedRun)] });
    expect(piped.stdout).toBe(`${JSON.stringify(completedRun)}\n`);
    const terminal = await pawl(line, { answers: [ok(completedRun)], isTerminal: true });
    expect(terminal.stdout).toBe(`${JSON.stringify(completedRun, null, 2)}\n`);
  });

  test("--run asks for an earlier run", async () => {
    const { api } = await pawl(["show", "order-42", "--run", "old"], {
      answers: [ok(completedRun)],
    });
    expect(api.sent[0]?.path).toBe("/api/workflows/order-42/runs/old");
  });
});

describe("pawl timeline", () => {
  const answer = ok({ ...TIMELINE, next_after: null });

  test("draws local attempts apart from queued ones, then every event (S-06)", async () => {
    const { stdout } = await pawl(["timeline", "order-42"], { answers: [answer], columns: 80 });
    const [local, queued] = stdout.split("queued attempts");
    expect(local).toContain("price");
    expect(local).not.toContain("chargeCard");
    expect(queued).toMatch(/chargeCard +#1 +failed +400ms/);
    expect(queued).toMatch(/chargeCard +#2 +completed +1.6s/);
    expect(stdout).toContain("+670ms    local activity price (1) completed");
    for (const line of stdout.split("\n")) expect(line.length).toBeLessThanOrEqual(82);
  });

  test("an attempt that runs reaches to now, and has taken no time yet", async () => {
    const { stdout } = await pawl(["timeline", "order-42", "--time-format", "iso"], {
      answers: [ok({ ...OPEN_TIMELINE, next_after: null })],
    });
    expect(stdout).not.toContain("local attempts");
    expect(stdout).toMatch(/chargeCard +#1 +running +█/);
    expect(stdout).toContain(`${at(2)}  local activity price (1) scheduled`);
  });

  test("-o json prints every page as one", async () => {
    const { entries } = TIMELINE;
    const { stdout, api } = await pawl(["timeline", "order-42", "-o", "json"], {
      answers: [
        ok({ ...TIMELINE, entries: entries.slice(0, 3), next_after: 3 }),
        ok({ ...TIMELINE, entries: entries.slice(3), next_after: null }),
      ],
    });
    expect(JSON.parse(stdout)).toEqual(TIMELINE);
    expect(api.sent.map(({ query }) => query)).toEqual([
      { after: "0", limit: "500" },
      { after: "3", limit: "500" },
    ]);
  });

  test("a run without events shows nothing", async () => {
    const { stdout } = await pawl(["timeline", "order-42"], {
      answers: [
        ok({ ...TIMELINE, entries: [], attempts: { local: [], queued: [] }, next_after: null }),
      ],
    });
    expect(stdout).toBe("");
  });
});

describe("pawl history", () => {
  test("shows one event on a line: number, time, type, activity, mode, attempt, detail", async () => {
    const { stdout } = await pawl(["history", "order-42"], { answers: [page(HISTORY)] });
    expect(`\n${stdout}`).toMatchInlineSnapshot(`
      "
        seq  time      event                     activity          mode   try detail
          1  +0ms      WorkflowStarted                                        {"order":"o-1"}
          2  +2ms      ActivityScheduled         validateOrder     local      ["o-1"]
          3  +2ms      ActivityStarted           validateOrder     local  1
          4  +30ms     ActivityCompleted         validateOrder     local  1   {"ok":true}
          5  +31ms     TimerScheduled                                         timer 2, 1m 30s
          6  +400ms    SignalReceived                                         approve ["ann"]
          7  +700ms    ActivityScheduled         chargeCard        queued     []
          8  +1.4s     ActivityRetryScheduled    chargeCard        queued 1   failure, again in 1s: Gatew…
          9  +1m 2s    ActivityTimedOut          chargeCard        queued 2   start_to_close: too slow
         10  +1m 2s    WorkflowFailed                                         ActivityTimeout: too slow
      "
    `);
    for (const line of stdout.split("\n")) expect(line.length).toBeLessThanOrEqual(100);
  });

  test("--time-format iso shows the time of each event", async () => {
    const { stdout } = await pawl(["history", "order-42", "--time-format", "iso"], {
      answers: [page(HISTORY)],
    });
    expect(stdout).toContain("    4  2026-03-01T11:59:00.030Z  ActivityCompleted");
  });

  test("-o json is one array, -o jsonl one event on a line", async () => {
    const json = await pawl(["history", "order-42", "-o", "json"], { answers: [page(HISTORY)] });
    expect(JSON.parse(json.stdout)).toEqual(HISTORY);
    const lines = await pawl(["history", "order-42", "-o", "jsonl"], { answers: [page(HISTORY)] });
    expect(
      lines.stdout
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line)),
    ).toEqual(HISTORY);
  });

  test("-f prints events as they come and ends with the run", async () => {
    const { stdout, api, exitCode } = await pawl(["history", "order-42", "-f", "-o", "jsonl"], {
      answers: [
        page(HISTORY.slice(0, 2), 2),
        page(HISTORY.slice(2, 4)),
        page([]),
        page(HISTORY.slice(4)),
      ],
    });
    expect(exitCode).toBe(0);
    expect(stdout.trimEnd().split("\n")).toHaveLength(HISTORY.length);
    expect(api.sent.map(({ path, query }) => [path, query["after"]])).toEqual([
      ["/api/workflows/order-42/history", "0"],
      ["/api/workflows/order-42/runs/run-1/history", "2"],
      ["/api/workflows/order-42/runs/run-1/history", "4"],
      ["/api/workflows/order-42/runs/run-1/history", "4"],
    ]);
    expect(api.slept).toEqual([1_000, 1_000]);
  });

  test("-f ends with Ctrl-C", async () => {
    const { exitCode } = await pawl(["history", "order-42", "-f"], {
      answers: [page(HISTORY.slice(0, 1)), page([])],
      interruptAfter: 2,
    });
    expect(exitCode).toBe(0);
  });

  test("--export prints the bundle (S-05)", async () => {
    const { stdout } = await pawl(["history", "order-42", "--run", "run-1", "--export"], {
      answers: [ok({ schema: "bundle" })],
    });
    expect(JSON.parse(stdout)).toEqual({ schema: "bundle" });
  });
});

describe("pawl ls", () => {
  const runs = [completedRun, { ...openRun, workflow_id: "order-43" }];

  test("shows the runs as a table and the way to the next page on standard error", async () => {
    const { stdout, stderr } = await pawl(["ls"], {
      answers: [ok({ workflows: runs, next_cursor: "abc d" })],
    });
    expect(`\n${stdout}`).toMatchInlineSnapshot(`
      "
      id        type         status     started  took
      order-42  fulfilOrder  completed  1m ago   4s
      order-43  fulfilOrder  running    1m ago   1m
      "
    `);
    expect(stderr).toBe("more: pawl ls --cursor 'abc d'\n");
  });

  test("an empty list says how to fill it, and has no data", async () => {
    const { stdout, stderr } = await pawl(["ls"], {
      answers: [ok({ workflows: [], next_cursor: null })],
    });
    expect(stdout).toBe("");
    expect(stderr).toContain("pawl start <type>");
  });

  test("--type, --since, --limit and --cursor become the API's filters", async () => {
    const line = ["ls", "--type", "order", "--since", "1h", "--limit", "5", "--cursor", "c"];
    const { api } = await pawl([...line, "--status", "failed"], {
      answers: [ok({ workflows: [], next_cursor: null })],
    });
    expect(api.sent[0]?.query).toEqual({
      status: "failed",
      workflow_type: "order",
      started_after: "2026-03-01T11:00:00.000Z",
      limit: "5",
      cursor: "c",
    });
  });

  test("several statuses are merged, the newest first, up to the limit", async () => {
    const run = (id: string, startedMs: number) => ({
      ...completedRun,
      workflow_id: id,
      started_at: at(startedMs),
    });
    const { stdout, api } = await pawl(
      ["ls", "--status", "running,failed", "--limit", "3", "-o", "json"],
      {
        answers: [
          ok({ workflows: [run("d", 40), run("b", 20)], next_cursor: "x" }),
          ok({ workflows: [run("c", 30), run("a", 10)], next_cursor: null }),
        ],
      },
    );
    expect(api.sent.map(({ query }) => query["status"])).toEqual(["running", "failed"]);
    const list: { readonly workflows: readonly { readonly workflow_id: string }[] } =
      JSON.parse(stdout);
    expect(list.workflows.map(({ workflow_id }) => workflow_id)).toEqual(["d", "c", "b"]);
  });

  test("--watch prints each run once and again when it changes", async () => {
    const pending = { ...openRun, status: "pending" };
    const { stdout } = await pawl(["ls", "--watch", "-o", "jsonl"], {
      answers: [
        ok({ workflows: [pending], next_cursor: null }),
        ok({ workflows: [pending], next_cursor: null }),
        ok({ workflows: [completedRun], next_cursor: null }),
      ],
      interruptAfter: 3,
    });
    const statuses = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line).status);
    expect(statuses).toEqual(["pending", "completed"]);
  });

  test("--watch on a terminal draws the list anew", async () => {
    const { stdout, api } = await pawl(["ls", "--watch"], {
      answers: [ok({ workflows: [completedRun], next_cursor: null })],
      isTerminal: true,
      interruptAfter: 2,
    });
    expect(stdout.split("\u001b[H\u001b[2J")).toHaveLength(3);
    expect(api.slept).toEqual([2_000, 2_000]);
  });
});

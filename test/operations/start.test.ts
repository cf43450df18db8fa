import { beforeEach, describe, expect, test } from "vitest";
import { inboundBatch, tailOf } from "../../sdk/core/batch.ts";
import { InfrastructureError } from "../../sdk/core/errors.ts";
import type { HistoryEvent, RunKey } from "../../sdk/core/events.ts";
import { PENDING_START_MS } from "../../sdk/core/limits.ts";
import { DIRECT_START_DELAY_MS } from "../../sdk/engine/operations/start.ts";
import { ApiWorld, NOW, unanswered } from "./world.ts";

let world: ApiWorld;
beforeEach(() => {
  world = new ApiWorld();
});

const ORDER = { workflow_type: "order", workflow_id: "o-1" } as const;

function runOf(answer: { readonly workflow_id: string; readonly run_id: string }): RunKey {
  return { namespace: "shop", workflow_id: answer.workflow_id, run_id: answer.run_id };
}

const STARTED = (run: RunKey): HistoryEvent => ({
  type: "WorkflowStarted",
  at: NOW,
  workflow_type: "order",
  workflow_id: run.workflow_id,
  run_id: run.run_id,
  input: { json: "null" },
  seed: "s",
});

/** Ends a run's log without telling its row. */
async function end(run: RunKey, last: HistoryEvent): Promise<void> {
  await world.append(run, inboundBatch(tailOf(undefined), [STARTED(run), last], "task"));
}

const COMPLETED: HistoryEvent = { type: "WorkflowCompleted", at: NOW + 5, output: { json: "7" } };
const CANCELLED: HistoryEvent = { type: "WorkflowCancelled", at: NOW + 5 };
const FAILED: HistoryEvent = {
  type: "WorkflowFailed",
  at: NOW + 5,
  failure: { type: "E", message: "no", category: "application", non_retryable: false },
};

describe("starting", () => {
  test("a start puts a pending row that the sweeper finds, then sends the start message (R12)", async () => {
    const answer = await world.operations.start({ ...ORDER, input: { total: 3 } });

    expect(answer).toEqual({
      workflow_id: "o-1",
      run_id: expect.any(String),
      workflow_type: "order",
      status: "pending",
      started: true,
    });
    expect(await world.ports.runs.get(runOf(answer))).toMatchObject({
      status: "pending",
      input: { json: '{"total":3}' },
      started_at: NOW,
      check_at: NOW + PENDING_START_MS,
    });
    expect(world.sent()).toMatchObject([
      { message_id: `${answer.run_id}/start`, announces: { kind: "start" }, from: 0 },
    ]);
    const written = world.calls.indexOf("Put workflow_runs");
    expect(written).toBeGreaterThan(-1);
    expect(world.calls.indexOf("SendMessageBatch workflow")).toBeGreaterThan(written);
  });

  test("without a workflow id, a repeat of the request finds the first one's run", async () => {
    const first = await world.operations.start({ workflow_type: "order", request_id: "r" });
    const again = await world.operations.start({ workflow_type: "order", request_id: "r" });
    expect(again).toEqual(first);
  });

  test("a repeated start is answered like the first and sends the message again while it is pending", async () => {
    const first = await world.operations.start({ ...ORDER, request_id: "r" });
    const again = await world.operations.start({ ...ORDER, request_id: "r" });

    expect(again).toEqual(first);
    expect(world.sent().map((message) => message.message_id)).toEqual([
      `${first.run_id}/start`,
      `${first.run_id}/start`,
    ]);

    await world.ports.runs.markRunning(runOf(first), NOW + 1, 1);
    const later = await world.operations.start({ ...ORDER, request_id: "r" });
    expect(later).toEqual({ ...first, status: "running" });
    expect(world.sent()).toHaveLength(2);
  });

  test("when the message was not sent, the repeat sends it and answers the same run", async () => {
    world.before = (call) => {
      if (call.startsWith("SendMessage")) throw unanswered();
    };
    await expect(world.operations.start({ ...ORDER, request_id: "r" })).rejects.toThrow(
      InfrastructureError,
    );
    world.before = () => {};

    const answer = await world.operations.start({ ...ORDER, request_id: "r" });

    expect(world.sent()).toHaveLength(1);
    expect(world.sent()[0]?.run_id).toBe(answer.run_id);
    expect((await world.ports.runs.getCurrent("shop", "o-1"))?.run_id).toBe(answer.run_id);
  });

  test("of 20 starts at the same time one wins, and all name its run (G6)", async () => {
    const starts = Array.from({ length: 20 }, (_, index) =>
      world.operations.start({
        ...ORDER,
        request_id: `r-${index}`,
        duplicate_policy: "return_existing_active",
      }),
    );
    const answers = await Promise.all(starts);
    expect(answers.filter((answer) => answer.started)).toHaveLength(1);
    expect(new Set(answers.map((answer) => answer.run_id)).size).toBe(1);
  });

  test.each([
    ["", "it is empty"],
    ["a\nb", "control character"],
    ["__x", "reserved"],
    ["..", "URLs"],
    ["x".repeat(257), "257 characters"],
  ])("the workflow id %j is refused and nothing is written (L6)", async (workflow_id, reason) => {
    await expect(world.operations.start({ ...ORDER, workflow_id })).rejects.toMatchObject({
      code: "invalid_id",
      message: expect.stringContaining(reason),
    });
    expect(world.calls).toEqual([]);
  });
});

describe("inputs", () => {
  test("an input above the inline size becomes a blob before the row points at it (M-03)", async () => {
    const input = "ü".repeat(10_000);
    const answer = await world.operations.start({ ...ORDER, input });

    expect(world.blobKeys()).toHaveLength(1);
    const row = await world.ports.runs.get(runOf(answer));
    expect(row?.input).toEqual({ blob: world.blobKeys()[0], bytes: 20_002 });
    expect((await world.operations.describe({ workflow_id: "o-1" })).input).toBe(input);
    expect(world.calls.indexOf("PutObject payloads")).toBeLessThan(
      world.calls.indexOf("Put workflow_runs"),
    );
  });

  test("the longest ids hold a large input as well: a blob's key stays below S3's limit", async () => {
    const workflow_id = "語".repeat(256);
    const input = "x".repeat(10_000);
    await world.operations.start({ ...ORDER, workflow_id, input });
    await world.operations.signal({ workflow_id }, "語".repeat(256), { args: [input] });
    expect(world.blobKeys()).toHaveLength(2);
  });

  test("the repeat of a start with a large input leaves no second copy", async () => {
    const request = { ...ORDER, input: "x".repeat(10_000), request_id: "r" };
    await world.operations.start(request);
    await world.operations.start(request);
    expect(world.blobKeys()).toHaveLength(1);
  });

  test("a start that is refused, or finds a run, leaves no large input behind", async () => {
    await world.operations.start(ORDER);
    const large = { ...ORDER, input: "x".repeat(10_000) };
    await expect(world.operations.start(large)).rejects.toMatchObject({
      code: "workflow_already_started",
    });
    await world.operations.start({ ...large, duplicate_policy: "return_existing_active" });
    expect(world.blobKeys()).toEqual([]);
  });

  test("an input above the limit is refused by name before anything is written (M-01)", async () => {
    const input = "x".repeat(2_097_152);
    await expect(world.operations.start({ ...ORDER, input })).rejects.toMatchObject({
      code: "payload_too_large",
      message: expect.stringContaining("2097154"),
    });
    expect(world.calls).toEqual([]);
  });
});

describe("policies", () => {
  test("while a run is open, its id is refused and the run is named", async () => {
    const first = await world.operations.start(ORDER);
    await expect(world.operations.start(ORDER)).rejects.toMatchObject({
      code: "workflow_already_started",
      message: expect.stringContaining(first.run_id),
    });
  });

  test("return_existing_active answers the open run and says that it did not start it", async () => {
    const first = await world.operations.start(ORDER);
    const found = await world.operations.start({
      ...ORDER,
      duplicate_policy: "return_existing_active",
    });
    expect(found).toMatchObject({ run_id: first.run_id, started: false });
    expect(world.sent()).toHaveLength(1);
  });

  test.each([
    ["allow_duplicate", COMPLETED, "starts"],
    ["allow_duplicate", FAILED, "starts"],
    ["allow_duplicate_failed_only", COMPLETED, "is refused"],
    ["allow_duplicate_failed_only", FAILED, "starts"],
    ["allow_duplicate_failed_only", CANCELLED, "starts"],
    ["reject_duplicate", FAILED, "is refused"],
  ] as const)("with %s a new run after %o %s", async (id_reuse_policy, last, verdict) => {
    const first = await world.operations.start(ORDER);
    await end(runOf(first), last);
    const second = world.operations.start({ ...ORDER, id_reuse_policy });
    if (verdict === "starts") {
      expect((await second).run_id).not.toBe(first.run_id);
    } else {
      await expect(second).rejects.toMatchObject({ code: "workflow_already_started" });
    }
  });

  test("the log decides: a row that still says open does not block the id, and is repaired", async () => {
    const first = await world.operations.start(ORDER);
    await end(runOf(first), COMPLETED);
    expect(await world.ports.runs.get(runOf(first))).toMatchObject({ status: "pending" });

    const second = await world.operations.start(ORDER);

    expect(second).toMatchObject({ started: true });
    expect(await world.ports.runs.get(runOf(first))).toMatchObject({
      status: "completed",
      closed_at: NOW + 5,
      output: { json: "7" },
    });
    expect((await world.ports.runs.getCurrent("shop", "o-1"))?.run_id).toBe(second.run_id);
  });

  test("of two starts that replace a closed run one wins", async () => {
    const first = await world.operations.start(ORDER);
    await end(runOf(first), COMPLETED);
    const settled = await Promise.allSettled([
      world.operations.start(ORDER),
      world.operations.start(ORDER),
    ]);
    expect(settled.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
  });
});

describe("registered types", () => {
  test("an unknown type is refused by name, with the known ones, and nothing is written", async () => {
    await expect(world.operations.start({ workflow_type: "oder" })).rejects.toMatchObject({
      code: "workflow_type_unknown",
      message: expect.stringContaining("registered are: order"),
    });
    expect(world.calls).toEqual(["Invoke types"]);
  });

  test("the types are asked for once, and again for an unknown one when some time has passed", async () => {
    await world.operations.start(ORDER);
    await world.operations.start({ ...ORDER, workflow_id: "o-2" });
    world.answer = async () => ({
      kind: "types",
      workflow_types: ["order", "refund"],
      activity_types: [],
    });
    await expect(world.operations.start({ workflow_type: "refund" })).rejects.toMatchObject({
      code: "workflow_type_unknown",
    });
    expect(world.calls.filter((call) => call === "Invoke types")).toHaveLength(1);

    world.now += 3_000;
    expect((await world.operations.start({ workflow_type: "refund" })).started).toBe(true);
    expect(world.calls.filter((call) => call === "Invoke types")).toHaveLength(2);
  });

  test("a start is accepted while the workflow-task function cannot say its types", async () => {
    world.before = (call) => {
      if (call === "Invoke types") throw unanswered();
    };
    expect((await world.operations.start(ORDER)).started).toBe(true);
    expect(world.logged).toContainEqual(expect.objectContaining({ level: "warn" }));
  });
});

describe("direct start (R16)", () => {
  test("the start message is sent, delayed, before the same message is invoked", async () => {
    world.answer = async (request) => {
      if (request.kind === "task") {
        expect(world.sent()).toEqual([request.message]);
        expect(world.visibleMessages()).toBe(0);
        return {
          kind: "task",
          closing: { status: "completed", closed_at: NOW, output: { json: '"paid"' } },
        };
      }
      return { kind: "types", workflow_types: ["order"], activity_types: [] };
    };
    const answer = await world.operations.start({ ...ORDER, wait: 10 });
    expect(answer).toMatchObject({
      status: "completed",
      started: true,
      outcome: { status: "completed", result: "paid" },
    });
    expect(DIRECT_START_DELAY_MS).toBeGreaterThanOrEqual(1_000);
  });

  test("when the invocation crashes, the log's tail gives the outcome", async () => {
    world.before = async (call) => {
      if (call !== "Invoke task") return;
      const row = await world.ports.runs.getCurrent("shop", "o-1");
      if (row !== undefined) await end(row, FAILED);
      throw unanswered();
    };
    const answer = await world.operations.start({ ...ORDER, wait: 10 });
    expect(answer.outcome).toEqual({
      status: "failed",
      failure: { type: "E", message: "no", category: "application", non_retryable: false },
    });
  });

  test("a run that was terminated meanwhile is answered with the reason, which only the log has", async () => {
    world.answer = async (request) => {
      if (request.kind === "types")
        return { kind: "types", workflow_types: ["order"], activity_types: [] };
      await world.operations.terminate({ workflow_id: "o-1" }, { reason: "too late" });
      return { kind: "task", closing: { status: "terminated", closed_at: NOW } };
    };
    const answer = await world.operations.start({ ...ORDER, wait: 10 });
    expect(answer.outcome).toEqual({ status: "terminated", reason: "too late" });
  });

  test("a run that waits for its queue is answered as soon as its log is closed", async () => {
    let looks = 0;
    world.before = async (call) => {
      if (call !== "Query history_events" || ++looks !== 4) return;
      const row = await world.ports.runs.getCurrent("shop", "o-1");
      if (row !== undefined) await end(row, COMPLETED);
    };
    const answer = await world.operations.start({ ...ORDER, wait: 10 });
    expect(answer.outcome).toEqual({ status: "completed", result: 7 });
    expect(world.now - NOW).toBeLessThan(200);
  });

  test("a direct task that takes longer than the wait leaves a started run without an outcome", async () => {
    let asked = (): void => {};
    const invoked = new Promise<void>((resolve) => {
      asked = resolve;
    });
    world.answer = async (request) => {
      if (request.kind === "types")
        return { kind: "types", workflow_types: ["order"], activity_types: [] };
      asked();
      return new Promise(() => {});
    };
    const starting = world.operations.start({ ...ORDER, wait: 2 });
    await invoked;
    world.passDeadlines();
    const answer = await starting;
    expect(answer).toMatchObject({ started: true, status: "pending" });
    expect(answer.outcome).toBeUndefined();
    expect(world.now - NOW).toBe(2_000);
  });

  test("a wait above 20 s is cut to 20 s (design section 3)", async () => {
    const answer = await world.operations.start({ ...ORDER, wait: 3_600 });
    expect(answer.outcome).toBeUndefined();
    expect(world.now - NOW).toBe(20_000);
  });
});

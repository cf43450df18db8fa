import { beforeEach, describe, expect, test } from "vitest";
import { inboundBatch, tailOf } from "../../sdk/core/batch.ts";
import { InfrastructureError } from "../../sdk/core/errors.ts";
import type { Batch, HistoryEvent, RunKey } from "../../sdk/core/events.ts";
import { PENDING_SIGNALS_MAX } from "../../sdk/core/limits.ts";
import { ApiWorld, NOW, unanswered } from "./world.ts";

const REF = { workflow_id: "o-1" } as const;
const APPEND = "Put history_events";
const SEND = "SendMessageBatch workflow";

let world: ApiWorld;
let run: RunKey;
beforeEach(async () => {
  world = new ApiWorld();
  const { run_id } = await world.operations.start({ workflow_type: "order", workflow_id: "o-1" });
  run = { namespace: "shop", workflow_id: "o-1", run_id };
  world.calls.length = 0;
});

/** What a workflow task has written so far: a turn is open under a lease. */
function turn(): Batch {
  return {
    ...inboundBatch(tailOf(undefined), [started()], "task"),
    kind: "task",
    lease: { owner: "task-1", until: NOW + 30_000, alarm: "start" },
    turn_from: 1,
  };
}

function started(): HistoryEvent {
  const { workflow_id, run_id } = run;
  const input = { json: "null" };
  return {
    type: "WorkflowStarted",
    at: NOW,
    workflow_type: "order",
    workflow_id,
    run_id,
    input,
    seed: "s",
  };
}

async function types(): Promise<readonly string[]> {
  return (await world.events(run)).map((event) => event.type);
}

/** The signals that workflow code will see. */
async function signalIds(): Promise<readonly string[]> {
  const events = await world.events(run);
  return events.flatMap((event) => (event.type === "SignalReceived" ? [event.signal_id] : []));
}

/** The requests' messages; the first one in the queue is the run's start. */
function requestMessages() {
  return world.sent().filter((message) => message.announces.kind === "request");
}

/** Does something once, at the first call of this name from now on. */
function once(call: string, act: () => void | Promise<void>): void {
  let done = false;
  world.before = async (made) => {
    if (made !== call || done) return;
    done = true;
    await act();
  };
}

describe("a request in the plain case", () => {
  test("accepted means in the log, and the message with the event in it went out first (R8)", async () => {
    const answer = await world.operations.signal(REF, "paid", { args: [1, "x"] });

    expect(answer).toEqual({
      workflow_id: "o-1",
      run_id: run.run_id,
      accepted: true,
      id: answer.id,
    });
    const events = await world.events(run);
    const event = {
      type: "SignalReceived",
      at: NOW,
      signal_id: answer.id,
      signal_name: "paid",
      arguments: { json: '[1,"x"]' },
    };
    expect(events[1]).toEqual(event);
    expect(requestMessages()).toMatchObject([
      {
        message_id: `${run.run_id}/sig/${answer.id}`,
        announces: { kind: "request", event },
        from: 1,
      },
    ]);
    expect(world.calls.indexOf(SEND)).toBeLessThan(world.calls.indexOf(APPEND));
  });

  test("who writes the first batch puts WorkflowStarted first, from the run's row (R12, G5)", async () => {
    await world.operations.signal(REF, "paid", {});
    const row = await world.ports.runs.get(run);
    expect((await world.events(run))[0]).toEqual({
      type: "WorkflowStarted",
      at: NOW,
      workflow_type: "order",
      workflow_id: "o-1",
      run_id: run.run_id,
      input: row?.input,
      seed: row?.seed,
    });
  });

  test("an append under a lease carries lease and turn on unchanged (R11)", async () => {
    await world.append(run, turn());
    await world.operations.cancel(REF, { reason: "changed my mind" });
    expect(await world.ports.history.readTail(run)).toMatchObject({
      sequence: 2,
      kind: "inbound",
      lease: turn().lease,
      turn_from: 1,
      closed: false,
      events: [{ type: "CancelRequested", reason: "changed my mind" }],
    });
  });

  test("terminate closes the log and the row at once, lease or not (E9)", async () => {
    await world.append(run, turn());
    await world.operations.terminate(REF, { reason: "wrong order" });
    expect(await world.ports.history.readTail(run)).toMatchObject({
      closed: true,
      lease: null,
      turn_from: null,
    });
    expect(await world.ports.runs.get(run)).toMatchObject({ status: "terminated" });
    expect(await world.operations.result(REF, 0)).toMatchObject({
      outcome: { status: "terminated", reason: "wrong order" },
    });
  });

  test("large arguments become a blob, and two requests with one id never share one", async () => {
    const args = ["x".repeat(9_000)];
    await world.operations.signal(REF, "paid", { args, signal_id: "a" });
    await world.operations.signal(REF, "paid", { args: ["y".repeat(9_000)], signal_id: "a" });
    const [, event] = await world.events(run);
    expect(event).toMatchObject({ arguments: { blob: world.blobKeys()[0] } });
    const view = await world.operations.history(REF, { after: 1, limit: 1 });
    expect(view.events[0]?.payload["arguments"]).toEqual(args);
  });

  test.each(["signal", "cancel", "terminate"] as const)(
    "%s of an unknown workflow or run is refused by name (G4)",
    async (verb) => {
      const ask = (ref: { readonly workflow_id: string; readonly run_id?: string }) =>
        verb === "signal"
          ? world.operations.signal(ref, "paid", {})
          : world.operations[verb](ref, {});
      await expect(ask({ workflow_id: "o-9" })).rejects.toMatchObject({
        code: "workflow_not_found",
      });
      await expect(ask({ workflow_id: "o-1", run_id: "r-9" })).rejects.toMatchObject({
        code: "run_not_found",
      });
      expect(await types()).toEqual([]);
    },
  );
});

describe("a request that is repeated (R20)", () => {
  test("an id that is in the log already is accepted again and nothing is written", async () => {
    await world.operations.signal(REF, "paid", { signal_id: "a" });
    world.calls.length = 0;
    const again = await world.operations.signal(REF, "paid", { signal_id: "a" });
    expect(again).toMatchObject({ accepted: true, id: "a" });
    expect(await signalIds()).toEqual(["a"]);
    expect(world.calls).not.toContain(APPEND);
    expect(world.calls).not.toContain(SEND);
  });

  test("two signals with one id at the same time are one event", async () => {
    const answers = await Promise.all([
      world.operations.signal(REF, "paid", { signal_id: "a", args: [1] }),
      world.operations.signal(REF, "paid", { signal_id: "a", args: [2] }),
    ]);
    expect(answers.every((answer) => answer.accepted)).toBe(true);
    expect(await signalIds()).toEqual(["a"]);
  });

  test("the guard precedes the message: a repeat looks from where the first one looked", async () => {
    once(SEND, () => {
      throw unanswered();
    });
    await expect(world.operations.signal(REF, "paid", { signal_id: "a" })).rejects.toThrow(
      InfrastructureError,
    );
    // The message was sent although no answer came: the task puts the event into the log.
    await world.append(run, inboundBatch(tailOf(undefined), [started(), signalEvent("a")], "task"));
    await world.append(
      run,
      inboundBatch(tailOf(await world.ports.history.readTail(run)), [signalEvent("b")], "other"),
    );
    await world.operations.signal(REF, "paid", { signal_id: "a" });
    expect(await signalIds()).toEqual(["a", "b"]);
  });

  test("a repeat of an accepted request is accepted even when the run closed since", async () => {
    await world.operations.terminate(REF, { request_id: "stop" });
    expect(await world.operations.terminate(REF, { request_id: "stop" })).toMatchObject({
      accepted: true,
      id: "stop",
    });
    await expect(world.operations.terminate(REF, { request_id: "other" })).rejects.toMatchObject({
      code: "workflow_closed",
      message: expect.stringContaining("terminated"),
    });
    expect(await types()).toEqual(["WorkflowStarted", "WorkflowTerminated"]);
  });
});

function signalEvent(signal_id: string): HistoryEvent {
  return {
    type: "SignalReceived",
    at: NOW,
    signal_id,
    signal_name: "paid",
    arguments: { json: "[]" },
  };
}

describe("signals that nobody takes", () => {
  test("one more than the limit is refused by name before anything is sent; a cancel still gets in (L10)", async () => {
    await world.append(run, { ...turn(), pending_signals: PENDING_SIGNALS_MAX });
    await expect(
      world.operations.signal({ workflow_id: "o-1" }, "go", { args: [] }),
    ).rejects.toMatchObject({ code: "signals_pending_limit", status: 429 });
    expect(requestMessages()).toEqual([]);
    await world.operations.cancel({ workflow_id: "o-1" }, {});
    expect(await types()).toContain("CancelRequested");
  });

  test("each one in the log counts until a task says how many are left", async () => {
    await world.append(run, turn());
    await world.operations.signal({ workflow_id: "o-1" }, "go", { args: [] });
    await world.operations.signal({ workflow_id: "o-1" }, "go", { args: [] });
    expect((await world.ports.history.readTail(run))?.pending_signals).toBe(2);
  });
});

describe("interleavings of message and append", () => {
  test("when the API dies between message and append, the message holds all that is needed (K6)", async () => {
    once(APPEND, () => new Promise(() => {}));
    const dying = world.operations.signal(REF, "paid", { signal_id: "a", args: [1] });
    await new Promise((resolve) => setImmediate(resolve));

    expect(await types()).toEqual([]);
    const [message] = requestMessages();
    expect(message?.announces).toMatchObject({
      event: { type: "SignalReceived", signal_id: "a", arguments: { json: "[1]" } },
    });
    // The caller's repeat meets neither log nor task, and appends once.
    await world.operations.signal(REF, "paid", { signal_id: "a", args: [1] });
    expect(await signalIds()).toEqual(["a"]);
    expect(requestMessages().map(({ from }) => from)).toEqual([1, 1]);
    void dying;
  });

  test("an append that loses the race is made again behind the winner", async () => {
    once(APPEND, () => world.append(run, turn()));
    await world.operations.signal(REF, "paid", { signal_id: "a" });
    expect(await types()).toEqual(["WorkflowStarted", "SignalReceived"]);
    expect(await world.ports.history.readTail(run)).toMatchObject({
      sequence: 2,
      lease: turn().lease,
    });
  });

  test("when the workflow task appended the event first, it stays one event", async () => {
    once(APPEND, () =>
      world.append(run, inboundBatch(tailOf(undefined), [started(), signalEvent("a")], "task")),
    );
    expect(await world.operations.signal(REF, "paid", { signal_id: "a" })).toMatchObject({
      accepted: true,
    });
    expect(await signalIds()).toEqual(["a"]);
  });

  test("when the run closes meanwhile, the request is refused and the closed log untouched (G3)", async () => {
    const completed: HistoryEvent = {
      type: "WorkflowCompleted",
      at: NOW + 1,
      output: { json: "1" },
    };
    once(APPEND, () =>
      world.append(run, inboundBatch(tailOf(undefined), [started(), completed], "task")),
    );
    await expect(world.operations.signal(REF, "paid", {})).rejects.toMatchObject({
      code: "workflow_closed",
      message: expect.stringContaining("completed"),
    });
    expect(await types()).toEqual(["WorkflowStarted", "WorkflowCompleted"]);
    expect(await world.ports.runs.get(run)).toMatchObject({ status: "completed" });
  });

  test("when the run took the event and closed, the request is accepted (G3)", async () => {
    once(APPEND, async () => {
      await world.append(
        run,
        inboundBatch(tailOf(undefined), [started(), signalEvent("a")], "task"),
      );
      const tail = await world.ports.history.readTail(run);
      const completed: HistoryEvent = {
        type: "WorkflowCompleted",
        at: NOW + 1,
        output: { json: "1" },
      };
      await world.append(run, inboundBatch(tailOf(tail), [completed], "task"));
    });
    await expect(world.operations.signal(REF, "paid", { signal_id: "a" })).resolves.toMatchObject({
      accepted: true,
    });
  });

  test("an append that was applied without an answer is not made twice (R9)", async () => {
    let lost = false;
    world.after = (call) => {
      if (call !== APPEND || lost) return;
      lost = true;
      throw unanswered();
    };
    await world.operations.signal(REF, "paid", {});
    expect(await types()).toEqual(["WorkflowStarted", "SignalReceived"]);
  });

  test("a store that stays down is an infrastructure fault, never a wrong acceptance", async () => {
    world.before = (call) => {
      if (call === APPEND) throw unanswered();
    };
    await expect(world.operations.signal(REF, "paid", {})).rejects.toThrow(InfrastructureError);
    expect(await types()).toEqual([]);
    expect(world.calls.filter((call) => call === APPEND).length).toBeLessThanOrEqual(20);
  });

  test("40 signals at the same time are all accepted, each once and in the log (G1)", async () => {
    const sent = Array.from({ length: 40 }, (_, index) => `s-${index}`);
    const accepted = await Promise.allSettled(
      sent.map((signal_id) => world.operations.signal(REF, "paid", { signal_id })),
    );
    const ids = await signalIds();
    expect(new Set(ids).size).toBe(ids.length);
    // Under such a storm a request may give up, as a fault that the client repeats; it is never lost.
    for (const [index, { status }] of accepted.entries())
      if (status === "fulfilled") expect(ids).toContain(sent[index]);
    for (const result of accepted)
      if (result.status === "rejected") expect(result.reason).toBeInstanceOf(InfrastructureError);
    await Promise.all(sent.map((signal_id) => repeatUntilAccepted(signal_id)));
    expect([...(await signalIds())].sort()).toEqual([...sent].sort());
  });
});

async function repeatUntilAccepted(signal_id: string): Promise<void> {
  for (;;) {
    try {
      await world.operations.signal(REF, "paid", { signal_id });
      return;
    } catch (error) {
      if (!(error instanceof InfrastructureError)) throw error;
    }
  }
}

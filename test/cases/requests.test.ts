/** Starts and signals that race: each is accepted once or refused by name, never accepted and lost. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { seededRandom } from "../../sdk/core/random.ts";
import {
  activity,
  defineSignal,
  localActivity,
  setHandler,
  waitForSignal,
  workflow,
} from "../../sdk/index.ts";
import { eventsOf } from "../support/history.ts";
import { startStack } from "./stack.ts";

const note = defineSignal<[number]>("note");
const finish = defineSignal("finish");
const add = activity({ startToCloseTimeout: 5 }, async (n: number) => n + 1);

const exports = {
  add,
  collects: workflow(async () => {
    const notes: number[] = [];
    setHandler(note, (value) => {
      notes.push(value);
    });
    await waitForSignal(finish);
    return notes;
  }),
  slow: workflow(async () => {
    const notes: number[] = [];
    setHandler(note, async (value) => {
      notes.push(await localActivity(add, value));
    });
    await waitForSignal(finish);
    return notes;
  }),
  anything: workflow(async (input: unknown) => input),
};

function shuffled(count: number, seed: string): readonly number[] {
  const random = seededRandom(seed);
  return Array.from({ length: count }, (_, value) => ({ value, at: random() }))
    .toSorted((left, right) => left.at - right.at)
    .map(({ value }) => value);
}

async function acceptedNotes(handle: Parameters<typeof eventsOf>[0]): Promise<readonly number[]> {
  const events = await eventsOf(handle);
  return events
    .filter(({ type, payload }) => type === "SignalReceived" && payload["signal_name"] === "note")
    .map(({ payload }) => Number(Reflect.get(Object(payload["arguments"]), 0)));
}

describe("signals", () => {
  test("100 in a shuffled order are each delivered once, in the order of their acceptance (G1, I16)", async () => {
    const stack = await startStack(exports);
    const handle = await stack.start("collects");
    const order = shuffled(100, "G1");
    for (const value of order) await handle.signal(note, value);
    await handle.signal(finish);
    expect(await handle.result()).toEqual(order);
    expect(await acceptedNotes(handle)).toEqual(order);
  });

  test("100 at the same time are each delivered once, in the order of the history, also while bodies run (G1)", async () => {
    const stack = await startStack(exports);
    for (const type of ["collects", "slow"]) {
      const handle = await stack.start(type);
      const order = shuffled(100, type);
      await Promise.all(order.map((value) => handle.signal(note, value)));
      await stack.advance("1m");
      await handle.signal(finish);
      const accepted = await acceptedNotes(handle);
      expect([...accepted].toSorted((a, b) => a - b)).toEqual([...order].toSorted((a, b) => a - b));
      const seen = (await handle.result()) as number[];
      if (type === "collects") expect(seen).toEqual(accepted);
      else
        expect(seen.toSorted((a, b) => a - b)).toEqual(
          Array.from({ length: 100 }, (_, i) => i + 1),
        );
    }
  });

  test("that race with the end are handled or refused as closed, never accepted and lost (G3)", async () => {
    const stack = await startStack(exports);
    for (let round = 0; round < 5; round++) {
      const handle = await stack.start("collects");
      const answers = await Promise.all(
        [
          ...Array.from({ length: 10 }, (_, value) => handle.signal(note, value)),
          handle.signal(finish),
          ...Array.from({ length: 10 }, (_, value) => handle.signal(note, value + 10)),
        ].map((sent) =>
          sent.then(
            () => "accepted",
            (error: { code?: string }) => error.code,
          ),
        ),
      );
      const result = (await handle.result()) as number[];
      const accepted = await acceptedNotes(handle);
      for (const answer of answers) expect(["accepted", "workflow_closed"]).toContain(answer);
      expect(accepted.length + 1).toBe(answers.filter((answer) => answer === "accepted").length);
      // What stands before the finish in the history was handled.
      expect(accepted.slice(0, result.length)).toEqual(result);
    }
  });

  test("before the first workflow task are delivered (G5, R12)", async () => {
    const stack = await startStack(exports);
    const queue = stack.queue("workflow-tasks");
    const { disturbance } = queue;
    queue.disturbance = { ...disturbance, hideMs: () => 5_000 };
    const handle = await stack.start("collects");
    await handle.signal(note, 1);
    await handle.signal(note, 2);
    expect((await handle.describe()).status).toBe("running");
    queue.disturbance = disturbance;
    await handle.signal(finish);
    expect(await handle.result()).toEqual([1, 2]);
    expect((await eventsOf(handle))[0]?.type).toBe("WorkflowStarted");
  });

  test("with one id are one signal, however often and however late they are sent (R20, I16)", async () => {
    const stack = await startStack(exports);
    const handle = await stack.start("collects");
    const send = () => handle.signal({ signal: note, id: "the-same" }, 7);
    await Promise.all([send(), send(), send()]);
    await stack.advance("1h");
    await send();
    await handle.signal(finish);
    expect(await handle.result()).toEqual([7]);
    await send();
    expect(await acceptedNotes(handle)).toEqual([7]);
  });
});

describe("starts", () => {
  test("of 50 with one id at the same time one wins, the others learn its run (G6)", async () => {
    const stack = await startStack(exports);
    const { client } = stack.platform;
    const start = (duplicatePolicy: "reject_duplicate" | "return_existing_active") =>
      client.start("collects", { id: "one", duplicatePolicy }).then(
        ({ runId, started }) => ({ runId, started }),
        (error: { code: string; message: string }) => ({ runId: error.code, started: false }),
      );
    const refused = await Promise.all(Array.from({ length: 50 }, () => start("reject_duplicate")));
    const won = refused.filter(({ started }) => started);
    expect(won.length).toBe(1);
    expect(refused.filter(({ runId }) => runId === "workflow_already_started").length).toBe(49);
    const found = await Promise.all(
      Array.from({ length: 50 }, () => start("return_existing_active")),
    );
    expect(new Set(found.map(({ runId }) => runId))).toEqual(new Set([won[0]?.runId]));
    expect(found.some(({ started }) => started)).toBe(false);
    await client.handle("one").signal(finish);
    await client.handle("one").result();
    const again = await Promise.all(Array.from({ length: 50 }, () => start("reject_duplicate")));
    expect(again.filter(({ started }) => started).length).toBe(1);
    expect((await client.list({ type: "collects" })).workflows.length).toBe(2);
  });

  test("with any JSON as their body are answered without a fault (L5 to L9)", async () => {
    const stack = await startStack(exports);
    const value = fc.oneof(
      fc.jsonValue({ depthSize: "medium" }),
      fc.constantFrom("anything", "return_existing_active", "allow_duplicate", 0, 0.5, -1),
      fc.string({ unit: "binary", maxLength: 300 }),
    );
    const startLike = fc.record(
      {
        workflow_type: fc.oneof({ weight: 4, arbitrary: fc.constant("anything") }, value),
        workflow_id: value,
        input: value,
        wait: fc.oneof(fc.double({ max: 0.1 }), value),
        request_id: fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 }),
        duplicate_policy: value,
        constructor: value,
        hasOwnProperty: value,
      },
      { requiredKeys: ["workflow_type"] },
    );
    const startWithInput = fc.record({
      workflow_type: fc.constant("anything"),
      input: fc.jsonValue(),
    });
    const body = fc.oneof(
      startWithInput.map((fields) => JSON.stringify(fields)),
      startLike.map((fields) => JSON.stringify(fields)),
      fc.json(),
      fc.string({ unit: "binary" }),
    );
    const seen = new Set<number>();
    await fc.assert(
      fc.asyncProperty(body, async (text) => {
        const headers = { "content-type": "application/json" };
        const answer = await stack.platform.fetch("/api/workflows", {
          method: "POST",
          body: text,
          headers,
        });
        seen.add(answer.status);
        const parsed: unknown = JSON.parse(await answer.text());
        expect(answer.status, text).toBeLessThan(500);
        expect(parsed).toHaveProperty(answer.ok ? "workflow_id" : "code");
      }),
      { numRuns: 200 },
    );
    // It was no test when nothing was accepted or nothing refused.
    expect([...seen].some((status) => status < 300)).toBe(true);
    expect(seen).toContain(400);
    expect(Reflect.get({}, "polluted")).toBeUndefined();
    expect(await (await stack.start("anything", "still works")).result()).toBe("still works");
  });
});

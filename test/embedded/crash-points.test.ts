import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { deliveries, delivery } from "./fixture/lines.ts";
import { type FixtureStack, startFixture } from "./fixture/stack.ts";

let fixture: FixtureStack;

beforeAll(async () => {
  fixture = await startFixture({ timeouts: { "workflow-task": 2_000 } });
});
afterAll(() => fixture.stop());

const call = "PutItem history_events";
const point = { function: "workflow-task", call } as const;

describe("a crash point", () => {
  test("before a call: the process dies and the call is not made", async () => {
    const before = writes();
    const crash = fixture.stack.crash({ ...point, when: "before" });
    await fixture.send([{ do: "put", id: "before" }]);
    await crash.reached;
    expect(writes()).toBe(before);
    await fixture.lines.first(delivery("before", 2));
    await fixture.untilEmpty();
    expect(fixture.lines.all.some(({ fields }) => fields?.["put"] === "before")).toBe(false);
  });

  test("after a call: the call is made, then the process dies", async () => {
    const before = writes();
    const crash = fixture.stack.crash({ ...point, when: "after" });
    await fixture.send([{ do: "put", id: "after" }]);
    await crash.reached;
    expect(writes()).toBe(before + 1);
    await fixture.lines.first(delivery("after", 2));
    await fixture.untilEmpty();
  });

  test("applied: the call is made, and the function gets a timeout and lives on", async () => {
    const before = writes();
    const pids = workflowPids();
    const crash = fixture.stack.crash({ ...point, when: "applied" });
    await fixture.send([{ do: "put", id: "applied" }]);
    await crash.reached;
    expect(writes()).toBe(before + 1);
    const failure = await fixture.lines.first(({ text }) =>
      text.includes("no answer came in time") ? text : undefined,
    );
    expect(failure).toContain("TimeoutError");
    await fixture.lines.first(delivery("applied", 2));
    expect(workflowPids()).toEqual(pids);
    await fixture.untilEmpty();
  });

  test("counts to the nth call over all processes, and works once", async () => {
    const crash = fixture.stack.crash({ ...point, when: "before", nth: 3 });
    const before = writes();
    await fixture.send([
      { do: "put", id: "nth-1" },
      { do: "put", id: "nth-2" },
      { do: "put", id: "nth-3" },
      { do: "put", id: "nth-4" },
    ]);
    await crash.reached;
    expect(writes()).toBe(before + 2);
    await fixture.lines.first(({ fields }) =>
      fields?.["received"] === "nth-4" ? true : undefined,
    );
    await fixture.untilEmpty();
  });

  test("that is disarmed does nothing", async () => {
    fixture.stack.crash({ ...point, when: "before" }).disarm();
    await fixture.send([{ do: "put", id: "disarmed" }]);
    await fixture.lines.first(({ fields }) => (fields?.["put"] === "disarmed" ? true : undefined));
    await fixture.untilEmpty();
    expect(deliveries(fixture.lines.all, "disarmed")).toBe(1);
  });
});

test("calls are counted by table, queue and function", async () => {
  const other = await startFixture();
  try {
    await other.post("/send", JSON.stringify({ do: "put", id: "counted" }));
    await other.lines.first(({ fields }) => (fields?.["put"] === "counted" ? true : undefined));
    expect(other.stack.counts()).toEqual({
      store: { history_events: { reads: 0, writes: 1 } },
      queue: { "workflow-tasks": { calls: 1, messages: 1 } },
      invocations: { "workflow-task": 1, "activity-task": 0, api: 1, sweeper: 0 },
      calls: {
        "api: SendMessage workflow-tasks": 1,
        "workflow-task: PutItem history_events": 1,
      },
    });
  } finally {
    await other.stop();
  }
});

test("a stack without crash points refuses them by name", async () => {
  const plain = await startFixture({ crashPoints: false });
  try {
    expect(() => plain.stack.counts()).toThrow(
      expect.objectContaining({ code: "target_unsupported" }),
    );
    expect(() => plain.stack.crash({ ...point, when: "before" })).toThrow(/crash point/);
  } finally {
    await plain.stop();
  }
});

function workflowPids(): readonly number[] {
  const processes = fixture.stack.processes();
  return processes.filter((each) => each.function === "workflow-task").map(({ pid }) => pid);
}

function writes(): number {
  return fixture.stack.counts().store["history_events"]?.writes ?? 0;
}

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ENV } from "../../functions/environment.ts";
import type { EmbeddedStack } from "../../sdk/dev/embedded/start.ts";
import { delivery } from "./fixture/lines.ts";
import { type FixtureStack, startFixture } from "./fixture/stack.ts";
import type { Order } from "./fixture/workflow-task.ts";

let fixture: FixtureStack;

beforeAll(async () => {
  fixture = await startFixture({
    timeouts: { "workflow-task": 2_000 },
    environment: { CARD_KEY: "of the user", AWS_ACCESS_KEY_ID: "of the user" },
  });
});
afterAll(() => fixture.stop());

describe("an invocation through the AWS SDK", () => {
  test("answers what the function returns, with Lambda's context", async () => {
    expect(await invoke({ do: "ok", id: "direct" })).toMatchObject({
      payload: { order: { id: "direct" }, remainingMs: expect.any(Number) },
    });
  });

  test("reports what the function throws", async () => {
    expect(await invoke({ do: "throw", id: "direct" })).toMatchObject({
      error: "Unhandled",
      payload: { errorType: "TypeError", errorMessage: "order direct throws" },
    });
  });

  test("reports the end of the function's process, and the next one gets a new process", async () => {
    expect(await invoke({ do: "exit", id: "direct" })).toMatchObject({
      error: "Unhandled",
      payload: { errorType: "Runtime.ExitError", errorMessage: expect.stringContaining("3") },
    });
    expect(await invoke({ do: "ok", id: "after" })).toMatchObject({
      payload: { order: { id: "after" } },
    });
  });

  test("kills the function's process at its timeout, and the next one gets a new process", async () => {
    expect(await invoke({ do: "hang", id: "direct" })).toMatchObject({
      error: "Unhandled",
      payload: {
        errorType: "Sandbox.Timedout",
        errorMessage: expect.stringContaining("Task timed out after 2.00 seconds"),
      },
    });
    expect(await invoke({ do: "ok", id: "after" })).toMatchObject({
      payload: { order: { id: "after" } },
    });
  });

  test("more invocations than processes wait for their turn", async () => {
    const ids = Array.from({ length: 20 }, (_, index) => `many-${index}`);
    const answers = await Promise.all(ids.map((id) => invoke({ do: "ok", id })));
    expect(answers.map(({ payload }) => orderId(payload))).toEqual(ids);
    expect(processes(fixture.stack, "workflow-task").length).toBeLessThanOrEqual(6);
  });

  test("a process that is killed from outside fails its invocation and is replaced", async () => {
    const hanging = invoke({ do: "hang", id: "killed" });
    const pid = await busyProcess(fixture.stack, "workflow-task");
    process.kill(pid, "SIGKILL");
    expect(await hanging).toMatchObject({ payload: { errorType: "Runtime.ExitError" } });
    expect(await invoke({ do: "ok", id: "after" })).toMatchObject({
      payload: { order: { id: "after" } },
    });
  });
});

describe("a request to the API", () => {
  test("reaches the function as API Gateway's proxy event, and its answer goes back", async () => {
    const response = await fetch(`${fixture.stack.apiUrl}/a%2Fb/c?x=1&x=2&y=%C3%A4`, {
      method: "POST",
      headers: { "content-type": "text/plain", "x-own": "own" },
      body: "ü",
    });
    expect(response.status).toBe(200);
    expect(response.headers.get("x-two")).toBe("1, 2");
    expect(await response.json()).toMatchObject({
      httpMethod: "POST",
      path: "/a%2Fb/c",
      headers: { "x-own": "own" },
      multiValueHeaders: { "x-own": ["own"] },
      queryStringParameters: { x: "2", y: "ä" },
      multiValueQueryStringParameters: { x: ["1", "2"], y: ["ä"] },
      body: "ü",
      isBase64Encoded: false,
      requestContext: { stage: "embedded", requestId: expect.any(String) },
    });
  });

  test("gets 502 when the function's process ends", async () => {
    expect(await fixture.post("/crash", "")).toEqual({
      status: 502,
      json: { message: "Internal server error" },
    });
  });

  test.each([
    ["host", { host: "pawl.example.com" }],
    ["origin", { origin: "https://example.com" }],
  ])("of a foreign %s is refused, so that no web page reaches it", async (_, headers) => {
    // fetch() sets these headers itself.
    const { request } = await import("node:http");
    const status = await new Promise((resolve, reject) => {
      request(fixture.stack.apiUrl, { headers }, (response) => {
        response.resume();
        resolve(response.statusCode);
      })
        .on("error", reject)
        .end();
    });
    expect(status).toBe(403);
  });

  test("the functions reach queue, bucket and table", async () => {
    expect(await fixture.post("/store", "text")).toMatchObject({ json: { stored: "text" } });
    await fixture.post("/send", JSON.stringify({ do: "put", id: "item" }));
    await fixture.lines.first(({ fields }) => (fields?.["put"] === "item" ? true : undefined));
  });

  test("the functions have the environment of the deployment, no profile, and what the user adds", async () => {
    const { json } = await fixture.post("/environment", "");
    const own = Object.fromEntries(Object.values(ENV).map((name) => [name, expect.any(String)]));
    expect(json).toMatchObject({
      ...own,
      CARD_KEY: "of the user",
      AWS_ACCESS_KEY_ID: "embedded",
      AWS_REGION: "us-east-1",
      AWS_LAMBDA_FUNCTION_NAME: "api",
    });
    expect(json).not.toHaveProperty("VITEST");
  });
});

describe("the sweeper", () => {
  test("runs with the event of a schedule", async () => {
    await fixture.stack.sweep();
    await fixture.lines.first(({ fields }) =>
      fields?.["swept"] === "Scheduled Event" ? true : undefined,
    );
    expect(fixture.stack.counts().invocations.sweeper).toBe(1);
  });

  test("runs by itself every so many milliseconds", async () => {
    const frequent = await startFixture({ sweepEveryMs: 1 });
    try {
      const swept = () => frequent.lines.all.filter(({ fields }) => fields?.["swept"]).length;
      expect(await frequent.lines.first(() => (swept() >= 2 ? "again" : undefined))).toBe("again");
    } finally {
      await frequent.stop();
    }
  });
});

test("what a function prints becomes a line with its source, fields and level", async () => {
  await fixture.send([{ do: "ok", id: "printed" }]);
  await fixture.lines.first(delivery("printed", 1));
  const line = fixture.lines.all.find(({ fields }) => fields?.["received"] === "printed");
  expect(line).toMatchObject({ source: "workflow-task", level: "info", pid: expect.any(Number) });
});

async function invoke(order: Order): Promise<{ error?: string; payload: unknown }> {
  const { json } = await fixture.post("/invoke", JSON.stringify(order));
  const answer = json as { error?: string; payload: string }; // the fixture's own API
  return { ...answer, payload: JSON.parse(answer.payload) };
}

function orderId(payload: unknown): string {
  return (payload as { order: Order }).order.id; // the fixture's own answer
}

function processes(stack: EmbeddedStack, name: string) {
  return stack.processes().filter((process) => process.function === name);
}

async function busyProcess(stack: EmbeddedStack, name: string): Promise<number> {
  for (;;) {
    const busy = processes(stack, name).find((process) => process.busy);
    if (busy !== undefined) return busy.pid;
    // Lets the stack work; the test's own time limit is the end of a wait in vain.
    await new Promise((resolve) => setImmediate(resolve));
  }
}

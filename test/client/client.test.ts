import { describe, expect, expectTypeOf, test } from "vitest";
import {
  ApiError,
  Client,
  ConnectionError,
  ResultTimeoutError,
  WorkflowCancelledError,
  WorkflowFailedError,
  type WorkflowLike,
  WorkflowTerminatedError,
} from "../../sdk/client.ts";
import { type Answer, ok, ScriptedApi } from "./scripted-api.ts";

const STARTED = {
  workflow_id: "order-1",
  run_id: "run-1",
  workflow_type: "order",
  status: "pending",
  started: true,
};
const OPEN = { workflow_id: "order-1", run_id: "run-1", status: "running" };
const UNAVAILABLE: Answer = {
  status: 503,
  json: { code: "unavailable", message: "m", hint: "h", request_id: "r" },
};
const order: WorkflowLike<{ readonly total: number }, string> = {
  kind: "workflow",
  name: "order",
  run: () => "unused",
};

function clientOf(api: ScriptedApi): Client {
  return new Client({ baseUrl: "http://api.test/", fetch: api.fetch, clock: api.clock });
}

function closed(outcome: object): Answer {
  return ok({ ...OPEN, outcome });
}

describe("start", () => {
  test("sends the type, the options and a request id, and returns a handle of the new run", async () => {
    const api = new ScriptedApi(ok(STARTED));
    const handle = await clientOf(api).start(order, {
      id: "order-1",
      input: { total: 3 },
      wait: 2,
      duplicatePolicy: "return_existing_active",
      idReusePolicy: "reject_duplicate",
      requestId: "once",
    });
    expect(api.sent).toEqual([
      {
        method: "POST",
        path: "/api/workflows",
        query: {},
        headers: { accept: "application/json", "content-type": "application/json" },
        body: {
          workflow_type: "order",
          workflow_id: "order-1",
          input: { total: 3 },
          wait: 2,
          duplicate_policy: "return_existing_active",
          id_reuse_policy: "reject_duplicate",
          request_id: "once",
        },
      },
    ]);
    expect(handle).toMatchObject({ id: "order-1", runId: "run-1", started: true });
  });

  test("takes the types of input and result from the definition", () => {
    const client = clientOf(new ScriptedApi());
    const start = (): unknown => {
      // @ts-expect-error the workflow takes an input
      void client.start(order);
      // @ts-expect-error total is a number
      return client.start(order, { input: { total: "3" } });
    };
    expectTypeOf(start).toBeFunction();
    const result = (): Promise<string> =>
      client.start(order, { input: { total: 3 } }).then((handle) => handle.result());
    expectTypeOf(result).returns.resolves.toBeString();
  });

  test("a definition without a name of its own is refused before anything is sent", async () => {
    const api = new ScriptedApi();
    const unnamed: WorkflowLike<undefined, string> = { kind: "workflow", run: () => "unused" };
    await expect(clientOf(api).start(unnamed)).rejects.toMatchObject({ code: "workflow_unnamed" });
    expect(api.sent).toEqual([]);
  });

  test("a result that came within wait is returned without another request", async () => {
    const api = new ScriptedApi(
      ok({ ...STARTED, outcome: { status: "completed", result: "paid" } }),
    );
    const handle = await clientOf(api).start(order, { input: { total: 3 }, wait: 20 });
    expect(await handle.result()).toBe("paid");
    expect(api.sent).toHaveLength(1);
  });
});

describe("retries", () => {
  test.each<readonly [string, Answer]>([
    ["a broken connection", { broken: "connect ECONNREFUSED" }],
    ["503 of the API", UNAVAILABLE],
    ["502 of the gateway", { status: 502, json: { message: "Internal server error" } }],
    ["504 of the gateway", { status: 504, json: { message: "Endpoint request timed out" } }],
    ["a throttled request", { status: 429, json: { message: "Too Many Requests" } }],
  ])("a start is repeated after %s with the same request id", async (_name, failure) => {
    const api = new ScriptedApi(failure, failure, ok(STARTED));
    await clientOf(api).start("order");
    const ids = api.sent.map(({ body }) => body);
    expect(ids).toHaveLength(3);
    expect(new Set(ids.map((body) => JSON.stringify(body))).size).toBe(1);
    expect(ids[0]).toMatchObject({ request_id: expect.stringMatching(/^[0-9a-f-]{36}$/) });
  });

  test("a signal is repeated with the same signal id (R20)", async () => {
    const api = new ScriptedApi(UNAVAILABLE, ok({ accepted: true }));
    await clientOf(api).handle("order-1").signal("approve", "by", 7);
    expect(api.sent).toHaveLength(2);
    expect(api.sent[1]).toEqual(api.sent[0]);
    expect(api.sent[0]?.body).toMatchObject({ args: ["by", 7], signal_id: expect.any(String) });
  });

  test("two calls never share an id", async () => {
    const api = new ScriptedApi(ok(STARTED));
    const client = clientOf(api);
    await client.start("order");
    await client.start("order");
    expect(api.sent[0]?.body).not.toEqual(api.sent[1]?.body);
  });

  test("end after five attempts, with growing pauses and the last error", async () => {
    const api = new ScriptedApi({ broken: "connect ECONNREFUSED 127.0.0.1:7400" });
    const failure = clientOf(api).start("order");
    await expect(failure).rejects.toThrow(ConnectionError);
    await expect(failure).rejects.toThrow(/no answer from .*ECONNREFUSED 127.0.0.1:7400/);
    expect(api.sent).toHaveLength(5);
    expect(api.slept).toHaveLength(4);
    for (const [index, sleptMs] of api.slept.entries()) {
      const ceilingMs = 200 * 2 ** index;
      expect(sleptMs).toBeGreaterThanOrEqual(ceilingMs / 2);
      expect(sleptMs).toBeLessThanOrEqual(ceilingMs);
    }
  });

  test.each([400, 404, 409, 413, 422, 500])(
    "an answer with status %i is not repeated",
    async (status) => {
      const api = new ScriptedApi({
        status,
        json: { code: "some_code", message: "what", hint: "next", request_id: "req-1" },
      });
      const failure = await clientOf(api)
        .start("order")
        .catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(ApiError);
      expect(failure).toMatchObject({
        code: "some_code",
        message: "what",
        hint: "next",
        status,
        requestId: "req-1",
      });
      expect(api.sent).toHaveLength(1);
    },
  );

  test("a limit of the run (429 with a code) is not repeated", async () => {
    const api = new ScriptedApi({
      status: 429,
      json: { code: "signals_pending_limit", message: "m", hint: "h", request_id: "r" },
    });
    await expect(clientOf(api).handle("a").signal("s")).rejects.toMatchObject({
      code: "signals_pending_limit",
    });
    expect(api.sent).toHaveLength(1);
  });

  test.each<readonly [string, Answer, string]>([
    ["403 of the gateway", { status: 403, json: { message: "Forbidden" } }, "not_authorized"],
    ["a page of another server", { status: 404, text: "<html>" }, "unexpected_answer"],
    ["a page with status 200", { status: 200, text: "<html>" }, "unexpected_answer"],
  ])("%s becomes an error that says what to do", async (_name, answer, code) => {
    const failure = await clientOf(new ScriptedApi(answer))
      .health()
      .catch((error: unknown) => error);
    expect(failure).toMatchObject({ code, hint: expect.stringMatching(/.+/) });
  });
});

describe("result", () => {
  test("asks with wait=20 until the run is closed, and stays with the run of the first answer", async () => {
    const api = new ScriptedApi(
      ok(OPEN, 20_000),
      ok(OPEN, 20_000),
      closed({ status: "completed", result: { a: 1 } }),
    );
    expect(await clientOf(api).handle("order-1").result()).toEqual({ a: 1 });
    expect(api.sent.map(({ path, query }) => [path, query])).toEqual([
      ["/api/workflows/order-1/result", { wait: "20" }],
      ["/api/workflows/order-1/runs/run-1/result", { wait: "20" }],
      ["/api/workflows/order-1/runs/run-1/result", { wait: "20" }],
    ]);
    expect(api.slept).toEqual([]);
  });

  test("an API that answers without waiting is asked less and less often", async () => {
    const open = Array.from({ length: 8 }, () => ok(OPEN));
    const api = new ScriptedApi(...open, closed({ status: "completed", result: 1 }));
    await clientOf(api).handle("order-1").result();
    expect(api.slept).toEqual([50, 100, 200, 400, 800, 1_000, 1_000, 1_000]);
  });

  test("a failed run throws its failure", async () => {
    const failure = {
      type: "CardDeclined",
      message: "no funds",
      category: "application",
      non_retryable: true,
    };
    const api = new ScriptedApi(closed({ status: "failed", failure }));
    const thrown = await clientOf(api)
      .handle("order-1")
      .result()
      .catch((error: unknown) => error);
    expect(thrown).toBeInstanceOf(WorkflowFailedError);
    expect(thrown).toMatchObject({ workflowId: "order-1", runId: "run-1", failure });
    expect(String(thrown)).toContain("CardDeclined: no funds");
  });

  test("a cancelled run and a terminated run throw their own errors", async () => {
    const cancelled = new ScriptedApi(closed({ status: "cancelled" }));
    await expect(clientOf(cancelled).handle("a").result()).rejects.toThrow(WorkflowCancelledError);
    const terminated = new ScriptedApi(closed({ status: "terminated", reason: "wrong input" }));
    const thrown = clientOf(terminated).handle("a").result();
    await expect(thrown).rejects.toThrow(WorkflowTerminatedError);
    await expect(thrown).rejects.toMatchObject({ reason: "wrong input" });
  });

  test("a timeout in seconds bounds the waits and ends in ResultTimeoutError", async () => {
    const api = new ScriptedApi(ok(OPEN, 20_000), ok(OPEN, 5_000));
    await expect(clientOf(api).handle("a").result({ timeout: 25 })).rejects.toThrow(
      ResultTimeoutError,
    );
    expect(api.sent.map(({ query }) => query["wait"])).toEqual(["20", "5"]);
  });

  test("a timeout of zero asks once and does not wait", async () => {
    const api = new ScriptedApi(ok(OPEN));
    await expect(clientOf(api).handle("a").result({ timeout: 0 })).rejects.toThrow(
      "workflow a is still open after 0 s",
    );
    expect(api.sent.map(({ query }) => query["wait"])).toEqual(["0"]);
  });
});

describe("a handle", () => {
  test("addresses its run when it has one, and the current run otherwise; every id is encoded (L6)", async () => {
    const api = new ScriptedApi(ok({}));
    const client = clientOf(api);
    await client.handle("a/b #%ü", "r/1").describe();
    await client.handle("a/b #%ü").describe();
    await client.handle(order, "typed").describe();
    expect(api.sent.map(({ path }) => path)).toEqual([
      "/api/workflows/a%2Fb%20%23%25%C3%BC/runs/r%2F1",
      "/api/workflows/a%2Fb%20%23%25%C3%BC",
      "/api/workflows/typed",
    ]);
  });

  test.each([".", "..", ""])("refuses the id %j, which a URL cannot carry", async (id) => {
    const api = new ScriptedApi(ok({}));
    const describeIt = async (): Promise<unknown> => clientOf(api).handle(id).describe();
    await expect(describeIt()).rejects.toMatchObject({ code: "invalid_id" });
    expect(api.sent).toEqual([]);
  });

  test("history() returns the events of all pages of one run", async () => {
    const page = (after: number | null, ...events: readonly number[]): Answer =>
      ok({ ...OPEN, events: events.map((sequence) => ({ sequence })), next_after: after });
    const api = new ScriptedApi(page(2, 1, 2), page(null, 3));
    const events = await clientOf(api).handle("order-1").history();
    expect(events.map(({ sequence }) => sequence)).toEqual([1, 2, 3]);
    expect(api.sent.map(({ path, query }) => [path, query["after"]])).toEqual([
      ["/api/workflows/order-1/history", "0"],
      ["/api/workflows/order-1/runs/run-1/history", "2"],
    ]);
  });

  test("export() asks for the bundle of the handle's run (S-05)", async () => {
    const api = new ScriptedApi(ok({ run_id: "run-7" }), ok({ schema: "bundle" }));
    expect(await clientOf(api).handle("order-1").export()).toEqual({ schema: "bundle" });
    expect(api.sent[1]?.path).toBe("/api/workflows/order-1/runs/run-7/history/export");
  });

  test("signal() takes a definition, a name, or either with an id of the caller's", async () => {
    const api = new ScriptedApi(ok({ accepted: true }));
    const approve = { kind: "signal", name: "approve" } as const;
    const handle = clientOf(api).handle("order-1");
    await handle.signal(approve, "ann");
    await handle.signal("approve/all");
    await handle.signal({ signal: approve, id: "sig-1" }, "bob");
    await handle.signal({ signal: "approve", id: "sig-2" });
    expect(api.sent.map(({ path }) => path.split("/signal/")[1])).toEqual([
      "approve",
      "approve%2Fall",
      "approve",
      "approve",
    ]);
    expect(api.sent[2]?.body).toEqual({ args: ["bob"], signal_id: "sig-1" });
    expect(api.sent[3]?.body).toEqual({ args: [], signal_id: "sig-2" });
  });

  test("query() posts its arguments and returns the answer", async () => {
    const api = new ScriptedApi(ok({ result: { paid: true } }));
    const handle = clientOf(api).handle("order-1", "run-1");
    expect(await handle.query({ kind: "query", name: "state" }, 1, "x")).toEqual({ paid: true });
    expect(api.sent[0]).toMatchObject({
      path: "/api/workflows/order-1/runs/run-1/query/state",
      body: { args: [1, "x"] },
    });
  });

  test("cancel() and terminate() carry the reason and a request id", async () => {
    const api = new ScriptedApi(ok({ accepted: true }));
    const handle = clientOf(api).handle("order-1");
    await handle.cancel("too late");
    await handle.terminate();
    expect(api.sent.map(({ path }) => path)).toEqual([
      "/api/workflows/order-1/cancel",
      "/api/workflows/order-1/terminate",
    ]);
    expect(api.sent[0]?.body).toEqual({ reason: "too late", request_id: expect.any(String) });
    expect(api.sent[1]?.body).toEqual({ request_id: expect.any(String) });
  });
});

describe("lists", () => {
  test("list() passes on every filter", async () => {
    const api = new ScriptedApi(ok({ workflows: [], next_cursor: null }));
    await clientOf(api).list({
      status: "failed",
      type: "order",
      startedAfter: new Date(0),
      startedBefore: "2026-01-02T00:00:00Z",
      limit: 5,
      cursor: "c",
    });
    expect(api.sent[0]?.query).toEqual({
      status: "failed",
      workflow_type: "order",
      started_after: "1970-01-01T00:00:00.000Z",
      started_before: "2026-01-02T00:00:00Z",
      limit: "5",
      cursor: "c",
    });
  });

  test("listAll() walks every page with the cursor of the page before", async () => {
    const api = new ScriptedApi(
      ok({ workflows: [{ workflow_id: "a" }, { workflow_id: "b" }], next_cursor: "2" }),
      ok({ workflows: [{ workflow_id: "c" }], next_cursor: null }),
    );
    const ids: string[] = [];
    for await (const run of clientOf(api).listAll({ status: "running" })) ids.push(run.workflow_id);
    expect(ids).toEqual(["a", "b", "c"]);
    expect(api.sent.map(({ query }) => query)).toEqual([
      { status: "running" },
      { status: "running", cursor: "2" },
    ]);
  });

  test("health() and clusterInfo() ask the routes of the contract (A-11)", async () => {
    const api = new ScriptedApi(ok({ status: "ok" }));
    await clientOf(api).health();
    await clientOf(api).clusterInfo();
    expect(api.sent.map(({ path }) => path)).toEqual(["/api/health", "/api/cluster/info"]);
  });
});

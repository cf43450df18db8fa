import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { createApiHandler } from "../../functions/api.ts";
import { exceedsDepth } from "../../functions/routes/request.ts";
import type { ErrorResponse } from "../../sdk/core/api.ts";
import { inboundBatch } from "../../sdk/core/batch.ts";
import { ERRORS } from "../../sdk/core/errors.ts";
import { REQUEST_BYTES_MAX } from "../../sdk/core/limits.ts";
import { ApiWorld, NOW, unanswered } from "../operations/world.ts";
import { CONTEXT, gatewayEvent, type Requested } from "./gateway-event.ts";

let world: ApiWorld;
beforeEach(() => {
  world = new ApiWorld();
});

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
  readonly body: AnswerBody;
}

/** What the tests read of the bodies; each knows which one its route answers. */
interface AnswerBody extends Readonly<Record<string, unknown>> {
  readonly code: string;
  readonly workflow_id: string;
  readonly run_id: string;
  readonly workflows: readonly unknown[];
  readonly signals: readonly unknown[];
  readonly history_events: readonly unknown[];
  readonly platform_protocol_specs: {
    readonly specs: {
      readonly local_activity_runtime: { readonly spec_url: string; readonly spec_id: string };
    };
  };
}

async function call(method: string, path: string, request: Requested = {}): Promise<Answer> {
  const handler = createApiHandler(world.ports);
  const answer = await handler(gatewayEvent(method, path, request), CONTEXT);
  return {
    status: answer.statusCode,
    headers: answer.headers ?? {},
    text: answer.body,
    body: JSON.parse(answer.body),
  };
}

async function startOrder(workflow_id: string): Promise<string> {
  const { body } = await call("POST", "/api/workflows", {
    body: { workflow_type: "order", workflow_id },
  });
  return body.run_id;
}

function refusal(code: keyof typeof ERRORS, reason: string) {
  return {
    status: ERRORS[code].status,
    body: {
      code,
      message: expect.stringContaining(reason),
      hint: expect.any(String),
      request_id: "request-7",
    },
  };
}

describe("statuses", () => {
  test("a start is 201, its repeat as well, a found run 200, an open run after a wait 202", async () => {
    const body = { workflow_type: "order", workflow_id: "o-1", request_id: "r" };
    const first = await call("POST", "/api/workflows", { body });
    expect(first).toMatchObject({ status: 201, body: { started: true, workflow_id: "o-1" } });
    expect(await call("POST", "/api/workflows", { body })).toMatchObject({
      status: 201,
      body: first.body,
    });
    const other = { ...body, request_id: "q", duplicate_policy: "return_existing_active" };
    expect(await call("POST", "/api/workflows", { body: other })).toMatchObject({
      status: 200,
      body: { started: false },
    });
    expect(await call("POST", "/api/workflows", { body: { ...body, wait: 1 } })).toMatchObject({
      status: 202,
    });
  });

  test("a start that closes within its wait is 200 with the outcome", async () => {
    world.answer = async (request) =>
      request.kind === "types"
        ? { kind: "types", workflow_types: ["order"], activity_types: [] }
        : {
            kind: "task",
            closing: { status: "completed", closed_at: NOW, output: { json: "1" } },
          };
    expect(
      await call("POST", "/api/workflows", { body: { workflow_type: "order", wait: 5 } }),
    ).toMatchObject({ status: 200, body: { outcome: { status: "completed", result: 1 } } });
  });

  test("a result is 202 while the run is open and 200 once it is closed", async () => {
    const run_id = await startOrder("o-1");
    expect(await call("GET", "/api/workflows/o-1/result")).toMatchObject({
      status: 202,
      body: { status: "pending", run_id },
    });
    await call("POST", "/api/workflows/o-1/terminate", { body: { reason: "r" } });
    expect(await call("GET", "/api/workflows/o-1/result", { query: { wait: "0" } })).toMatchObject({
      status: 200,
      body: { outcome: { status: "terminated", reason: "r" } },
    });
  });

  test("every answer is JSON that nobody keeps", async () => {
    const { headers } = await call("GET", "/api/health");
    expect(headers).toMatchObject({
      "content-type": "application/json",
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
    });
    expect((await call("GET", "/api/nothing")).headers).toMatchObject({
      "content-type": "application/json",
    });
  });
});

describe("routes", () => {
  test.each(["/api/workflows/o-1", "/api/workflows/o-1/runs/RUN"])(
    "%s serves every verb of a run",
    async (prefix) => {
      const path = prefix.replace("RUN", await startOrder("o-1"));
      expect((await call("GET", path)).status).toBe(200);
      expect((await call("POST", `${path}/signal/paid`, { body: { args: [1] } })).status).toBe(202);
      expect((await call("POST", `${path}/cancel`)).status).toBe(202);
      expect((await call("GET", `${path}/history`, { query: { limit: "2" } })).body).toMatchObject({
        next_after: 2,
        events: [{ type: "WorkflowStarted" }, { type: "SignalReceived" }],
      });
      expect((await call("GET", `${path}/history/export`)).body.history_events).toHaveLength(3);
      world.answer = async () => ({ kind: "query", result: { json: "4" } });
      expect((await call("POST", `${path}/query/total`)).body).toEqual({ result: 4 });
      expect((await call("POST", `${path}/terminate`)).status).toBe(202);
      expect((await call("GET", `${path}/result`)).status).toBe(200);
    },
  );

  test("cluster info, the published schema and health are served (T-01, T-03, A-11)", async () => {
    const info = await call("GET", "/api/cluster/info");
    expect(info.body).toMatchObject({ version: "1.2.3", default_namespace: "shop" });
    const { spec_url, spec_id } = info.body.platform_protocol_specs.specs.local_activity_runtime;
    expect(await call("GET", spec_url)).toMatchObject({ status: 200, body: { $id: spec_id } });
    expect((await call("GET", "/api/health")).body).toEqual({ status: "ok" });
  });

  test.each(["/prod/api/workflows", "/v1/api/workflows", "/api/api/workflows"])(
    "the stage or base path before the route is left out: %s",
    async (path) => {
      expect((await call("GET", path)).body).toEqual({ workflows: [], next_cursor: null });
    },
  );

  test.each([
    ["GET", "/api/nothing"],
    ["GET", "/"],
    ["DELETE", "/api/workflows/o-1"],
    ["GET", "/api/workflows/o-1/signal/paid"],
    ["POST", "/api/workflows/o-1/runs/r/nothing"],
  ])("%s %s is a named error", async (method, path) => {
    expect(await call(method, path)).toMatchObject(refusal("route_not_found", method));
  });
});

describe("ids in paths (L6)", () => {
  test.each([
    "a/b",
    "a#b",
    "a%2Fb",
    "a b",
    "..a",
    "ü/日本語🎉",
    "100%",
    "?x=1",
    "a+b",
    "constructor",
  ])("the id %j is one path part and comes back unchanged", async (id) => {
    const part = encodeURIComponent(id);
    await startOrder(id);
    expect((await call("GET", `/api/workflows/${part}`)).body.workflow_id).toBe(id);
    const sent = await call("POST", `/api/workflows/${part}/signal/${part}`, {});
    expect(sent).toMatchObject({ status: 202, body: { workflow_id: id } });
    const { body } = await call("GET", `/api/workflows/${part}`);
    expect(body.signals).toMatchObject([{ signal_name: id }]);
  });

  test("two different ids never mean one run", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.stringMatching(/^[%#/?&a2F3.]{3,6}$/), { minLength: 2, maxLength: 2 }),
        async (ids) => {
          world = new ApiWorld();
          const runs = await Promise.all(ids.map(startOrder));
          for (const [index, id] of ids.entries()) {
            const { body } = await call("GET", `/api/workflows/${encodeURIComponent(id)}`);
            expect(body).toMatchObject({ workflow_id: id, run_id: runs[index] });
          }
        },
      ),
      { numRuns: 50 },
    );
  });

  test.each(["%00", "__x", "a%0Ab", "x".repeat(257)])(
    "the id %s is refused by name",
    async (id) => {
      expect(await call("GET", `/api/workflows/${id}`)).toMatchObject(refusal("invalid_id", "id"));
    },
  );
});

describe("bodies", () => {
  test.each([
    ["{", "invalid_json", "cannot be parsed"],
    ["nonsense-with-a-secret", "invalid_json", "cannot be parsed"],
    ["[]", "invalid_request", "not a JSON object"],
    ["null", "invalid_request", "not a JSON object"],
    ['"text"', "invalid_request", "not a JSON object"],
    ["", "invalid_request", "workflow_type is missing"],
    ["{}", "invalid_request", "workflow_type is missing"],
    ['{"workflow_type":5}', "invalid_request", "workflow_type must be string"],
    ['{"workflow_type":"order","wait":"5"}', "invalid_request", "wait must be number"],
    ['{"workflow_type":"order","wait":-1}', "invalid_request", "wait must be at least 0"],
    ['{"workflow_type":"order","wait":1e999}', "invalid_request", "wait"],
    ['{"workflow_type":"order","duplicate_policy":"x"}', "invalid_request", "duplicate_policy"],
    ['{"workflow_type":"order","workflow_id":null}', "invalid_request", "workflow_id must be"],
    ['{"workflow_type":"order","inputs":1}', "invalid_request", 'field \\"inputs\\" is unknown'],
    ['{"workflow_type":"order","__proto__":{}}', "invalid_request", '\\"__proto__\\" is unknown'],
    ['{"workflow_type":"order","toString":1}', "invalid_request", '\\"toString\\" is unknown'],
  ] as const)("%s is refused as %s: %s", async (body, code, reason) => {
    const answer = await call("POST", "/api/workflows", { body });
    expect(answer.status).toBe(ERRORS[code].status);
    expect(answer.body.code).toBe(code);
    expect(answer.text).toContain(reason);
    expect(answer.text).not.toContain("secret");
    expect(world.calls).toEqual([]);
  });

  test("a body above the limit is refused before it is parsed (L13)", async () => {
    const answer = await call("POST", "/api/workflows", {
      body: "[".repeat(REQUEST_BYTES_MAX + 1),
    });
    expect(answer).toMatchObject(refusal("request_too_large", String(REQUEST_BYTES_MAX + 1)));
  });

  test("a nesting bomb is refused by one pass over its text", async () => {
    const bomb = `{"workflow_type":"order","input":${"[".repeat(1_000_000)}`;
    expect(await call("POST", "/api/workflows", { body: bomb })).toMatchObject(
      refusal("payload_too_deep", "128"),
    );
  });

  test("an input of 128 levels is taken, one of 129 is refused", async () => {
    const nested = (levels: number): string => `${"[".repeat(levels)}${"]".repeat(levels)}`;
    const body = (levels: number) => `{"workflow_type":"order","input":${nested(levels)}}`;
    expect((await call("POST", "/api/workflows", { body: body(128) })).status).toBe(201);
    expect(await call("POST", "/api/workflows", { body: body(129) })).toMatchObject(
      refusal("payload_too_deep", "128"),
    );
  });

  test("brackets inside of strings do not count as nesting", () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 6 }), (json) => {
        const depth = (value: unknown): number =>
          typeof value === "object" && value !== null
            ? 1 + Math.max(0, ...Object.values(value).map(depth))
            : 0;
        const actual = depth(JSON.parse(json));
        expect(exceedsDepth(json, actual)).toBe(false);
        if (actual > 0) expect(exceedsDepth(json, actual - 1)).toBe(true);
      }),
    );
  });

  test("keys such as __proto__ are data and reach the run unchanged (L7)", async () => {
    const input = '{"__proto__":{"admin":true},"constructor":1,"prototype":[2]}';
    await call("POST", "/api/workflows", {
      body: `{"workflow_type":"order","workflow_id":"o-1","input":${input}}`,
    });
    const { text } = await call("GET", "/api/workflows/o-1");
    expect(text).toContain(`"input":${input}`);
    expect(Reflect.get({}, "admin")).toBeUndefined();
  });

  test("a body in base64 is decoded, and text that is not UTF-8 is refused", async () => {
    const encoded = Buffer.from('{"workflow_type":"order"}').toString("base64");
    const request = { body: encoded, isBase64Encoded: true };
    expect((await call("POST", "/api/workflows", request)).status).toBe(201);
    const broken = Buffer.from([0x7b, 0xff, 0x7d]).toString("base64");
    expect(
      await call("POST", "/api/workflows", { body: broken, isBase64Encoded: true }),
    ).toMatchObject(refusal("invalid_json", "UTF-8"));
  });

  test("a body of GET means nothing, whatever it holds", async () => {
    expect((await call("GET", "/api/health", { body: "{" })).status).toBe(200);
  });

  test("no header of the caller changes or breaks an answer", async () => {
    const headers = {
      "content-length": "9999999",
      "transfer-encoding": "chunked",
      "b\u0000d": "\n",
    };
    const body = { workflow_type: "order" };
    expect((await call("POST", "/api/workflows", { body, headers })).status).toBe(201);
  });
});

describe("query parameters", () => {
  test.each([
    [{ limit: "0" }, "limit must be a whole number from 1 to 100"],
    [{ limit: "101" }, "limit must be a whole number"],
    [{ limit: "1e1" }, "limit must be a whole number"],
    [{ status: "open" }, "status must be"],
    [{ started_after: "yesterday" }, "started_after must be a time of ISO 8601"],
    [{ stauts: "failed" }, "unknown; known are status"],
    [{ limit: ["1", "2"] }, "given twice"],
    [{ constructor: "x" }, "unknown"],
  ])("a list with %o is refused: %s", async (query, reason) => {
    expect(await call("GET", "/api/workflows", { query })).toMatchObject(
      refusal("invalid_request", reason),
    );
  });

  test("a forged cursor is refused by name (L12)", async () => {
    expect(await call("GET", "/api/workflows", { query: { cursor: "x" } })).toMatchObject(
      refusal("invalid_cursor", "cursor"),
    );
  });

  test.each([
    ["/api/workflows/o-1/result", { wait: "-1" }, "wait must be a number of seconds"],
    ["/api/workflows/o-1/result", { wait: "x" }, "wait must be a number of seconds"],
    ["/api/workflows/o-1/history", { after: "-1" }, "after must be a whole number"],
    ["/api/workflows/o-1/history", { limit: "1001" }, "from 1 to 1000"],
    ["/api/workflows/o-1", { verbose: "1" }, "none is known here"],
  ])("%s with %o is refused: %s", async (path, query, reason) => {
    expect(await call("GET", path, { query })).toMatchObject(refusal("invalid_request", reason));
  });

  test("runs are listed by type and time of start", async () => {
    await startOrder("o-1");
    world.now += 60_000;
    await startOrder("o-2");
    const since = new Date(NOW + 30_000).toISOString();
    const query = { started_after: since, workflow_type: "order" };
    expect((await call("GET", "/api/workflows", { query })).body.workflows).toMatchObject([
      { workflow_id: "o-2" },
    ]);
  });
});

describe("what goes wrong inside", () => {
  test("a store that does not answer is 503 and says that nothing was lost", async () => {
    world.before = () => {
      throw unanswered();
    };
    expect(await call("GET", "/api/workflows/o-1")).toMatchObject(
      refusal("unavailable", "cannot answer right now"),
    );
    expect(world.logged).toContainEqual(
      expect.objectContaining({ fields: expect.objectContaining({ request_id: "request-7" }) }),
    );
  });

  test("a defect is 500 with nothing but the request's id, and the log has its stack only (S8, S10)", async () => {
    world.before = () => {
      throw new Error("the table workflow_runs of arn:aws:x holds CANARY");
    };
    const answer = await call("GET", "/api/workflows/o-1");
    expect(answer).toMatchObject(refusal("internal", "request-7"));
    expect(answer.text).not.toMatch(/CANARY|arn:aws|workflow_runs/);
    expect(JSON.stringify(world.logged)).not.toContain("CANARY");
    expect(JSON.stringify(world.logged)).toContain("at ");
  });

  test("what the workflow-task function reports is answered with its status", async () => {
    await startOrder("o-1");
    const error = { code: "query_failed", message: "it threw", hint: "h", status: 422 } as const;
    world.answer = async () => ({ kind: "error", error });
    expect(await call("POST", "/api/workflows/o-1/query/total")).toMatchObject(
      refusal("query_failed", "it threw"),
    );
  });

  test("no value of a request stands in a log line (S8)", async () => {
    const body = { workflow_type: "order", workflow_id: "o-1", input: { card: "CANARY" } };
    await call("POST", "/api/workflows", { body, headers: { authorization: "CANARY" } });
    await call("POST", "/api/workflows/o-1/signal/paid", { body: { args: ["CANARY"] } });
    await call("POST", "/api/workflows/o-1/terminate", { body: { reason: "CANARY" } });
    await call("POST", "/api/workflows/o-1/signal/paid", { body: { args: ["CANARY"] } });
    await call("POST", "/api/workflows", { body: { ...body, wait: "CANARY" } });
    expect(JSON.stringify(world.logged)).not.toContain("CANARY");
  });

  test("an answer that Lambda cannot send is a named error with the way out", async () => {
    const run_id = await startOrder("o-1");
    const run = { namespace: "shop", workflow_id: "o-1", run_id };
    // Each quote becomes two bytes when Lambda escapes the body once more.
    const value = JSON.stringify('"'.repeat(900_000));
    await world.ports.blobs.put("shop/v", value);
    const scheduled = [1, 2].map((sequence) => ({
      type: "ActivityScheduled" as const,
      at: NOW,
      sequence,
      activity_type: "a",
      execution_mode: "queued" as const,
      local_activity: false,
      arguments: { blob: "shop/v", bytes: 1_400_000 },
      options: {},
    }));
    await world.append(run, inboundBatch(undefined, scheduled, "n"));
    expect(await call("GET", "/api/workflows/o-1")).toMatchObject(
      refusal("response_too_large", "bytes"),
    );
  });
});

describe("any request", () => {
  test("of thousands of strange requests none is answered with a 5xx or without a code", async () => {
    const json = fc.oneof(
      fc.json(),
      fc.string(),
      fc.json().map((text) => text.slice(0, -1)),
    );
    const part = fc.oneof(fc.string().map(encodeURIComponent), fc.webSegment(), fc.constant("o-1"));
    const verb = fc.constantFrom(
      "",
      "/history",
      "/result",
      "/signal/x",
      "/cancel",
      "/query/q",
      "/x",
    );
    await startOrder("o-1");
    world.answer = async () => ({ kind: "query", result: { json: "1" } });
    const handler = createApiHandler(world.ports);
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom("GET", "POST", "PUT", "HEAD"),
        fc.tuple(part, verb).map(([id, rest]) => `/api/workflows/${id}${rest}`),
        fc.option(json, { nil: undefined }),
        fc.dictionary(fc.string(), fc.string(), { maxKeys: 2 }),
        async (method, path, body, query) => {
          const event = gatewayEvent(method, path, {
            ...(body === undefined ? {} : { body }),
            query,
          });
          const answer = await handler(event, CONTEXT);
          expect(answer.statusCode).toBeLessThan(500);
          if (answer.statusCode < 400 || answer.body === "") return;
          const refused: ErrorResponse = JSON.parse(answer.body);
          expect(Object.keys(ERRORS)).toContain(refused.code);
          expect(refused.request_id).toBe("request-7");
        },
      ),
      { numRuns: 2_000 },
    );
  });
});

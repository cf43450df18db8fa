import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { createApiHandler } from "../../functions/api.ts";
import type { ErrorResponse } from "../../sdk/core/api.ts";
import { inboundBatch, tailOf } from "../../sdk/core/batch.ts";
import { ERRORS } from "../../sdk/core/errors.ts";
import { NOW, unanswered } from "../operations/world.ts";
import { type ApiCaller, apiCaller, refusal } from "./caller.ts";
import { CONTEXT, gatewayEvent } from "./gateway-event.ts";

let api: ApiCaller;
beforeEach(() => {
  api = apiCaller();
});

describe("statuses", () => {
  test("a start is 201, its repeat as well, a found run 200, an open run after a wait 202", async () => {
    const body = { workflow_type: "order", workflow_id: "o-1", request_id: "r" };
    const first = await api.call("POST", "/api/workflows", { body });
    expect(first).toMatchObject({ status: 201, body: { started: true, workflow_id: "o-1" } });
    expect(await api.call("POST", "/api/workflows", { body })).toMatchObject({
      status: 201,
      body: first.body,
    });
    const other = { ...body, request_id: "q", duplicate_policy: "return_existing_active" };
    expect(await api.call("POST", "/api/workflows", { body: other })).toMatchObject({
      status: 200,
      body: { started: false },
    });
    expect(await api.call("POST", "/api/workflows", { body: { ...body, wait: 1 } })).toMatchObject({
      status: 202,
    });
  });

  test("a start that closes within its wait is 200 with the outcome", async () => {
    api.world.answer = async (request) =>
      request.kind === "types"
        ? { kind: "types", workflow_types: ["order"], activity_types: [] }
        : {
            kind: "task",
            closing: { status: "completed", closed_at: NOW, output: { json: "1" } },
          };
    expect(
      await api.call("POST", "/api/workflows", { body: { workflow_type: "order", wait: 5 } }),
    ).toMatchObject({ status: 200, body: { outcome: { status: "completed", result: 1 } } });
  });

  test("a result is 202 while the run is open and 200 once it is closed", async () => {
    const run_id = await api.startOrder("o-1");
    expect(await api.call("GET", "/api/workflows/o-1/result")).toMatchObject({
      status: 202,
      body: { status: "pending", run_id },
    });
    await api.call("POST", "/api/workflows/o-1/terminate", { body: { reason: "r" } });
    expect(
      await api.call("GET", "/api/workflows/o-1/result", { query: { wait: "0" } }),
    ).toMatchObject({
      status: 200,
      body: { outcome: { status: "terminated", reason: "r" } },
    });
  });

  test("every answer is JSON that nobody keeps", async () => {
    const { headers } = await api.call("GET", "/api/health");
    expect(headers).toMatchObject({
      "content-type": "application/json",
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
    });
    expect((await api.call("GET", "/api/nothing")).headers).toMatchObject({
      "content-type": "application/json",
    });
  });
});

describe("routes", () => {
  test.each(["/api/workflows/o-1", "/api/workflows/o-1/runs/RUN"])(
    "%s serves every verb of a run",
    async (prefix) => {
      const path = prefix.replace("RUN", await api.startOrder("o-1"));
      expect((await api.call("GET", path)).status).toBe(200);
      expect((await api.call("POST", `${path}/signal/paid`, { body: { args: [1] } })).status).toBe(
        202,
      );
      expect((await api.call("POST", `${path}/cancel`)).status).toBe(202);
      expect(
        (await api.call("GET", `${path}/history`, { query: { limit: "2" } })).body,
      ).toMatchObject({
        next_after: 2,
        events: [{ type: "WorkflowStarted" }, { type: "SignalReceived" }],
      });
      expect((await api.call("GET", `${path}/history/export`)).body.history_events).toHaveLength(3);
      api.world.answer = async () => ({ kind: "query", result: { json: "4" } });
      expect((await api.call("POST", `${path}/query/total`)).body).toEqual({ result: 4 });
      expect((await api.call("POST", `${path}/terminate`)).status).toBe(202);
      expect((await api.call("GET", `${path}/result`)).status).toBe(200);
    },
  );

  test("cluster info, the published schema and health are served (T-01, T-03, A-11)", async () => {
    const info = await api.call("GET", "/api/cluster/info");
    expect(info.body).toMatchObject({ version: "1.2.3", default_namespace: "shop" });
    const { spec_url, spec_id } = info.body.platform_protocol_specs.specs.local_activity_runtime;
    expect(await api.call("GET", spec_url)).toMatchObject({ status: 200, body: { $id: spec_id } });
    expect((await api.call("GET", "/api/health")).body).toEqual({ status: "ok" });
  });

  test.each(["/prod/api/workflows", "/v1/api/workflows", "/api/api/workflows"])(
    "the stage or base path before the route is left out: %s",
    async (path) => {
      expect((await api.call("GET", path)).body).toEqual({ workflows: [], next_cursor: null });
    },
  );

  test.each([
    ["GET", "/api/nothing"],
    ["GET", "/"],
    ["DELETE", "/api/workflows/o-1"],
    ["GET", "/api/workflows/o-1/signal/paid"],
    ["POST", "/api/workflows/o-1/runs/r/nothing"],
  ])("%s %s is a named error", async (method, path) => {
    expect(await api.call(method, path)).toMatchObject(refusal("route_not_found", method));
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
    await api.startOrder(id);
    expect((await api.call("GET", `/api/workflows/${part}`)).body.workflow_id).toBe(id);
    const sent = await api.call("POST", `/api/workflows/${part}/signal/${part}`, {});
    expect(sent).toMatchObject({ status: 202, body: { workflow_id: id } });
    const { body } = await api.call("GET", `/api/workflows/${part}`);
    expect(body.signals).toMatchObject([{ signal_name: id }]);
  });

  test("two different ids never mean one run", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.stringMatching(/^[%#/?&a2F3.]{3,6}$/), { minLength: 2, maxLength: 2 }),
        async (ids) => {
          api = apiCaller();
          const runs = await Promise.all(ids.map((id) => api.startOrder(id)));
          for (const [index, id] of ids.entries()) {
            const { body } = await api.call("GET", `/api/workflows/${encodeURIComponent(id)}`);
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
      expect(await api.call("GET", `/api/workflows/${id}`)).toMatchObject(
        refusal("invalid_id", "id"),
      );
    },
  );
});

describe("what goes wrong inside", () => {
  test("a store that does not answer is 503 and says that nothing was lost", async () => {
    api.world.before = () => {
      throw unanswered();
    };
    expect(await api.call("GET", "/api/workflows/o-1")).toMatchObject(
      refusal("unavailable", "cannot answer right now"),
    );
    expect(api.world.logged).toContainEqual(
      expect.objectContaining({ fields: expect.objectContaining({ request_id: "request-7" }) }),
    );
  });

  test("a defect is 500 with nothing but the request's id, and the log has its stack only (S8, S10)", async () => {
    api.world.before = () => {
      throw new Error("the table workflow_runs of arn:aws:x holds CANARY");
    };
    const answer = await api.call("GET", "/api/workflows/o-1");
    expect(answer).toMatchObject(refusal("internal", "request-7"));
    expect(answer.text).not.toMatch(/CANARY|arn:aws|workflow_runs/);
    expect(JSON.stringify(api.world.logged)).not.toContain("CANARY");
    expect(JSON.stringify(api.world.logged)).toContain("at ");
  });

  test("what the workflow-task function reports is answered with its status", async () => {
    await api.startOrder("o-1");
    const error = { code: "query_failed", message: "it threw", hint: "h", status: 422 } as const;
    api.world.answer = async () => ({ kind: "error", error });
    expect(await api.call("POST", "/api/workflows/o-1/query/total")).toMatchObject(
      refusal("query_failed", "it threw"),
    );
  });

  test("no value of a request stands in a log line (S8)", async () => {
    const body = { workflow_type: "order", workflow_id: "o-1", input: { card: "CANARY" } };
    await api.call("POST", "/api/workflows", { body, headers: { authorization: "CANARY" } });
    await api.call("POST", "/api/workflows/o-1/signal/paid", { body: { args: ["CANARY"] } });
    await api.call("POST", "/api/workflows/o-1/terminate", { body: { reason: "CANARY" } });
    await api.call("POST", "/api/workflows/o-1/signal/paid", { body: { args: ["CANARY"] } });
    await api.call("POST", "/api/workflows", { body: { ...body, wait: "CANARY" } });
    expect(JSON.stringify(api.world.logged)).not.toContain("CANARY");
  });

  test("an answer that Lambda cannot send is a named error with the way out", async () => {
    const run_id = await api.startOrder("o-1");
    const run = { namespace: "shop", workflow_id: "o-1", run_id };
    // Each quote becomes two bytes when Lambda escapes the body once more.
    const value = JSON.stringify('"'.repeat(900_000));
    await api.world.ports.blobs.put("shop/v", value);
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
    await api.world.append(run, inboundBatch(tailOf(undefined), scheduled, "n"));
    expect(await api.call("GET", "/api/workflows/o-1")).toMatchObject(
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
    await api.startOrder("o-1");
    api.world.answer = async () => ({ kind: "query", result: { json: "1" } });
    const handler = createApiHandler(api.world.ports);
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

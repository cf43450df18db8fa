import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { exceedsDepth } from "../../functions/routes/request.ts";
import { ERRORS } from "../../sdk/core/errors.ts";
import { REQUEST_BYTES_MAX } from "../../sdk/core/limits.ts";
import { NOW } from "../operations/world.ts";
import { type ApiCaller, apiCaller, refusal } from "./caller.ts";

let api: ApiCaller;
beforeEach(() => {
  api = apiCaller();
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
    const answer = await api.call("POST", "/api/workflows", { body });
    expect(answer.status).toBe(ERRORS[code].status);
    expect(answer.body.code).toBe(code);
    expect(answer.text).toContain(reason);
    expect(answer.text).not.toContain("secret");
    expect(api.world.calls).toEqual([]);
  });

  test("a body above the limit is refused before it is parsed (L13)", async () => {
    const answer = await api.call("POST", "/api/workflows", {
      body: "[".repeat(REQUEST_BYTES_MAX + 1),
    });
    expect(answer).toMatchObject(refusal("request_too_large", String(REQUEST_BYTES_MAX + 1)));
  });

  test("a nesting bomb is refused by one pass over its text", async () => {
    const bomb = `{"workflow_type":"order","input":${"[".repeat(1_000_000)}`;
    expect(await api.call("POST", "/api/workflows", { body: bomb })).toMatchObject(
      refusal("payload_too_deep", "128"),
    );
  });

  test("an input of 128 levels is taken, one of 129 is refused", async () => {
    const nested = (levels: number): string => `${"[".repeat(levels)}${"]".repeat(levels)}`;
    const body = (levels: number) => `{"workflow_type":"order","input":${nested(levels)}}`;
    expect((await api.call("POST", "/api/workflows", { body: body(128) })).status).toBe(201);
    expect(await api.call("POST", "/api/workflows", { body: body(129) })).toMatchObject(
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
    await api.call("POST", "/api/workflows", {
      body: `{"workflow_type":"order","workflow_id":"o-1","input":${input}}`,
    });
    const { text } = await api.call("GET", "/api/workflows/o-1");
    expect(text).toContain(`"input":${input}`);
    expect(Reflect.get({}, "admin")).toBeUndefined();
  });

  test("a body in base64 is decoded, and text that is not UTF-8 is refused", async () => {
    const encoded = Buffer.from('{"workflow_type":"order"}').toString("base64");
    const request = { body: encoded, isBase64Encoded: true };
    expect((await api.call("POST", "/api/workflows", request)).status).toBe(201);
    const broken = Buffer.from([0x7b, 0xff, 0x7d]).toString("base64");
    expect(
      await api.call("POST", "/api/workflows", { body: broken, isBase64Encoded: true }),
    ).toMatchObject(refusal("invalid_json", "UTF-8"));
  });

  test("a body of GET means nothing, whatever it holds", async () => {
    expect((await api.call("GET", "/api/health", { body: "{" })).status).toBe(200);
  });

  test("no header of the caller changes or breaks an answer", async () => {
    const headers = {
      "content-length": "9999999",
      "transfer-encoding": "chunked",
      "b\u0000d": "\n",
    };
    const body = { workflow_type: "order" };
    expect((await api.call("POST", "/api/workflows", { body, headers })).status).toBe(201);
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
    expect(await api.call("GET", "/api/workflows", { query })).toMatchObject(
      refusal("invalid_request", reason),
    );
  });

  test("a forged cursor is refused by name (L12)", async () => {
    expect(await api.call("GET", "/api/workflows", { query: { cursor: "x" } })).toMatchObject(
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
    expect(await api.call("GET", path, { query })).toMatchObject(
      refusal("invalid_request", reason),
    );
  });

  test("runs are listed by type and time of start", async () => {
    await api.startOrder("o-1");
    api.world.now += 60_000;
    await api.startOrder("o-2");
    const since = new Date(NOW + 30_000).toISOString();
    const query = { started_after: since, workflow_type: "order" };
    expect((await api.call("GET", "/api/workflows", { query })).body.workflows).toMatchObject([
      { workflow_id: "o-2" },
    ]);
  });
});

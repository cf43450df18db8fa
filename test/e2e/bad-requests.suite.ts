/** Requests that no client of ours would send (L6 to L9, L12, L13). */
import { expect, test } from "vitest";
import type { Client } from "../../sdk/client.ts";
import type { ErrorCode } from "../../sdk/core/errors.ts";
import { PAYLOAD_BYTES_MAX, REQUEST_BYTES_MAX } from "../../sdk/core/limits.ts";
import type { RawRequest } from "../../sdk/testing/index.ts";
import { type BadInputSetting, json, post, START } from "./bad-input-setting.ts";
import * as worker from "./worker.ts";

const LONG_ID = "x".repeat(257);

/** Ids that no URL part or body may hold (L6). */
const BAD_IDS = [
  "",
  LONG_ID,
  "a\u0000b",
  "a\nb",
  "\u001b[31m",
  "a\u2028b",
  "__x",
  "\ud800",
  ".",
  "..",
];

/** Ids that are odd and legal; no two of them may be taken for each other. */
const ODD_IDS = [
  ..."a/b a%2Fb a%252Fb # a#b a%23b ..x x.. a+b a&b a=b a?b=c a:b a|b / // % %zz %00 \\ ' \" ; * @".split(
    " ",
  ),
  ...["\u00fc", "u\u0308", "😀", "👩‍💻", "İ", "ı", "A", "a", "\u202eabc", " ", "a b", " a", "a "],
  ..."runs history a/runs/b a/history null undefined true 0 -1 1e309 constructor toString".split(
    " ",
  ),
  "x".repeat(256),
  "漢".repeat(256),
];

export function badRequests(setting: BadInputSetting): void {
  test.each<[ErrorCode, string]>([
    ["invalid_json", "{"],
    ["invalid_json", "workflow_type=echoes"],
    ["invalid_json", '{"workflow_type":"echoes","input":NaN}'],
    ["invalid_json", '{"workflow_type":"echoes"}{}'],
    ["invalid_request", "null"],
    ["invalid_request", "[]"],
    ["invalid_request", '"echoes"'],
    ["invalid_request", "7"],
    ["invalid_request", ""],
    ["invalid_request", "  \n"],
    ["invalid_request", "{}"],
    ["invalid_request", '{"workflow_type":null}'],
    ["invalid_request", '{"workflow_type":["echoes"]}'],
    ["invalid_request", '{"workflow_type":"echoes","inputs":1}'],
    ["invalid_request", '{"workflow_type":"echoes","Wait":1}'],
    ["invalid_request", '{"workflow_type":"echoes","wait":"5"}'],
    ["invalid_request", '{"workflow_type":"echoes","wait":-1}'],
    ["invalid_request", '{"workflow_type":"echoes","wait":1e309}'],
    ["invalid_request", '{"workflow_type":"echoes","workflow_id":7}'],
    ["invalid_request", '{"workflow_type":"echoes","workflow_id":null}'],
    ["invalid_request", '{"workflow_type":"echoes","duplicate_policy":"ALLOW"}'],
    ["invalid_request", '{"workflow_type":"echoes","id_reuse_policy":{}}'],
    ["invalid_request", '{"workflow_type":"echoes","namespace":"other"}'],
    ["invalid_request", '{"workflow_type":"echoes","__proto__":{"wait":1}}'],
    ["invalid_request", '{"workflow_type":"echoes","constructor":1}'],
    ["payload_not_serializable", '{"workflow_type":"echoes","input":{"a":[1e309]}}'],
    ["payload_not_serializable", '{"workflow_type":"echoes","input":-1e309}'],
    ["workflow_type_unknown", '{"workflow_type":"echo"}'],
    ["workflow_type_unknown", '{"workflow_type":"constructor"}'],
    ["workflow_type_unknown", '{"workflow_type":"add"}'],
    ["invalid_id", '{"workflow_type":""}'],
    ["invalid_id", '{"workflow_type":"__proto__"}'],
  ])("a start is refused as %s: %s", async (code, body) => {
    await setting.refused(code, START, post(body));
  });

  test("the content type changes nothing, an empty body is an empty object", async () => {
    const body = '{"workflow_type":"returnsInput","input":1,"wait":20}';
    for (const type of ["text/plain", "application/xml", "multipart/form-data; boundary=x", "x"]) {
      const answer = await setting.platform.fetch(START, post(body, { "content-type": type }));
      // A real gateway may read the body by its type and refuse it itself.
      const refusals = setting.target.name === "localstack" ? [400, 415] : [];
      expect([200, 202, ...refusals], type).toContain(answer.status);
    }
    const handle = await setting.client.start("approval");
    const cancelled = await setting.platform.fetch(`${START}/${handle.id}/cancel`, post(""));
    expect(cancelled.status).toBe(202);
  });

  test("bytes are counted before they are read: bodies, values, and a bomb of brackets (L13, M-01)", async () => {
    // LocalStack's own validator falls over deeper ones before Pawl sees them.
    const levels = setting.target.name === "localstack" ? 300 : 100_000;
    const start = (input: string): RawRequest =>
      post(`{"workflow_type":"echoes","input":${input}}`);
    await setting.refused("request_too_large", START, post(" ".repeat(REQUEST_BYTES_MAX + 1)));
    await setting.refused(
      "payload_too_large",
      START,
      start(`"${"x".repeat(PAYLOAD_BYTES_MAX - 1)}"`),
    );
    await setting.refused(
      "payload_too_large",
      START,
      start(`"${"漢".repeat(PAYLOAD_BYTES_MAX / 3 + 1)}"`),
    );
    await setting.refused("payload_too_deep", START, post("[".repeat(levels)));
    await setting.refused(
      "payload_too_deep",
      START,
      start("[".repeat(levels) + "]".repeat(levels)),
    );
    await setting.refused("payload_too_deep", START, start('{"a":'.repeat(levels)));
    const path = `${START}/${setting.witness.id}`;
    const args = (value: string): RawRequest => post(`{"args":[${value}]}`);
    await setting.refused(
      "payload_too_large",
      `${path}/signal/note`,
      args(`"${"x".repeat(PAYLOAD_BYTES_MAX)}"`),
    );
    await setting.refused("payload_too_deep", `${path}/query/state`, args("[".repeat(levels)));
  });

  test.runIf(setting.target.name !== "localstack")(
    "the gateway ends bodies above 10 MB",
    async () => {
      const answer = await setting.platform.fetch(START, post(" ".repeat(10_485_761)));
      expect(answer.status).toBe(413);
    },
  );

  test("ids that could forge a key, a log line or a path are refused wherever they stand (L6, S9)", async () => {
    for (const id of BAD_IDS) {
      await setting.refused(
        "invalid_id",
        START,
        json({ workflow_type: "echoes", workflow_id: id }),
      );
      await setting.refused("invalid_id", START, json({ workflow_type: "echoes", request_id: id }));
      const path = `${START}/${setting.witness.id}`;
      await setting.refused(
        "invalid_id",
        `${path}/signal/note`,
        json({ args: ["x"], signal_id: id }),
      );
      await setting.refused("invalid_id", `${path}/cancel`, json({ request_id: id }));
      // These are no part of a path, whatever they are encoded as.
      if (id === "" || id === "." || id === ".." || !id.isWellFormed()) continue;
      const part = encodeURIComponent(id);
      await setting.refused("invalid_id", `${START}/${part}`);
      await setting.refused("invalid_id", `${START}/${part}/result`);
      await setting.refused("invalid_id", `${START}/${setting.witness.id}/runs/${part}`);
      await setting.refused("invalid_id", `${path}/signal/${part}`, json({}));
      await setting.refused("invalid_id", `${path}/query/${part}`, json({}));
      await expect(setting.client.start("echoes", { id })).rejects.toMatchObject({
        code: "invalid_id",
      });
    }
    for (const id of ["", ".", ".."])
      await expect(setting.client.handle(id).describe()).rejects.toMatchObject({
        code: "invalid_id",
      });
  });

  test("odd ids are legal and never taken for one another (L6)", async () => {
    expect(new Set(ODD_IDS).size).toBe(ODD_IDS.length);
    const handles = await inTurns(ODD_IDS, (id) =>
      setting.client.start("returnsInput", { id, input: id, wait: 20 }),
    );
    expect(await inTurns(handles, (handle) => handle.result())).toEqual(ODD_IDS);
    const details = await inTurns(ODD_IDS, (id) => setting.client.handle(id).describe());
    expect(details.map(({ workflow_id }) => workflow_id)).toEqual(ODD_IDS);
    expect(details.map(({ input }) => input)).toEqual(ODD_IDS);
    expect(new Set(details.map(({ run_id }) => run_id)).size).toBe(ODD_IDS.length);
    const histories = await inTurns(handles, (handle) => handle.history());
    expect(histories.map((events) => events[0]?.payload["workflow_id"] ?? null)).not.toContain(
      null,
    );
  });

  test("what does not exist is not found by name, whatever is asked of it (G4)", async () => {
    const nowhere = `${START}/nowhere`;
    for (const path of ["", "/result", "/history", "/history/export"])
      await setting.refused("workflow_not_found", nowhere + path);
    for (const path of ["/signal/note", "/query/state", "/cancel", "/terminate"]) {
      await setting.refused("workflow_not_found", nowhere + path, json({}));
      await setting.refused(
        "run_not_found",
        `${START}/${setting.witness.id}/runs/nowhere${path}`,
        json({}),
      );
    }
    await setting.refused("run_not_found", `${START}/${setting.witness.id}/runs/nowhere`);
  });

  test("unknown routes and wrong methods are refused without a fault", async () => {
    const id = setting.witness.id;
    for (const [method, path] of [
      ["GET", "/api/nope"],
      ["GET", "/"],
      ["GET", `${START}/${id}/nope`],
      ["GET", `${START}/${id}/signal/note`],
      ["POST", `${START}/${id}/result`],
      ["POST", `${START}/${id}/signal`],
      ["POST", `${START}/${id}/signal/a/b`],
      ["PUT", START],
      ["PATCH", `${START}/${id}`],
      ["DELETE", `${START}/${id}`],
      ["POST", "/api/health"],
    ] as const) {
      if (setting.target.name !== "localstack") {
        await setting.refused(
          "route_not_found",
          path,
          method === "GET" ? {} : { method, body: "{}" },
        );
        continue;
      }
      // There the gateway itself answers for routes that it does not know.
      const answer = await setting.platform.fetch(path, { method });
      expect([403, 404, 405], `${method} ${path}`).toContain(answer.status);
    }
  });

  test("query parameters are checked by name and value (L9, L12)", async () => {
    for (const query of [
      ...["limit=0", "limit=101", "limit=-1", "limit=1.5", "limit=1e2", "limit=NaN", "limit="],
      ...["limit=1&limit=2", "status=open", "status=", "started_after=yesterday", "order=asc"],
      ...["started_before=99999999999999999999", "constructor=1", "__proto__=1"],
    ])
      await setting.refused("invalid_request", `${START}?${query}`);
    for (const query of [
      "wait=-1",
      "wait=1e3",
      "wait=Infinity",
      "wait=soon",
      "wait=1&wait=2",
      "x=1",
    ])
      await setting.refused("invalid_request", `${START}/${setting.witness.id}/result?${query}`);
    for (const query of ["after=-1", "after=x", "limit=0", "limit=1001", "after=9007199254740993"])
      await setting.refused("invalid_request", `${START}/${setting.witness.id}/history?${query}`);
    await setting.refused("invalid_request", `${START}/${setting.witness.id}?wait=1`);
  });

  test("a forged or foreign cursor is refused (L12)", async () => {
    for (let index = 0; index < 2; index++) await setting.run("returnsInput", index);
    await expect
      .poll(() => cursorOf({ status: "completed", limit: 1 }), { timeout: 20_000 })
      .not.toBeNull();
    const cursor = (await cursorOf({ status: "completed", limit: 1 })) ?? "";
    const forged = ["x", "", "null", btoa('{"pk":"other"}'), cursor.slice(0, -2)];
    for (const value of forged) {
      const query = new URLSearchParams({ status: "completed", cursor: value });
      await setting.refused("invalid_cursor", `${START}?${query}`);
    }
    const foreign = new URLSearchParams({ status: "failed", cursor });
    await setting.refused("invalid_cursor", `${START}?${foreign}`);
    expect(
      (await setting.client.list({ status: "completed", cursor })).workflows.length,
    ).toBeGreaterThan(0);
  });

  async function cursorOf(options: Parameters<Client["list"]>[0]): Promise<string | null> {
    return (await setting.client.list(options)).next_cursor;
  }

  test("a query that does not exist, throws, waits, acts or has no data as its answer is refused by name (A10)", async () => {
    const handle = await setting.client.start("queried");
    await expect
      .poll(
        () =>
          handle.query(worker.state).then(
            () => true,
            () => false,
          ),
        // Patience, not a measure: it ends as soon as the first task has committed.
        { timeout: 20_000 },
      )
      .toBe(true);
    const before = (await handle.describe()).history_length;
    const path = `${START}/${handle.id}/query`;
    const unknown = await setting.refused("query_unknown", `${path}/nope`, json({}));
    expect(unknown).toContain("throwing, asynchronous, acting, odd");
    await setting.refused("query_unknown", `${path}/constructor`, json({}));
    for (const name of ["throwing", "asynchronous", "acting"])
      await setting.refused("query_failed", `${path}/${name}`, json({}));
    await setting.refused("payload_not_serializable", `${path}/odd`, json({}));
    await setting.refused("invalid_request", `${path}/state`, json({ args: "x" }));
    await setting.refused("invalid_request", `${path}/state`, json({ arguments: [] }));
    expect((await handle.describe()).history_length).toBe(before);
    await handle.signal(worker.approve, "ada");
    expect(await handle.result()).toBe("ada");
    setting.finished.push(handle);
  });

  test("a closed run takes nothing more, by name (E7)", async () => {
    const handle = await setting.client.start("returnsInput", { input: 1 });
    setting.finished.push(handle);
    await handle.result();
    const before = (await handle.describe()).history_length;
    const path = `${START}/${handle.id}`;
    await setting.refused("workflow_closed", `${path}/signal/note`, json({ args: ["late"] }));
    await setting.refused("workflow_closed", `${path}/cancel`, json({}));
    await setting.refused("workflow_closed", `${path}/terminate`, json({ reason: "late" }));
    await setting.refused("invalid_request", `${path}/cancel`, json({ reason: "x".repeat(2_001) }));
    await setting.refused("invalid_request", `${path}/terminate`, json({ reason: 7 }));
    await setting.refused("query_unknown", `${path}/query/state`, json({}));
    expect((await handle.describe()).history_length).toBe(before);
  });

  test("keys such as __proto__ and constructor are data, and nothing is polluted (L7)", async () => {
    const input =
      '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":2}},"prototype":[3]}';
    const body = `{"workflow_type":"echoes","input":${input},"wait":20}`;
    const answer = await setting.platform.fetch(START, post(body));
    const { workflow_id } = JSON.parse(await answer.text());
    const handle = setting.client.handle(workflow_id);
    await handle.result();
    setting.finished.push(handle);
    const result = await setting.platform.fetch(`${START}/${workflow_id}/result`);
    expect(await result.text()).toContain(`"result":${input}`);
    expect(await setting.run("looksPolluted", JSON.parse(input))).toEqual([
      "object",
      null,
      "object",
      null,
      null,
    ]);
    expect(Reflect.get({}, "polluted")).toBeUndefined();
  });
}

/** A few at a time: enough to go fast, too few to be throttled. */
async function inTurns<From, To>(
  items: readonly From[],
  call: (item: From) => Promise<To>,
): Promise<readonly To[]> {
  const results: To[] = [];
  for (let first = 0; first < items.length; first += 4)
    results.push(...(await Promise.all(items.slice(first, first + 4).map(call))));
  return results;
}

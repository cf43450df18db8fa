import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type Answer, ok } from "../client/scripted-api.ts";
import { folderWith, pawl } from "./terminal.ts";

const STARTED = {
  workflow_id: "order-1",
  run_id: "run-1",
  workflow_type: "order",
  status: "pending",
  started: true,
};
const ACCEPTED = ok({ ...STARTED, accepted: true, id: "x" });
const NOT_FOUND: Answer = {
  status: 404,
  json: { code: "workflow_not_found", message: "none", hint: "h", request_id: "r" },
};

function runs(...ids: readonly string[]): Answer {
  return ok({ workflows: ids.map((workflow_id) => ({ workflow_id })), next_cursor: null });
}

describe("pawl start", () => {
  test("prints the ids as data, and what to do next beside it", async () => {
    const { stdout, stderr, api } = await pawl(["start", "order", "--id", "order-1"], {
      answers: [ok(STARTED)],
    });
    expect(stdout).toBe("order-1  run-1\n");
    expect(stderr).toBe("started order-1 (run run-1)\nnext: pawl show order-1\n");
    expect(api.sent[0]?.body).toEqual({
      workflow_type: "order",
      workflow_id: "order-1",
      request_id: expect.any(String),
    });
  });

  test("-o json prints the ids and whether the run is new", async () => {
    const { stdout } = await pawl(["start", "order", "-o", "json"], {
      answers: [ok({ ...STARTED, started: false })],
    });
    expect(stdout).toBe('{"workflow_id":"order-1","run_id":"run-1","started":false}\n');
  });

  test("passes on the policies and the request id", async () => {
    const policies = ["--duplicate-policy", "return_existing_active", "--id-reuse-policy"];
    const line = ["start", "order", ...policies, "reject_duplicate", "--request-id", "once"];
    const { api } = await pawl(line, { answers: [ok(STARTED)] });
    expect(api.sent[0]?.body).toEqual({
      workflow_type: "order",
      duplicate_policy: "return_existing_active",
      id_reuse_policy: "reject_duplicate",
      request_id: "once",
    });
  });

  test.each([
    ["JSON on the command line", "[1,2]", {}, [1, 2]],
    ["JSON on standard input", "-", { stdin: '{"a":"ü"}' }, { a: "ü" }],
    ["a JSON file", "@input.json", { cwd: folderWith("input.json", " null ") }, null],
  ])("reads the input from %s", async (_name, input, setting, expected) => {
    const { api } = await pawl(["start", "order", "-i", input], {
      answers: [ok(STARTED)],
      ...setting,
    });
    expect(api.sent[0]?.body).toMatchObject({ input: expected });
  });
});

describe("pawl rebuild", () => {
  const REBUILT = {
    workflow_id: "order-1",
    run_id: "run-1",
    history_length: 17,
    activity_executions: 3,
    activity_attempts: 4,
  };

  test("has the rows of a run written again, and says how many", async () => {
    const line = ["rebuild", "order-1", "--run", "run-1"];
    const { stdout, stderr, api } = await pawl(line, { answers: [ok(REBUILT)] });
    expect(api.sent[0]?.path).toBe("/api/workflows/order-1/runs/run-1/rebuild");
    expect(stdout).toBe("");
    expect(stderr).toBe(
      "order-1: rows written again from the log (events: 17, local activities: 3, attempts: 4)\n",
    );
  });

  test("-o json prints what was written", async () => {
    const { stdout } = await pawl(["rebuild", "order-1", "-o", "json"], { answers: [ok(REBUILT)] });
    expect(JSON.parse(stdout)).toEqual(REBUILT);
  });
});

describe("pawl run", () => {
  test("waits with the start, asks again while the run is open, and prints the result alone", async () => {
    const { stdout, stderr, api } = await pawl(["run", "order"], {
      answers: [
        { status: 202, json: STARTED, takesMs: 20_000 },
        { status: 202, json: STARTED, takesMs: 20_000 },
        ok({ ...STARTED, outcome: { status: "completed", result: { ok: [1] } } }, 2_000),
      ],
    });
    expect(stdout).toBe('{"ok":[1]}\n');
    expect(stderr).toContain("started order-1");
    expect(stderr).toContain("completed in 42s");
    expect(api.sent[0]?.body).toMatchObject({ wait: 20 });
    expect(api.sent.slice(1).map(({ path }) => path)).toEqual([
      "/api/workflows/order-1/runs/run-1/result",
      "/api/workflows/order-1/runs/run-1/result",
    ]);
  });

  test("a short timeout bounds the wait of the start as well", async () => {
    const { api, exitCode } = await pawl(["run", "order", "--timeout", "3"], {
      answers: [{ status: 202, json: STARTED, takesMs: 3_000 }],
    });
    expect(api.sent[0]?.body).toMatchObject({ wait: 3 });
    expect(exitCode).toBe(4);
  });
});

describe("pawl signal, query, cancel, terminate", () => {
  test("arguments are JSON where they can be, and text otherwise", async () => {
    const args = ["ann", "7", '{"a":1}', "true", '"7"', "@file.json", "-"];
    const { api, stderr } = await pawl(["signal", "order-1", "approve", ...args], {
      answers: [ACCEPTED],
      cwd: folderWith("file.json", "[]"),
      stdin: "null",
    });
    expect(api.sent[0]?.path).toBe("/api/workflows/order-1/signal/approve");
    expect(api.sent[0]?.body).toMatchObject({ args: ["ann", 7, { a: 1 }, true, "7", [], null] });
    expect(stderr).toBe("order-1: signal approve is in the log\n");
  });

  test("--signal-id is the id of the signal (R20)", async () => {
    const { api, stdout } = await pawl(["signal", "o", "go", "--signal-id", "s-1", "-o", "json"], {
      answers: [ACCEPTED],
    });
    expect(api.sent[0]?.body).toEqual({ args: [], signal_id: "s-1" });
    expect(stdout).toBe('{"workflow_id":"o","accepted":true}\n');
  });

  test("query prints the answer as JSON", async () => {
    const { api, stdout } = await pawl(["query", "order-1", "state", "1"], {
      answers: [ok({ result: { paid: true } })],
    });
    expect(api.sent[0]?.body).toEqual({ args: [1] });
    expect(stdout).toBe('{"paid":true}\n');
  });

  test.each(["cancel", "terminate"])("%s carries the reason", async (verb) => {
    const { api, stderr } = await pawl([verb, "order-1", "--reason", "late"], {
      answers: [ACCEPTED],
    });
    expect(api.sent[0]).toMatchObject({
      path: `/api/workflows/order-1/${verb}`,
      body: { reason: "late" },
    });
    expect(stderr).toBe(`order-1: ${verb} is in the log\n`);
  });
});

describe("an id", () => {
  test.each(["ord", "ord…"])("may be the beginning of exactly one: %s", async (id) => {
    const { api, stderr, exitCode } = await pawl(["cancel", id], {
      answers: [NOT_FOUND, runs("order-1", "pay-1", "order-1"), ACCEPTED],
    });
    expect(exitCode).toBe(0);
    expect(stderr).toBe(`${id}: order-1\norder-1: cancel is in the log\n`);
    expect(api.sent.at(-1)?.path).toBe("/api/workflows/order-1/cancel");
  });

  test("that is the beginning of several is refused with some of them", async () => {
    const ids = ["order-1", "order-2", "order 3", "order-4", "order-5", "order-6"];
    const { stderr, exitCode } = await pawl(["terminate", "ord"], {
      answers: [NOT_FOUND, runs(...ids)],
    });
    expect(exitCode).toBe(2);
    expect(stderr).toBe(
      "error: 6 workflows begin with ord: order-1, order-2, 'order 3', order-4, order-5 and 1 more\n" +
        "try: more letters of the id\n",
    );
  });

  test("is not guessed among more runs than are looked through", async () => {
    const many = Array.from({ length: 100 }, (_, index) => ({ workflow_id: `x-${index}` }));
    const { stderr, exitCode } = await pawl(["cancel", "ord"], {
      answers: [NOT_FOUND, ok({ workflows: many, next_cursor: "more" })],
    });
    expect(exitCode).toBe(2);
    expect(stderr).toContain("try: the whole id");
  });
});

describe("the address of the API", () => {
  const address = async (line: readonly string[], setting: object): Promise<string> => {
    const answers: readonly Answer[] = [{ broken: "refused" }];
    const { stderr } = await pawl([...line, "ls"], { answers, ...setting });
    return /no answer from (\S+):/.exec(stderr)?.[1] ?? stderr;
  };
  const projectWith = (state: object): string => {
    const folder = folderWith("package.json", "{}");
    mkdirSync(join(folder, ".pawl"));
    mkdirSync(join(folder, "src"));
    writeFileSync(join(folder, ".pawl", "dev.json"), JSON.stringify(state));
    return join(folder, "src");
  };
  const running = projectWith({ api: "http://127.0.0.1:7500", pid: process.pid });
  const env = { PAWL_API_URL: "http://from.env" };

  test("is --api first, then PAWL_API_URL, then the running `pawl dev` of this or a parent folder", async () => {
    const setting = { env, cwd: running };
    expect(await address(["--api", "http://from.flag"], setting)).toBe("http://from.flag");
    expect(await address([], setting)).toBe("http://from.env");
    expect(await address([], { cwd: running })).toBe("http://127.0.0.1:7500");
    expect(await address([], {})).toBe("http://127.0.0.1:7400");
  });

  test("of a `pawl dev` that has ended is not used", async () => {
    // No process has this id: it is above the maximum of every system.
    const cwd = projectWith({ api: "http://127.0.0.1:7500", pid: 2 ** 30 });
    expect(await address([], { cwd })).toBe("http://127.0.0.1:7400");
  });

  test("in a file that is damaged is not used", async () => {
    const cwd = projectWith({ api: 7 });
    expect(await address([], { cwd })).toBe("http://127.0.0.1:7400");
  });
});

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { pythonProject } from "../../sdk/dev/localstack/cache.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "pawl-bootstrap-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** The process of an environment, with this test in the place of LocalStack. */
async function setup(source: string, handler = "index.handler") {
  await writeFile(join(folder, "index.mjs"), source);
  const child = spawn(process.execPath, [join(pythonProject, "pawl_localstack", "bootstrap.mjs")], {
    env: {
      _HANDLER: handler,
      LAMBDA_TASK_ROOT: folder,
      PAWL_LAMBDA_CHANNEL_FD: "3",
      AWS_LAMBDA_FUNCTION_NAME: "orders",
      AWS_LAMBDA_FUNCTION_VERSION: "$LATEST",
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: "256",
      AWS_LAMBDA_LOG_GROUP_NAME: "/aws/lambda/orders",
      AWS_LAMBDA_LOG_STREAM_NAME: "stream",
    },
    stdio: ["ignore", "pipe", "pipe", "pipe"],
  });
  const channel = child.stdio[3];
  if (!(channel instanceof Socket)) throw new Error("no channel");
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (chunk: string) => {
      output += chunk;
    });
  }
  const exited = once(child, "close").then(([code]: unknown[]) => ({ code, output }));
  let received = "";
  channel.setEncoding("utf8").on("data", (chunk: string) => {
    received += chunk;
    channel.emit("received");
  });
  const receive = async () => {
    while (!received.includes("\n")) await once(channel, "received");
    const end = received.indexOf("\n");
    const message = JSON.parse(received.slice(0, end));
    received = received.slice(end + 1);
    return message.body === undefined ? message : { ...message, body: JSON.parse(message.body) };
  };
  const invoke = (event: unknown, more = {}) => {
    const payload = JSON.stringify(event);
    const invocation = { requestId: "r-1", functionArn: "arn:f", deadlineMs: Date.now() + 60_000 };
    channel.write(`${JSON.stringify({ ...invocation, payload, ...more })}\n`);
    return receive();
  };
  return { child, channel, exited, receive, invoke };
}

test("a handler answers one invocation after another in the same process", async () => {
  const { receive, invoke, channel } = await setup(
    "let n = 0; export const handler = async (event) => ({ n: ++n, event });",
  );
  expect(await receive()).toEqual({ kind: "ready" });
  expect(await invoke("é\u2028\n")).toEqual({
    kind: "response",
    body: { n: 1, event: "é\u2028\n" },
  });
  expect(await invoke(2)).toEqual({ kind: "response", body: { n: 2, event: 2 } });
  channel.end();
});

test("the context is complete", async () => {
  const { receive, invoke, channel } = await setup(`
    export const handler = async (event, context) =>
      ({ ...context, remaining: context.getRemainingTimeInMillis(), trace: process.env._X_AMZN_TRACE_ID });`);
  await receive();
  const clientContext = Buffer.from('{"custom":{"a":1}}').toString("base64");
  const { body } = await invoke({}, { clientContext, identity: { id: "i" }, traceId: "Root=1" });
  expect(body).toMatchObject({
    awsRequestId: "r-1",
    functionName: "orders",
    functionVersion: "$LATEST",
    invokedFunctionArn: "arn:f",
    memoryLimitInMB: "256",
    logGroupName: "/aws/lambda/orders",
    logStreamName: "stream",
    callbackWaitsForEmptyEventLoop: true,
    clientContext: { custom: { a: 1 } },
    identity: { id: "i" },
    trace: "Root=1",
  });
  expect(body.remaining).toBeGreaterThan(0);
  expect(body.remaining).toBeLessThanOrEqual(60_000);
  channel.end();
});

// the handler's body -> the answer's body
const answers = [
  ["async () => undefined", "response", null],
  ["() => 7", "response", 7],
  ["(event, context, callback) => callback(null, 8)", "response", 8],
  [
    "(event, context, callback) => callback(new Error('e'))",
    "error",
    { errorType: "Error", errorMessage: "e" },
  ],
  [
    "async () => { throw new RangeError('far') }",
    "error",
    { errorType: "RangeError", errorMessage: "far" },
  ],
  ["async () => { throw 'text' }", "error", { errorType: "string", errorMessage: "text" }],
  ["async () => 1n", "error", { errorType: "Runtime.MarshalError" }],
  ["async () => 'x'.repeat(7e6)", "error", { errorType: "Function.ResponseSizeTooLarge" }],
] as const;
test.for(answers)("the handler %s answers with a %s", async ([handler, kind, body]) => {
  const { receive, invoke, channel } = await setup(`export const handler = ${handler};`);
  await receive();
  const answer = await invoke({});
  expect(answer.kind).toBe(kind);
  if (typeof body === "object" && body !== null) expect(answer.body).toMatchObject(body);
  else expect(answer.body).toBe(body);
  channel.end();
});

test("an unhandled rejection answers the invocation and ends the process, as on Lambda", async () => {
  const { receive, invoke, exited } = await setup(`
    export const handler = () => { Promise.reject(new TypeError("lost")); return new Promise(() => {}); };`);
  await receive();
  expect(await invoke({})).toMatchObject({
    kind: "error",
    fatal: true,
    body: {
      errorType: "Runtime.UnhandledPromiseRejection",
      errorMessage: "TypeError: lost",
      reason: { errorType: "TypeError", errorMessage: "lost" },
    },
  });
  expect((await exited).code).toBe(128);
});

test("an uncaught exception answers the invocation and ends the process", async () => {
  const { receive, invoke, exited } = await setup(`
    export const handler = () => { setImmediate(() => { throw new TypeError("late"); }); return new Promise(() => {}); };`);
  await receive();
  expect(await invoke({})).toMatchObject({ fatal: true, body: { errorType: "TypeError" } });
  expect((await exited).code).toBe(129);
});

// source, handler -> the type of the error of the start
const failedStarts = [
  ["export const other = 1;", "index.handler", "Runtime.HandlerNotFound"],
  ["export const handler = 1;", "absent.handler", "Runtime.ImportModuleError"],
  ["export const handler = 1;", "handler", "Runtime.MalformedHandlerName"],
  ["throw new RangeError('at import');", "index.handler", "RangeError"],
] as const;
test.for(failedStarts)(
  "the source %s with handler %s does not start",
  async ([source, handler, errorType]) => {
    const { receive, exited } = await setup(source, handler);
    expect(await receive()).toMatchObject({ kind: "init_error", body: { errorType } });
    expect((await exited).code).toBe(1);
  },
);

test("console lines have the format of Lambda and are there when the process dies", async () => {
  const { receive, invoke, exited } = await setup(`
    export const handler = () => { console.warn("about to %s", "die"); process.exit(3); };`);
  await receive();
  void invoke({});
  const { code, output } = await exited;
  expect(code).toBe(3);
  expect(output).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z\tr-1\tWARN\tabout to die\n$/);
});

test("SIGTERM lets the invocation in progress answer before the process ends", async () => {
  // The handler sends the signal to itself: it is in progress when the signal comes.
  const { receive, invoke, exited } = await setup(`
    export const handler = () => new Promise((resolve) => {
      process.once("SIGTERM", () => resolve("finished"));
      process.kill(process.pid, "SIGTERM");
    });`);
  await receive();
  expect(await invoke({})).toEqual({ kind: "response", body: "finished" });
  expect((await exited).code).toBe(0);
});

test("SIGTERM ends an idle process at once", async () => {
  const { child, receive, exited } = await setup("export const handler = async () => 1;");
  await receive();
  child.kill("SIGTERM");
  expect((await exited).code).toBe(0);
});

test("the end of LocalStack is the end of the process", async () => {
  const { channel, receive, exited } = await setup("export const handler = async () => 1;");
  await receive();
  channel.destroy();
  expect((await exited).code).toBe(0);
});

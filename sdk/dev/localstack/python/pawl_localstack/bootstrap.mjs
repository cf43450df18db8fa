/**
 * What runs inside a function's process: loads the handler, then answers one invocation after another.
 *
 * It speaks with executor.py over a socket that it inherits, one JSON message per line. Errors have the
 * shapes of Lambda's own Node runtime, because Pawl and its tests read them. Standard output and error
 * are already the environment's log file, written synchronously, so nothing is lost when the process dies.
 */
import { existsSync } from "node:fs";
import { Socket } from "node:net";
import { basename, dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { format } from "node:util";

const env = process.env;
const channel = new Socket({
  fd: Number(env.PAWL_LAMBDA_CHANNEL_FD),
  readable: true,
  writable: true,
});
delete env.PAWL_LAMBDA_CHANNEL_FD;

// Lambda's limit of a synchronous answer: 6 MiB and some room for the envelope.
const RESPONSE_BYTES_MAX = 6 * 1024 * 1024 + 100;

let current; // the invocation in progress: { requestId }
let stopping = false;

function send(message, onSent) {
  channel.write(`${JSON.stringify(message)}\n`, onSent);
}

// Not node:readline, which also ends a line at U+2028: JSON does not escape it.
function onLine(take) {
  let parts = [];
  channel.setEncoding("utf8").on("data", (chunk) => {
    const [first, ...rest] = chunk.split("\n");
    parts.push(first);
    for (const next of rest) {
      take(parts.join(""));
      parts = [next];
    }
  });
}

function describe(error) {
  if (error instanceof Error) {
    const trace = (error.stack ?? "").split("\n");
    return { errorType: error.name, errorMessage: error.message, trace };
  }
  return { errorType: typeof error, errorMessage: String(error), trace: [] };
}

// Console lines in Lambda's text format: time, request, level, message.
function prefixConsole() {
  const levels = { log: "INFO", info: "INFO", warn: "WARN", error: "ERROR", debug: "DEBUG" };
  for (const [method, level] of Object.entries(levels)) {
    const stream = level === "WARN" || level === "ERROR" ? process.stderr : process.stdout;
    console[method] = (...args) => {
      const prefix = [new Date().toISOString(), current?.requestId ?? "undefined", level].join(
        "\t",
      );
      stream.write(`${prefix}\t${format(...args)}\n`);
    };
  }
}

// The error answers the invocation in progress, if there is one; the process ends in any case.
function die(body, exitCode, label) {
  console.error(label, JSON.stringify(body));
  if (current === undefined) process.exit(exitCode);
  current = undefined;
  send({ kind: "error", fatal: true, body: JSON.stringify(body) }, () => process.exit(exitCode));
}

process.on("unhandledRejection", (reason) => {
  const errorType = "Runtime.UnhandledPromiseRejection";
  const errorMessage = String(reason);
  const trace = [`${errorType}: ${errorMessage}`];
  const body = { errorType, errorMessage, reason: describe(reason), promise: {}, trace };
  die(body, 128, "Unhandled Promise Rejection");
});
process.on("uncaughtException", (error) => die(describe(error), 129, "Uncaught Exception"));
// LocalStack is gone: nobody will ever invoke or stop this process again.
channel.on("close", () => process.exit(0));
channel.on("error", () => process.exit(1));
process.on("SIGTERM", () => {
  stopping = true;
  if (current === undefined) process.exit(0);
});

async function loadHandler() {
  const full = env._HANDLER ?? "";
  const name = basename(full);
  const dot = name.indexOf(".");
  if (dot < 1)
    throw Object.assign(new Error(`Bad handler ${full}`), { name: "Runtime.MalformedHandlerName" });
  const module = join(env.LAMBDA_TASK_ROOT, dirname(full), name.slice(0, dot));
  const file = [".js", ".mjs", ".cjs"]
    .map((ending) => module + ending)
    .find((path) => existsSync(path));
  if (file === undefined) {
    throw Object.assign(new Error(`Cannot find module '${module}'`), {
      name: "Runtime.ImportModuleError",
    });
  }
  const exported = await import(pathToFileURL(file).href);
  const find = (root) =>
    name
      .slice(dot + 1)
      .split(".")
      .reduce((value, key) => value?.[key], root);
  const handler = find(exported) ?? find(exported.default);
  if (typeof handler === "function") return handler;
  const message = `${full} is undefined or not exported`;
  throw Object.assign(new Error(message), { name: "Runtime.HandlerNotFound" });
}

function contextOf(invocation) {
  const context = {
    awsRequestId: invocation.requestId,
    functionName: env.AWS_LAMBDA_FUNCTION_NAME,
    functionVersion: env.AWS_LAMBDA_FUNCTION_VERSION,
    invokedFunctionArn: invocation.functionArn,
    memoryLimitInMB: env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: env.AWS_LAMBDA_LOG_STREAM_NAME,
    callbackWaitsForEmptyEventLoop: true,
    getRemainingTimeInMillis: () => Math.max(invocation.deadlineMs - Date.now(), 0),
  };
  if (invocation.clientContext) {
    const json = Buffer.from(invocation.clientContext, "base64").toString();
    context.clientContext = JSON.parse(json);
  }
  if (invocation.identity) context.identity = invocation.identity;
  return context;
}

// A handler answers by a promise, by a value, or (three parameters) by a callback.
function call(handler, event, context) {
  return new Promise((resolve, reject) => {
    const callback = (error, value) => (error ? reject(error) : resolve(value));
    const answer = handler(event, context, callback);
    if (typeof answer?.then === "function") answer.then(resolve, reject);
    else if (handler.length < 3) resolve(answer);
  });
}

function encode(value) {
  let body;
  try {
    body = JSON.stringify(value ?? null) ?? "null";
  } catch (error) {
    throw Object.assign(new Error(`Unable to stringify response body: ${error.message}`), {
      name: "Runtime.MarshalError",
    });
  }
  if (Buffer.byteLength(body) <= RESPONSE_BYTES_MAX) return body;
  const message = `Response payload size exceeded maximum allowed payload size (${RESPONSE_BYTES_MAX} bytes).`;
  throw Object.assign(new Error(message), { name: "Function.ResponseSizeTooLarge" });
}

async function answer(handler, invocation) {
  current = invocation;
  if (invocation.traceId) env._X_AMZN_TRACE_ID = invocation.traceId;
  let message;
  try {
    const event = JSON.parse(invocation.payload);
    const value = await call(handler, event, contextOf(invocation));
    message = { kind: "response", body: encode(value) };
  } catch (error) {
    const body = describe(error);
    console.error("Invoke Error", JSON.stringify(body));
    message = { kind: "error", body: JSON.stringify(body) };
  }
  // A fatal error has answered already and the process is about to end.
  if (current !== invocation) return;
  current = undefined;
  send(message, () => {
    if (stopping) process.exit(0);
  });
}

prefixConsole();
try {
  const handler = await loadHandler();
  onLine((line) => answer(handler, JSON.parse(line)));
  send({ kind: "ready" });
} catch (error) {
  const body = describe(error);
  console.error("Init Error", JSON.stringify(body));
  send({ kind: "init_error", body: JSON.stringify(body) }, () => process.exit(1));
}

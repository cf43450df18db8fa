import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { cacheFolder } from "../../sdk/dev/localstack/cache.ts";
import {
  type HostWays,
  type StartLocalStackOptions,
  startWith,
} from "../../sdk/dev/localstack/host.ts";
import { readState, writeState } from "../../sdk/dev/localstack/state-file.ts";
import { LocalStackUnavailableError } from "../../sdk/dev/localstack/unavailable.ts";
import { fakeMachine } from "./fake-machine.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "pawl-host-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const port = 4999;
const process4242 = { kind: "process", pid: 4242 } as const;
const left = { port, server: process4242, ready: true, env: {} };

function setup(replaced: Partial<HostWays> = {}, env: Record<string, string> = {}) {
  const machine = fakeMachine({}, { env: { PAWL_LOCALSTACK_HOME: folder, ...env } });
  const cache = cacheFolder(machine);
  const tried: string[] = [];
  const stopped: unknown[] = [];
  const lines: string[] = [];
  const ways: HostWays = {
    machine,
    readHealth: async () => ({ kind: "up", version: "4.14.0" }),
    isRunning: async () => true,
    isPortFree: async () => true,
    stop: async (server) => {
      stopped.push(server);
    },
    startInDocker: async () => {
      tried.push("docker");
      return { kind: "failed", reason: "no daemon", hint: "start Docker" };
    },
    startProcess: async (request) => {
      tried.push("process");
      await request.onStarted(process4242);
      return { kind: "up", server: process4242 };
    },
    ...replaced,
  };
  const start = (options: StartLocalStackOptions = {}) =>
    startWith({ port, onProgress: (line) => lines.push(line), ...options }, ways);
  return { start, cache, tried, stopped, lines };
}

async function failureOf(start: Promise<unknown>): Promise<LocalStackUnavailableError> {
  const error = await start.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof LocalStackUnavailableError))
    throw new Error(`not unavailable: ${String(error)}`);
  return error;
}

test("a given endpoint is used, never stopped, and nothing else is tried", async () => {
  const { start, tried, stopped } = setup({}, { PAWL_LOCALSTACK_ENDPOINT: "http://ls:4566/" });
  const instance = await start();
  expect(instance).toMatchObject({ endpoint: "http://ls:4566", how: "endpoint" });
  await instance.stop();
  expect([...tried, ...stopped]).toEqual([]);
});

test("a given endpoint that does not answer is an error, not a reason to start another one", async () => {
  const down = async () => ({ kind: "down", reason: "ECONNREFUSED" }) as const;
  const { start, tried } = setup({ readHealth: down }, { PAWL_LOCALSTACK_ENDPOINT: "http://ls" });
  const error = await failureOf(start());
  expect(error.code).toBe("localstack_unavailable");
  expect(error.message).toContain("PAWL_LOCALSTACK_ENDPOINT: ECONNREFUSED");
  expect(tried).toEqual([]);
});

test("a given endpoint of another version is said", async () => {
  const { start, lines } = setup(
    { readHealth: async () => ({ kind: "up", version: "4.9.0" }) },
    { PAWL_LOCALSTACK_ENDPOINT: "http://ls" },
  );
  await start();
  expect(lines).toEqual(["http://ls is LocalStack 4.9.0; Pawl is tested with 4.14.0"]);
});

test("Docker comes first, and why it failed is a progress line", async () => {
  const { start, tried, lines } = setup();
  expect(await start()).toMatchObject({
    how: "process",
    pid: 4242,
    endpoint: "http://127.0.0.1:4999",
  });
  expect(tried).toEqual(["docker", "process"]);
  expect(lines).toEqual(["LocalStack: Docker: no daemon"]);
});

test("Docker that works ends the search", async () => {
  const server = { kind: "docker", container: "0123456789ab" } as const;
  const { start, tried } = setup({ startInDocker: async () => ({ kind: "up", server }) });
  expect(await start()).toMatchObject({ how: "docker" });
  expect(tried).toEqual([]);
});

test("when nothing works the error names each way in order, its reason and what to do", async () => {
  const { start, cache } = setup({
    startProcess: async (request) => {
      await request.onStarted(process4242);
      return { kind: "failed", reason: "no Java", hint: "install Java" };
    },
  });
  const error = await failureOf(start());
  expect(error.message).toBe(
    [
      "LocalStack 4.14.0 could not be reached or started. Tried, in this order:",
      "  1. a given endpoint: PAWL_LOCALSTACK_ENDPOINT is not set",
      "  2. Docker: no daemon",
      "  3. without Docker: no Java",
      "What to do next, one of:",
      "  - start Docker",
      "  - install Java",
    ].join("\n"),
  );
  expect(await readState(cache, port)).toBeUndefined();
});

test("a started instance is remembered, reused by the next call and not stopped by it", async () => {
  const { start, tried, stopped } = setup();
  await start();
  const second = await start();
  expect(second).toMatchObject({ how: "reused", pid: 4242 });
  await second.stop();
  expect(stopped).toEqual([]);
  expect(tried).toEqual(["docker", "process"]);
});

test("stop ends what the call started, once, and forgets it", async () => {
  const { start, cache, stopped } = setup();
  const instance = await start();
  await Promise.all([instance.stop(), instance.stop()]);
  expect(stopped).toEqual([process4242]);
  expect(await readState(cache, port)).toBeUndefined();
});

test("two calls at once start one instance", async () => {
  const { start, tried } = setup();
  const instances = await Promise.all([start(), start()]);
  expect(instances.map(({ how }) => how).sort()).toEqual(["process", "reused"]);
  expect(tried).toEqual(["docker", "process"]);
});

test("what is left of a dead instance is ended before a new one starts", async () => {
  const { start, cache, stopped } = setup({ isRunning: async () => false });
  await writeState(cache, left);
  expect(await start()).toMatchObject({ how: "process" });
  expect(stopped).toEqual([process4242]);
});

test("a start that was interrupted before its server answered is ended and repeated", async () => {
  const { start, cache, stopped } = setup();
  await writeState(cache, { ...left, ready: false });
  expect(await start()).toMatchObject({ how: "process" });
  expect(stopped).toEqual([process4242]);
});

// options, what runs -> why the running instance is not used
const refusals = [
  [{ reuse: false }, {}, "a new one was asked for"],
  [
    { env: { DYNAMODB_ERROR_PROBABILITY: "0.1" } },
    {},
    "it was started with another extra environment",
  ],
  [{}, { readHealth: async () => ({ kind: "down", reason: "silence" }) as const }, "silence"],
] as const;
test.for(refusals)(
  "a running instance is refused and left alone: %o %o",
  async ([options, ways, reason]) => {
    const { start, cache, tried, stopped } = setup(ways);
    await writeState(cache, left);
    expect((await failureOf(start(options))).message).toContain(`on port 4999: ${reason}`);
    expect([...tried, ...stopped]).toEqual([]);
  },
);

test("a port that another program uses is an error before anything is tried", async () => {
  const down = async () => ({ kind: "down", reason: "not LocalStack" }) as const;
  const { start, tried } = setup({ isPortFree: async () => false, readHealth: down });
  expect((await failureOf(start())).message).toContain("another program listens there");
  expect(tried).toEqual([]);
});

test("a LocalStack that Pawl did not start is offered, not taken", async () => {
  const { start } = setup({ isPortFree: async () => false });
  const { message } = await failureOf(start());
  expect(message).toContain("set PAWL_LOCALSTACK_ENDPOINT=http://127.0.0.1:4999 to use it");
});

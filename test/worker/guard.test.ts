import { exec, execSync, spawn } from "node:child_process";
import nodeCrypto, { generateKeyPairSync, randomBytes, randomInt, randomUUID } from "node:crypto";
import { createSocket } from "node:dgram";
import { lookup } from "node:dns";
import { resolve4 } from "node:dns/promises";
import fs, { existsSync, readFile, readFileSync } from "node:fs";
import { readFile as readFilePromise, writeFile } from "node:fs/promises";
import http, { get } from "node:http";
import { request } from "node:https";
import net, { connect } from "node:net";
import { setImmediate as immediatePromise, setTimeout as sleepPromise } from "node:timers/promises";
import { connect as connectTls } from "node:tls";
import { describe, expect, test } from "vitest";
import { activity, defineSignal, sleep, waitForSignal, workflow } from "../../sdk/index.ts";
import { installGuard } from "../../sdk/worker/guard.ts";
import { resultOf, STARTED_AT, startRun } from "./run.ts";

const go = defineSignal("go");
const here = import.meta.filename;

/** What a workflow returns at its start, and again when its history is replayed. */
async function twice(read: () => unknown): Promise<readonly [unknown, unknown]> {
  const wf = workflow(async () => {
    const value = await read();
    await waitForSignal(go);
    return value;
  });
  const run = await startRun({ wf }, "wf");
  await run.fireTimers();
  const replayed = await startRun({ wf }, "wf", { history: run.history });
  const values: unknown[] = [];
  for (const one of [run, replayed]) {
    await one.signal("go");
    const outcome = one.outcome();
    if (outcome?.kind !== "returned") throw new Error("not returned", { cause: outcome?.error });
    values.push(outcome.value);
  }
  return [values[0], values[1]];
}

describe("in workflow code", () => {
  test.for<readonly [string, () => unknown, unknown]>([
    ["Date.now()", () => Date.now(), STARTED_AT],
    ["new Date()", () => new Date().getTime(), STARTED_AT],
    ["Date()", () => Date(), new Date(STARTED_AT).toString()],
    [
      "the constructor of a date",
      () => Reflect.construct(new Date(0).constructor, []).getTime(),
      STARTED_AT,
    ],
    ["performance.now()", () => performance.now(), 0],
    ["Date.now() after a timer", async () => [await sleep(5), Date.now()][1], STARTED_AT + 5_000],
    ["performance.now() after a timer", async () => [await sleep(5), performance.now()][1], 5_000],
  ])("%s is the workflow's clock (P-07, A11)", async ([, read, expected]) => {
    expect(await twice(read)).toEqual([expected, expected]);
  });

  test("a date that is given is that date, and dates stay dates", async () => {
    class Day extends Date {}
    const [first] = await twice(() => [
      new Date(5).getTime(),
      new Date(2020, 1, 1).getFullYear(),
      new Date() instanceof Date,
      new Day() instanceof Day,
      new Day().getTime(),
      Date.UTC(2020, 0, 1),
      structuredClone(new Date(7)).getTime(),
    ]);
    expect(first).toEqual([5, 2020, true, true, STARTED_AT, 1_577_836_800_000, 7]);
  });

  test.for<readonly [string, () => unknown]>([
    ["Math.random()", () => Math.random()],
    ["crypto.randomUUID()", () => crypto.randomUUID()],
    ["node:crypto randomUUID()", () => randomUUID()],
    ["crypto.getRandomValues()", () => [...crypto.getRandomValues(new Uint16Array(9))]],
    ["node:crypto getRandomValues()", () => [...nodeCrypto.getRandomValues(new Uint8Array(9))]],
    ["node:crypto randomBytes()", () => randomBytes(9).toString("hex")],
    ["node:crypto randomInt()", () => [randomInt(1_000_000), randomInt(5, 1_000_000)]],
  ])(
    "%s is the same on every replay, and not the same at every call (P-07, A11)",
    async ([, read]) => {
      const [first, replayed] = await twice(() => [read(), read()]);
      expect(replayed).toEqual(first);
      const [one, two] = first as [unknown, unknown];
      expect(one).not.toEqual(two);
    },
  );

  test("randomInt stays in its range and random UUIDs are UUIDs", async () => {
    const [first] = await twice(() => [
      Array.from({ length: 200 }, () => randomInt(5, 8)).every((n) => n >= 5 && n < 8),
      /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(randomUUID()),
      randomBytes(5).length,
    ]);
    expect(first).toEqual([true, true, 5]);
  });

  test.for<readonly [string, () => unknown]>([
    ["fetch()", () => fetch("http://127.0.0.1:9")],
    ["new WebSocket()", () => new WebSocket("ws://127.0.0.1:9")],
    ["node:fs readFileSync()", () => readFileSync(here)],
    ["node:fs readFileSync()", () => fs.readFileSync(here)],
    ["node:fs readFile()", () => readFile(here, () => {})],
    ["node:fs existsSync()", () => existsSync(here)],
    ["node:fs/promises readFile()", () => readFilePromise(here)],
    ["node:fs/promises readFile()", () => fs.promises.readFile(here)],
    ["node:fs/promises writeFile()", () => writeFile(`${here}/no-folder`, "")],
    ["node:http get()", () => get("http://127.0.0.1:9")],
    ["node:http request()", () => http.request("http://127.0.0.1:9")],
    ["node:https request()", () => request("https://127.0.0.1:9")],
    ["node:net connect()", () => connect(9)],
    ["net.Socket.connect()", () => new net.Socket().connect(9)],
    ["node:tls connect()", () => connectTls(9)],
    ["node:dgram createSocket()", () => createSocket("udp4")],
    ["node:dns lookup()", () => lookup("localhost", () => {})],
    ["node:dns/promises resolve4()", () => resolve4("localhost")],
    ["node:child_process exec()", () => exec("true")],
    ["node:child_process execSync()", () => execSync("true")],
    ["node:child_process spawn()", () => spawn("true")],
    ["process.exit()", () => process.exit(0)],
    ["process.kill()", () => process.kill(process.pid, 0)],
    ["process.hrtime()", () => process.hrtime()],
    ["process.hrtime.bigint()", () => process.hrtime.bigint()],
    ["process.memoryUsage()", () => process.memoryUsage()],
    ["setInterval()", () => setInterval(() => {}, 1)],
    ["setImmediate()", () => setImmediate(() => {})],
    ["node:timers/promises setImmediate()", () => immediatePromise()],
    ["AbortSignal.timeout()", () => AbortSignal.timeout(1)],
    ["randomBytes() with a callback", () => randomBytes(5, () => {})],
    ["randomInt() with a callback", () => randomInt(5, () => {})],
    ["node:crypto generateKeyPairSync()", () => generateKeyPairSync("ed25519")],
    [
      "setTimeout() with an abort signal",
      () => sleepPromise(1, 1, { signal: new AbortController().signal }),
    ],
  ])("%s is refused by name, with what to use instead (B-01, P-08, A11)", async ([what, call]) => {
    const wf = workflow(async () => await call());
    await expect(resultOf({ wf }, "wf")).rejects.toMatchObject({
      code: "nondeterministic_call",
      details: { what, instead: expect.stringMatching(/activity|pawl|return/) },
    });
  });

  test("setTimeout is a durable timer, with its arguments, in the order of time (A11)", async () => {
    const wf = workflow(async () => {
      const fired: unknown[] = [];
      await new Promise<void>((resolve) => {
        setTimeout((...args) => fired.push(args, Date.now() - STARTED_AT), 500, "a", 1);
        setTimeout(resolve, 1_000);
        clearTimeout(setTimeout(() => fired.push("cleared"), 1));
        clearTimeout(undefined);
      });
      return fired;
    });
    const run = await startRun({ wf }, "wf");
    await run.fireTimers();
    expect(run.outcome()).toEqual({ kind: "returned", value: [["a", 1], 500] });
    const cancelled = run.history.filter(({ type }) => type === "TimerCancelled");
    expect(cancelled).toMatchObject([{ sequence: 3 }]);
  });

  test("setTimeout of node:timers/promises is a durable timer as well", async () => {
    const wf = workflow(async () => [await sleepPromise(700, "value"), Date.now()]);
    expect(await resultOf({ wf }, "wf")).toEqual(["value", STARTED_AT + 700]);
  });

  test("a timeout is refreshed from now on, and is inert where a process would matter", async () => {
    const wf = workflow(async () => {
      const { promise, resolve } = Promise.withResolvers<number>();
      const timeout = setTimeout(() => resolve(Date.now() - STARTED_AT), 1_000);
      await sleep("500ms");
      timeout.refresh().ref().unref();
      return [await promise, timeout.hasRef()];
    });
    expect(await resultOf({ wf }, "wf")).toEqual([1_500, true]);
  });

  test("a cancel request does not end setTimeout, which waits for the rest of its time", async () => {
    const wf = workflow(async () => {
      const { promise, resolve } = Promise.withResolvers<number>();
      setTimeout(() => resolve(Date.now() - STARTED_AT), 1_000);
      await sleep("400ms");
      return await promise;
    });
    const run = await startRun({ wf }, "wf");
    await run.fireTimer();
    await run.cancel();
    const delays = run.history.flatMap((e) => (e.type === "TimerScheduled" ? e.delay_ms : []));
    expect(delays).toEqual([1_000, 400, 600]);
    await run.fireTimers();
    expect(run.outcome()).toEqual({ kind: "returned", value: 1_000 });
  });

  test("a timeout that is cleared because of the cancel request does not fire", async () => {
    const wf = workflow(async () => {
      const fired: string[] = [];
      const waiting = sleep("1d");
      const timeout = setTimeout(() => fired.push("cleared"), 1_000);
      await waiting.catch(() => clearTimeout(timeout));
      await sleep("2s");
      return fired;
    });
    const run = await startRun({ wf }, "wf");
    await run.cancel();
    await run.fireTimers();
    expect(run.outcome()).toEqual({ kind: "returned", value: [] });
  });

  test("what is allowed stays: the environment, microtasks, URLs, buffers", async () => {
    const wf = workflow(async () => {
      const order: string[] = [];
      await new Promise<void>((resolve) => {
        queueMicrotask(() => order.push("microtask"));
        process.nextTick(resolve);
      });
      await Promise.resolve();
      return [
        typeof process.env.PATH,
        new URL("http://a/b").pathname,
        Buffer.from("a").length,
        order,
      ];
    });
    expect(await resultOf({ wf }, "wf")).toEqual(["string", "/b", 1, ["microtask"]]);
  });

  test("determinismGuard: false leaves the platform as it is (P-08)", async () => {
    const wf = workflow({ determinismGuard: false }, async () => [
      Date.now() < STARTED_AT,
      readFileSync(here).length > 0,
      await new Promise((resolve) => setTimeout(resolve, 0, "real")),
    ]);
    const registered = await startRun({ wf }, "wf");
    await expect
      .poll(() => registered.outcome())
      .toEqual({
        kind: "returned",
        value: [true, true, "real"],
      });
  });
});

describe("everywhere else nothing is changed", () => {
  test("an activity uses clock, files, timers and network while a workflow waits for it (B-03)", async () => {
    const server = http.createServer((_request, response) => response.end("pong"));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const url = `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
    const gate = Promise.withResolvers<void>();
    const world = activity(async () => {
      const timers = await new Promise((resolve) => setTimeout(resolve, 1, "real"));
      const handle = setInterval(() => {}, 1_000);
      clearInterval(handle);
      await new Promise((resolve) => setImmediate(resolve));
      const text = await (await fetch(url)).text();
      const bytes = (await readFilePromise(here)).length === readFileSync(here).length;
      gate.resolve();
      const uuids = randomUUID() !== randomUUID() && Math.random() !== Math.random();
      return [
        timers,
        text,
        bytes,
        uuids,
        Date.now() < STARTED_AT,
        new Date() < new Date(STARTED_AT),
      ];
    });
    const wf = workflow(async () => {
      const before = Date.now();
      const done = world();
      const meanwhile = [Date.now() - before, Math.random() < 1];
      return [await done, ...meanwhile, Date.now() - STARTED_AT];
    });
    const outside = gate.promise.then(() => Date.now() < STARTED_AT && existsSync(here));
    const result = await resultOf({ world, wf }, "wf");
    await new Promise((resolve) => server.close(resolve));
    expect(result).toEqual([["real", "pong", true, true, true, true], 0, true, 0]);
    expect(await outside).toBe(true);
  });

  test("two workflows and plain code that take turns each keep their own clock and numbers", async () => {
    const read = async () => {
      const seen: unknown[] = [];
      for (let turn = 0; turn < 20; turn++) {
        seen.push(Date.now(), Math.random());
        await Promise.resolve();
      }
      return seen;
    };
    const wf = workflow(read);
    const [first, second, plain] = await Promise.all([
      resultOf({ wf }, "wf"),
      resultOf({ wf }, "wf"),
      read(),
    ]);
    expect(first).toEqual(second);
    expect((first as unknown[])[0]).toBe(STARTED_AT);
    expect(plain[0]).toBeLessThan(STARTED_AT);
  });

  test("replaced functions keep their names and further properties", () => {
    expect(fs.realpath).toHaveProperty("native");
    expect(setTimeout.name).toBe("setTimeout");
    expect(Date.name).toBe("Date");
    expect(new Date(0).constructor).toBe(Date);
  });

  test("installing again changes nothing", () => {
    const before = [Date, Date.now, setTimeout, fs.readFileSync];
    installGuard();
    expect([Date, Date.now, setTimeout, fs.readFileSync]).toEqual(before);
  });
});

import { afterEach, describe, expect, test } from "vitest";
import {
  activity,
  depends,
  disposeDependencies,
  overrideDependency,
  runActivitiesLocally,
  workflow,
} from "../../sdk/index.ts";
import { currentScope } from "../../sdk/worker/scope.ts";
import { resultOf, startRun } from "./run.ts";

afterEach(async () => await disposeDependencies());

/** A provider of each kind, and the lines that they and their cleaning up write. */
function setup() {
  const log: string[] = [];
  const open = (name: string) => {
    log.push(`open ${name}`);
    return { name };
  };
  function* generator() {
    yield open("generator");
    log.push("close generator");
  }
  async function* asyncGenerator() {
    try {
      yield open("asyncGenerator");
    } finally {
      log.push("close asyncGenerator");
    }
  }
  return {
    log,
    sync: () => open("sync"),
    async: async () => open("async"),
    generator,
    asyncGenerator,
    disposable: () => ({
      ...open("disposable"),
      [Symbol.dispose]: () => void log.push("close disposable"),
    }),
    asyncDisposable: async () => ({
      ...open("asyncDisposable"),
      [Symbol.asyncDispose]: async () => void log.push("close asyncDisposable"),
    }),
  };
}

describe("depends", () => {
  test.for([
    "sync",
    "async",
    "generator",
    "asyncGenerator",
    "disposable",
    "asyncDisposable",
  ] as const)(
    "a %s provider is called once for all calls, queued and local, and cleaned up (O-01, O-02, O-03)",
    async (kind) => {
      const providers = setup();
      const provider: () => unknown = providers[kind];
      const name = activity(async (prefix: string, value = depends(provider)) => {
        return `${prefix}${(value as { name: string }).name}`;
      });
      const wf = workflow(async () => [
        ...(await Promise.all([name("a:"), name("b:")])),
        await runActivitiesLocally(() => name("c:")),
      ]);
      const run = await startRun({ wf, name }, "wf");
      expect(run.outcome()).toEqual({
        kind: "returned",
        value: [`a:${kind}`, `b:${kind}`, `c:${kind}`],
      });
      expect(providers.log).toEqual([`open ${kind}`]);
      await disposeDependencies();
      const closed = kind === "sync" || kind === "async" ? [] : [`close ${kind}`];
      expect(providers.log).toEqual([`open ${kind}`, ...closed]);
    },
  );

  test("injected values are not part of the recorded input (O-04)", async () => {
    const { async } = setup();
    const name = activity(async (prefix: string, value = depends(async)) => prefix + value.name);
    const run = await startRun({ name, wf: workflow(() => name("a:")) }, "wf");
    const scheduled = run.history.find(({ type }) => type === "ActivityScheduled");
    expect(scheduled).toMatchObject({ arguments: { json: '["a:"]' } });
  });

  test("the body runs once although its dependency had to be awaited first", async () => {
    let bodies = 0;
    const { async, generator } = setup();
    const count = activity(async (one = depends(async), two = depends(generator)) => {
      bodies++;
      return [one.name, two.name];
    });
    expect(await count()).toEqual(["async", "generator"]);
    expect(bodies).toBe(1);
  });

  test("a provider takes its own dependencies, which are cleaned up after it", async () => {
    const { log, generator } = setup();
    async function* repository(db = depends(generator)) {
      log.push(`open repository on ${db.name}`);
      yield { load: () => db.name };
      log.push("close repository");
    }
    const load = activity(async (repo = depends(repository)) => repo.load());
    expect(await load()).toBe("generator");
    await disposeDependencies();
    expect(log).toEqual([
      "open generator",
      "open repository on generator",
      "close repository",
      "close generator",
    ]);
  });

  test("nested activities get theirs as well (K-01)", async () => {
    const { async } = setup();
    const inner = activity(async (value = depends(async)) => value.name);
    const outer = activity(async () => await inner());
    expect(await resultOf({ inner, outer, wf: workflow(() => outer()) }, "wf")).toBe("async");
  });

  test("a provider does not run in the scope of the activity that came first", async () => {
    const scopeOfProvider = async () => String(currentScope()?.kind);
    const scope = activity(async (kind = depends(scopeOfProvider)) => [kind, currentScope()?.kind]);
    const wf = workflow(() => scope());
    expect(await resultOf({ scope, wf }, "wf")).toEqual(["undefined", "activity"]);
  });

  test("a provider that throws fails the attempt with its error, and is asked again by the next", async () => {
    let calls = 0;
    const flaky = async () => {
      calls++;
      if (calls === 1) throw new Error("no connection");
      return calls;
    };
    const use = activity(async (value = depends(flaky)) => value);
    await expect(use()).rejects.toThrow("no connection");
    expect(await use()).toBe(2);
  });

  test("a circle of providers is refused by name, also when two calls begin it at both ends", async () => {
    const first: () => Promise<unknown> = async (other = depends(second)) => other;
    async function second(other = depends(first)): Promise<unknown> {
      return other;
    }
    const a = activity(async (value = depends(first)) => value);
    const b = activity(async (value = depends(second)) => value);
    const outcomes = await Promise.allSettled([a(), b(), a()]);
    for (const outcome of outcomes)
      expect(outcome).toMatchObject({ status: "rejected", reason: { code: "dependency_cycle" } });
  });

  test("a provider that depends on itself is a circle of one", async () => {
    async function self(other: unknown = depends(self)): Promise<unknown> {
      return other;
    }
    const use = activity(async (value = depends(self)) => value);
    await expect(use()).rejects.toThrow("self → self");
  });

  test("depends outside of a default value is refused by name, made already or not", async () => {
    const { async } = setup();
    const ready = activity(async (value = depends(async)) => value.name);
    await ready();
    const late = activity(async () => {
      await Promise.resolve();
      return depends(async).name;
    });
    const misplaced = { code: "depends_misplaced" };
    await expect(late()).rejects.toMatchObject(misplaced);
    expect(() => depends(async)).toThrow(expect.objectContaining(misplaced));
    const wf = workflow(async () => depends(async).name);
    await expect(resultOf({ wf }, "wf")).rejects.toMatchObject(misplaced);
  });

  test("a provider that is written in place is refused by name, instead of being made for ever", async () => {
    const inline = activity(async (value = depends(async () => 1)) => value);
    await expect(inline()).rejects.toMatchObject({ code: "provider_unstable" });
  });

  test("a body that catches what depends throws has begun, and is not run again", async () => {
    let bodies = 0;
    const { async } = setup();
    const swallow = activity(async () => {
      bodies++;
      try {
        return depends(async);
      } catch {
        return undefined;
      }
    });
    await expect(swallow()).rejects.toMatchObject({ code: "depends_misplaced" });
    expect(bodies).toBe(1);
  });
});

describe("overrideDependency", () => {
  test("replaces a provider until it is restored (O-05)", async () => {
    const { log, async } = setup();
    const use = activity(async (value = depends(async)) => value.name);
    {
      using _override = overrideDependency(async, () => ({ name: "fake" }));
      expect(await use()).toBe("fake");
    }
    expect(log).toEqual([]);
    expect(await use()).toBe("async");
    const override = overrideDependency(async, async () => ({ name: "other" }));
    expect(await use()).toBe("other");
    override.restore();
    expect(await use()).toBe("async");
  });
});

describe("disposeDependencies", () => {
  test("tries all of the cleaning up and then tells what went wrong; later calls make values anew", async () => {
    const { log, sync, disposable } = setup();
    const broken = () => ({
      [Symbol.dispose]: () => {
        throw new Error("stuck");
      },
    });
    const use = activity(
      async (a = depends(disposable), b = depends(broken), c = depends(sync)) => {
        return [a.name, typeof b, c.name];
      },
    );
    await use();
    const disposed = await disposeDependencies().catch((error: unknown) => error);
    expect(disposed).toMatchObject({ errors: [{ message: "stuck" }] });
    expect(log).toEqual(["open disposable", "open sync", "close disposable"]);
    await use();
    expect(log.filter((line) => line === "open sync")).toHaveLength(2);
    await disposeDependencies().catch(() => {});
  });

  test("a generator that yields again is ended there", async () => {
    const log: string[] = [];
    function* twice() {
      try {
        yield 1;
        yield 2;
        log.push("never");
      } finally {
        log.push("closed");
      }
    }
    const use = activity(async (value = depends(twice)) => value);
    expect(await use()).toBe(1);
    await disposeDependencies();
    expect(log).toEqual(["closed"]);
  });

  test("waits for values that are being made", async () => {
    const begun = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<void>();
    const log: string[] = [];
    async function* slow() {
      begun.resolve();
      await gate.promise;
      yield 1;
      log.push("closed");
    }
    const use = activity(async (value = depends(slow)) => value);
    const used = use();
    await begun.promise;
    const disposed = disposeDependencies();
    gate.resolve();
    await Promise.all([used, disposed]);
    expect(log).toEqual(["closed"]);
  });
});

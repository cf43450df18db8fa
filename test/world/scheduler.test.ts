/** Virtual time: the heap, and the deterministic mode that drives it. */
import { describe, expect, test } from "vitest";
import { Scheduler } from "../../sdk/testing/world/scheduler.ts";

describe("the deterministic clock", () => {
  test("runs entries in the order of time, then of the calls that made them", async () => {
    const scheduler = new Scheduler(0);
    const seen: string[] = [];
    for (const [delayMs, name] of [
      [20, "c"],
      [10, "a"],
      [10, "b"],
      [0, "now"],
    ] as const)
      scheduler.at(delayMs, () => seen.push(`${name} at ${scheduler.now()}`));
    await scheduler.run();
    expect(seen).toEqual(["now at 0", "a at 10", "b at 10", "c at 20"]);
  });

  test("keeps the order of a thousand entries that are made out of order", async () => {
    const scheduler = new Scheduler(0);
    const seen: number[] = [];
    for (let index = 0; index < 1_000; index++) {
      const delayMs = (index * 7_919) % 1_000;
      scheduler.at(delayMs, () => seen.push(delayMs));
    }
    await scheduler.run();
    expect(seen).toEqual(seen.toSorted((left, right) => left - right));
    expect(seen.length).toBe(1_000);
  });

  test("lets every microtask and settle finish before the next entry runs", async () => {
    const scheduler = new Scheduler(0);
    const seen: string[] = [];
    scheduler.at(1, () => {
      void (async () => {
        await Promise.resolve();
        await scheduler.settle();
        await scheduler.settle();
        seen.push("settled");
      })();
    });
    scheduler.at(1, () => seen.push("next"));
    await scheduler.run();
    expect(seen).toEqual(["settled", "next"]);
  });

  test("stops at the time it is given and leaves the rest for later", async () => {
    const scheduler = new Scheduler(1_000);
    const seen: number[] = [];
    scheduler.at(10, () => seen.push(10));
    scheduler.at(11, () => seen.push(11));
    await scheduler.run({ until: 1_010 });
    expect(seen).toEqual([10]);
    expect(scheduler.now()).toBe(1_010);
    await scheduler.run();
    expect(seen).toEqual([10, 11]);
  });

  test("forgets cancelled entries", async () => {
    const scheduler = new Scheduler(0);
    const seen: string[] = [];
    scheduler.at(5, () => seen.push("cancelled")).cancel();
    scheduler.at(6, () => seen.push("kept"));
    expect(scheduler.nextAt()).toBe(6);
    await scheduler.run();
    expect(seen).toEqual(["kept"]);
  });

  test("ends a sleep at its time, or at once when it is aborted", async () => {
    const scheduler = new Scheduler(0);
    const woken: string[] = [];
    const abort = new AbortController();
    void scheduler.sleep(100, abort.signal).then(() => woken.push(`aborted ${scheduler.now()}`));
    void scheduler.sleep(50).then(() => woken.push(`slept ${scheduler.now()}`));
    void scheduler.sleep(9, AbortSignal.abort()).then(() => woken.push(`never ${scheduler.now()}`));
    scheduler.at(10, () => abort.abort());
    await scheduler.run();
    expect(woken).toEqual(["never 0", "aborted 10", "slept 50"]);
    expect(scheduler.now()).toBe(50);
  });

  test("does not stop for a poll that cannot see anything new, and does for one that can", () => {
    const scheduler = new Scheduler(0);
    scheduler.at(1_000, () => {});
    scheduler.at(10, () => {}, { passive: "poll" });
    scheduler.at(5, () => {}, { passive: "limit" });
    expect(scheduler.nextAt()).toBe(1_000);
    scheduler.changed();
    expect(scheduler.nextAt()).toBe(10);
    expect(scheduler.nextOfAllAt()).toBe(5);
  });
});

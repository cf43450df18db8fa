import { describe, expect, test } from "vitest";
import { Conditions } from "../../sdk/core/conditions.ts";
import { settledWith } from "../support/core.ts";

/** Conditions whose predicates are counted. */
function setup() {
  let calls = 0;
  const conditions = new Conditions((predicate) => {
    calls++;
    return predicate();
  });
  return { conditions, calls: () => calls };
}

describe("conditions", () => {
  test("settle once their predicate holds, and are not looked at again", async () => {
    const { conditions, calls } = setup();
    let isOpen = false;
    const wait = conditions.wait(() => isOpen);
    expect(conditions.settle()).toBe(false);
    expect(conditions.size).toBe(1);
    isOpen = true;
    expect(conditions.settle()).toBe(true);
    await wait;
    expect(conditions.size).toBe(0);
    expect(conditions.settle()).toBe(false);
    expect(calls()).toBe(2);
  });

  test("that do not hold stay, in the order of their waits", () => {
    const { conditions } = setup();
    const looked: string[] = [];
    const look = (name: string, holds: boolean) => () => {
      looked.push(name);
      return holds;
    };
    void conditions.wait(look("a", false));
    void conditions.wait(look("b", true));
    void conditions.wait(look("c", false));
    expect(conditions.settle()).toBe(true);
    looked.length = 0;
    conditions.settle();
    expect(looked).toEqual(["a", "c"]);
  });

  test("whose predicate throws reject with what it threw", async () => {
    const { conditions } = setup();
    const error = new Error("no stock");
    const wait = conditions.wait(() => {
      throw error;
    });
    expect(conditions.settle()).toBe(true);
    expect(await settledWith(wait)).toBe(error);
  });

  test("that a predicate opens are kept for the next look", () => {
    const { conditions } = setup();
    void conditions.wait(() => {
      void conditions.wait(() => true);
      return true;
    });
    expect(conditions.settle()).toBe(true);
    expect(conditions.size).toBe(1);
    expect(conditions.settle()).toBe(true);
    expect(conditions.size).toBe(0);
  });

  test("are all ended by a cancel, without another look", async () => {
    const { conditions, calls } = setup();
    const error = new Error("asked to cancel");
    const waits = [conditions.wait(() => true), conditions.wait(() => false)];
    conditions.rejectAll(error);
    expect(await Promise.all(waits.map(settledWith))).toEqual([error, error]);
    expect([conditions.size, calls()]).toEqual([0, 0]);
  });
});

import { describe, expect, test } from "vitest";
import { SignalInbox } from "../../sdk/core/signal-inbox.ts";
import { settledWith } from "../support/core.ts";

/** An inbox whose handlers write down what they were given. */
function setup() {
  const handled: unknown[] = [];
  const inbox = new SignalInbox((name, handler, args) => {
    handled.push([name, ...args]);
    handler(...args);
  });
  return { inbox, handled };
}

const ignore = () => undefined;

describe("signals of one name are taken in log order (G1, I16)", () => {
  test("those that nobody waits for are kept, and given to later waits", async () => {
    const { inbox } = setup();
    inbox.deliver("go", [1]);
    inbox.deliver("go", [2]);
    expect(inbox.keptCount()).toBe(2);
    expect([await inbox.next("go"), await inbox.next("go")]).toEqual([[1], [2]]);
    expect(inbox.keptCount()).toBe(0);
  });

  test("waits are served first come, first served", async () => {
    const { inbox } = setup();
    const waits = [inbox.next("go"), inbox.next("go")];
    inbox.deliver("go", [1]);
    inbox.deliver("go", [2]);
    expect(await Promise.all(waits)).toEqual([[1], [2]]);
    expect(inbox.keptCount()).toBe(0);
  });

  test("another name's signals are left alone", async () => {
    const { inbox } = setup();
    const wait = inbox.next("go");
    inbox.deliver("stop", [0]);
    expect(inbox.awaited()).toEqual(["go"]);
    inbox.deliver("go", [1]);
    expect(await wait).toEqual([1]);
    expect(inbox.awaited()).toEqual([]);
    expect(inbox.keptCount()).toBe(1);
  });
});

describe("handlers", () => {
  test("get what was kept first, in order, and then every new one", () => {
    const { inbox, handled } = setup();
    inbox.deliver("note", ["a"]);
    inbox.deliver("note", ["b"]);
    inbox.handle("note", ignore);
    inbox.deliver("note", ["c"]);
    expect(handled).toEqual([
      ["note", "a"],
      ["note", "b"],
      ["note", "c"],
    ]);
    expect(inbox.keptCount()).toBe(0);
  });

  test("come before waits: a signal is given once", async () => {
    const { inbox, handled } = setup();
    void inbox.next("note");
    inbox.handle("note", ignore);
    inbox.deliver("note", ["a"]);
    expect(handled).toEqual([["note", "a"]]);
    expect(inbox.awaited()).toEqual(["note"]);
  });

  test("a later handler replaces the earlier one", () => {
    const { inbox } = setup();
    const calls: string[] = [];
    inbox.handle("note", () => calls.push("first"));
    inbox.handle("note", () => calls.push("second"));
    inbox.deliver("note", []);
    expect(calls).toEqual(["second"]);
  });
});

test("a cancel ends every wait, and only waits: kept signals stay", async () => {
  const { inbox } = setup();
  const error = new Error("asked to cancel");
  const waits = [inbox.next("go"), inbox.next("go"), inbox.next("stop")];
  inbox.deliver("kept", []);
  inbox.rejectWaits(error);
  expect(await Promise.all(waits.map(settledWith))).toEqual([error, error, error]);
  expect(inbox.awaited()).toEqual([]);
  expect(inbox.keptCount()).toBe(1);
});

import { describe, expect, test } from "vitest";
import { InvariantError } from "../../sdk/core/errors.ts";
import {
  closingOf,
  closingOfEvent,
  outcomeOf,
  outcomeOfClosing,
  terminalEvent,
} from "../../sdk/core/views/closing.ts";
import {
  cancelled,
  completed,
  failed,
  failure,
  leaseRenewed,
  log,
  signal,
  started,
  T,
  terminated,
} from "../support/core.ts";
import { show } from "./view-fixtures.ts";

const WHY = { ...terminated(), reason: "a duplicate" };
const VIEW = {
  type: "Error",
  message: "a Error happened",
  category: "application",
  non_retryable: false,
} as const;

describe("how a run ended, read from the last batch of its log", () => {
  test.for([
    [completed({ total: 5 }), "completed", { status: "completed", result: { total: 5 } }],
    [failed(), "failed", { status: "failed", failure: VIEW }],
    [cancelled(), "cancelled", { status: "cancelled" }],
    [terminated(), "terminated", { status: "terminated", reason: null }],
    [WHY, "terminated", { status: "terminated", reason: "a duplicate" }],
  ] as const)("%j: %s", ([event, status, outcome]) => {
    const tail = log([started()], [signal("go"), event]).at(-1);
    expect(terminalEvent(tail)).toEqual(event);
    expect(closingOf(tail)).toMatchObject({ status, closed_at: T });
    expect(closingOf(tail)).toEqual(closingOfEvent(event));
    expect(outcomeOf(tail, show)).toEqual(outcome);
  });

  test.for([
    ["no log at all", []],
    ["an open one", [[started()], [signal("go")]]],
  ] as const)("%s: not yet", ([, parts]) => {
    const tail = log(...parts).at(-1);
    expect([terminalEvent(tail), closingOf(tail), outcomeOf(tail, show)]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  test("a closed log without an end is a broken invariant", () => {
    const tail = log([started()], { events: [leaseRenewed()], closed: true }).at(-1);
    expect(() => terminalEvent(tail)).toThrow(
      new InvariantError("a closed log ends with no terminal event"),
    );
  });
});

describe("the outcome of a run's row, without its log", () => {
  test.for([
    // A row is written behind the log: one without its output shows none.
    [
      { status: "completed", closed_at: T },
      { status: "completed", result: null },
    ],
    [
      { status: "failed", closed_at: T, failure: failure() },
      { status: "failed", failure: VIEW },
    ],
    [
      { status: "terminated", closed_at: T },
      { status: "terminated", reason: null },
    ],
  ] as const)("%j: %j", ([closing, outcome]) => {
    expect(outcomeOfClosing(closing, show)).toEqual(outcome);
  });

  test("a failed run has a failure", () => {
    expect(() => outcomeOfClosing({ status: "failed", closed_at: T }, show)).toThrow(
      new InvariantError("a failed run has no failure"),
    );
  });
});

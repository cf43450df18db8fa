import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { pawlError } from "../../sdk/core/errors.ts";
import {
  ActivityCancellation,
  ActivityFailure,
  type ActivityFailureFields,
  ActivityTimeout,
  ApplicationFailure,
  activityError,
  CancelledFailure,
  structuralFailure,
  toFailure,
} from "../../sdk/core/failure.ts";
import { failure } from "../support/core.ts";

/** Characters of details that a failure carries. */
const LIMIT = 16_384;
const FIELDS: ActivityFailureFields = {
  activity_type: "charge",
  sequence: 3,
  attempts: 2,
  outcome: "failed",
};

describe("what was thrown becomes data", () => {
  test("an Error keeps its name, message and stack, and may be retried", () => {
    const recorded = toFailure(new RangeError("too far"));
    expect(recorded).toMatchObject({
      type: "RangeError",
      message: "too far",
      category: "application",
      non_retryable: false,
    });
    expect(recorded.stack).toContain("failure.test.ts");
  });

  test("an ApplicationFailure keeps its type, its details and whether it is retried (G-09)", () => {
    const thrown = new ApplicationFailure("no", {
      type: "CardDeclined",
      nonRetryable: true,
      details: { code: 51 },
    });
    expect(toFailure(thrown)).toMatchObject({
      type: "CardDeclined",
      message: "no",
      non_retryable: true,
      details: '{"code":51}',
    });
  });

  test("an ApplicationFailure without options has its class as type and may be retried", () => {
    const thrown = new ApplicationFailure("no");
    expect(thrown).toMatchObject({ name: "ApplicationFailure", nonRetryable: false });
    expect(toFailure(thrown)).toMatchObject({ type: "ApplicationFailure", non_retryable: false });
    expect(toFailure(thrown)).not.toHaveProperty("details");
  });

  test("ApplicationFailure.nonRetryable is the short form", () => {
    const short = ApplicationFailure.nonRetryable("no", "Impossible", { why: 1 });
    expect(short).toMatchObject({ type: "Impossible", nonRetryable: true, details: { why: 1 } });
    expect(ApplicationFailure.nonRetryable("no").type).toBe("ApplicationFailure");
  });

  test("a cancellation has a category of its own", () => {
    expect(toFailure(new CancelledFailure("asked to"))).toMatchObject({
      type: "CancelledFailure",
      category: "cancelled",
    });
  });

  test("an activity's failure that nobody caught is recorded as it was, with its activity (A3)", () => {
    const cause = failure("CardDeclined", { details: '{"code":51}' });
    expect(toFailure(new ActivityFailure(cause, FIELDS))).toEqual({ ...cause, activity: FIELDS });
  });

  test.for([
    // What is no Error keeps its kind and is shown as JSON.
    ["no", "string", "no"],
    [undefined, "undefined", "undefined"],
    [null, "object", "null"],
    [404, "number", "404"],
    [{ code: 1 }, "object", '{"code":1}'],
    [1n, "bigint", "a value that cannot be shown"],
    [Symbol("s"), "symbol", "Symbol(s)"],
  ] as const)("%o, thrown bare, has the type %s", ([thrown, type, message]) => {
    expect(toFailure(thrown)).toEqual({
      type,
      message,
      category: "application",
      non_retryable: false,
    });
  });

  test("causes are kept three deep, so that a chain without an end does not fill the log", () => {
    const chain = new Error("0");
    chain.cause = new Error("1", {
      cause: new Error("2", { cause: new Error("3", { cause: "4" }) }),
    });
    expect(toFailure(chain)).toMatchObject({
      cause: { message: "1", cause: { message: "2", cause: { message: "3" } } },
    });
    expect(toFailure(chain).cause?.cause?.cause).not.toHaveProperty("cause");
    const loop = new Error("loop");
    loop.cause = loop;
    expect(toFailure(loop).cause?.cause?.cause).not.toHaveProperty("cause");
  });

  test("long messages and stacks are cut, and say so", () => {
    const thrown = new Error("x".repeat(5_000));
    expect(toFailure(thrown).message).toBe(`${"x".repeat(2_000)}…`);
    expect(toFailure(thrown).stack).toHaveLength(2_001);
    expect(toFailure("y".repeat(2_000)).message).toBe("y".repeat(2_000));
  });

  test("an Error without a stack has none", () => {
    const thrown = new Error("bare");
    delete thrown.stack;
    expect(toFailure(thrown)).not.toHaveProperty("stack");
  });

  test("details that are no JSON are replaced, and the failure itself survives", () => {
    const thrown = new ApplicationFailure("no", { details: { count: 1n } });
    expect(toFailure(thrown).details).toBe('"details that cannot be stored as JSON"');
  });

  test("details that a failure cannot carry are replaced by their length", () => {
    const detailsOf = (length: number) =>
      // Two quotes belong to the text that is stored.
      toFailure(new ApplicationFailure("no", { details: "x".repeat(length - 2) })).details;
    expect(detailsOf(LIMIT)).toHaveLength(LIMIT);
    expect(detailsOf(LIMIT + 1)).toBe(
      `"details of ${LIMIT + 1} characters, more than a failure can carry"`,
    );
  });

  test("details that are nothing in JSON are left out", () => {
    expect(toFailure(new ApplicationFailure("no", { details: () => 1 }))).not.toHaveProperty(
      "details",
    );
  });

  test("whatever is thrown becomes a failure that is JSON", () => {
    fc.assert(
      fc.property(fc.anything({ withBigInt: true, withSymbol: true } as object), (thrown) => {
        const recorded = toFailure(thrown);
        expect(JSON.parse(JSON.stringify(recorded))).toEqual(recorded);
      }),
    );
  });
});

describe("data becomes the error that workflow code catches (A3, F-11)", () => {
  test.for([
    ["failed", ActivityFailure, "ActivityFailure"],
    ["timed_out", ActivityTimeout, "ActivityTimeout"],
    ["cancelled", ActivityCancellation, "ActivityCancellation"],
  ] as const)("an activity that %s", ([outcome, kind, name]) => {
    const cause = failure("CardDeclined", { details: '{"code":51}', non_retryable: true });
    const error = activityError(cause, { ...FIELDS, outcome });
    expect(error).toBeInstanceOf(kind);
    expect(error).toBeInstanceOf(ActivityFailure);
    expect(error).toMatchObject({
      name,
      type: "CardDeclined",
      message: cause.message,
      nonRetryable: true,
      activityType: "charge",
      attempts: 2,
      details: { code: 51 },
    });
  });

  test("a failure without details has none", () => {
    expect(activityError(failure(), FIELDS).details).toBeUndefined();
  });

  test("a timeout says which limit was exceeded (H-04)", () => {
    const timeout = (fields: ActivityFailureFields) => new ActivityTimeout(failure(), fields);
    expect(timeout({ ...FIELDS, timeout_kind: "heartbeat" }).timeoutKind).toBe("heartbeat");
    expect(timeout(FIELDS).timeoutKind).toBe("start_to_close");
  });
});

describe("a failure that Pawl itself found", () => {
  test.for([
    // Sizes and depths are limits of the structure; the rest is the application's.
    ["payload_too_large", "structural_limit"],
    ["payload_too_deep", "structural_limit"],
    ["payload_not_serializable", "application"],
  ] as const)("%s has the category %s and is not retried", ([code, category]) => {
    const error = pawlError(code);
    expect(structuralFailure(error)).toEqual({
      type: code,
      message: error.message,
      category,
      non_retryable: true,
    });
  });
});

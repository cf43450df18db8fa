import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { activityId, attemptId, idProblem } from "../../sdk/core/ids.ts";

describe("ids from outside (L6)", () => {
  test.for([
    // Printable is fine: keys escape it, URLs encode it.
    ["order-1", undefined],
    ["a#b/c d%..", undefined],
    ["Bestellung «ü» 😀", undefined],
    ["_x", undefined],
    ["...", undefined],
    ["x".repeat(256), undefined],
    ["", "it is empty"],
    ["x".repeat(257), "it has 257 characters, at most 256 are allowed"],
    ["__x", "the prefix __ is reserved"],
    [".", "URLs cannot hold it, encoded or not"],
    ["..", "URLs cannot hold it, encoded or not"],
    ["a\ud800", "it has half a surrogate pair"],
    // First and last of each range of control characters, and the line separators.
    ["\u0000", "it has a control character"],
    ["a\u001f", "it has a control character"],
    ["a\u007fb", "it has a control character"],
    ["\u009f", "it has a control character"],
    ["\u2028", "it has a control character"],
    ["\u2029", "it has a control character"],
    // Their neighbours.
    [" ", undefined],
    ["~", undefined],
    ["\u00a0", undefined],
    ["\u202a", undefined],
  ] as const)("%j: %s", ([id, reason]) => {
    expect(idProblem("the workflow id", id)?.details["reason"]).toBe(reason);
  });

  test("a refusal shows the beginning of the id, escaped", () => {
    expect(idProblem("the signal name", `${"x".repeat(300)}`)?.message).toBe(
      `the signal name "${"x".repeat(80)}" is not a valid id: it has 300 characters, at most 256 are allowed`,
    );
    expect(idProblem("the signal name", "a\nb")?.message).toContain(String.raw`"a\nb"`);
    expect(idProblem("the signal name", "a\nb")?.code).toBe("invalid_id");
  });
});

describe("ids of activities and attempts", () => {
  test("name the run, the position of the call and the attempt (B-14)", () => {
    expect(activityId("r-1", 3)).toBe("r-1/3");
    expect(attemptId("r-1", 3, 2)).toBe("r-1/3/2");
  });

  test("two attempts never share an id, whatever their runs are called", () => {
    const run = fc.string({ minLength: 1 });
    const number = fc.integer({ min: 1, max: 50_000 });
    const place = fc.tuple(run, number, number);
    fc.assert(
      fc.property(place, place, (one, other) => {
        const same = one.every((part, index) => part === other[index]);
        expect(attemptId(...one) === attemptId(...other)).toBe(same);
        expect(activityId(one[0], one[1]) === activityId(other[0], other[1])).toBe(
          one[0] === other[0] && one[1] === other[1],
        );
      }),
    );
  });
});

import { describe, expect, test } from "vitest";
import { batchOutcome } from "../../sdk/dev/embedded/batch-response.ts";

const ids = ["a", "b", "c"];

describe("the answer of a function to a batch of messages", () => {
  test.each([
    ["nothing", null],
    ["an empty object", {}],
    ["a missing list", { other: 1 }],
    ["a null list", { batchItemFailures: null }],
    ["an empty list", { batchItemFailures: [] }],
    ["a text", "done"],
  ])("%s is success of the whole batch", (_, answer) => {
    expect(batchOutcome(answer, ids)).toEqual({ succeeded: ids });
  });

  test("named messages come back, the others are deleted", () => {
    const answer = { batchItemFailures: [{ itemIdentifier: "b" }] };
    expect(batchOutcome(answer, ids)).toEqual({ succeeded: ["a", "c"] });
  });

  test.each([
    ["an id that is not of the batch", [{ itemIdentifier: "b" }, { itemIdentifier: "x" }]],
    ["an empty id", [{ itemIdentifier: "" }]],
    ["a null id", [{ itemIdentifier: null }]],
    ["a wrong key", [{ messageId: "b" }]],
    ["an item that is no object", ["b"]],
    ["something that is no list", "b"],
  ])("%s is failure of the whole batch", (_, batchItemFailures) => {
    const outcome = batchOutcome({ batchItemFailures }, ids);
    expect(outcome.succeeded).toEqual([]);
    expect(outcome.malformed).toBeTypeOf("string");
  });
});

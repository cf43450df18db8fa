import { describe, expect, test } from "vitest";
import {
  ERRORS,
  type ErrorCode,
  InfrastructureError,
  InvariantError,
  invariant,
  PawlError,
  pawlError,
} from "../../sdk/core/errors.ts";

const entries = Object.entries(ERRORS);

describe("the catalogue of errors", () => {
  test.for(entries)(
    "%s has an HTTP status, says what happened and what to do next",
    ([, { status, message, hint }]) => {
      expect(status).toBeGreaterThanOrEqual(400);
      expect(status).toBeLessThan(600);
      expect(message).toMatch(/^\S.*[^.\s]$/u);
      // A hint that depends on the call is a detail as a whole.
      expect(hint).toMatch(/\w+ \w+|^\{instead\}$/u);
    },
  );

  test("codes are snake_case, as in the HTTP API", () => {
    for (const [code] of entries) expect(code).toMatch(/^[a-z]+(_[a-z]+)*$/u);
  });
});

describe("an error of the catalogue", () => {
  const error = pawlError("payload_too_large", { what: "the input", bytes: "9", limit: "8" });

  test("fills its details into message and hint", () => {
    expect(error).toBeInstanceOf(PawlError);
    expect(error.name).toBe("PawlError");
    expect(error.message).toBe("the input has 9 bytes; at most 8 bytes are allowed");
    expect(error.status).toBe(413);
    expect(error.details).toEqual({ what: "the input", bytes: "9", limit: "8" });
    expect(pawlError("nondeterministic_call", { instead: "use sleep()" }).hint).toBe("use sleep()");
  });

  test("leaves the process as code, message and hint, and nothing else (S10)", () => {
    expect(JSON.parse(JSON.stringify(error))).toEqual({
      code: "payload_too_large",
      message: error.message,
      hint: ERRORS.payload_too_large.hint,
    });
  });

  test("shows the name of a detail that nobody gave, instead of hiding the gap", () => {
    expect(pawlError("workflow_not_found").message).toBe("there is no workflow {workflow_id}");
  });

  test("takes a detail as text: braces and dollars in it are no templates", () => {
    const odd = pawlError("workflow_not_found", { workflow_id: "{status} $& $1" });
    expect(odd.message).toBe("there is no workflow {status} $& $1");
  });

  test("takes every code", () => {
    for (const [code] of entries) {
      // Object.entries knows the keys only as texts.
      expect(pawlError(code as ErrorCode).code).toBe(code);
    }
  });
});

describe("the other families", () => {
  test("an infrastructure fault says whether the call may have been applied", () => {
    const cause = new Error("timeout");
    const error = new InfrastructureError("DynamoDB gave no answer", { maybeApplied: true, cause });
    expect(error).not.toBeInstanceOf(PawlError);
    expect(error).toMatchObject({ name: "InfrastructureError", maybeApplied: true, cause });
  });

  test("a broken invariant throws, one that holds does not", () => {
    expect(() => invariant(true, "never said")).not.toThrow();
    expect(() => invariant(false, "the log has a gap")).toThrow(
      new InvariantError("the log has a gap"),
    );
  });
});

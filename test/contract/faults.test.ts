import { describe, expect, test } from "vitest";
import { calling } from "../../sdk/adapters/faults.ts";
import { InfrastructureError, InvariantError, pawlError } from "../../sdk/core/errors.ts";
import { serviceError, systemError } from "./scripted-client.ts";

async function thrownBy(error: unknown): Promise<unknown> {
  return calling("DynamoDB PutItem on runs", () => Promise.reject(error)).catch(
    (thrown: unknown) => thrown,
  );
}

describe("faults of a service", () => {
  // what the client throws -> whether the call may have been applied
  const faults: readonly [string, Error, boolean][] = [
    // refused at the door
    ["throttling", serviceError("ThrottlingException", { attempts: 1 }), false],
    [
      "a throughput exceeded",
      serviceError("ProvisionedThroughputExceededException", { httpStatusCode: 400, attempts: 1 }),
      false,
    ],
    ["a refused connection", systemError("ECONNREFUSED"), false],
    ["an unknown host", systemError("ENOTFOUND"), false],
    // an earlier try of the client may have been applied
    ["throttling after a try", serviceError("ThrottlingException", { attempts: 3 }), true],
    // no answer
    ["a reset connection", systemError("ECONNRESET"), true],
    ["a timeout", serviceError("TimeoutError"), true],
    ["an internal error", serviceError("InternalServerError", { httpStatusCode: 500 }), true],
    ["any status of 500 or above", serviceError("Whatever", { httpStatusCode: 503 }), true],
  ];
  test.for(faults)("%s is an infrastructure error", async ([, error, maybeApplied]) => {
    const thrown = await thrownBy(error);
    expect(thrown).toBeInstanceOf(InfrastructureError);
    expect(thrown).toMatchObject({ maybeApplied, cause: error });
    expect(String(thrown)).toContain("DynamoDB PutItem on runs");
  });

  test("what is wrong with the call itself keeps its name and is no infrastructure error", async () => {
    const cause = serviceError("ValidationException", { httpStatusCode: 400, attempts: 1 });
    const thrown = await thrownBy(cause);
    expect(thrown).not.toBeInstanceOf(InfrastructureError);
    expect(thrown).toMatchObject({ cause });
    expect(String(thrown)).toContain("ValidationException");
  });

  test("Pawl's own errors pass unchanged", async () => {
    const own = [
      new InvariantError("broken"),
      pawlError("schema_unknown", { what: "x" }),
      new InfrastructureError("down", { maybeApplied: false }),
    ];
    for (const error of own) expect(await thrownBy(error)).toBe(error);
  });
});

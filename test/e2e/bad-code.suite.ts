/** Values and options in code that no type allows, or that only look harmless (B-09, C-10, C-12, L5). */
import { expect, test } from "vitest";
import type { BadInputSetting } from "./bad-input-setting.ts";

export function badCode(setting: BadInputSetting): void {
  test("numbers keep what JSON keeps, and the client sends nothing that JSON would change (L5)", async () => {
    const numbers = [2 ** 53 - 1, 0.1, 1e-320, 1.7976931348623157e308, -1];
    expect(await setting.run("echoes", numbers)).toEqual(numbers);
    for (const input of [Number.NaN, [Number.POSITIVE_INFINITY], 1n, { call: () => 1 }, new Map()])
      await expect(setting.client.start("echoes", { input })).rejects.toMatchObject({
        code: "payload_not_serializable",
      });
    const deep: unknown = Array.from({ length: 100_000 }).reduce((inner) => [inner], []);
    await expect(setting.client.start("echoes", { input: deep })).rejects.toMatchObject({
      code: "payload_too_deep",
    });
    await expect(setting.witness.signal("note", 1n)).rejects.toMatchObject({
      code: "payload_not_serializable",
    });
  });

  for (const local of [true, false]) {
    const mode = local ? "local" : "regular";
    test(`results and arguments of ${mode} activities that are no data fail once, by name (B-09, B23)`, async () => {
      const notData = ["payload_not_serializable", "payload_not_serializable"];
      expect(await setting.run("oddValues", local)).toEqual({
        attempts: 7,
        refused: {
          bigint: notData,
          cycle: notData,
          function: notData,
          infinity: notData,
          map: notData,
          throwing: notData,
          deep: ["payload_too_deep", "payload_too_deep"],
        },
      });
    });
  }

  test("a workflow whose result is no data fails with the reason as its type", async () => {
    for (const kind of ["bigint", "cycle", "map"])
      await expect(setting.run("oddResult", kind)).rejects.toMatchObject({
        failure: { type: "payload_not_serializable" },
      });
    await expect(setting.run("oddResult", "deep")).rejects.toMatchObject({
      failure: { type: "payload_too_deep" },
    });
  });

  test("wrong options of activities are refused by name where they are given (C-10, C-12, L9)", async () => {
    const unknown = ["unknown_option", "local_activity_option_rejected"];
    const invalid = ["invalid_option", "invalid_option"];
    const cases: readonly (readonly [unknown, readonly string[]])[] = [
      [{ startToCloseTimout: 5 }, unknown],
      [{ connection: "redis" }, unknown],
      [{ queue: "" }, ["invalid_option", "local_activity_option_rejected"]],
      [{ startToCloseTimeout: 0 }, invalid],
      [{ startToCloseTimeout: -1 }, invalid],
      [{ startToCloseTimeout: "soon" }, invalid],
      [{ scheduleToCloseTimeout: null }, invalid],
      [{ heartbeatTimeout: [] }, invalid],
      [{ startToCloseTimeout: 1e300 }, invalid],
      [null, invalid],
      [[], invalid],
      ["5s", invalid],
      [{ retryPolicy: { maxAttempts: 0 } }, unknown.with(0, "invalid_option")],
      [{ retryPolicy: { maxAttempts: 1.5 } }, unknown.with(0, "invalid_option")],
      [{ retryPolicy: { backoffCoefficient: 0.5 } }, unknown.with(0, "invalid_option")],
      [{ retryPolicy: { initialInterval: "0s" } }, unknown.with(0, "invalid_option")],
      [{ retryPolicy: { jitter: "some" } }, unknown.with(0, "invalid_option")],
      [{ retryPolicy: { attempts: 3 } }, unknown],
      [{ maxAttempts: -3 }, ["unknown_option", "invalid_option"]],
      [{ nonRetryableErrorTypes: [""] }, ["unknown_option", "invalid_option"]],
    ];
    expect(
      await setting.run(
        "wrongOptions",
        cases.map(([options]) => options),
      ),
    ).toEqual(cases.map(([, codes]) => codes));
    await expect(setting.run("wrongDuration", "next week")).rejects.toMatchObject({
      failure: { type: "invalid_option", message: expect.stringContaining("next week") },
    });
  });

  test("an activity that nobody registered fails by name, local and regular, and is caught (B5, B-15, C12)", async () => {
    const failure = { name: "ActivityFailure", type: "activity_type_unknown", attempts: 1 };
    expect(await setting.run("unregistered", null)).toMatchObject([failure, failure]);
  });

  test("an argument that looks like options, an event or a pointer is data", async () => {
    for (const input of [
      { maxAttempts: 1, startToCloseTimeout: 1, retryPolicy: { maxAttempts: 1 }, queue: "gpu" },
      { json: '"x"' },
      { blob: "payloads/other", bytes: 3 },
      { $pawl: "omitted", bytes: 3 },
      { type: "ActivityCompleted", sequence: 1 },
      [["nested"], [[]], null],
      [],
    ])
      expect(await setting.run("echoes", input)).toEqual(input);
  });
}

import { describe, expect, test } from "vitest";
import { activity, runActivitiesLocally, type StandardSchema, workflow } from "../../sdk/index.ts";
import { createRegistry } from "../../sdk/worker/registry.ts";
import { resultOf, startRun, testRuntime } from "./run.ts";

const wf = workflow(async () => 1);

describe("names", () => {
  test("are the option, else the export, else the function's own (B-05)", () => {
    const registry = createRegistry({
      byOption: workflow({ name: "order" }, async function ignored() {}),
      byExport: workflow(async function alsoIgnored() {}),
      default: workflow(async function byFunction() {}),
      act: activity({ name: "custom" }, async () => 1),
      charge: activity(async () => 1),
      somethingElse: 5,
      nothing: null,
      plainFunction: () => 1,
    });
    expect(registry.workflowTypes).toEqual(["byExport", "byFunction", "order"]);
    expect(registry.activityTypes).toEqual(["charge", "custom"]);
  });

  test("a workflow and an activity may have the same name", () => {
    const registry = createRegistry({ wf, work: activity({ name: "wf" }, async () => 1) });
    expect(registry.workflow("wf")).toEqual({ kind: "workflow", name: "wf", guard: true });
    expect(registry.activity("wf")).toEqual({ kind: "activity", name: "wf", options: {} });
  });

  test("are known to the definitions afterwards, for clients in the same process", () => {
    const exported = workflow(async () => 1);
    expect(exported.name).toBeUndefined();
    createRegistry({ exported });
    expect(exported.name).toBe("exported");
  });

  test("two definitions of one name are refused with both exports (B-06)", () => {
    const exports = {
      a: activity({ name: "charge" }, async () => 1),
      b: activity({ name: "charge" }, async () => 2),
      wf,
    };
    expect(() => createRegistry(exports)).toThrow(
      expect.objectContaining({
        code: "registry_duplicate",
        details: { kind: "activity", name: "charge", first: "a", second: "b" },
      }),
    );
  });

  test.for<readonly [string, Readonly<Record<string, unknown>>]>([
    ["main", { default: wf, main: wf }],
    ["alpha", { beta: wf, alpha: wf }],
  ])("one definition of several exports is one entry: %s", ([name, exports]) => {
    expect(createRegistry(exports).workflowTypes).toEqual([name]);
  });

  test("an export that is named like the function names a definition of several exports", () => {
    const own = workflow(async function zeta() {});
    expect(createRegistry({ alpha: own, zeta: own }).workflowTypes).toEqual(["zeta"]);
  });

  test("an activity and what .with() made of it are one entry", () => {
    const charge = activity(async () => 1);
    const registry = createRegistry({ charge, chargeFast: charge.with({ queue: "fast" }), wf });
    expect(registry.activityTypes).toEqual(["charge"]);
    expect(registry.activity("charge")?.options).toEqual({});
  });

  test("a default export without any name is refused by name", () => {
    expect(() => createRegistry({ default: workflow(async () => 1) })).toThrow(
      expect.objectContaining({
        code: "registry_unnamed",
        details: { export: "default", kind: "workflow" },
      }),
    );
  });

  test("an entry module without a workflow is refused", () => {
    expect(() => createRegistry({ charge: activity(async () => 1) })).toThrow(
      expect.objectContaining({ code: "registry_empty" }),
    );
  });

  test("names of the language's own objects are no entries (L7)", () => {
    const registry = createRegistry({ wf });
    for (const name of ["constructor", "toString", "__proto__"]) {
      expect(registry.workflow(name)).toBeUndefined();
      expect(registry.activity(name)).toBeUndefined();
    }
  });
});

describe("calling user code", () => {
  test("what is not registered is refused by name, as a rejection", async () => {
    const registry = createRegistry({ wf });
    const run = await startRun({ wf }, "wf");
    const missing = { kind: "workflow", name: "gone", guard: true } as const;
    await expect(registry.runWorkflow(missing, run.instance, null)).rejects.toMatchObject({
      code: "workflow_type_unknown",
      details: { type: "gone", known: "wf" },
    });
    const activityGone = { kind: "activity", name: "gone", options: {} } as const;
    await expect(registry.runActivity(activityGone, testRuntime(), [])).rejects.toMatchObject({
      code: "activity_type_unknown",
    });
  });

  test("a workflow that throws before its first await rejects, and does not throw", async () => {
    const broken = workflow(() => {
      throw new Error("at once");
    });
    await expect(resultOf({ broken }, "broken")).rejects.toThrow("at once");
  });

  test("a workflow started without an input gets the default value of its parameter", async () => {
    const greet = workflow(async (name: string = "world") => name);
    expect(await resultOf({ greet }, "greet")).toBe("world");
    expect(await resultOf({ greet }, "greet", { input: "ann" })).toBe("ann");
  });

  test("a parameter without a default value gets null when there is no input", async () => {
    const show = workflow(async (input: unknown) => [input]);
    expect(await resultOf({ show }, "show")).toEqual([null]);
  });

  test("a definition is not run by a plain call", () => {
    expect(() => wf.run()).toThrow(expect.objectContaining({ code: "outside_workflow" }));
  });

  test.for<readonly [string, object]>([
    ["unknown_option", { determinism: false }],
    ["invalid_option", { determinismGuard: "no" }],
    ["invalid_option", { input: 5 }],
    ["invalid_id", { name: "" }],
  ])("%s for the workflow options %j (L9)", ([code, options]) => {
    const define = () => workflow(options, async () => 1);
    expect(define).toThrow(expect.objectContaining({ code }));
  });

  test("without a function a workflow is refused by name", () => {
    // @ts-expect-error: options alone are no workflow
    expect(() => workflow({})).toThrow("workflow(): the option function must be a function");
  });
});

/** A schema that wants a number under `amount` and doubles it. */
function amountSchema(): StandardSchema<{ amount: number }> {
  return {
    "~standard": {
      version: 1,
      vendor: "test",
      validate: (value) => {
        const { amount } = value as { amount: unknown };
        return typeof amount === "number"
          ? { value: { amount: amount * 2 } }
          : {
              issues: [
                { message: "needs a number", path: [{ key: "amount" }] },
                { message: "and more" },
              ],
            };
      },
    },
  };
}

function asynchronous<T>(schema: StandardSchema<T>): StandardSchema<T> {
  const { validate, ...standard } = schema["~standard"];
  return { "~standard": { ...standard, validate: async (value) => await validate(value) } };
}

describe("schemas (B-10)", () => {
  const invalid = {
    type: "ValidationError",
    nonRetryable: true,
    details: {
      issues: [
        { message: "needs a number", path: ["amount"] },
        { message: "and more", path: [] },
      ],
    },
  };
  const wrong = JSON.parse('{"amount": "5"}');

  test.for([amountSchema(), asynchronous(amountSchema())])(
    "an activity's body gets what its input schema returns, and its caller what output returns",
    async (schema) => {
      const pay = activity({ input: schema, output: schema }, async ({ amount }) => ({
        amount: amount + 1,
      }));
      const start = workflow(async () => [
        await pay({ amount: 1 }),
        await runActivitiesLocally(() => pay({ amount: 2 })),
      ]);
      expect(await resultOf({ pay, start }, "start")).toEqual([{ amount: 6 }, { amount: 10 }]);
    },
  );

  test("an input or output that does not pass fails the activity for good, with the issues", async () => {
    const pay = activity({ input: amountSchema() }, async (payment) => payment);
    const refund = activity({ output: amountSchema() }, async () => wrong);
    const start = workflow(async () => [
      await pay(wrong).catch((error: unknown) => error),
      await refund().catch((error: unknown) => error),
    ]);
    const [input, output] = (await resultOf({ pay, refund, start }, "start")) as [unknown, unknown];
    expect(input).toMatchObject({
      ...invalid,
      message: "the input of activity pay is not valid at amount: needs a number (and 1 more)",
    });
    expect(output).toMatchObject({
      ...invalid,
      message: "the result of activity refund is not valid at amount: needs a number (and 1 more)",
    });
  });

  test("a workflow gets what its input schema returns, and answers what output returns", async () => {
    const start = workflow(
      { input: amountSchema(), output: amountSchema() },
      async ({ amount }) => ({
        amount: amount + 1,
      }),
    );
    expect(await resultOf({ start }, "start", { input: { amount: 1 } })).toEqual({ amount: 6 });
    await expect(resultOf({ start }, "start", { input: wrong })).rejects.toMatchObject(invalid);
  });

  test("an issue without a path, and a refusal without an issue, are still told", async () => {
    const refusing = (issues: readonly { readonly message: string }[]): StandardSchema<number> => ({
      "~standard": { version: 1, vendor: "test", validate: () => ({ issues }) },
    });
    const told = async (schema: StandardSchema<number>) => {
      const start = workflow({ input: schema }, async () => 1);
      return await resultOf({ start }, "start").catch((error: Error) => error.message);
    };
    expect(await told(refusing([{ message: "no" }]))).toBe(
      "the input of workflow start is not valid: no",
    );
    expect(await told(refusing([]))).toBe(
      "the input of workflow start is not valid: no reason given",
    );
  });

  test("a workflow's schema must answer at once", async () => {
    const start = workflow({ input: asynchronous(amountSchema()) }, async () => 1);
    await expect(resultOf({ start }, "start", { input: wrong })).rejects.toMatchObject({
      type: "ValidationError",
      message: expect.stringContaining("asynchronous schema"),
    });
  });
});

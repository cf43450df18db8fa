/** Code and history that disagree: named with what was recorded, what is asked for, and where (P-06, A6). */
import { describe, expect, test } from "vitest";
import type { HistoryEvent } from "../../sdk/core/events.ts";
import type { Failure } from "../../sdk/core/failure.ts";
import {
  charge,
  completed,
  failed,
  local,
  price,
  queued,
  replay,
  settledWith,
  sideEffectRecorded,
  signal,
  timerCancelled,
  timerScheduled,
  type WorkflowCode,
  wait,
} from "../support/core.ts";

const charges: WorkflowCode = async (context) => await charge(context, "charge");
const ends: WorkflowCode = () => "done";
const waits: WorkflowCode = async (context) => await wait(context, 5);
const chargesThenShips: WorkflowCode = async (context) => {
  await charge(context, "charge");
  await charge(context, "ship");
};

async function divergence(code: WorkflowCode, ...history: readonly HistoryEvent[]) {
  const error = await settledWith(replay(code, ...history));
  expect(error).toMatchObject({ code: "nondeterminism" });
  const { details } = error as { readonly details: Readonly<Record<string, string>> };
  return [details["sequence"], details["expected"], details["actual"]];
}

describe("a changed workflow", () => {
  const charged = [queued(1).scheduled(), queued(1).completed()];

  test.for([
    // Another activity, another mode, another kind of command at the same position.
    [
      charges,
      [queued(1, "refund").scheduled()],
      ["1", "queued activity refund", "queued activity charge"],
    ],
    [
      charges,
      [local(1, "charge").scheduled()],
      ["1", "local activity charge", "queued activity charge"],
    ],
    [charges, [timerScheduled(1)], ["1", "a timer", "queued activity charge"]],
    [waits, [sideEffectRecorded(1)], ["1", "a side effect", "a timer"]],
    // The second step changed.
    [chargesThenShips, [...charged, timerScheduled(2)], ["2", "a timer", "queued activity ship"]],
    // A step was removed: the code waits, or has ended.
    [charges, [queued(1).scheduled(), timerScheduled(2)], ["2", "a timer", "nothing"]],
    [ends, [queued(1).scheduled()], ["1", "queued activity charge", "the end of the workflow"]],
    // A step was added behind the last one: recorded is the end, the code goes on at position 2.
    [
      chargesThenShips,
      [...charged, completed()],
      ["2", "WorkflowCompleted", "queued activity ship"],
    ],
    [chargesThenShips, [...charged, failed()], ["2", "WorkflowFailed", "queued activity ship"]],
    // The code still waits for what it asked for.
    [charges, [queued(1).scheduled(), completed()], ["2", "WorkflowCompleted", "nothing"]],
    // A timer that the code no longer cancels would never fire.
    [
      waits,
      [timerScheduled(1), timerCancelled(1)],
      ["1", "the cancellation of a timer", "a timer that is not cancelled"],
    ],
  ] as const)("%o after %j: %j", async ([code, history, expected]) => {
    expect(await divergence(code, ...history)).toEqual(expected);
  });

  test("is told in one sentence, with what to do", async () => {
    const error = await settledWith(replay(charges, timerScheduled(1)));
    expect(error).toMatchObject({
      message:
        "workflow code and history disagree at sequence 1: recorded a timer, the code asks for queued activity charge",
      hint: expect.stringContaining("deploy the code that wrote this history"),
      status: 409,
    });
  });
});

describe("an unchanged workflow", () => {
  test("replays its own end", async () => {
    const instance = await replay(
      charges,
      queued(1).scheduled(),
      queued(1).completed(),
      completed(),
    );
    expect(instance.outcome).toEqual({ kind: "returned", value: null });
  });

  test("replays a run that a limit ended in the middle of its code (L11)", async () => {
    const limit: Failure = {
      type: "pending_limit",
      message: "too many",
      category: "structural_limit",
      non_retryable: true,
    };
    const instance = await replay(charges, queued(1).scheduled(), failed(limit));
    expect(instance.outcome).toBeUndefined();
  });

  test("replays a race in which nobody cancelled the timer", async () => {
    const instance = await replay(
      async (context) =>
        await Promise.race([context.nextSignal("go"), wait(context, 5), price(context)]),
      timerScheduled(1),
      local(2).scheduled(),
      signal("go", 1),
    );
    expect(instance.outcome).toEqual({ kind: "returned", value: [1] });
  });
});

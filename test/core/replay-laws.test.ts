/** Laws of the replay, held on programs that are made up: linear ones, and ones with parallel steps. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Command } from "../../sdk/core/commands.ts";
import type { HistoryEvent } from "../../sdk/core/events.ts";
import type { WorkflowInstance } from "../../sdk/core/replay.ts";
import type { WorkflowContext } from "../../sdk/core/workflow-context.ts";
import {
  charge,
  completed,
  failure,
  instanceOf,
  local,
  price,
  queued,
  settledWith,
  sideEffectRecorded,
  signal,
  started,
  T,
  timerFired,
  timerScheduled,
  type WorkflowCode,
  wait,
} from "../support/core.ts";

type Step = "charge" | "declined" | "price" | "sleep" | "effect" | "signal" | "draw";
/** Steps one after the other; those of one entry at the same time. */
type Program = readonly (readonly Step[])[];

const step = fc.constantFrom<Step>(
  "charge",
  "declined",
  "price",
  "sleep",
  "effect",
  "signal",
  "draw",
);
const program: fc.Arbitrary<Program> = fc.array(fc.array(step, { minLength: 1, maxLength: 3 }), {
  maxLength: 7,
});

/** What one step is in workflow code. */
function doStep(context: WorkflowContext, kind: Step): Promise<unknown> {
  switch (kind) {
    case "charge":
      return charge(context);
    case "declined":
      return settledWith(charge(context, "declined")).then(String);
    case "price":
      return price(context);
    case "sleep":
      return wait(context, 1_000).then(() => context.now());
    case "effect":
      return context.sideEffect(() => "live");
    case "signal":
      return context.nextSignal("go").then(([value]) => value);
    case "draw":
      return Promise.resolve(context.random());
  }
}

/** The code of a program: its result is everything that it has seen. */
function codeOf(steps: Program): WorkflowCode {
  return async (context) => {
    const seen: unknown[] = [];
    for (const parallel of steps)
      seen.push(...(await Promise.all(parallel.map((kind) => doStep(context, kind)))));
    return seen;
  };
}

/** What the world answers to a command: recorded at once, ended later. */
function answer(command: Command): readonly [HistoryEvent, ...HistoryEvent[]] {
  const { sequence } = command;
  switch (command.kind) {
    case "timer":
      return [timerScheduled(sequence), timerFired(sequence, T + sequence)];
    case "side_effect":
      return [sideEffectRecorded(sequence, `recorded ${sequence}`)];
    case "activity": {
      const { activity_type: type, execution_mode: mode } = command;
      const events = (mode === "local" ? local : queued)(sequence, type);
      const end = type === "declined" ? events.failed(failure("No")) : events.completed(sequence);
      return [events.scheduled(), events.started(), end];
    }
  }
}

interface Made {
  readonly history: readonly HistoryEvent[];
  /** What the code had asked for and what had not been recorded, behind each event. */
  readonly asked: readonly (readonly unknown[])[];
  readonly instance: WorkflowInstance;
}

function shown(instance: WorkflowInstance): readonly unknown[] {
  return instance.unrecorded().map((command) => ({ ...command, produce: undefined }));
}

/** Runs the code to its end; `pick` says which of the open answers comes next. */
async function make(code: WorkflowCode, pick: (count: number) => number): Promise<Made> {
  const { instance } = instanceOf(code);
  const history: HistoryEvent[] = [];
  const asked: (readonly unknown[])[] = [];
  const feed = async (event: HistoryEvent): Promise<void> => {
    history.push(event);
    await instance.feed(event);
    asked.push(shown(instance));
  };
  const open: HistoryEvent[][] = [];
  await feed(started());
  while (instance.outcome === undefined) {
    const commands = instance.unrecorded();
    for (const command of commands) {
      const [record, ...rest] = answer(command);
      await feed(record);
      if (rest.length > 0) open.push(rest);
    }
    if (commands.length > 0) continue;
    const answers = open[pick(open.length)];
    const next = answers?.shift();
    await feed(next ?? signal("go", history.length));
    if (answers?.length === 0) open.splice(open.indexOf(answers), 1);
  }
  return { history, asked, instance };
}

/** A made-up order of what the world does. */
const order = fc.infiniteStream(fc.nat({ max: 11 }));

function picker(stream: Iterator<number>): (count: number) => number {
  return (count) => (count === 0 ? -1 : Number(stream.next().value) % count);
}

describe("a replay asks for what the run asked for (P-01, P-02, P-05)", () => {
  test("behind every prefix of the history of any program, and ends as the run did", async () => {
    await fc.assert(
      fc.asyncProperty(program, order, async (steps, stream) => {
        const code = codeOf(steps);
        const { history, asked, instance } = await make(code, picker(stream));
        const again = instanceOf(code).instance;
        for (const [index, event] of history.entries()) {
          await again.feed(event);
          expect(shown(again)).toEqual(asked[index]);
        }
        expect(again.outcome).toEqual(instance.outcome);
      }),
      { numRuns: 60 },
    );
  });

  test("also in a fresh process that begins in the middle", async () => {
    await fc.assert(
      fc.asyncProperty(program, order, fc.nat(), async (steps, stream, cut) => {
        const code = codeOf(steps);
        const { history, asked } = await make(code, picker(stream));
        const length = 1 + (cut % history.length);
        const again = instanceOf(code).instance;
        for (const event of history.slice(0, length)) await again.feed(event);
        expect(shown(again)).toEqual(asked[length - 1]);
      }),
      { numRuns: 60 },
    );
  });

  test("positions are without gaps and never change hands", async () => {
    await fc.assert(
      fc.asyncProperty(program, order, async (steps, stream) => {
        const { history } = await make(codeOf(steps), picker(stream));
        const records = history.filter(
          ({ type }) => type.endsWith("Scheduled") || type === "SideEffectRecorded",
        );
        const positions = records.map((event) => ("sequence" in event ? event.sequence : 0));
        expect([...positions].sort((a, b) => a - b)).toEqual(positions.map((_, at) => at + 1));
      }),
      { numRuns: 60 },
    );
  });
});

describe("code that differs in one step is found out (P-06, A6)", () => {
  const recorded: readonly Step[] = ["charge", "declined", "price", "sleep", "effect"];
  const recordedStep = fc.constantFrom(...recorded);

  test("wherever the step stands in a linear program", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(recordedStep, { minLength: 1, maxLength: 8 }),
        fc.nat(),
        recordedStep,
        async (steps, at, other) => {
          const place = at % steps.length;
          fc.pre(steps[place] !== other);
          const changed = steps.with(place, other);
          const { history } = await make(codeOf(steps.map((kind) => [kind])), () => 0);
          const { instance } = instanceOf(codeOf(changed.map((kind) => [kind])));
          const replaying = (async () => {
            for (const event of [...history, completed()]) await instance.feed(event);
          })();
          expect(await settledWith(replaying)).toMatchObject({
            code: "nondeterminism",
            details: { sequence: String(place + 1) },
          });
        },
      ),
      { numRuns: 80 },
    );
  });

  test("and a step less or more at the end, too", async () => {
    const linear = (kinds: readonly Step[]) => codeOf(kinds.map((kind) => [kind]));
    await fc.assert(
      fc.asyncProperty(
        fc.array(recordedStep, { minLength: 1, maxLength: 6 }),
        fc.boolean(),
        recordedStep,
        async (steps, more, extra) => {
          const { history } = await make(linear(steps), () => 0);
          const { instance } = instanceOf(linear(more ? [...steps, extra] : steps.slice(0, -1)));
          const position = String(more ? steps.length + 1 : steps.length);
          const replaying = (async () => {
            for (const event of [...history, completed()]) await instance.feed(event);
          })();
          expect(await settledWith(replaying)).toMatchObject({
            code: "nondeterminism",
            details: { sequence: position },
          });
        },
      ),
      { numRuns: 80 },
    );
  });
});

test("a made-up history is one that the engine could have written", async () => {
  const { history } = await make(codeOf([["charge", "sleep"], ["effect"]]), (count) => count - 1);
  expect(history.map(({ type }) => type)).toEqual([
    "WorkflowStarted",
    "ActivityScheduled",
    "TimerScheduled",
    "TimerFired",
    "ActivityStarted",
    "ActivityCompleted",
    "SideEffectRecorded",
  ]);
});

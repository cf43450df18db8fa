/**
 * A crash at every call that the functions make: which calls those are is learned from an undisturbed
 * run, so that a new one is part of the matrix by itself. All runs go on at the same time, each with
 * one crash point of its own.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { STORAGE_ACCESS } from "../../infra/access.ts";
import type { Client, WorkflowHandle } from "../../sdk/client.ts";
import type { EventView } from "../../sdk/core/api.ts";
import type { CrashPoint, FunctionName } from "../../sdk/core/test-points.ts";
import { attemptsWrong, outline } from "../support/history.ts";
import { type Case, type Control, type Death, workflowIdOf } from "./fixture/control.ts";
import { MAX_ATTEMPTS, TEXT } from "./fixture/entry.ts";

export interface MatrixStack {
  readonly client: Client;
  readonly control: Control;
  /** Messages in all queues: visible, in flight, delayed and dead. */
  messages(): Promise<number>;
  stop(): Promise<void>;
}

export interface MatrixTarget {
  readonly name: string;
  /** Whose calls are in the matrix. */
  readonly functions: readonly TaskFunction[];
  start(): Promise<MatrixStack>;
}

/** How one run went. */
interface Outcome {
  readonly title: string;
  readonly one: Case;
  /** "right", or how it is not. */
  readonly result: string;
  readonly events: readonly EventView[];
  readonly notes: ReadonlyMap<string, unknown>;
}

type TaskFunction = Extract<FunctionName, "workflow-task" | "activity-task">;

/** Milliseconds after which a run that is still open is stuck. */
const PLAY_MS_MAX = 180_000;
const MODES = ["local", "regular"] as const;
const TASKS: readonly TaskFunction[] = ["workflow-task", "activity-task"];
/** What the loss of an attempt in a function's process leads to. */
const LOST = { "workflow-task": "#1 cold_replay", "activity-task": "#1 timeout" } as const;
const CALLED = "called ";

/** Calls of which every passage is in the matrix: behind each of them, something else is known. */
const COMMITS = [
  "PutItem history_events",
  "PutItem activity_attempts",
  "UpdateItem activity_attempts",
];

/** What a function may call and the programs do not make it call, with the reason. */
const ELSEWHERE: Readonly<Record<TaskFunction, Readonly<Record<string, string>>>> = {
  "workflow-task": {
    "GetItem history_events":
      "an append that found its place taken: follows a crash, never a calm run",
    "GetItem activity_attempts": "deadlines: the simulation",
    "UpdateItem activity_attempts": "deadlines and cancels: the simulation",
    "BatchWriteItem activity_attempts": "one call with the table of executions",
    "BatchWriteItem activity_executions": "one call with the table of attempts",
    "GetObject payloads": "arguments of an earlier process: follows a crash, never a calm run",
  },
  "activity-task": {
    "GetItem activity_attempts": "a claim that is taken: follows a crash, never a calm run",
  },
};

export function crashMatrix(target: MatrixTarget): void {
  describe(`a crash at every call on ${target.name}`, () => {
    let stack: MatrixStack;
    let calm: readonly Outcome[];
    let outcomes: readonly Outcome[];

    beforeAll(async () => {
      stack = await target.start();
      await stack.control.create();
      calm = await play(
        stack,
        MODES.map((mode) => ({ mode })),
      );
      outcomes = await play(
        stack,
        calm.flatMap((outcome) => casesOf(outcome, target.functions)),
      );
    }, 2 * PLAY_MS_MAX);

    afterAll(async () => {
      stack?.control.close();
      await stack?.stop();
    });

    /** The lines that a look at each disturbed run leads to. */
    const wrong = (look: (outcome: Outcome) => readonly string[]): readonly string[] =>
      outcomes.flatMap((outcome) => look(outcome).map((line) => `${outcome.title}: ${line}`));

    test("knows every call that a task may make, by its permissions", () => {
      for (const name of TASKS) {
        const called = new Set(calm.flatMap((outcome) => Object.keys(callsOf(outcome, name))));
        const unknown = permittedCalls(name).filter(
          (call) => !called.has(call) && ELSEWHERE[name][call] === undefined,
        );
        expect(unknown).toEqual([]);
      }
    });

    test("disturbs nothing in the runs that it learns from", () => {
      expect(calm.map(({ result }) => result)).toEqual(["right", "right"]);
      expect(calm.map(({ events }) => retriesIn(events))).toEqual([[], []]);
      expect(calm.map(({ notes }) => notes.has("death"))).toEqual([false, false]);
    });

    test("reaches the first passage of each call, and every passage of each commit", () => {
      expect(outcomes.length).toBeGreaterThan(50);
      expect(
        wrong(({ one, notes }) => {
          const isDue = one.point?.nth === 1 || COMMITS.includes(one.point?.call ?? "");
          const isReached = notes.has(one.point?.when === "applied" ? "applied" : "death");
          return isDue && !isReached ? ["was not reached"] : [];
        }),
      ).toEqual([]);
    });

    test("every run ends with its result (K1, K2)", () => {
      expect(wrong(({ result }) => (result === "right" ? [] : [result]))).toEqual([]);
    });

    test("every activity has one terminal event, attempts within the limit, numbers that rise by one", () => {
      expect(wrong(({ events }) => attemptsWrong(events, MAX_ATTEMPTS))).toEqual([]);
    });

    test("an attempt that died is retried with its reason, and no other one is (R-03, R-04)", () => {
      expect(
        wrong(({ events, notes }) => {
          const [expected, found] = [expectedRetries(notes), retriesIn(events)];
          return expected.join() === found.join()
            ? []
            : [`expected [${expected}], found [${found}]:\n  ${outline(events).join("\n  ")}`];
        }),
      ).toEqual([]);
      // Each of the two ways to lose an attempt was really taken.
      const reasons = outcomes.flatMap(({ events }) => retriesIn(events));
      expect(new Set(reasons)).toEqual(new Set(target.functions.map((name) => LOST[name])));
    });

    test("no body is entered twice for one attempt (B19)", () => {
      const entries = (notes: Outcome["notes"]) =>
        [...notes].filter(([name]) => name.startsWith("entered "));
      expect(
        wrong(({ notes }) =>
          entries(notes).flatMap(([name, count]) => (count === 1 ? [] : [`${name}: ${count}`])),
        ),
      ).toEqual([]);
      expect(
        wrong(({ notes }) => (entries(notes).length > 0 ? [] : ["was never entered"])),
      ).toEqual([]);
    });

    test("no message is left", async () => {
      // Copies that crashes have left are answered one by one.
      await expect.poll(() => stack.messages(), { interval: 500, timeout: 60_000 }).toBe(0);
    }, 60_000);
  });
}

/** Plays all cases at the same time. */
async function play(stack: MatrixStack, cases: readonly Case[]): Promise<readonly Outcome[]> {
  const handles: (readonly [Case, WorkflowHandle])[] = [];
  for (const one of cases)
    handles.push([one, await stack.client.start(one.mode, { id: workflowIdOf(one), input: TEXT })]);
  const outcomes: Outcome[] = [];
  const end = Date.now() + PLAY_MS_MAX;
  // One after the other: a hundred requests that wait would be all that the machine does.
  for (const [one, handle] of handles) {
    const timeout = Math.max(1, (end - Date.now()) / 1_000);
    const result = await handle.result({ timeout }).then(judged, String);
    const events = await handle.history();
    const notes = await stack.control.read(handle.id);
    outcomes.push({ title: titleOf(one), one, result, events, notes });
  }
  return outcomes;
}

function judged(result: unknown): string {
  return result === TEXT.toUpperCase()
    ? "right"
    : `a wrong result: ${String(result).slice(0, 100)}`;
}

function titleOf({ mode, point }: Case): string {
  if (point === undefined) return `${mode}, calm`;
  return `${mode}, ${point.function} dies ${point.when} ${point.call} (${point.nth})`;
}

/** Every call of a calm run, before and after and unanswered, at its first passages. */
function casesOf(calm: Outcome, functions: MatrixTarget["functions"]): readonly Case[] {
  return functions.flatMap((name) =>
    Object.entries(callsOf(calm, name)).flatMap(([call, count]) => {
      const last = COMMITS.includes(call) ? count : Math.min(count, 2);
      const point = (when: CrashPoint["when"], nth: number): Case => ({
        mode: calm.one.mode,
        point: { function: name, call, when, nth },
      });
      const passages = Array.from({ length: last }, (_, index) => index + 1);
      return [
        ...passages.flatMap((nth) => [point("before", nth), point("after", nth)]),
        point("applied", 1),
      ];
    }),
  );
}

/** How often a function made which call. */
function callsOf({ notes }: Outcome, name: TaskFunction): Readonly<Record<string, number>> {
  const prefix = `${CALLED}${name}: `;
  return Object.fromEntries(
    [...notes].flatMap(([note, count]) =>
      note.startsWith(prefix) ? [[note.slice(prefix.length), Number(count)]] : [],
    ),
  );
}

/** As crash points name them. Sending is always to a queue of the other kind of task, or the own. */
function permittedCalls(name: TaskFunction): readonly string[] {
  const { tables, payloads } = STORAGE_ACCESS[name];
  return [
    ...Object.entries(tables).flatMap(([table, actions]) =>
      actions.map((action) => `${action} ${table}`),
    ),
    ...payloads.map((action) => `${action} payloads`),
  ];
}

/** Such as "#1 cold_replay", in the order of the history. */
function retriesIn(events: readonly EventView[]): readonly string[] {
  return events
    .filter(({ type }) => type === "ActivityRetryScheduled")
    .map(({ payload }) => `#${payload["attempt_number"]} ${payload["retry_reason"]}`);
}

/** By what stood in log and rows when the process died: the attempt that nobody will conclude. */
function expectedRetries(notes: Outcome["notes"]): readonly string[] {
  const death = notes.get("death");
  if (!isDeath(death)) return [];
  if (death.local > 0) return [`#${death.local} cold_replay`];
  return death.claimed > 0 ? [`#${death.claimed} timeout`] : [];
}

function isDeath(note: unknown): note is Death {
  return typeof note === "object" && note !== null && "local" in note && "claimed" in note;
}

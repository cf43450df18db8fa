/** The suite itself: what it refuses, and that every comparison can fail. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test } from "vitest";
import { TARGETS } from "./case-format.ts";
import { CaseFileError, casesOn, loadCases, parseCases } from "./load.ts";
import { runCase } from "./runner.ts";
import { openMemory, type Stage } from "./stage.ts";

const FILE = "cases/sample.yaml";

const SAMPLE = `
id: sample
title: two activities in a row
requirements: [F-01]
program:
  - { call: alpha, attempts: [[{ throw: { type: Busy } }], [{ return: { words: [one, two] } }]], options: { backoff: 0 } }
  - { sleep: 5s }
  - { call: beta, args: [done] }
expect:
  result: done
  history:
    - WorkflowStarted
    - ActivityScheduled: { activity_type: alpha, activity_execution_id: "\${FIRST}" }
    - ActivityStarted: { attempt_number: 1 }
    - ActivityRetryScheduled: { retry_reason: failure, exception_type: "\${/^Bu/}" }
    - ActivityStarted: { attempt_number: "\${> 1}" }
    - ActivityCompleted: { activity_execution_id: "\${FIRST}", result: { words: [one, "*"] } }
    - TimerScheduled: { recorded_at: "\${T1}" }
    - TimerFired: { recorded_at: "\${T2}" }
    - "*"
    - unordered:
        - WorkflowCompleted
        - ActivityCompleted: { result: done }
  activities:
    - { type: alpha, attempt_count: 2 }
    - { type: beta }
  counts:
    bodies: { alpha: { 1: 1, 2: 1 } }
    messages: { activity-tasks/default: 0 }
  queries: [{ name: variables, answer: { input: null } }]
  elapsed: [{ from: T1, to: T2, at_least: 5s, at_most: 6s }]
  diagnostics: []
`;

const stages: Stage[] = [];
afterEach(async () => {
  for (const stage of stages.splice(0)) await stage.close();
});

async function run(text: string): Promise<void> {
  const stage = await openMemory();
  stages.push(stage);
  for (const one of parseCases(FILE, text)) await runCase(one, stage);
}

/** Replaces one piece of the sample, which must be there. */
function sample(piece: string, other: string): string {
  expect(SAMPLE).toContain(piece);
  return SAMPLE.replace(piece, other);
}

describe("a case", () => {
  test("passes when everything is as it says", async () => {
    await run(SAMPLE);
  });

  test.each([
    ["another result", "result: done", "result: undone", 'result: expected "undone", got "done"'],
    ["another status", "result: done", "status: failed", "status: expected failed, got completed"],
    [
      "a missing event",
      "    - ActivityStarted: { attempt_number: 1 }\n",
      "",
      "expected here: ActivityRetryScheduled",
    ],
    [
      "an event too many",
      "    - WorkflowStarted",
      "    - WorkflowStarted\n    - TimerFired",
      "expected here: TimerFired",
    ],
    [
      "another field",
      "attempt_number: 1",
      "attempt_number: 7",
      "field attempt_number: expected 7, got 1",
    ],
    [
      "a field that is not there",
      "attempt_number: 1",
      "attempts: '*'",
      'field attempts: expected "*", got nothing',
    ],
    ["a text that does not fit", "/^Bu/", "/^Ba/", "field exception_type"],
    ["a number out of bounds", "> 1", "> 2", "field attempt_number: expected"],
    [
      "a variable with two values",
      "attempt_number: 1 }",
      'attempt_number: 1, activity_type: "${FIRST}" }',
      'expected "${FIRST}", which is',
    ],
    ["a list of another length", 'words: [one, "*"]', "words: [one]", "field result.words"],
    ["a wrong set of events", "ActivityCompleted: { result: done }", "TimerFired", "in any order"],
    [
      "another activity",
      "{ type: beta }",
      "{ type: gamma }",
      'activities[1].type: expected "gamma", got "beta"',
    ],
    ["another count of bodies", "2: 1", "2: 2", "counts.bodies.alpha.2: expected 2, got 1"],
    [
      "another count of messages",
      "default: 0",
      "default: 3",
      "counts.messages.activity-tasks/default: expected 3, got 0",
    ],
    [
      "another answer",
      "answer: { input: null }",
      "answer: { input: 1 }",
      "query variables.input: expected 1, got null",
    ],
    [
      "a time that is too short",
      "at_least: 5s",
      "at_least: 5500ms",
      "elapsed from T1 to T2: expected at least",
    ],
    [
      "a time that is too long",
      "at_most: 6s",
      "at_most: 1s",
      "elapsed from T1 to T2: expected at most",
    ],
    [
      "a line of the log that nobody wrote",
      "diagnostics: []",
      "diagnostics: [{ message: never }]",
      "no line is like",
    ],
  ])("fails by %s", async (_what, piece, other, said) => {
    await expect(run(sample(piece, other))).rejects.toThrow(said);
  });

  test("fails with the line of the entry that has no event, and marks where it should be", async () => {
    const text = sample("    - TimerFired: {", "    - TimerCancelled: {");
    const line = text.split("\n").findIndex((one) => one.includes("TimerCancelled")) + 1;
    await expect(run(text)).rejects.toThrow(`${FILE}:${line}`);
    await expect(run(text)).rejects.toThrow(/✗ 8\. TimerFired sequence=2/u);
  });

  test("fails when its run waits for something that never comes", async () => {
    const text = sample("  - { sleep: 5s }", "  - { sleep: 90d }");
    await expect(run(text)).rejects.toThrow("in vain for: the run is closed");
  });
});

describe("a case file is refused", () => {
  test.each([
    ["an unknown field", "title: two", "tittle: two", "tittle: is no field here"],
    ["a missing field", "title: two activities in a row\n", "", "title: is missing"],
    [
      "an unknown step",
      "{ sleep: 5s }",
      "{ slep: 5s }",
      "program[1]: slep is no step; expected one of call,",
    ],
    [
      "an unknown field of a step",
      "{ sleep: 5s }",
      "{ sleep: 5s, til: now }",
      "program[1].til: is no field here",
    ],
    [
      "an unknown activity",
      "call: beta",
      "call: zeta",
      "program[2].call: is no activity; there are alpha",
    ],
    [
      "an unknown action of a body",
      "{ throw:",
      "{ trow:",
      "program[0].attempts[0][0]: trow is no action of a body",
    ],
    ["a misspelt pattern", "/^Bu/", "/^Bu", "is no pattern"],
    [
      "a variable that compares nothing",
      "activity_type: alpha, ",
      'activity_type: "${TYPE}", ',
      "the variable TYPE is used once",
    ],
    [
      "an unknown expectation",
      "result: done\n",
      "results: done\n",
      "expect.results: is no field here",
    ],
    [
      "something that a target cannot do",
      "program:",
      "actions: [{ advance: 1h }]\nprogram:",
      "advance exists on memory only, not on embedded",
    ],
    [
      "a target that is left out without a reason",
      "program:",
      "targets: [memory]\nprogram:",
      "say why in `because`",
    ],
    ["broken YAML", "id: sample", "id: [sample", FILE],
  ])("for %s", (_what, piece, other, said) => {
    const text = sample(piece, other);
    expect(() => parseCases(FILE, text)).toThrow(CaseFileError);
    expect(() => parseCases(FILE, text)).toThrow(said);
  });

  test("with the line of what is wrong", () => {
    const text = sample("{ sleep: 5s }", "{ slep: 5s }");
    const line = text.split("\n").findIndex((one) => one.includes("slep")) + 1;
    expect(() => parseCases(FILE, text)).toThrow(`${FILE}:${line}: `);
  });
});

test("an id that two cases have is refused, and so is a file without a case", async () => {
  const folder = mkdtempSync(join(tmpdir(), "pawl-cases-"));
  try {
    writeFileSync(join(folder, "one.yaml"), SAMPLE);
    expect(loadCases(folder).map(({ name }) => name)).toEqual(["sample"]);
    writeFileSync(join(folder, "two.yml"), SAMPLE);
    expect(() => loadCases(folder)).toThrow(/two\.yml:\d+: the id sample is that of .*one\.yaml/u);
    writeFileSync(join(folder, "two.yml"), "");
    expect(() => loadCases(folder)).toThrow("there is no case");
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test.each(["README.md", "../../docs/TESTING.md"])(
  "the example in %s is a case that passes",
  async (page) => {
    const text = readFileSync(fileURLToPath(new URL(page, import.meta.url)), "utf8");
    const [example = ""] = /(?<=^```yaml\n)[\s\S]*?(?=^```$)/mu.exec(text) ?? [];
    await run(example);
    expect(example).toContain("requirements:");
  },
);

test("the cases of this suite are there, and every target has some", () => {
  expect(loadCases().length).toBeGreaterThan(0);
  for (const target of TARGETS) expect(casesOn(target).length).toBeGreaterThan(0);
});

import { describe, expect, test } from "vitest";
import { type Answer, ok } from "../client/scripted-api.ts";
import { pawl, type Setting } from "./terminal.ts";

const STARTED = {
  workflow_id: "order-1",
  run_id: "run-1",
  workflow_type: "order",
  status: "running",
  started: true,
};

function refused(status: number, code: string): Answer {
  return { status, json: { code, message: `it is ${code}`, hint: "do that", request_id: "r" } };
}

function ended(outcome: object): Answer {
  return ok({ ...STARTED, outcome });
}

const failure = { type: "Declined", message: "no", category: "application", non_retryable: true };
const noRuns = ok({ workflows: [], next_cursor: null });

interface Case {
  readonly name: string;
  readonly line: readonly string[];
  readonly setting?: Setting;
  readonly exitCode: number;
  /** What standard error says. */
  readonly says: string;
}

const CASES: readonly Case[] = [
  {
    name: "0 when a run completes",
    line: ["run", "order"],
    setting: { answers: [ended({ status: "completed", result: 1 })] },
    exitCode: 0,
    says: "completed in",
  },
  {
    name: "1 when the workflow fails",
    line: ["run", "order"],
    setting: { answers: [ended({ status: "failed", failure })] },
    exitCode: 1,
    says: "error: workflow order-1 failed: Declined: no\ntry: pawl show order-1\n",
  },
  {
    name: "1 when the workflow is cancelled",
    line: ["run", "order"],
    setting: { answers: [ended({ status: "cancelled" })] },
    exitCode: 1,
    says: "error: workflow order-1 was cancelled\ntry: pawl show order-1\n",
  },
  {
    name: "1 when the workflow is terminated",
    line: ["run", "order"],
    setting: { answers: [ended({ status: "terminated", reason: "stuck" })] },
    exitCode: 1,
    says: "error: workflow order-1 was terminated: stuck\ntry: pawl show order-1\n",
  },
  {
    name: "1 when the API refuses because of the run's state",
    line: ["signal", "order-1", "go"],
    setting: { answers: [refused(409, "workflow_closed")] },
    exitCode: 1,
    says: "error: it is workflow_closed\ntry: do that\n",
  },
  {
    name: "2 for an unknown command",
    line: ["stat"],
    exitCode: 2,
    says: "error: unknown command 'stat'\n(Did you mean start?)\ntry: pawl --help",
  },
  {
    name: "2 for an unknown option",
    line: ["ls", "--foo"],
    exitCode: 2,
    says: "error: unknown option '--foo'\ntry: pawl --help",
  },
  {
    name: "2 for a missing argument",
    line: ["show"],
    exitCode: 2,
    says: "error: missing required argument 'id'\ntry: pawl --help",
  },
  {
    name: "2 for no command at all",
    line: [],
    exitCode: 2,
    says: "try: pawl dev\n",
  },
  {
    name: "2 for an option's value that is not offered",
    line: ["-o", "yaml", "ls"],
    exitCode: 2,
    says: "Allowed choices are text, json, jsonl.\ntry: ",
  },
  {
    name: "2 for an input that is not JSON",
    line: ["start", "order", "-i", "{order: 1}"],
    exitCode: 2,
    says: "error: the input is not JSON: ",
  },
  {
    name: "2 for an input file that is not there",
    line: ["start", "order", "-i", "@missing.json"],
    exitCode: 2,
    says: "error: cannot read missing.json: ",
  },
  {
    name: "2 for a status that does not exist",
    line: ["ls", "--status", "running,done"],
    exitCode: 2,
    says: 'error: "done" is not a status\ntry: --status with one or more of pending,running',
  },
  {
    name: "2 for a duration without a meaning",
    line: ["ls", "--since", "yesterday"],
    exitCode: 2,
    says: 'error: "yesterday" is not a duration\ntry: 30s, 5m, 1h or 2d\n',
  },
  {
    name: "2 for a limit out of range",
    line: ["ls", "--limit", "0"],
    exitCode: 2,
    says: 'error: --limit is "0"; expected a whole number\ntry: a number from 1 to 100\n',
  },
  {
    name: "2 for an address that is not a URL",
    line: ["--api", "localhost", "ls"],
    exitCode: 2,
    says: 'error: "localhost" (from --api) is not a URL\ntry: --api http://127.0.0.1:7400\n',
  },
  {
    name: "2 when the API finds the request invalid",
    line: ["start", "order"],
    setting: { answers: [refused(400, "invalid_id")] },
    exitCode: 2,
    says: "error: it is invalid_id\ntry: do that\n",
  },
  {
    name: "3 for a workflow that is not there",
    line: ["show", "order-1"],
    setting: { answers: [refused(404, "workflow_not_found"), noRuns] },
    exitCode: 3,
    says: "error: it is workflow_not_found\ntry: do that\n",
  },
  {
    name: "3 for a type that is not registered",
    line: ["start", "nothing"],
    setting: { answers: [refused(404, "workflow_type_unknown")] },
    exitCode: 3,
    says: "try: do that\n",
  },
  {
    name: "4 when the timeout ends first",
    line: ["run", "order", "--timeout", "30s"],
    setting: {
      answers: [
        { status: 202, json: STARTED, takesMs: 20_000 },
        { status: 202, json: STARTED, takesMs: 10_000 },
      ],
    },
    exitCode: 4,
    says: "error: workflow order-1 is still open after 10 s\ntry: the run goes on: pawl show order-1\n",
  },
  {
    name: "5 when nothing listens",
    line: ["ls"],
    setting: { answers: [{ broken: "connect ECONNREFUSED 127.0.0.1:7400" }] },
    exitCode: 5,
    says: "error: no answer from http://127.0.0.1:7400: connect ECONNREFUSED 127.0.0.1:7400\ntry: start `pawl dev`",
  },
  {
    name: "5 when the service cannot answer",
    line: ["ls"],
    setting: { answers: [refused(503, "unavailable")] },
    exitCode: 5,
    says: "error: it is unavailable\ntry: do that\n",
  },
];

describe("the exit code is", () => {
  test.each(CASES)("$name", async ({ line, setting, exitCode, says }) => {
    const outcome = await pawl(line, setting);
    expect(outcome.stderr).toContain(says);
    expect(outcome.exitCode).toBe(exitCode);
  });

  test.each(CASES.filter(({ exitCode }) => exitCode !== 0))(
    "$name, with a try: line at the end and no data",
    async ({ line, setting }) => {
      const outcome = await pawl(line, setting);
      expect(outcome.stderr.trimEnd().split("\n").at(-1)).toMatch(/^try: .+/);
      expect(outcome.stdout).toBe("");
    },
  );

  test("0 for help and version, which are data", async () => {
    const help = await pawl(["show", "--help"]);
    expect(help).toMatchObject({ exitCode: 0, stderr: "" });
    expect(help.stdout).toContain("Usage: pawl show [options] <id>");
    const version = await pawl(["--version"]);
    expect(version).toMatchObject({ exitCode: 0, stderr: "" });
    expect(version.stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});

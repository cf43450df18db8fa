/** What every Runs and RequestGuards must do: starts, transitions, looks of the sweeper, guards. */
import { describe, expect, test } from "vitest";
import { NO_COUNTERS, type RunCounters } from "../../sdk/core/counters.ts";
import type { CountedClosing, RunRow } from "../../sdk/ports/runs.ts";
import { failure, fresh, type Given, runKey, runRow } from "./fixtures.ts";

const counters: RunCounters = { ...NO_COUNTERS, local: 3, local_attempts: 4, max_attempt_count: 2 };
const closing: CountedClosing = {
  status: "completed",
  closed_at: 99,
  output: { json: '"é"' },
  counters,
};

/** The row as it stands once the run has closed in this way. */
function closed(row: RunRow, how: CountedClosing = closing): RunRow {
  const { check_at: _at, check_every_ms: _every, task_failure: _failure, ...rest } = row;
  return { ...rest, ...how };
}

export function runsContract(given: Given): void {
  describe("runs", () => {
    test("of 20 starts of one workflow id one is created, the others see it", async () => {
      const { runs } = given().ports;
      const workflow_id = fresh("workflow");
      const rows = Array.from({ length: 20 }, () => runRow({ workflow_id }));
      const answers = await Promise.all(rows.map((row) => runs.create(row)));
      const winner = rows.find((_, index) => answers[index]?.kind === "created");
      expect(answers.filter(({ kind }) => kind === "created")).toHaveLength(1);
      for (const answer of answers)
        if (answer.kind === "exists") expect(answer.row).toEqual(winner);
      expect(await runs.getCurrent("contract", workflow_id)).toEqual(winner);
    });

    test("the same start written again is created; the same request under another run id exists", async () => {
      const { runs } = given().ports;
      const row = runRow();
      await runs.create(row);
      expect(await runs.create(row)).toEqual({ kind: "created" });
      const repeated = { ...row, run_id: fresh("run") };
      expect(await runs.create(repeated)).toEqual({ kind: "exists", row });
    });

    test("every field of a row comes back, large numbers and nested failures included", async () => {
      const { runs } = given().ports;
      const row = runRow({
        status: "failed",
        input: { blob: "k#1", bytes: 2_097_152 },
        closed_at: 1_800_000_000_001,
        failure,
        check_every_ms: 300_000,
        task_failure: { code: "nondeterminism", message: "«", at: 5, count: 2 },
      });
      await runs.create(row);
      expect(await runs.get(row)).toEqual(row);
    });

    test("a run goes from pending to running to closed, and never back", async () => {
      const { runs } = given().ports;
      const row = runRow();
      await runs.create(row);
      await runs.markRunning(row, 500, 300_000);
      const running = {
        ...row,
        status: "running",
        check_at: 500,
        check_every_ms: 300_000,
      } as const;
      expect(await runs.get(row)).toEqual(running);
      await runs.markRunning(row, 700, 1);
      expect(await runs.get(row)).toEqual(running);
      await runs.markClosed(row, closing);
      await runs.markRunning(row, 700, 1);
      await runs.markClosed(row, { status: "failed", closed_at: 100, failure, counters });
      expect(await runs.get(row)).toEqual(closed(row));
    });

    test("a pending run closes too, and a run without a row stays without", async () => {
      const { runs } = given().ports;
      const row = runRow();
      await runs.create(row);
      await runs.markClosed(row, { status: "terminated", closed_at: 7, counters });
      expect(await runs.get(row)).toEqual(
        closed(row, { status: "terminated", closed_at: 7, counters }),
      );
      const unknown = runKey();
      await runs.markRunning(unknown, 1, 1);
      await runs.markClosed(unknown, closing);
      await runs.setTaskFailure(unknown, undefined);
      expect(await runs.get(unknown)).toBeUndefined();
      expect(await runs.getCurrent(unknown.namespace, unknown.workflow_id)).toBeUndefined();
    });

    test("a closed run is replaced by one of many starts and stays readable under its run id", async () => {
      const { runs } = given().ports;
      const old = runRow();
      await runs.create(old);
      await runs.markClosed(old, closing);
      const rows = Array.from({ length: 10 }, () => runRow({ workflow_id: old.workflow_id }));
      const answers = await Promise.all(rows.map((row) => runs.replace(row, closed(old))));
      const winner = rows.find((_, index) => answers[index]?.kind === "created");
      expect(answers.filter(({ kind }) => kind === "created")).toHaveLength(1);
      expect(winner).toBeDefined();
      for (const answer of answers)
        if (answer.kind === "exists") expect(answer.row).toEqual(winner);
      expect(await runs.getCurrent("contract", old.workflow_id)).toEqual(winner);
      expect(await runs.get(old)).toEqual(closed(old));
      if (winner !== undefined)
        expect(await runs.replace(winner, closed(old))).toEqual({ kind: "created" });
    });

    test("a late writer of an earlier run never touches the current one", async () => {
      const { runs } = given().ports;
      const old = runRow();
      await runs.create(old);
      // The log said closed before the row did: the row kept under the run id is what the log said.
      await runs.replace(runRow({ workflow_id: old.workflow_id, run_id: "new" }), closed(old));
      const current = await runs.getCurrent("contract", old.workflow_id);
      await runs.markRunning(old, 1, 1);
      await runs.setTaskFailure(old, { code: "internal", message: "m", at: 1, count: 1 });
      await runs.moveCheck(old, old.check_at ?? 0, 2, 2);
      await runs.markClosed(old, { status: "failed", closed_at: 1, failure, counters });
      expect(await runs.getCurrent("contract", old.workflow_id)).toEqual(current);
      expect(await runs.get(old)).toEqual(closed(old));
    });

    test("a task failure is recorded, replaced and removed while the run is open", async () => {
      const { runs } = given().ports;
      const row = runRow();
      await runs.create(row);
      const first = { code: "nondeterminism", message: "one", at: 1, count: 1 };
      await runs.setTaskFailure(row, first);
      expect((await runs.get(row))?.task_failure).toEqual(first);
      await runs.setTaskFailure(row, { ...first, count: 2 });
      expect((await runs.get(row))?.task_failure?.count).toBe(2);
      await runs.setTaskFailure(row, undefined);
      expect(await runs.get(row)).toEqual(row);
      await runs.setTaskFailure(row, first);
      await runs.markClosed(row, closing);
      await runs.setTaskFailure(row, first);
      expect(await runs.get(row)).toEqual(closed(row));
    });

    test("due looks are found oldest first, moved once, and gone with the run's end (R12)", async () => {
      const { runs } = given().ports;
      const namespace = fresh("namespace");
      const rows = Array.from({ length: 30 }, (_, index) =>
        runRow({ namespace, check_at: 1_000 - index }),
      );
      await Promise.all(rows.map((row) => runs.create(row)));
      const due = await runs.dueChecks(namespace, 990, 5);
      expect(due.map((row) => row.check_at)).toEqual([971, 972, 973, 974, 975]);
      expect(await runs.dueChecks(namespace, 970, 5)).toEqual([]);
      expect(await runs.dueChecks(fresh("namespace"), 2_000, 5)).toEqual([]);
      const [oldest, second] = due;
      if (oldest === undefined || second === undefined) throw new Error("nothing was due");
      await runs.moveCheck(oldest, 971, 5_000, 600_000);
      await runs.moveCheck(oldest, 971, 1, 1);
      expect(await runs.get(oldest)).toMatchObject({ check_at: 5_000, check_every_ms: 600_000 });
      await runs.markClosed(second, closing);
      const left = await runs.dueChecks(namespace, 973, 5);
      expect(left.map((row) => row.check_at)).toEqual([973]);
    });

    test("workflow ids that differ only in where # and % stand are different workflows (L6)", async () => {
      const { runs } = given().ports;
      const base = fresh("id");
      const rows = [
        runRow({ namespace: base, workflow_id: "a#b" }),
        runRow({ namespace: `${base}#a`, workflow_id: "b" }),
        runRow({ namespace: base, workflow_id: "a%23b" }),
        runRow({ namespace: base, workflow_id: "../a/é😀" }),
      ];
      for (const row of rows) expect(await runs.create(row)).toEqual({ kind: "created" });
      for (const row of rows)
        expect(await runs.getCurrent(row.namespace, row.workflow_id)).toEqual(row);
    });
  });

  describe("request guards", () => {
    test("the first guard of a request id holds, per run (R20)", async () => {
      const { guards } = given().ports;
      const run = runKey();
      expect(await guards.guard(run, "s#1", 4)).toBe(4);
      expect(await guards.guard(run, "s#1", 9)).toBe(4);
      expect(await guards.guard(run, "s", 9)).toBe(9);
      expect(await guards.guard({ ...run, run_id: fresh("run") }, "s#1", 2)).toBe(2);
      const froms = await Promise.all([5, 6, 7, 8].map((from) => guards.guard(run, "race", from)));
      expect(new Set(froms).size).toBe(1);
    });

    test("a guard is neither a run nor in a list", async () => {
      const { guards, runs } = given().ports;
      const run = runKey({ namespace: fresh("namespace") });
      await guards.guard(run, "s", 1);
      expect(await runs.getCurrent(run.namespace, run.workflow_id)).toBeUndefined();
      expect(await runs.list({ namespace: run.namespace, limit: 10 })).toEqual({ runs: [] });
    });
  });
}

/** What every Counting must do: marks, steps of the totals, claims. */
import { describe, expect, test } from "vitest";
import { NO_COUNTERS } from "../../sdk/core/counters.ts";
import { COUNT_MS } from "../../sdk/core/limits.ts";
import { NO_TOTALS, plus, runTotals, type Totals } from "../../sdk/core/totals.ts";
import type { Fold } from "../../sdk/ports/counting.ts";
import type { RunRow } from "../../sdk/ports/runs.ts";
import { attemptKey, attemptRow, fresh, type Given, runKey, runRow } from "./fixtures.ts";

const counters = { ...NO_COUNTERS, local: 2, local_attempts: 3, max_attempt_count: 2 };
const closing = { status: "completed", closed_at: 99, counters } as const;
const FOR_EVER = Number.MAX_SAFE_INTEGER;

export function countingContract(given: Given): void {
  /** A run in a namespace of its own. */
  async function started(parts: Partial<RunRow> = {}): Promise<RunRow> {
    const row = runRow({ namespace: fresh("namespace"), ...parts });
    await given().ports.runs.create(row);
    return row;
  }
  const foldOf = ({ workflow_id }: RunRow, value: Totals, folds: number): Fold => ({
    workflow_id,
    value,
    folds,
  });

  describe("marks to be counted", () => {
    test("a start marks its row for a while, a closing at once unless it is marked", async () => {
      const { runs, counting } = given().ports;
      const row = await started();
      const until = row.started_at + COUNT_MS;
      const ids = [row.workflow_id];
      expect(await counting.marked(row.namespace, until - 1, 5)).toEqual({
        workflowIds: [],
        isAll: true,
      });
      expect(await counting.marked(row.namespace, until, 5)).toEqual({
        workflowIds: ids,
        isAll: true,
      });
      expect(await counting.share(row.namespace, row.workflow_id)).toEqual({
        row,
        past: NO_TOTALS,
        folded: NO_TOTALS,
        folds: 0,
        count_at: until,
      });
      const { namespace, workflow_id, run_id } = row;
      const other = await started({ namespace });
      await runs.markClosed(other, closing);
      expect((await counting.marked(namespace, until - 1, 5)).workflowIds).toEqual([]);
      await counting.settle(namespace, workflow_id, { run_id, is_open: true, count_at: until });
      await runs.markClosed(row, closing);
      expect((await counting.marked(namespace, 0, 5)).workflowIds).toEqual(ids);
      const share = await counting.share(row.namespace, row.workflow_id);
      expect(share?.row.counters).toEqual(counters);
    });

    test("a mark is set on open runs only, and never back to an earlier time", async () => {
      const { runs, counting } = given().ports;
      const row = await started();
      const markOf = async () => (await counting.share(row.namespace, row.workflow_id))?.count_at;
      const later = row.started_at + 10 * COUNT_MS;
      await counting.mark(row, later);
      await counting.mark(row, later - 1);
      expect(await markOf()).toBe(later);
      await counting.mark({ ...row, run_id: fresh("another") }, later + 1);
      expect(await markOf()).toBe(later);
      await runs.markClosed(row, closing);
      await counting.mark(row, later + 2);
      expect(await markOf()).toBe(later);
    });

    test("a mark is settled as it was read: one that was renewed, or is another run's, stays", async () => {
      const { counting } = given().ports;
      const row = await started();
      const { namespace, workflow_id, run_id } = row;
      const at = row.started_at + COUNT_MS;
      await counting.settle(namespace, workflow_id, { run_id, is_open: true, count_at: at - 1 });
      await counting.settle(namespace, workflow_id, {
        run_id: "another",
        is_open: true,
        count_at: at,
      });
      await counting.settle(namespace, workflow_id, { run_id, is_open: false, count_at: at });
      expect((await counting.share(namespace, workflow_id))?.count_at).toBe(at);
      await counting.settle(namespace, workflow_id, {
        run_id,
        is_open: true,
        count_at: at,
        again_at: at + 7,
      });
      expect((await counting.share(namespace, workflow_id))?.count_at).toBe(at + 7);
      await counting.settle(namespace, workflow_id, { run_id, is_open: true, count_at: at + 7 });
      expect(await counting.share(namespace, workflow_id)).not.toHaveProperty("count_at");
      expect((await counting.marked(namespace, FOR_EVER, 5)).workflowIds).toEqual([]);
      await counting.mark(row, at + 8);
      expect((await counting.marked(namespace, FOR_EVER, 5)).workflowIds).toEqual([workflow_id]);
    });

    test("a run that closes while it is looked at keeps its mark", async () => {
      const { runs, counting } = given().ports;
      const row = await started();
      const { namespace, workflow_id, run_id } = row;
      const count_at = row.started_at + COUNT_MS;
      await runs.markClosed(row, closing);
      await counting.settle(namespace, workflow_id, { run_id, is_open: true, count_at });
      const settling = { run_id, is_open: true, count_at };
      await counting.apply(namespace, foldOf(row, runTotals("running", counters), 0), settling);
      expect(await counting.share(namespace, workflow_id)).toMatchObject({ folds: 1, count_at });
      await counting.settle(namespace, workflow_id, { run_id, is_open: false, count_at });
      expect(await counting.share(namespace, workflow_id)).not.toHaveProperty("count_at");
    });

    test("ids come back whole, however they are spelled (L6), and a limit is said", async () => {
      const { counting } = given().ports;
      const namespace = fresh("names#pace%");
      const ids = ["a#b", "a%23b", "../a/é😀", ...Array.from({ length: 20 }, () => fresh("w"))];
      for (const workflow_id of ids) await started({ namespace, workflow_id });
      const all = await counting.marked(namespace, FOR_EVER, 50);
      expect(all.isAll).toBe(true);
      expect(new Set(all.workflowIds)).toEqual(new Set(ids));
      const some = await counting.marked(namespace, FOR_EVER, 1);
      expect(some.isAll).toBe(false);
      expect(some.workflowIds.length).toBeLessThan(ids.length);
    });
  });

  describe("totals", () => {
    test("of many writers of one version one wins, and it knows its own repeat (R9)", async () => {
      const { counting } = given().ports;
      const namespace = fresh("namespace");
      expect(await counting.totals(namespace)).toEqual({ version: 0, sums: NO_TOTALS, batch: [] });
      const sums = runTotals("failed", counters);
      const row = await started({ namespace });
      const totals = { version: 1, sums, batch: [foldOf(row, sums, 0)] };
      const nonces = Array.from({ length: 10 }, () => fresh("nonce"));
      const answers = await Promise.all(
        nonces.map((nonce) => counting.writeTotals(namespace, totals, nonce)),
      );
      expect(answers.filter((answer) => answer === "written")).toHaveLength(1);
      const winner = nonces[answers.indexOf("written")] ?? "";
      expect(await counting.writeTotals(namespace, totals, winner)).toBe("written");
      expect(await counting.totals(namespace)).toEqual(totals);
      const next = { version: 2, sums: plus(sums, sums), batch: [] };
      expect(await counting.writeTotals(namespace, next, fresh("nonce"))).toBe("written");
      expect(await counting.writeTotals(namespace, totals, winner)).toBe("lost");
      expect(await counting.totals(namespace)).toEqual(next);
    });

    test("a row is told of a step once, whoever repeats it later", async () => {
      const { counting } = given().ports;
      const row = await started();
      const [first, second] = [runTotals("running", counters), runTotals("completed", counters)];
      const told = async () => {
        const share = await counting.share(row.namespace, row.workflow_id);
        return [share?.folded, share?.folds];
      };
      await counting.apply(row.namespace, foldOf(row, first, 0));
      expect(await told()).toEqual([first, 1]);
      await counting.apply(row.namespace, foldOf(row, second, 0));
      expect(await told()).toEqual([first, 1]);
      await counting.apply(row.namespace, foldOf(row, second, 1));
      await counting.apply(row.namespace, foldOf(row, first, 0));
      await counting.apply(row.namespace, foldOf(row, first, 1));
      expect(await told()).toEqual([second, 2]);
      await counting.apply(row.namespace, { ...foldOf(row, first, 0), workflow_id: fresh("none") });
      expect(await counting.share(row.namespace, fresh("none"))).toBeUndefined();
    });

    test("a row is told and its mark settled by one write, or only told", async () => {
      const { counting } = given().ports;
      const row = await started();
      const { namespace, workflow_id, run_id } = row;
      const count_at = row.started_at + COUNT_MS;
      const value = runTotals("running", counters);
      const share = () => counting.share(namespace, workflow_id);
      await counting.apply(namespace, foldOf(row, value, 0), {
        run_id,
        is_open: true,
        count_at: count_at - 1,
      });
      expect(await share()).toMatchObject({ folds: 1, folded: value, count_at });
      await counting.apply(namespace, foldOf(row, NO_TOTALS, 0), {
        run_id,
        is_open: true,
        count_at,
      });
      expect(await share()).toMatchObject({ folds: 1, folded: value, count_at });
      const again_at = count_at + 5;
      await counting.apply(namespace, foldOf(row, NO_TOTALS, 1), {
        run_id,
        is_open: true,
        count_at,
        again_at,
      });
      expect(await share()).toMatchObject({ folds: 2, folded: NO_TOTALS, count_at: again_at });
      await counting.apply(namespace, foldOf(row, value, 2), {
        run_id,
        is_open: true,
        count_at: again_at,
      });
      expect(await share()).toMatchObject({ folds: 3, folded: value });
      expect(await share()).not.toHaveProperty("count_at");
    });

    test("a new run of a workflow id takes over what the totals hold of it", async () => {
      const { runs, counting } = given().ports;
      const row = await started();
      await runs.markClosed(row, closing);
      const own = runTotals("completed", counters);
      await counting.apply(row.namespace, foldOf(row, own, 0));
      const { namespace, workflow_id } = row;
      const next = runRow({ namespace, workflow_id });
      expect(await runs.replace(next, { ...row, ...closing })).toEqual({ kind: "created" });
      expect(await counting.share(namespace, workflow_id)).toEqual({
        row: next,
        past: own,
        folded: own,
        folds: 1,
        count_at: row.started_at + COUNT_MS,
      });
      await runs.markClosed(next, closing);
      const third = runRow({ namespace, workflow_id });
      await runs.replace(third, { ...next, ...closing });
      expect(await counting.share(namespace, workflow_id)).toMatchObject({
        past: plus(own, own),
        folds: 1,
      });
    });

    test("what closed runs count is written again, and counted again", async () => {
      const { runs, counting } = given().ports;
      const first = await started();
      const { namespace, workflow_id } = first;
      await runs.markClosed(first, closing);
      const second = runRow({ namespace, workflow_id });
      const wrong = { ...counters, local: 77 };
      // The earlier run's row was written with damaged counters, and so was the sum.
      await runs.replace(second, { ...first, ...closing, counters: wrong });
      expect((await counting.share(namespace, workflow_id))?.past.local).toBe(77);
      await counting.restore(first, counters);
      expect(await runs.get(first)).toMatchObject({ counters });
      const { past, count_at } = (await counting.share(namespace, workflow_id)) ?? {};
      expect([past, count_at]).toEqual([runTotals("completed", counters), 0]);
      await counting.restore(second, wrong);
      expect(await runs.get(second)).not.toHaveProperty("counters");
      await runs.markClosed(second, { ...closing, counters: wrong });
      await counting.apply(namespace, foldOf(second, NO_TOTALS, 0));
      await counting.restore(second, counters);
      expect(await runs.get(second)).toMatchObject({ counters });
      await counting.restore(runKey(), counters);
    });

    test("steps of the totals and starts that reuse an id never lose one another", async () => {
      const { runs, counting } = given().ports;
      let row = await started();
      const { namespace, workflow_id } = row;
      let told = 0;
      for (let round = 0; round < 8; round++) {
        await runs.markClosed(row, closing);
        const closed = { ...row, ...closing };
        const next = runRow({ namespace, workflow_id });
        const value = runTotals("completed", { ...counters, local: round });
        const [answer] = await Promise.all([
          runs.replace(next, closed),
          counting.apply(namespace, foldOf(row, value, told)),
        ]);
        expect(answer.kind).toBe("created");
        told += 1;
        const share = await counting.share(namespace, workflow_id);
        expect(share).toMatchObject({ folds: told, folded: value });
        expect(share?.past.completed_runs).toBe(round + 1);
        row = next;
      }
    });
  });

  describe("claims", () => {
    test("attempts count while workers have them, of this namespace only", async () => {
      const { attempts, counting } = given().ports;
      const namespace = fresh("namespace");
      const rows = Array.from({ length: 12 }, () => attemptRow({ ...runKey(), namespace }));
      for (const row of rows) await attempts.claim(row);
      await attempts.claim(attemptRow());
      expect(await counting.runningAttempts(namespace, 50)).toEqual({ count: 12, isAll: true });
      expect((await counting.runningAttempts(namespace, 1)).isAll).toBe(false);
      for (const row of rows.slice(3))
        await attempts.conclude(attemptKey(row), { kind: "cancelled" }, fresh("n"));
      await attempts.conclude(
        { ...runKey(), namespace, sequence: 1, attempt: 1 },
        { kind: "cancelled" },
        fresh("n"),
      );
      expect(await counting.runningAttempts(namespace, 50)).toEqual({ count: 3, isAll: true });
    });
  });
}

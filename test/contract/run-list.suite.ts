/** What every list of runs must do: order, filters, pages, and cursors that cannot be forged. */

import { describe, expect, test } from "vitest";
import { shardOf } from "../../sdk/adapters/dynamodb/layout.ts";
import { NO_COUNTERS } from "../../sdk/core/counters.ts";
import type { RunFilter, RunRow, Runs } from "../../sdk/ports/runs.ts";
import { fresh, type Given, runRow } from "./fixtures.ts";

/** All pages of a list; the number of pages is bounded so that a cursor in a circle fails. */
async function pages(runs: Runs, filter: RunFilter): Promise<readonly (readonly RunRow[])[]> {
  const found: (readonly RunRow[])[] = [];
  let cursor: string | undefined;
  do {
    const page = await runs.list({ ...filter, ...(cursor === undefined ? {} : { cursor }) });
    found.push(page.runs);
    cursor = page.next_cursor;
  } while (cursor !== undefined && found.length < 50);
  return found;
}

/** 40 runs, started at 1 to 40; every fourth is a refund, every second is running. */
async function fortyRuns(runs: Runs): Promise<{ namespace: string; rows: readonly RunRow[] }> {
  const namespace = fresh("namespace");
  const rows = Array.from({ length: 40 }, (_, index) =>
    runRow({
      namespace,
      started_at: index + 1,
      workflow_type: index % 4 === 0 ? "refund" : "order",
      status: index % 2 === 0 ? "running" : "pending",
    }),
  );
  await Promise.all(rows.map((row) => runs.create(row)));
  return { namespace, rows: rows.toReversed() };
}

export function runListContract(given: Given): void {
  describe("list of runs", () => {
    test("pages hold all runs of the namespace, newest first, each once", async () => {
      const { runs } = given().ports;
      const { namespace, rows } = await fortyRuns(runs);
      const found = await pages(runs, { namespace, limit: 7 });
      expect(found.flat()).toEqual(rows);
      expect(found.slice(0, 5).map((page) => page.length)).toEqual([7, 7, 7, 7, 7]);
      expect((await pages(runs, { namespace, limit: 100 })).flat()).toEqual(rows);
      expect((await pages(runs, { namespace, limit: 1 })).flat()).toEqual(rows);
    });

    test("runs that started in the same millisecond are all listed", async () => {
      const { runs } = given().ports;
      const namespace = fresh("namespace");
      const rows = Array.from({ length: 20 }, () => runRow({ namespace, started_at: 5 }));
      await Promise.all(rows.map((row) => runs.create(row)));
      const found = (await pages(runs, { namespace, limit: 3 })).flat();
      expect(found.map((row) => row.run_id).toSorted()).toEqual(
        rows.map((row) => row.run_id).toSorted(),
      );
    });

    const filters: readonly [string, Partial<RunFilter>, (row: RunRow) => boolean][] = [
      ["status", { status: "running" }, (row) => row.status === "running"],
      ["type", { workflow_type: "refund" }, (row) => row.workflow_type === "refund"],
      [
        "status and type",
        { status: "running", workflow_type: "order" },
        (row) => row.status === "running" && row.workflow_type === "order",
      ],
      ["start, at or after", { started_after: 30 }, (row) => row.started_at >= 30],
      ["start, before", { started_before: 12 }, (row) => row.started_at < 12],
      [
        "everything",
        { started_after: 10, started_before: 30, status: "running", workflow_type: "refund" },
        (row) =>
          row.started_at >= 10 &&
          row.started_at < 30 &&
          row.status === "running" &&
          row.workflow_type === "refund",
      ],
      ["nothing that exists", { workflow_type: "none" }, () => false],
    ];
    test.for(filters)("a list by %s holds what fits and nothing else", async ([, parts, fits]) => {
      const { runs } = given().ports;
      const { namespace, rows } = await fortyRuns(runs);
      const expected = rows.filter(fits);
      for (const limit of [2, 100])
        expect((await pages(runs, { namespace, limit, ...parts })).flat()).toEqual(expected);
    });

    test("a run leaves the list of its old status when it closes, an earlier run stays listed", async () => {
      const { runs } = given().ports;
      const namespace = fresh("namespace");
      const old = runRow({ namespace, started_at: 1 });
      await runs.create(old);
      await runs.markClosed(old, { status: "cancelled", closed_at: 2, counters: NO_COUNTERS });
      const closed = await runs.get(old);
      if (closed === undefined) throw new Error("the run went away");
      const next = runRow({ namespace, workflow_id: old.workflow_id, started_at: 3 });
      await runs.replace(next, closed);
      const byStatus = async (status: RunRow["status"]) =>
        (await pages(runs, { namespace, status, limit: 10 })).flat();
      expect(await byStatus("cancelled")).toEqual([closed]);
      expect(await byStatus("pending")).toEqual([next]);
      expect((await pages(runs, { namespace, limit: 10 })).flat()).toEqual([next, closed]);
    });

    test("a run moves from status to status in the lists as it runs and closes", async () => {
      const { runs } = given().ports;
      const row = runRow({ namespace: fresh("namespace") });
      const listed = async () => {
        const statuses = ["pending", "running", "failed"] as const;
        const found = await Promise.all(
          statuses.map((status) => runs.list({ namespace: row.namespace, status, limit: 5 })),
        );
        return statuses.filter((_, index) => found[index]?.runs.length === 1);
      };
      await runs.create(row);
      expect(await listed()).toEqual(["pending"]);
      await runs.markRunning(row, 1, 1);
      expect(await listed()).toEqual(["running"]);
      await runs.markClosed(row, { status: "failed", closed_at: 1, counters: NO_COUNTERS });
      expect(await listed()).toEqual(["failed"]);
    });

    test("rare matches in a long list come in order, though a page looks at few rows only", async () => {
      const { runs } = given().ports;
      const namespace = fresh("namespace");
      const rows = Array.from({ length: 150 }, (_, index) =>
        runRow({
          namespace,
          started_at: index + 1,
          workflow_type: index % 13 === 0 ? "rare" : "order",
          status: "running",
        }),
      ).toReversed();
      await Promise.all(rows.map((row) => runs.create(row)));
      const rare = rows.filter((row) => row.workflow_type === "rare");
      const filter = { namespace, status: "running", workflow_type: "rare" } as const;
      for (const limit of [1, 3])
        expect((await pages(runs, { ...filter, limit })).flat()).toEqual(rare);
      const some = await pages(runs, {
        ...filter,
        limit: 1,
        started_after: 30,
        started_before: 130,
      });
      expect(some.flat()).toEqual(
        rare.filter((row) => row.started_at >= 30 && row.started_at < 130),
      );
    });

    test("an old match never comes before a newer one that is still buried in its shard", async () => {
      const { runs } = given().ports;
      const namespace = fresh("namespace");
      const rowIn = (shard: number, started_at: number, workflow_type: string) => {
        let run_id = fresh("run");
        while (shardOf(run_id) !== shard) run_id = fresh("run");
        return runRow({ namespace, run_id, started_at, workflow_type, status: "running" });
      };
      const buried = Array.from({ length: 30 }, (_, index) => rowIn(3, 101 + index, "order"));
      const newer = rowIn(3, 100, "rare");
      const older = rowIn(5, 50, "rare");
      await Promise.all([...buried, newer, older].map((row) => runs.create(row)));
      const filter = { namespace, status: "running", workflow_type: "rare", limit: 1 } as const;
      expect((await pages(runs, filter)).flat()).toEqual([newer, older]);
    });

    test("runs that start while a list is paged do not disturb the pages that follow", async () => {
      const { runs } = given().ports;
      const { namespace, rows } = await fortyRuns(runs);
      const first = await runs.list({ namespace, limit: 10 });
      for (let late = 0; late < 10; late++) await runs.create(runRow({ namespace }));
      if (first.next_cursor === undefined) throw new Error("there was only one page");
      const second = await runs.list({ namespace, limit: 10, cursor: first.next_cursor });
      expect([...first.runs, ...second.runs]).toEqual(rows.slice(0, 20));
    });

    test("a cursor goes on although the run at which it stands has changed its status", async () => {
      const { runs } = given().ports;
      const { namespace, rows } = await fortyRuns(runs);
      const running = rows.filter((row) => row.status === "running");
      const filter = { namespace, status: "running", limit: 5 } as const;
      const first = await runs.list(filter);
      await Promise.all(
        first.runs.map((row) =>
          runs.markClosed(row, { status: "completed", closed_at: 9, counters: NO_COUNTERS }),
        ),
      );
      if (first.next_cursor === undefined) throw new Error("there was only one page");
      const second = await runs.list({ ...filter, cursor: first.next_cursor });
      expect(second.runs).toEqual(running.slice(5, 10));
    });

    test("a forged, damaged or foreign cursor is refused by name", async () => {
      const { runs } = given().ports;
      const { namespace } = await fortyRuns(runs);
      const { next_cursor } = await runs.list({ namespace, limit: 3 });
      if (next_cursor === undefined) throw new Error("there was only one page");
      const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
      const shards = (position: unknown) => Array.from({ length: 8 }, () => position);
      const genuine: { filter: number } = JSON.parse(
        Buffer.from(next_cursor, "base64url").toString(),
      );
      const forged = [
        "",
        "x",
        next_cursor.slice(0, -4),
        encode(null),
        encode([]),
        encode({ ...genuine, shards: [] }),
        encode({ ...genuine, shards: shards([1, "a"]) }),
        encode({ ...genuine, shards: shards(["1", "a", "current"]) }),
        encode({ ...genuine, shards: shards([1.5, "a", "current"]) }),
        encode({ ...genuine, shards: shards([1, "a", "guard#r#s"]) }),
        encode({ ...genuine, shards: shards([1, "", "current"]) }),
        encode({ ...genuine, shards: shards([1, "a".repeat(3_000), "current"]) }),
        encode({ ...genuine, filter: genuine.filter + 1, shards: shards("start") }),
        encode({ ...genuine, more: 1 }),
        encode({ ...genuine, before: "1" }),
      ];
      for (const cursor of forged)
        await expect(runs.list({ namespace, limit: 3, cursor }), cursor).rejects.toMatchObject({
          code: "invalid_cursor",
        });
      const late = await runs.list({ namespace, limit: 3, started_after: 20 });
      const bounded: object = JSON.parse(
        Buffer.from(late.next_cursor ?? "", "base64url").toString(),
      );
      const outside = encode({ ...bounded, shards: shards([1, "a", "current"]) });
      await expect(
        runs.list({ namespace, limit: 3, started_after: 20, cursor: outside }),
      ).rejects.toMatchObject({ code: "invalid_cursor" });
      for (const other of [
        { namespace: fresh("namespace") },
        { namespace, status: "running" } as const,
      ])
        await expect(runs.list({ ...other, limit: 3, cursor: next_cursor })).rejects.toMatchObject({
          code: "invalid_cursor",
        });
    });
  });
}

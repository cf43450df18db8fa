/** What every Attempts and Projection must do. */
import { describe, expect, test } from "vitest";
import type { AttemptOutcome } from "../../sdk/core/messages.ts";
import type { AttemptRow } from "../../sdk/ports/attempts.ts";
import {
  attemptKey,
  attemptRow,
  failure,
  fresh,
  type Given,
  localRows,
  runKey,
} from "./fixtures.ts";

const completed: AttemptOutcome = {
  kind: "completed",
  result: { json: '"é"' },
  started_at: 5,
  worker: "w",
};
const lost: AttemptOutcome = { kind: "timed_out", timeout_kind: "start_to_close" };

export function attemptsContract(given: Given): void {
  describe("attempts", () => {
    test("of 20 claims one wins, and the others are shown its row", async () => {
      const { attempts } = given().ports;
      const rows = claimsOfOne(20);
      const answers = await Promise.all(rows.map((row) => attempts.claim(row)));
      const winner = rows.find((_, index) => answers[index]?.kind === "claimed");
      expect(answers.filter(({ kind }) => kind === "claimed")).toHaveLength(1);
      for (const answer of answers) if (answer.kind === "taken") expect(answer.row).toEqual(winner);
    });

    test("a claim written again by its owner is claimed, until the attempt is concluded (R9)", async () => {
      const { attempts } = given().ports;
      const row = attemptRow();
      expect(await attempts.claim(row)).toEqual({ kind: "claimed" });
      expect(await attempts.claim(row)).toEqual({ kind: "claimed" });
      await attempts.conclude(attemptKey(row), lost, fresh("nonce"));
      expect(await attempts.claim(row)).toEqual({ kind: "taken", row: { ...row, outcome: lost } });
    });

    const outcomes: readonly AttemptOutcome[] = [
      completed,
      lost,
      { kind: "failed", failure, last_heartbeat: { blob: "k", bytes: 9 } },
      { kind: "cancelled" },
    ];
    test.for(outcomes)("an outcome comes back as it was written: $kind", async (outcome) => {
      const { attempts } = given().ports;
      const row = attemptRow();
      await attempts.claim(row);
      expect(await attempts.conclude(attemptKey(row), outcome, "n", row.owner)).toEqual(outcome);
      expect(await attempts.get(attemptKey(row))).toEqual({ ...row, outcome });
    });

    test("the first conclusion holds for everybody, its writer included (R9, R10)", async () => {
      const { attempts } = given().ports;
      const row = attemptRow();
      const key = attemptKey(row);
      await attempts.claim(row);
      expect(await attempts.conclude(key, completed, "n1", row.owner)).toEqual(completed);
      expect(await attempts.conclude(key, completed, "n1", row.owner)).toEqual(completed);
      expect(await attempts.conclude(key, lost, "n2")).toEqual(completed);
      expect(await attempts.conclude(key, { kind: "cancelled" }, "n3", row.owner)).toEqual(
        completed,
      );
      expect((await attempts.get(key))?.outcome).toEqual(completed);
    });

    test("an attempt declared lost refuses the outcome of its late owner (R10)", async () => {
      const { attempts } = given().ports;
      const row = attemptRow();
      await attempts.claim(row);
      await attempts.conclude(attemptKey(row), lost, "sweeper");
      expect(await attempts.conclude(attemptKey(row), completed, "late", row.owner)).toEqual(lost);
    });

    test("a claim that was renewed since its row was read is alive, and is not declared lost (R10)", async () => {
      const { attempts } = given().ports;
      const row = attemptRow();
      await attempts.claim(row);
      await attempts.heartbeat(attemptKey(row), row.owner, { at: 1, until: row.until });
      const beaten = { ...row, heartbeat_at: 1 };
      expect(await attempts.expire(row, lost, "n1")).toEqual({ kind: "alive", row: beaten });
      await attempts.heartbeat(attemptKey(row), row.owner, { at: 1, until: row.until + 9 });
      const renewed = { ...beaten, until: row.until + 9 };
      expect(await attempts.expire(beaten, lost, "n2")).toEqual({ kind: "alive", row: renewed });
      expect(await attempts.get(attemptKey(row))).toEqual(renewed);
      const concluded = { kind: "concluded", outcome: lost };
      expect(await attempts.expire(renewed, lost, "n3")).toEqual(concluded);
      expect(await attempts.expire(renewed, lost, "n3")).toEqual(concluded);
    });

    test("an attempt that nobody renews is declared lost, unless it has an outcome (R9, R10)", async () => {
      const { attempts } = given().ports;
      const row = attemptRow();
      await attempts.claim(row);
      await attempts.conclude(attemptKey(row), completed, "n1", row.owner);
      const concluded = { kind: "concluded", outcome: completed };
      expect(await attempts.expire(row, lost, "n2")).toEqual(concluded);
    });

    test("an attempt concluded before anybody claimed it refuses a late claim", async () => {
      const { attempts } = given().ports;
      const row = attemptRow();
      await attempts.conclude(attemptKey(row), { kind: "cancelled" }, "task");
      const answer = await attempts.claim(row);
      expect(answer).toMatchObject({ kind: "taken", row: { outcome: { kind: "cancelled" } } });
    });

    test("one who never owned the attempt cannot conclude it as an owner", async () => {
      const { attempts } = given().ports;
      const row = attemptRow();
      await attempts.claim(row);
      const stranger = attempts.conclude(attemptKey(row), completed, "n", "stranger");
      await expect(stranger).rejects.toMatchObject({ name: "InvariantError" });
      expect(await attempts.get(attemptKey(row))).toEqual(row);
    });

    test("a heartbeat renews the claim, and keeps its details", async () => {
      const { attempts } = given().ports;
      const row = attemptRow();
      const key = attemptKey(row);
      await attempts.claim(row);
      const first = await attempts.heartbeat(key, row.owner, {
        at: 1,
        until: 50,
        details: { json: "7" },
      });
      expect(first).toBe("renewed");
      expect(await attempts.heartbeat(key, row.owner, { at: 2, until: 60 })).toBe("renewed");
      expect(await attempts.get(key)).toEqual({
        ...row,
        heartbeat_at: 2,
        until: 60,
        heartbeat: { json: "7" },
      });
    });

    test("a heartbeat of another owner, of a concluded attempt or of none is stale", async () => {
      const { attempts } = given().ports;
      const row = attemptRow();
      const beat = { at: 1, until: 99 };
      expect(await attempts.heartbeat(attemptKey(row), row.owner, beat)).toBe("stale");
      await attempts.claim(row);
      expect(await attempts.heartbeat(attemptKey(row), "other", beat)).toBe("stale");
      await attempts.conclude(attemptKey(row), completed, "n", row.owner);
      expect(await attempts.heartbeat(attemptKey(row), row.owner, beat)).toBe("stale");
      expect(await attempts.get(attemptKey(row))).toEqual({ ...row, outcome: completed });
    });

    test("the attempts of a run are its queued ones, in order, without projected local ones", async () => {
      const { attempts, projection } = given().ports;
      const run = runKey();
      const rows = [
        attemptRow({ ...run, sequence: 2, attempt: 1 }),
        attemptRow({ ...run, sequence: 2, attempt: 2 }),
        attemptRow({ ...run, sequence: 10, attempt: 1 }),
      ];
      for (const row of rows.toReversed()) await attempts.claim(row);
      await attempts.claim(attemptRow({ ...run, run_id: fresh("run") }));
      const local = localRows(
        run,
        Array.from({ length: 30 }, (_, index) => index + 20),
      );
      await projection.write(local.executions, [...local.attempts, ...local.attempts]);
      expect(await attempts.ofRun(run)).toEqual(rows);
    });
  });
}

function claimsOfOne(count: number): readonly AttemptRow[] {
  const row = attemptRow();
  return Array.from({ length: count }, () => ({ ...row, owner: fresh("owner") }));
}

/** What every History, and the Blobs under it, must do. */
import { describe, expect, test } from "vitest";
import { InfrastructureError } from "../../sdk/core/errors.ts";
import { BATCH_INLINE_BYTES_MAX } from "../../sdk/core/limits.ts";
import { batchAt, EVERY_EVENT, eventOf, fresh, type Given, runKey } from "./fixtures.ts";

export function historyContract(given: Given): void {
  describe("history", () => {
    test("of 50 writers that race for one sequence exactly one is appended and stays (I1)", async () => {
      const { history } = given().ports;
      const run = runKey();
      const batches = Array.from({ length: 50 }, () => batchAt(1));
      const answers = await Promise.all(batches.map((batch) => history.append(run, batch)));
      const won = batches.filter((_, index) => answers[index] === "appended");
      expect(won).toHaveLength(1);
      expect(answers.filter((answer) => answer === "lost")).toHaveLength(49);
      expect(await history.readFrom(run, 1)).toEqual(won);
    });

    test("a batch appended again under its own nonce is appended, under another it is lost (R9)", async () => {
      const { history } = given().ports;
      const run = runKey();
      const batch = batchAt(1);
      expect(await history.append(run, batch)).toBe("appended");
      expect(await history.append(run, batch)).toBe("appended");
      expect(await history.append(run, { ...batch, nonce: fresh("nonce") })).toBe("lost");
      expect(await history.readFrom(run, 1)).toEqual([batch]);
    });

    test("every kind of event and both kinds of header come back as they were written", async () => {
      const { history } = given().ports;
      const run = runKey();
      const first = batchAt(1, { events: Object.values(EVERY_EVENT) });
      const second = batchAt(1 + first.events.length, {
        kind: "inbound",
        lease: null,
        turn_from: null,
        closed: true,
        basis: 7,
        generation: 2,
      });
      await history.append(run, first);
      await history.append(run, second);
      expect(await history.readFrom(run, 1)).toEqual([first, second]);
      expect(await history.readFrom(run, second.sequence)).toEqual([second]);
      expect(await history.readFrom(run, second.sequence + 1)).toEqual([]);
    });

    test("a log of more than one page of the store is read whole and in order (A12)", async () => {
      const { history } = given().ports;
      const run = runKey();
      const batches = Array.from({ length: 6 }, (_, index) =>
        batchAt(index + 1, { events: [eventOf(BATCH_INLINE_BYTES_MAX - 2_000)] }),
      );
      for (const batch of batches) await history.append(run, batch);
      expect(await history.readFrom(run, 0)).toEqual(batches);
      expect(await history.readFrom(run, 3)).toEqual(batches.slice(2));
    });

    test("sequences are read in the order of numbers, not of their digits", async () => {
      const { history } = given().ports;
      const run = runKey();
      for (let sequence = 1; sequence <= 11; sequence++)
        await history.append(run, batchAt(sequence));
      const sequences = (await history.readFrom(run, 1)).map((batch) => batch.sequence);
      expect(sequences).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    });

    test("a batch too large for an item is kept whole, race and nonce as ever (C13)", async () => {
      const { history } = given().ports;
      const run = runKey();
      const events = [eventOf(200_000), eventOf(200_000), eventOf(1_500_000)];
      const large = batchAt(1, { events });
      const answers = await Promise.all([
        history.append(run, large),
        history.append(run, { ...large, nonce: fresh("nonce"), events: [eventOf(400_000)] }),
      ]);
      expect(answers.toSorted()).toEqual(["appended", "lost"]);
      const [stored] = await history.readFrom(run, 1);
      if (answers[0] === "appended") expect(stored).toEqual(large);
      else expect(stored?.events).toEqual([eventOf(400_000)]);
      expect(await history.readTail(run)).toEqual(stored);
    });

    test("the tail is the last batch, and undefined while there is no log (R11)", async () => {
      const { history } = given().ports;
      const run = runKey();
      expect(await history.readTail(run)).toBeUndefined();
      expect(await history.readFrom(run, 1)).toEqual([]);
      const last = batchAt(3, { events: [EVERY_EVENT.WorkflowCancelled], closed: true });
      await history.append(run, batchAt(1, { events: [eventOf(10), eventOf(10)] }));
      await history.append(run, last);
      expect(await history.readTail(run)).toEqual(last);
    });

    test("a gap in the log is named, never read over", async () => {
      const { history } = given().ports;
      const run = runKey();
      await history.append(run, batchAt(1));
      await history.append(run, batchAt(3));
      await expect(history.readFrom(run, 1)).rejects.toThrow(/gap/);
      const beheaded = runKey();
      await history.append(beheaded, batchAt(2));
      await expect(history.readFrom(beheaded, 1)).rejects.toThrow(/gap/);
    });

    test("a batch of a newer schema, and an event of an unknown name, are refused by name (A13)", async () => {
      const { history } = given().ports;
      const newer = runKey();
      await history.append(newer, batchAt(1, { schema: 2 }));
      await expect(history.readFrom(newer, 1)).rejects.toMatchObject({ code: "schema_unknown" });
      await expect(history.readTail(newer)).rejects.toMatchObject({ code: "schema_unknown" });
      const foreign = runKey();
      const event = JSON.parse('{"type":"MoonLanded","at":1}');
      await history.append(foreign, batchAt(1, { events: [event] }));
      await expect(history.readFrom(foreign, 1)).rejects.toMatchObject({ code: "schema_unknown" });
    });

    test("a damaged event is a broken invariant, and the error shows none of its values (S8)", async () => {
      const { history } = given().ports;
      const run = runKey();
      const event = JSON.parse('{"type":"TimerFired","at":1,"sequence":"canary"}');
      await history.append(run, batchAt(1, { events: [event] }));
      const error: unknown = await history.readFrom(run, 1).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ name: "InvariantError" });
      expect(String(error)).toContain("TimerFired");
      expect(String(error)).not.toContain("canary");
    });

    test("runs whose ids differ only in where # and % stand have separate logs (L6)", async () => {
      const { history } = given().ports;
      const base = fresh("id");
      const runs = [
        runKey({ workflow_id: `${base}#a`, run_id: "b" }),
        runKey({ workflow_id: base, run_id: "a#b" }),
        runKey({ workflow_id: `${base}%23a`, run_id: "b" }),
        runKey({ namespace: `contract#${base}`, workflow_id: "a", run_id: "b" }),
        runKey({ workflow_id: `${base}é😀\u{ffff}`, run_id: "b" }),
      ];
      for (const run of runs)
        expect(await history.append(run, batchAt(1, { nonce: run.workflow_id }))).toBe("appended");
      for (const run of runs) {
        const nonces = (await history.readFrom(run, 1)).map((batch) => batch.nonce);
        expect(nonces).toEqual([run.workflow_id]);
      }
    });
  });

  describe("blobs", () => {
    test("a text of 2 MB with every plane of Unicode comes back unchanged", async () => {
      const { blobs } = given().ports;
      const key = `contract/${fresh("blob")}`;
      const text = JSON.stringify("aé€😀\u{ffff}\u{0}\r\n".repeat(100_000));
      await blobs.put(key, text);
      expect((await blobs.get(key)) === text).toBe(true);
    });

    test("a blob that is not there is a fault of the store, not an answer", async () => {
      const { blobs } = given().ports;
      await expect(blobs.get("contract/none")).rejects.toBeInstanceOf(InfrastructureError);
    });
  });
}

/** What every Timers must do. */
import { describe, expect, test } from "vitest";
import type { TimerEntry } from "../../sdk/ports/timers.ts";
import { activityTask, fresh, type Given, workflowTask } from "./fixtures.ts";

const DAY_MS = 86_400_000;
const NOW = 1_700_000_000_000;

export function timersContract(given: Given): void {
  describe("timers", () => {
    test("due entries come oldest first, however long overdue, and the far ones stay", async () => {
      const { timers } = given().ports;
      const namespace = fresh("namespace");
      const dues = [
        NOW - 400 * DAY_MS,
        NOW - DAY_MS,
        NOW - 1,
        5,
        NOW,
        NOW + 1,
        NOW + 3_650 * DAY_MS,
      ];
      const entries = dues.map((due) => entryAt(namespace, due));
      for (const entry of entries) await timers.put(entry);
      const due = await timers.due(namespace, NOW, 100);
      expect(due.map((entry) => entry.due)).toEqual([5, NOW - 400 * DAY_MS, NOW - DAY_MS, NOW - 1]);
      expect(due[0]).toEqual(entries[3]);
      const all = await timers.due(namespace, NOW + 4_000 * DAY_MS, 100);
      expect(all).toHaveLength(dues.length);
    });

    test("an equal entry put again is one entry, and removed it is gone", async () => {
      const { timers } = given().ports;
      const namespace = fresh("namespace");
      const entry = entryAt(namespace, NOW);
      await timers.put(entry);
      await timers.put(entry);
      expect(await timers.due(namespace, NOW + 1, 10)).toEqual([entry]);
      await timers.remove(entry);
      expect(await timers.due(namespace, NOW + 1, 10)).toEqual([]);
      await timers.remove(entry);
      await timers.put(entry);
      expect(await timers.due(namespace, NOW + 1, 10)).toEqual([entry]);
    });

    test("an entry that was put again since it was read is not removed", async () => {
      const { timers } = given().ports;
      const namespace = fresh("namespace");
      const entry = entryAt(namespace, NOW);
      await timers.put(entry);
      const again = { ...entry, nonce: fresh("nonce") };
      await timers.put(again);
      await timers.remove(entry);
      expect(await timers.due(namespace, NOW + 1, 10)).toEqual([again]);
      await timers.remove(again);
      expect(await timers.due(namespace, NOW + 1, 10)).toEqual([]);
    });

    test("the limit takes the oldest of all, and what is removed makes room", async () => {
      const { timers } = given().ports;
      const namespace = fresh("namespace");
      const entries = Array.from({ length: 40 }, (_, index) => entryAt(namespace, NOW + index));
      await Promise.all(entries.map((entry) => timers.put(entry)));
      const first = await timers.due(namespace, NOW + DAY_MS, 25);
      expect(first).toEqual(entries.slice(0, 25));
      await Promise.all(first.map((entry) => timers.remove(entry)));
      expect(await timers.due(namespace, NOW + DAY_MS, 25)).toEqual(entries.slice(25));
    });

    test("ids with # and % are entries of their own, in their own namespace (L6)", async () => {
      const { timers } = given().ports;
      const base = fresh("namespace");
      const entries = [
        { ...entryAt(base, NOW), id: "a#b" },
        { ...entryAt(base, NOW), id: "a%23b" },
        { ...entryAt(`${base}#0`, NOW), id: "a#b" },
      ];
      for (const entry of entries) await timers.put(entry);
      const ids = (await timers.due(base, NOW + 1, 10)).map((entry) => entry.id);
      expect(ids.toSorted()).toEqual(["a#b", "a%23b"]);
      expect(await timers.due(`${base}#0`, NOW + 1, 10)).toEqual([entries[2]]);
    });

    test("messages of both kinds come back whole, at every due time of one millisecond", async () => {
      const { timers } = given().ports;
      const namespace = fresh("namespace");
      const messages = [
        workflowTask({ announces: { kind: "timer", sequence: 1, due: NOW } }),
        activityTask({ arguments: { json: '["é😀\u{ffff}"]' } }),
      ];
      for (const message of messages)
        await timers.put({ id: message.message_id, namespace, due: NOW, nonce: "n", message });
      const found = (await timers.due(namespace, NOW + 1, 10)).map((entry) => entry.message);
      expect(found).toHaveLength(2);
      expect(found).toEqual(expect.arrayContaining(messages));
    });
  });
}

function entryAt(namespace: string, due: number): TimerEntry {
  const message = workflowTask({ namespace });
  return { id: fresh("timer"), namespace, due, nonce: fresh("nonce"), message };
}

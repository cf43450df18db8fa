/**
 * Histories that released versions have written replay on this one (A5), each against the code that
 * wrote it. The corpus grows by `scripts/record-corpus.ts` and is never edited.
 */
import { createHash } from "node:crypto";
import { globSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import { describe, expect, test } from "vitest";
import type { EventView } from "../sdk/core/api.ts";
import { canonicalJson } from "../sdk/core/views/canonical-json.ts";
import { replayHistory } from "../sdk/testing/index.ts";

interface Recorded {
  readonly history_events: readonly EventView[];
  readonly history_complete: boolean;
  readonly integrity: { readonly checksum: string };
}

const CORPUS = posix.join(import.meta.dirname.replaceAll("\\", "/"), "corpus");
const HISTORIES = globSync("*/*/*.json", { cwd: CORPUS }).map((path) => path.replaceAll("\\", "/"));

function read(path: string): Recorded {
  return JSON.parse(readFileSync(posix.join(CORPUS, path), "utf8"));
}

/** The exports of the code that wrote a history; it lies beside it. */
function codeOf(path: string): Promise<Readonly<Record<string, unknown>>> {
  return import(posix.join(CORPUS, posix.dirname(path), "code/worker.ts"));
}

test("there is a corpus, of closed and of open runs", () => {
  expect(HISTORIES.length).toBeGreaterThanOrEqual(30);
  expect(new Set(HISTORIES.map((path) => read(path).history_complete))).toEqual(
    new Set([true, false]),
  );
});

describe.each(HISTORIES)("%s", (path) => {
  test("replays: the code asks for what was recorded, and ends as recorded", async () => {
    await expect(replayHistory(await codeOf(path), read(path))).resolves.toBeUndefined();
  });

  test("is what was recorded, to the letter", () => {
    const { integrity, ...bundle } = read(path);
    const checksum = createHash("sha256").update(canonicalJson(bundle)).digest("hex");
    expect(checksum).toBe(integrity.checksum);
  });
});

describe("a replay that does not fit is found", () => {
  const path = HISTORIES.find((name) => name.endsWith("order-fulfilment/plain.json")) ?? "";

  test("when another activity was recorded", async () => {
    const { history_events: events } = read(path);
    const changed = events.map((event) =>
      event.payload["activity_type"] === "reserveStock"
        ? { ...event, payload: { ...event.payload, activity_type: "reserveTruck" } }
        : event,
    );
    await expect(
      replayHistory(await codeOf(path), { history_events: changed }),
    ).rejects.toMatchObject({
      code: "nondeterminism",
      details: { expected: "queued activity reserveTruck", actual: "queued activity reserveStock" },
    });
  });

  test("when another result was recorded", async () => {
    const { history_events: events } = read(path);
    const changed = events.map((event) =>
      event.type === "WorkflowCompleted"
        ? { ...event, payload: { ...event.payload, output: { status: "lost" } } }
        : event,
    );
    await expect(
      replayHistory(await codeOf(path), { history_events: changed }),
    ).rejects.toMatchObject({
      code: "nondeterminism",
      details: { expected: 'the result {"status":"lost"}' },
    });
  });
});

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  hash32,
  key,
  padded,
  RUNS_BY_CHECK,
  SHARDS,
  shardOf,
  TABLES,
} from "../../sdk/adapters/dynamodb/layout.ts";

/** Ids made of what keys are made of, so that a collision would be found. */
const id = fc.oneof(
  fc.string({ unit: fc.constantFrom("#", "%", "%23", "%25", "a", "2", "3", "5"), maxLength: 6 }),
  fc.string({ unit: "grapheme", maxLength: 8 }),
);

describe("keys (L6)", () => {
  test("two lists of parts have the same key only when they are the same list", () => {
    const parts = fc.array(id, { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(parts, parts, (one, other) => {
        const areSame = one.length === other.length && one.every((part, i) => part === other[i]);
        expect(key(...one) === key(...other)).toBe(areSame);
      }),
      { numRuns: 5_000 },
    );
  });

  test("a key tells its parts: splitting and unescaping it gives them back", () => {
    fc.assert(
      fc.property(fc.array(id, { minLength: 1, maxLength: 4 }), (parts) => {
        const split = key(...parts).split("#");
        const back = split.map((part) => part.replaceAll("%23", "#").replaceAll("%25", "%"));
        expect(back).toEqual(parts);
      }),
      { numRuns: 5_000 },
    );
  });

  test("padded numbers sort like numbers", () => {
    const number = fc.integer({ min: 0, max: 9_999_999_999 });
    fc.assert(
      fc.property(number, number, (one, other) => {
        expect(padded(one) < padded(other)).toBe(one < other);
      }),
    );
  });
});

describe("shards", () => {
  test("the hash is FNV-1a for ever: rows stay where they were written", () => {
    expect(hash32("")).toBe(0x811c9dc5);
    expect(hash32("a")).toBe(0xe40c292c);
    expect(hash32("foobar")).toBe(0xbf9cf968);
  });

  test("ids spread over all shards", () => {
    const counts = SHARDS.map(() => 0);
    for (let index = 0; index < 8_000; index++) {
      const shard = shardOf(`01890a5d-ac96-774b-bcce-b302099a${index}`);
      counts[shard] = (counts[shard] ?? 0) + 1;
    }
    expect(Math.min(...counts)).toBeGreaterThan(700);
    expect(Math.max(...counts)).toBeLessThan(1_300);
  });
});

test("the tables and key schemas are those that deployed stacks have", () => {
  expect(TABLES).toMatchInlineSnapshot(`
    {
      "activity_attempts": {
        "indexes": [
          {
            "keysOnly": true,
            "name": "by_running",
            "partitionKey": "by_running_pk",
            "sortKey": "started_at",
            "sortKeyType": "N",
          },
        ],
        "name": "activity_attempts",
        "sortKeyType": "S",
      },
      "activity_executions": {
        "indexes": [],
        "name": "activity_executions",
        "sortKeyType": "S",
      },
      "history_events": {
        "indexes": [],
        "name": "history_events",
        "sortKeyType": "N",
      },
      "timers": {
        "indexes": [],
        "name": "timers",
        "sortKeyType": "S",
      },
      "workflow_runs": {
        "indexes": [
          {
            "name": "by_start",
            "partitionKey": "by_start_pk",
            "sortKey": "started_at",
            "sortKeyType": "N",
          },
          {
            "name": "by_status",
            "partitionKey": "by_status_pk",
            "sortKey": "started_at",
            "sortKeyType": "N",
          },
          {
            "name": "by_type",
            "partitionKey": "by_type_pk",
            "sortKey": "started_at",
            "sortKeyType": "N",
          },
          {
            "name": "by_check",
            "partitionKey": "by_check_pk",
            "sortKey": "check_at",
            "sortKeyType": "N",
          },
          {
            "keysOnly": true,
            "name": "by_count",
            "partitionKey": "by_count_pk",
            "sortKey": "count_at",
            "sortKeyType": "N",
          },
        ],
        "name": "workflow_runs",
        "sortKeyType": "S",
        "ttlAttribute": "expires_at",
      },
    }
  `);
  expect(RUNS_BY_CHECK.sortKey).toBe("check_at");
});

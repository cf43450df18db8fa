/**
 * What the totals hold of each workflow id stands in its current row, which never moves: `past` for its
 * earlier runs, `folded` for what the totals have, `folds` for how often that was moved. The totals are
 * one item that names the rows of its last step, so that a step which died half way is completed.
 */
import * as v from "valibot";
import { NO_COUNTERS, type RunCounters } from "../../core/counters.ts";
import { invariant } from "../../core/errors.ts";
import type { RunKey } from "../../core/events.ts";
import { NO_TOTALS, plus, runTotals, type Totals } from "../../core/totals.ts";
import type { CountedTotals, Counting, Fold, Settling, Share } from "../../ports/counting.ts";
import { parsedJson, recordOf } from "../wire.ts";
import { textOfCounters, textOfTotals, totalsOf } from "./counts.ts";
import { ATTEMPTS_RUNNING, key, keyPart, RUNS_BY_COUNT, SHARDS } from "./layout.ts";
import { countMark, currentKey, earlierKey, runOf, shardPartition } from "./run-item.ts";
import {
  type Change,
  type Condition,
  getItem,
  type Item,
  type ItemKey,
  putItem,
  queryAll,
  queryPage,
  type Table,
  updateItem,
} from "./table.ts";

const TOTALS = "the totals";
/** Steps of the totals, and starts, that one restoring looks past. */
const RESTORE_ROUNDS_MAX = 5;

const batchSchema = v.array(
  v.object({ workflow_id: v.string(), value: v.string(), folds: v.number() }),
);

/** The first mark of a row is set by the start itself. A closed run's mark is set by its closing. */
const IS_OPEN_AND_EARLIER =
  "#run_id = :if_run_id AND (#status = :if_pending OR #status = :if_running) AND " +
  "(attribute_not_exists(#count_at) OR #count_at < :count_at)";

export function dynamoCounting(tables: {
  readonly runs: Table;
  readonly attempts: Table;
}): Counting {
  const { runs, attempts } = tables;
  return {
    async mark({ namespace, workflow_id, run_id }, countAt) {
      await updateItem(runs, currentKey(namespace, workflow_id), {
        set: countMark(namespace, run_id, countAt),
        condition: {
          expression: IS_OPEN_AND_EARLIER,
          values: { if_run_id: run_id, if_pending: "pending", if_running: "running" },
        },
      });
    },

    async marked(namespace, until, limit) {
      const pages = await inShards((shard) =>
        queryPage(runs, {
          index: RUNS_BY_COUNT.name,
          keys: "#by_count_pk = :pk AND #count_at <= :until",
          values: { pk: shardPartition(namespace, shard), until },
          limit,
        }),
      );
      const items = pages.flatMap((page) => page.items);
      return {
        workflowIds: [...new Set(items.map(workflowIdOf))],
        isAll: pages.every((page) => page.next === undefined),
      };
    },

    async share(namespace, workflowId) {
      const item = await getItem(runs, currentKey(namespace, workflowId));
      return item === undefined ? undefined : shareOf(item);
    },

    restore: (run, counters) => restore(runs, run, counters),

    async totals(namespace) {
      const item = await getItem(runs, totalsKey(namespace));
      if (item === undefined) return { version: 0, sums: NO_TOTALS, batch: [] };
      const { version, sums, batch } = item;
      invariant(typeof version === "number", `${TOTALS} have no version`);
      return { version, sums: totalsOf(sums, TOTALS), batch: batchOf(batch) };
    },

    async writeTotals(namespace, totals, nonce) {
      const written = await putItem(
        runs,
        totalsItem(totalsKey(namespace), totals, nonce),
        isAtVersion(totals.version - 1),
      );
      // The refusal may be our own success (R9).
      return written.kind === "written" || written.item?.["nonce"] === nonce ? "written" : "lost";
    },

    apply: (namespace, fold, settling) => apply(runs, namespace, fold, settling),

    async settle(namespace, workflowId, settling) {
      await updateItem(runs, currentKey(namespace, workflowId), settled(settling));
    },

    async runningAttempts(namespace, limit) {
      const pages = await inShards((shard) =>
        queryPage(attempts, {
          index: ATTEMPTS_RUNNING.name,
          keys: "#by_running_pk = :pk",
          values: { pk: shardPartition(namespace, shard) },
          limit,
        }),
      );
      return {
        count: pages.reduce((sum, page) => sum + page.items.length, 0),
        isAll: pages.every((page) => page.next === undefined),
      };
    },
  };
}

async function apply(
  runs: Table,
  namespace: string,
  { workflow_id, value, folds }: Fold,
  settling: Settling | undefined,
): Promise<void> {
  const at = currentKey(namespace, workflow_id);
  const told = { folded: textOfTotals(value), folds: folds + 1 };
  const untold = hasFolds(folds);
  if (settling !== undefined) {
    const { set, remove, condition } = settled(settling);
    const both = await updateItem(runs, at, {
      set: { ...set, ...told },
      ...(remove === undefined ? {} : { remove }),
      condition: {
        expression: `${untold.expression} AND ${condition.expression}`,
        values: { ...untold.values, ...condition.values },
      },
    });
    if (both.kind === "written") return;
  }
  await updateItem(runs, at, { set: told, condition: untold });
}

/** Every write of a row is written to its indexes too: a mark goes or moves with another change. */
function settled({ run_id, is_open, count_at, again_at }: Settling): Change {
  const status = is_open ? "attribute_not_exists(#closed_at)" : "attribute_exists(#closed_at)";
  const condition = {
    expression: `#run_id = :if_run_id AND #count_at = :if_count_at AND ${status}`,
    values: { if_run_id: run_id, if_count_at: count_at },
  };
  return again_at === undefined
    ? { remove: ["by_count_pk", "count_at"], condition }
    : { set: { count_at: again_at }, condition };
}

/** Of a run: where it stands; of its workflow: the sum over the rows of its earlier runs. */
async function restore(runs: Table, run: RunKey, counters: RunCounters): Promise<void> {
  const { namespace, workflow_id, run_id } = run;
  const own = { counters: textOfCounters(counters) };
  const isClosedRun: Condition = {
    expression: "#run_id = :if_run_id AND attribute_exists(#closed_at)",
    values: { if_run_id: run_id },
  };
  for (const at of [currentKey(namespace, workflow_id), earlierKey(namespace, workflow_id, run_id)])
    await updateItem(runs, at, { set: own, condition: isClosedRun });
  for (let round = 0; round < RESTORE_ROUNDS_MAX; round++) {
    const item = await getItem(runs, currentKey(namespace, workflow_id));
    if (item === undefined) return;
    const { row, folds } = shareOf(item);
    const past = await pastOf(runs, row);
    const unmoved = hasFolds(folds);
    const written = await updateItem(runs, currentKey(namespace, workflow_id), {
      set: { past: textOfTotals(past), ...countMark(namespace, row.run_id, 0) },
      condition: {
        expression: `#run_id = :if_run_id AND ${unmoved.expression}`,
        values: { if_run_id: row.run_id, ...unmoved.values },
      },
    });
    if (written.kind === "written") return;
  }
}

/** The sum over the rows of the runs before this one. */
async function pastOf(runs: Table, { namespace, workflow_id }: RunKey): Promise<Totals> {
  const items = await queryAll(runs, {
    keys: "#pk = :pk AND #sk >= :first",
    values: { pk: currentKey(namespace, workflow_id).pk, first: key("run", "") },
  });
  return items
    .map(runOf)
    .map((row) => runTotals(row.status, row.counters ?? NO_COUNTERS))
    .reduce(plus, NO_TOTALS);
}

function inShards<T>(query: (shard: number) => Promise<T>): Promise<readonly T[]> {
  return Promise.all(SHARDS.map(query));
}

/** Beside the runs: ids of workflows never begin with `__`. */
function totalsKey(namespace: string): ItemKey {
  return { pk: key(namespace, "__totals"), sk: "totals" };
}

function totalsItem(at: ItemKey, totals: CountedTotals, nonce: string): Item {
  const batch = totals.batch.map((fold) => ({ ...fold, value: textOfTotals(fold.value) }));
  return {
    ...at,
    version: totals.version,
    sums: textOfTotals(totals.sums),
    batch: JSON.stringify(batch),
    nonce,
  };
}

function batchOf(json: unknown): readonly Fold[] {
  const folds = recordOf(batchSchema, parsedJson(json), TOTALS);
  return folds.map((fold) => ({ ...fold, value: totalsOf(fold.value, TOTALS) }));
}

function isAtVersion(version: number): Condition {
  return version === 0
    ? { expression: "attribute_not_exists(#pk)" }
    : { expression: "#version = :if_version", values: { if_version: version } };
}

/** No step has moved this row since it was read. */
export function hasFolds(folds: number): Condition {
  return folds === 0
    ? { expression: "attribute_exists(#pk) AND attribute_not_exists(#folds)" }
    : { expression: "#folds = :if_folds", values: { if_folds: folds } };
}

/** @throws InvariantError when the item is not a current row */
export function shareOf(item: Item): Share {
  const row = runOf(item);
  const { folds, count_at } = item;
  return {
    row,
    past: optionalTotals(item["past"], row.workflow_id),
    folded: optionalTotals(item["folded"], row.workflow_id),
    folds: typeof folds === "number" ? folds : 0,
    ...(typeof count_at === "number" ? { count_at } : {}),
  };
}

function optionalTotals(text: unknown, workflowId: string): Totals {
  return text === undefined ? NO_TOTALS : totalsOf(text, `workflow ${workflowId}`);
}

/** The key of an item of the index is all that the index holds. */
function workflowIdOf(item: Item): string {
  const id = keyPart(String(item["pk"]), 1);
  invariant(id !== undefined, "a marked row is no workflow's");
  return id;
}

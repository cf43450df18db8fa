/**
 * The runs' rows: one `current` row per workflow id, which decides the race of two starts, and a row
 * per earlier run. A projection of the log: every change asks for the run and status it expects, and
 * one that comes too late changes nothing.
 */
import { NO_COUNTERS } from "../../core/counters.ts";
import { InfrastructureError } from "../../core/errors.ts";
import type { RunKey } from "../../core/events.ts";
import { COUNT_MS } from "../../core/limits.ts";
import { plus, runTotals } from "../../core/totals.ts";
import type { RunRow, Runs } from "../../ports/runs.ts";
import { hasFolds, shareOf } from "./counting.ts";
import { textOfTotals } from "./counts.ts";
import { RUNS_BY_CHECK, SHARDS, shardOf } from "./layout.ts";
import {
  closingItem,
  countMark,
  currentKey,
  earlierKey,
  runItem,
  runOf,
  shardPartition,
  statusPartition,
} from "./run-item.ts";
import { listRuns } from "./run-list.ts";
import {
  ABSENT,
  type Change,
  type Condition,
  getItem,
  type Item,
  type ItemKey,
  putItem,
  queryPage,
  type Table,
  updateItem,
} from "./table.ts";

// pending ──markRunning──▶ running ──markClosed──▶ completed | failed | cancelled | terminated
//    └──────────────────────markClosed───────────────▲
// Each names the run, so that a late writer of an earlier run never touches the current one.
const IS_RUN = "#run_id = :if_run_id";
const IS_PENDING = `${IS_RUN} AND #status = :if_pending`;
const IS_OPEN = `${IS_RUN} AND (#status = :if_pending OR #status = :if_running)`;
const IS_OPEN_AT_CHECK = `${IS_OPEN} AND #check_at = :if_check_at`;

/** Steps of the totals that one start looks past: a pass of the sweeper makes two of a row at most. */
const REPLACE_ROUNDS_MAX = 5;

type Start = { readonly kind: "created" } | { readonly kind: "exists"; readonly row: RunRow };

export function dynamoRuns(table: Table): Runs {
  return {
    create: (row) => start(table, row, ABSENT),
    replace: (row, closed) => replace(table, row, closed),

    async getCurrent(namespace, workflowId) {
      const item = await getItem(table, currentKey(namespace, workflowId));
      return item === undefined ? undefined : runOf(item);
    },

    async get({ namespace, workflow_id, run_id }) {
      const current = await getItem(table, currentKey(namespace, workflow_id));
      if (current === undefined || current["run_id"] === run_id)
        return current === undefined ? undefined : runOf(current);
      const earlier = await getItem(table, earlierKey(namespace, workflow_id, run_id));
      return earlier === undefined ? undefined : runOf(earlier);
    },

    markRunning: (run, checkAt, checkEveryMs) =>
      change(table, run, {
        set: {
          status: "running",
          by_status_pk: statusPartition(run.namespace, "running", shardOf(run.run_id)),
          ...check(run, checkAt, checkEveryMs),
        },
        condition: {
          expression: IS_PENDING,
          values: { if_run_id: run.run_id, if_pending: "pending" },
        },
      }),

    markClosed: (run, closing) =>
      change(table, run, {
        set: closingItem(run.namespace, run.run_id, closing),
        // The mark of its start, where it still stands, is soon enough: a moved one is two index writes.
        setIfAbsent: countMark(run.namespace, run.run_id, 0),
        remove: ["by_check_pk", "check_at", "check_every_ms", "task_failure"],
        condition: open(run),
      }),

    setTaskFailure: (run, failure) =>
      change(table, run, {
        ...(failure === undefined
          ? { remove: ["task_failure"] }
          : { set: { task_failure: JSON.stringify(failure) } }),
        condition: open(run),
      }),

    moveCheck(run, expected, checkAt, checkEveryMs) {
      const { values } = open(run);
      return change(table, run, {
        set: check(run, checkAt, checkEveryMs),
        condition: { expression: IS_OPEN_AT_CHECK, values: { ...values, if_check_at: expected } },
      });
    },

    async dueChecks(namespace, now, limit) {
      const pages = await Promise.all(
        SHARDS.map((shard) =>
          queryPage(table, {
            index: RUNS_BY_CHECK.name,
            keys: "#by_check_pk = :pk AND #check_at <= :now",
            values: { pk: shardPartition(namespace, shard), now },
            limit,
          }),
        ),
      );
      return pages
        .flatMap((page) => page.items.map(runOf))
        .toSorted((one, other) => (one.check_at ?? 0) - (other.check_at ?? 0))
        .slice(0, limit);
    },

    list: (filter) => listRuns(table, filter),
  };
}

/**
 * Puts the current row. When another stands there, it may be our own whose answer was lost (R9): a
 * run id is minted once per start, so it is the nonce. The same request under another run id is a
 * repeated start, which the caller recognises by the row's request id.
 */
async function start(
  table: Table,
  row: RunRow,
  condition: Condition,
  counted: Item = {},
): Promise<Start> {
  const at = currentKey(row.namespace, row.workflow_id);
  const mark = countMark(row.namespace, row.run_id, row.started_at + COUNT_MS);
  const written = await putItem(table, { ...runItem(at, row), ...mark, ...counted }, condition);
  if (written.kind === "written") return { kind: "created" };
  if (written.item === undefined) {
    throw new InfrastructureError(`the current row of ${row.workflow_id} went away meanwhile`, {
      maybeApplied: false,
    });
  }
  const standing = runOf(written.item);
  const isOwn = standing.run_id === row.run_id && standing.request_id === row.request_id;
  return isOwn ? { kind: "created" } : { kind: "exists", row: standing };
}

/**
 * A new run takes the place of a closed one, and what the totals hold of the workflow with it: the row
 * that stands must be as it was read, so that no step of the totals is lost.
 */
async function replace(table: Table, row: RunRow, closed: RunRow): Promise<Start> {
  const { namespace, workflow_id, run_id } = closed;
  // The old row first and unconditionally: it is closed, so everybody who writes it writes the same.
  await putItem(table, runItem(earlierKey(namespace, workflow_id, run_id), unchecked(closed)));
  for (let round = 1; ; round++) {
    const item = await getItem(table, currentKey(namespace, workflow_id));
    const share = item === undefined ? undefined : shareOf(item);
    if (share === undefined || share.row.run_id !== run_id)
      return await start(table, row, { expression: IS_RUN, values: { if_run_id: run_id } });
    const { folds, folded } = share;
    const past = plus(share.past, runTotals(closed.status, closed.counters ?? NO_COUNTERS));
    const unmoved = hasFolds(folds);
    const answer = await start(
      table,
      row,
      {
        expression: `${IS_RUN} AND ${unmoved.expression}`,
        values: { if_run_id: run_id, ...unmoved.values },
      },
      {
        past: textOfTotals(past),
        ...(folds === 0 ? {} : { folds, folded: textOfTotals(folded) }),
        // What the totals are behind by now does not wait for the new run.
        ...(share.count_at === undefined ? {} : { count_at: share.count_at }),
      },
    );
    // Where the closed run still stands, only the totals have moved meanwhile.
    const isOther = answer.kind === "created" || answer.row.run_id !== run_id;
    if (isOther || round === REPLACE_ROUNDS_MAX) return answer;
  }
}

/** Changes a run's row where it stands: under `current`, or under its own id once it was replaced. */
async function change(table: Table, run: RunKey, what: Change): Promise<void> {
  const { namespace, workflow_id, run_id } = run;
  const keys: readonly ItemKey[] = [
    currentKey(namespace, workflow_id),
    earlierKey(namespace, workflow_id, run_id),
  ];
  for (const at of keys) {
    const written = await updateItem(table, at, what);
    if (written.kind === "written") return;
    // The run stands here in another status than the change asks for: it came too late.
    if (written.item?.["run_id"] === run_id) return;
  }
}

function open(run: RunKey): Condition {
  return {
    expression: IS_OPEN,
    values: { if_run_id: run.run_id, if_pending: "pending", if_running: "running" },
  };
}

function check(run: RunKey, checkAt: number, checkEveryMs: number) {
  return {
    by_check_pk: shardPartition(run.namespace, shardOf(run.run_id)),
    check_at: checkAt,
    check_every_ms: checkEveryMs,
  };
}

/** Nobody looks at a closed run any more, whatever the row that was found said. */
function unchecked({ check_at: _checkAt, check_every_ms: _checkEveryMs, ...row }: RunRow): RunRow {
  return row;
}

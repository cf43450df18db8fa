/**
 * Attempts of queued activities: claim, heartbeat and outcome in one row, under the contract's
 * attribute names. A row is claimed once and concluded once; both are conditional writes whose
 * refusal is answered by the row that stands.
 */
import { InfrastructureError, invariant } from "../../core/errors.ts";
import { activityId, attemptId } from "../../core/ids.ts";
import type { AttemptOutcome } from "../../core/messages.ts";
import type { AttemptKey, AttemptRow, Attempts, Expiry } from "../../ports/attempts.ts";
import { attemptSchema, parsedJson, recordOf } from "../wire.ts";
import { padded, runPartition, shardOf } from "./layout.ts";
import { shardPartition } from "./run-item.ts";
import {
  ABSENT,
  type Condition,
  getItem,
  type Item,
  type ItemKey,
  putItem,
  queryAll,
  type Table,
  updateItem,
} from "./table.ts";

// claim ──▶ heartbeat* ──▶ conclude. Nothing follows a conclusion.
/** The first conclusion holds, whoever writes it: a worker, or who found the claim over. */
const NOT_CONCLUDED = "attribute_not_exists(#outcome)";
/** A superseded owner changes nothing. */
const OWN = `#lease_owner = :if_owner AND ${NOT_CONCLUDED}`;

const STATUS_OF = {
  completed: "completed",
  failed: "failed",
  timed_out: "expired",
  cancelled: "cancelled",
} as const satisfies Record<AttemptOutcome["kind"], string>;

/** @param now the clock of the `closed_at` that a row shows */
export function dynamoAttempts(table: Table, now: () => number): Attempts {
  return {
    async claim(row) {
      const written = await putItem(table, attemptItem(row), ABSENT);
      if (written.kind === "written") return { kind: "claimed" };
      if (written.item === undefined)
        throw new InfrastructureError("the attempt went away meanwhile", { maybeApplied: false });
      const standing = attemptOf(written.item);
      // The owner is fresh per claim: equal, the refusal was our own success (R9).
      const isOwn = standing.owner === row.owner && standing.outcome === undefined;
      return isOwn ? { kind: "claimed" } : { kind: "taken", row: standing };
    },

    async conclude(key, outcome, nonce, owner) {
      const condition: Condition =
        owner === undefined
          ? { expression: NOT_CONCLUDED }
          : { expression: OWN, values: { if_owner: owner } };
      const expiry = await conclude(table, key, { outcome, nonce, condition, at: now() });
      const name = `${key.run_id}/${key.sequence}/${key.attempt}`;
      invariant(expiry.kind === "concluded", `attempt ${name} has another owner and no outcome`);
      return expiry.outcome;
    },

    expire: (row, outcome, nonce) =>
      conclude(table, row, { outcome, nonce, condition: unchanged(row), at: now() }),

    async heartbeat(key, owner, beat) {
      const written = await updateItem(table, attemptKey(key), {
        set: {
          last_heartbeat_at: beat.at,
          lease_expires_at: beat.until,
          heartbeat: beat.details === undefined ? undefined : JSON.stringify(beat.details),
        },
        condition: { expression: OWN, values: { if_owner: owner } },
      });
      return written.kind === "refused" ? "stale" : "renewed";
    },

    async get(key) {
      const item = await getItem(table, attemptKey(key));
      return item === undefined ? undefined : attemptOf(item);
    },

    async ofRun(run) {
      const items = await queryAll(table, {
        keys: "#pk = :pk",
        // The projected attempts of local activities stand in the same table.
        filter: "#execution_mode = :queued",
        values: { pk: runPartition(run), queued: MODE.execution_mode },
      });
      return items.map(attemptOf);
    },
  };
}

interface Conclusion {
  readonly outcome: AttemptOutcome;
  readonly nonce: string;
  readonly condition: Condition;
  readonly at: number;
}

/** Nobody has renewed the claim, or beaten, since the row was read. */
function unchanged({ until, heartbeat_at: beatAt }: AttemptRow): Condition {
  const expression = `${NOT_CONCLUDED} AND #lease_expires_at = :if_until`;
  return beatAt === undefined
    ? {
        expression: `${expression} AND attribute_not_exists(#last_heartbeat_at)`,
        values: { if_until: until },
      }
    : {
        expression: `${expression} AND #last_heartbeat_at = :if_beat_at`,
        values: { if_until: until, if_beat_at: beatAt },
      };
}

async function conclude(
  table: Table,
  key: AttemptKey,
  { outcome, nonce, condition, at }: Conclusion,
): Promise<Expiry> {
  const { namespace, workflow_id, run_id, sequence, attempt } = key;
  const written = await updateItem(table, attemptKey(key), {
    set: {
      namespace,
      workflow_id,
      run_id,
      sequence,
      attempt_number: attempt,
      ...MODE,
      outcome: JSON.stringify(outcome),
      outcome_nonce: nonce,
      status: STATUS_OF[outcome.kind],
      closed_at: at,
    },
    // An attempt that nobody has claimed is concluded too: the row then refuses a late claim.
    setIfAbsent: {
      activity_type: "",
      lease_owner: nonce,
      worker: "",
      started_at: 0,
      lease_expires_at: 0,
    },
    remove: ["by_running_pk"],
    condition,
  });
  if (written.kind === "written" || written.item?.["outcome_nonce"] === nonce)
    return { kind: "concluded", outcome };
  if (written.item === undefined)
    throw new InfrastructureError("the attempt went away meanwhile", { maybeApplied: false });
  const row = attemptOf(written.item);
  return row.outcome === undefined
    ? { kind: "alive", row }
    : { kind: "concluded", outcome: row.outcome };
}

const MODE = { execution_mode: "queued", local_activity: false } as const;

/** Sparse: a claim leaves the index with its outcome. */
function runningPartition({ namespace, run_id }: AttemptKey): string {
  return shardPartition(namespace, shardOf(run_id));
}

function attemptKey(key: AttemptKey): ItemKey {
  return { pk: runPartition(key), sk: attemptSortKey(key.sequence, key.attempt) };
}

/** Sorts by activity, then by attempt; shared with the projected attempts of local activities. */
export function attemptSortKey(sequence: number, attempt: number): string {
  return `${padded(sequence)}#${padded(attempt)}`;
}

/** Under the contract's names (requirements 2.3), as the rows of local attempts have them. */
function contractIds({ run_id, sequence, attempt }: AttemptKey) {
  return {
    id: attemptId(run_id, sequence, attempt),
    activity_execution_id: activityId(run_id, sequence),
    workflow_run_id: run_id,
  };
}

function attemptItem(row: AttemptRow): Item {
  const { attempt, owner, until, heartbeat_at, heartbeat, outcome, ...plain } = row;
  return {
    ...plain,
    ...attemptKey(row),
    ...contractIds(row),
    ...MODE,
    attempt_number: attempt,
    status: outcome === undefined ? "running" : STATUS_OF[outcome.kind],
    by_running_pk: outcome === undefined ? runningPartition(row) : undefined,
    lease_owner: owner,
    lease_expires_at: until,
    last_heartbeat_at: heartbeat_at,
    heartbeat: heartbeat === undefined ? undefined : JSON.stringify(heartbeat),
    outcome: outcome === undefined ? undefined : JSON.stringify(outcome),
  };
}

function attemptOf(item: Item): AttemptRow {
  const { attempt_number, lease_owner, lease_expires_at, last_heartbeat_at } = item;
  const { heartbeat, outcome, ...plain } = item;
  const row = {
    ...plain,
    attempt: attempt_number,
    owner: lease_owner,
    until: lease_expires_at,
    ...(last_heartbeat_at === undefined ? {} : { heartbeat_at: last_heartbeat_at }),
    ...(heartbeat === undefined ? {} : { heartbeat: parsedJson(heartbeat) }),
    ...(outcome === undefined ? {} : { outcome: parsedJson(outcome) }),
  };
  return recordOf(attemptSchema, row, "a row of activity_attempts");
}

/**
 * What each function may do to tables and payloads: the calls that the adapters make for its engine,
 * and no others. A refused condition is followed by a read where the old item is not in the answer,
 * so whoever writes under conditions may also get.
 */
import {
  ATTEMPTS_RUNNING,
  type IndexLayout,
  RUNS_BY_CHECK,
  RUNS_BY_COUNT,
  RUNS_BY_START,
  RUNS_BY_STATUS,
  RUNS_BY_TYPE,
  type TableName,
} from "../sdk/adapters/dynamodb/layout.ts";
import type { FunctionName } from "../sdk/core/test-points.ts";

export interface StorageAccess {
  /** DynamoDB's actions, without the prefix, on the table itself. */
  readonly tables: Readonly<Partial<Record<TableName, readonly string[]>>>;
  /** The indexes that it queries. */
  readonly indexes: Readonly<Partial<Record<TableName, readonly IndexLayout[]>>>;
  /** S3's actions, without the prefix, on the payloads. */
  readonly payloads: readonly string[];
}

export const STORAGE_ACCESS: Readonly<Record<FunctionName, StorageAccess>> = {
  api: {
    tables: {
      workflow_runs: ["GetItem", "PutItem", "Query", "UpdateItem"],
      history_events: ["GetItem", "PutItem", "Query"],
      activity_executions: ["BatchWriteItem"],
      activity_attempts: ["BatchWriteItem", "Query"],
    },
    indexes: {
      workflow_runs: [RUNS_BY_START, RUNS_BY_STATUS, RUNS_BY_TYPE, RUNS_BY_COUNT],
      activity_attempts: [ATTEMPTS_RUNNING],
    },
    payloads: ["GetObject", "PutObject"],
  },
  "workflow-task": {
    tables: {
      workflow_runs: ["GetItem", "UpdateItem"],
      history_events: ["GetItem", "PutItem", "Query"],
      activity_executions: ["BatchWriteItem"],
      activity_attempts: ["BatchWriteItem", "GetItem", "UpdateItem"],
      timers: ["PutItem"],
    },
    indexes: {},
    payloads: ["GetObject", "PutObject"],
  },
  "activity-task": {
    tables: { activity_attempts: ["GetItem", "PutItem", "UpdateItem"] },
    indexes: {},
    payloads: ["GetObject", "PutObject"],
  },
  sweeper: {
    tables: {
      workflow_runs: ["GetItem", "PutItem", "UpdateItem"],
      history_events: ["Query"],
      activity_attempts: ["Query"],
      timers: ["DeleteItem", "Query"],
    },
    indexes: { workflow_runs: [RUNS_BY_CHECK, RUNS_BY_COUNT] },
    payloads: ["GetObject"],
  },
};

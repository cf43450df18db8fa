/** Every limit of the platform and of the services under it, with its unit and its source. */

/** Bytes of one encoded value, each way (M-01, design section 4). */
export const PAYLOAD_BYTES_MAX = 2_097_152;
/** Bytes of a value that stays inside the log or a message; a larger one becomes a blob. */
export const PAYLOAD_INLINE_BYTES_MAX = 8_192;
/** Levels of nesting of a value. */
export const JSON_DEPTH_MAX = 128;
/** Bytes of a batch's events that stay inside the item; DynamoDB's items end at 400 KB. */
export const BATCH_INLINE_BYTES_MAX = 300_000;
/** Bytes of a request body of the API: one value and its envelope, escaped at worst (API Gateway ends at 10 MB). */
export const REQUEST_BYTES_MAX = 6_000_000;
/** Characters of a workflow id, a request id, a signal name or id, a type name. */
export const ID_LENGTH_MAX = 256;
/** Local activity bodies that one workflow task runs at the same time (design section 3). */
export const LOCAL_BODIES_MAX = 100;
/** Milliseconds of a local attempt above which a warning says that it is slow (E-09). */
export const LOCAL_WARN_MS = 1_000;
/** Milliseconds without the event loop above which a warning names the activities that ran (B-17). */
export const LOOP_BLOCKED_WARN_MS = 200;
/** Milliseconds of a lease (design section 1): how soon a crash is noticed. */
export const LEASE_MS = 30_000;
/** The shortest lease that can be set: renewals at its half, and its reserve, must fit into it. */
export const LEASE_MS_MIN = 2_000;
/** Milliseconds added to a lease before it counts as expired: at least twice the clocks' skew (R5). */
export const LEASE_MARGIN_MS = 3_000;
/** Milliseconds before the end of a lease in which its owner starts nothing and appends nothing (R14). */
export const LEASE_RESERVE_MS = 1_000;
/** Milliseconds between two looks at the tail while bodies run (R14). */
export const TAIL_POLL_MS = 1_500;
/** Milliseconds that an invocation keeps back for its own last writes (reliability 5, row 11). */
export const INVOCATION_RESERVE_MS = 7_000;
/** Milliseconds that SQS can delay a message: 15 minutes. */
export const QUEUE_DELAY_MS_MAX = 900_000;
/** Messages of one SQS batch call. */
export const QUEUE_BATCH_MAX = 10;
/** Milliseconds of a start that may wait before the sweeper sends it again (R12). */
export const PENDING_START_MS = 10_000;
/** Milliseconds until an open run is looked at for the first time by the sweeper; doubles up to the maximum. */
export const CHECK_MS_FIRST = 60_000;
export const CHECK_MS_MAX = 21_600_000;
/** Milliseconds that one API call waits for a result; API Gateway ends at 29 s. */
export const RESULT_WAIT_MS_MAX = 20_000;
/** Milliseconds between two durable heartbeats of an attempt when they are not awaited (D7). */
export const HEARTBEAT_COALESCE_MS = 1_000;
/** Bytes of a heartbeat's details. */
export const HEARTBEAT_BYTES_MAX = 65_536;
/** Events of one run; above it the run fails with a named limit (L11). */
export const HISTORY_EVENTS_MAX = 50_000;
/** Activities and timers of one run that are open at the same time. */
export const PENDING_ACTIVITIES_MAX = 2_000;
/** Signals of one run that workflow code has not taken. */
export const PENDING_SIGNALS_MAX = 5_000;
/**
 * Milliseconds for which a mark to be counted stands at least: a run that starts or goes on within
 * them is counted without a further write. The operator's metrics read what is marked.
 */
export const COUNT_MS = 120_000;
/** Workflow ids that one step of the sweeper moves into the totals. */
export const FOLDS_MAX = 100;
/** Marked workflow ids of one shard that a request for metrics reads. */
export const METRICS_MARKS_MAX = 500;
/** Claims of one shard that a request for metrics counts. */
export const METRICS_CLAIMS_MAX = 1_000;
/** Deliveries of a message before it goes to the dead-letter queue (R13). */
export const RECEIVES_MAX = 20;
/** Shards of the indexes that would otherwise be one hot key. */
export const INDEX_SHARDS = 8;
/** Events on one page of a history or a timeline. */
export const HISTORY_PAGE_MAX = 1_000;
export const HISTORY_PAGE_DEFAULT = 500;
/** Runs on one page of a list. */
export const LIST_PAGE_MAX = 100;
/** Suspended instances that a warm process keeps. */
export const CACHED_RUNS_MAX = 200;
/** Attempts of an activity when its policy says nothing (design section 4). */
export const DEFAULT_MAX_ATTEMPTS = 3;
/** Blobs that one read of a log fetches at the same time. */
export const BLOB_READS_MAX = 8;
/** Milliseconds that the guard of a request id is kept: 90 days, far beyond any client's repetition. */
export const GUARD_RETENTION_MS = 7_776_000_000;
/** Pages of one shard that one list call reads when its filter drops almost everything. */
export const LIST_SHARD_PAGES_MAX = 10;
/** Items of one BatchWriteItem call of DynamoDB. */
export const WRITE_BATCH_MAX = 25;
/** Tries of the unsuccessful part of a batch call before the call counts as failed. */
export const BATCH_TRIES_MAX = 6;
/** Milliseconds before the first of these tries; doubles, with jitter. */
export const BATCH_RETRY_MS = 50;
/** Bytes of all bodies of one SendMessageBatch call, and of one body: 1 MiB. */
export const QUEUE_BYTES_MAX = 262_144;
/** Milliseconds that a received message can stay invisible: 12 hours. */
export const VISIBILITY_MS_MAX = 43_200_000;

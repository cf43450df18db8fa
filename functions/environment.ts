/**
 * The environment variables of every function: one file, imported by the functions, the CDK
 * construct and the embedded stack, so that no name stands twice.
 */
export const ENV = {
  namespace: "PAWL_NAMESPACE",
  /** Table names. */
  runsTable: "PAWL_RUNS_TABLE",
  historyTable: "PAWL_HISTORY_TABLE",
  executionsTable: "PAWL_EXECUTIONS_TABLE",
  attemptsTable: "PAWL_ATTEMPTS_TABLE",
  timersTable: "PAWL_TIMERS_TABLE",
  payloadBucket: "PAWL_PAYLOAD_BUCKET",
  /** Queue URLs. */
  workflowQueueUrl: "PAWL_WORKFLOW_QUEUE_URL",
  /** JSON object: activity queue name to queue URL. Always has "default". */
  activityQueueUrls: "PAWL_ACTIVITY_QUEUE_URLS",
  /** JSON object: dead-letter queue URL to the URL of the queue it belongs to (sweeper only). */
  deadLetterQueueUrls: "PAWL_DEAD_LETTER_QUEUE_URLS",
  /** Name or ARN of the workflow-task function (api only). */
  workflowFunction: "PAWL_WORKFLOW_FUNCTION",
  /** Optional: milliseconds of a workflow task's lease, from 2,000; how soon a crash is noticed. */
  leaseMs: "PAWL_LEASE_MS",
  /** Optional: local activity bodies that one workflow task runs at the same time, from 1; default 100. */
  localConcurrency: "PAWL_LOCAL_CONCURRENCY",
  /**
   * Only on a stack whose processes end together: the name of its present start. Workers of an earlier
   * one are dead, so nobody waits for their claims to run out.
   */
  boot: "PAWL_BOOT",
  /** The version of the deployed package, for cluster info. */
  version: "PAWL_VERSION",
} as const;

/** What a user of the construct can set. Flat, readonly, with defaults that are safe in production. */
import type { Duration, RemovalPolicy } from "aws-cdk-lib";
import type * as kms from "aws-cdk-lib/aws-kms";
import type * as lambda from "aws-cdk-lib/aws-lambda";
import type * as logs from "aws-cdk-lib/aws-logs";
import type * as s3 from "aws-cdk-lib/aws-s3";
import type * as sns from "aws-cdk-lib/aws-sns";

export interface PawlProps {
  /**
   * The module whose exports are the workflows and activities: a path to a .ts or .js file, relative
   * to the folder of cdk.json.
   */
  readonly entry: string;
  /**
   * The first part of every key in the tables. It cannot change once there are workflows.
   * @default "default"
   */
  readonly namespace?: string;
  /**
   * What happens to tables, bucket and logs when the stack is deleted.
   * @default RemovalPolicy.RETAIN
   */
  readonly removalPolicy?: RemovalPolicy;
  /**
   * Whether DynamoDB refuses to delete the tables.
   * @default true, unless the removal policy is DESTROY
   */
  readonly deletionProtection?: boolean;
  /**
   * Whether the tables can be restored to any second of the last 35 days.
   * @default true
   */
  readonly pointInTimeRecovery?: boolean;
  /**
   * A KMS key for tables, payload bucket and queues.
   * @default - keys that DynamoDB, S3 and SQS own
   */
  readonly encryptionKey?: kms.IKey;
  /**
   * Where S3 writes who read which payload. Its policy gets a statement, so it must be of this app.
   * @default - a bucket that keeps 90 days
   */
  readonly accessLogsBucket?: s3.IBucket;
  /**
   * Requests to the API: above it callers get status 429.
   * @default - 500 a second, bursts of 1,000
   */
  readonly throttling?: PawlThrottling;
  /**
   * The lease of a workflow task that runs local activities: a crash is noticed soon after its end.
   * Two seconds at least.
   * @default Duration.seconds(30)
   */
  readonly lease?: Duration;
  /**
   * Local activity bodies that one workflow task runs at the same time, 1 to 1,000; the others wait.
   * @default 100
   */
  readonly localConcurrency?: number;
  /**
   * How long logs of functions and API are kept.
   * @default logs.RetentionDays.ONE_MONTH
   */
  readonly logRetention?: logs.RetentionDays;
  /**
   * Told by every alarm: a message in a dead-letter queue, a queue that is nearly full.
   * @default - alarms have no action
   */
  readonly alarmTopic?: sns.ITopic;
  /**
   * Whether functions and API write X-Ray traces.
   * @default true
   */
  readonly tracing?: boolean;
  /**
   * Whether GET /api/health needs no signature, so that a load balancer or an uptime check can ask.
   * Every other method is signed, always.
   * @default true
   */
  readonly publicHealth?: boolean;
  /** @default lambda.Architecture.ARM_64 */
  readonly architecture?: lambda.Architecture;
  /**
   * Environment variables of the functions that run user code: workflow tasks and activities.
   * @default - none
   */
  readonly environment?: { readonly [name: string]: string };
  /**
   * How long one workflow task may run, its local activities included; at most 15 minutes.
   * @default Duration.seconds(120)
   */
  readonly workflowTimeout?: Duration;
  /**
   * Megabytes; Lambda gives one full core at 1,769.
   * @default 1024
   */
  readonly workflowMemorySize?: number;
  /**
   * Workflow tasks that run at the same time, 2 to 1,000. The queue keeps the rest.
   * @default - as many as the account's concurrency allows
   */
  readonly workflowMaxConcurrency?: number;
  /**
   * Concurrency that is kept for workflow tasks and taken from the rest of the account.
   * @default - none
   */
  readonly workflowReservedConcurrency?: number;
  /** @default 512 */
  readonly apiMemorySize?: number;
  /** @default 512 */
  readonly sweeperMemorySize?: number;
  /**
   * Activity queues by name, beside `default`, which always exists; under the name `default` are the
   * options of that one. More can be added with `addActivityQueue`.
   * @default - the default queue with default options
   */
  readonly queues?: { readonly [name: string]: ActivityQueueOptions };
}

export interface PawlThrottling {
  /** Requests a second, on average. */
  readonly rateLimit: number;
  /** Requests at the same moment. */
  readonly burstLimit: number;
}

export interface ActivityQueueOptions {
  /**
   * How long one invocation may run: the longest activity and a few seconds. At most 15 minutes.
   * @default Duration.minutes(15)
   */
  readonly timeout?: Duration;
  /**
   * Megabytes; Lambda gives one full core at 1,769.
   * @default 1024
   */
  readonly memorySize?: number;
  /**
   * Invocations of this queue's function at the same time, 2 to 1,000: what protects the service
   * behind the activities.
   * @default - as many as the account's concurrency allows
   */
  readonly maxConcurrency?: number;
  /**
   * Activities that one invocation takes at most, 1 to 10. With 1 a crash ends one attempt only.
   * @default 1
   */
  readonly batchSize?: number;
  /**
   * Concurrency that is kept for this queue and taken from the rest of the account.
   * @default - none
   */
  readonly reservedConcurrency?: number;
  /**
   * Environment variables of this queue's function, beside those of the construct.
   * @default - none
   */
  readonly environment?: { readonly [name: string]: string };
}

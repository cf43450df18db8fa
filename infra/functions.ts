/**
 * One Lambda function with a role and a log group of its own. A role lists exact actions on exact
 * ARNs (reliability S11); it starts with its own log group only, and who builds it adds the rest.
 */
import { Duration, type RemovalPolicy, Stack } from "aws-cdk-lib";
import * as iam from "aws-cdk-lib/aws-iam";
import type * as kms from "aws-cdk-lib/aws-kms";
import * as lambda from "aws-cdk-lib/aws-lambda";
import * as logs from "aws-cdk-lib/aws-logs";
import type * as sqs from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";
import { TABLES, type TableName } from "../sdk/adapters/dynamodb/layout.ts";
import { QUEUE_BATCH_MAX } from "../sdk/core/limits.ts";
import type { FunctionName } from "../sdk/core/test-points.ts";
import { acknowledge } from "./acknowledge.ts";
import { functionCode, HANDLER } from "./code.ts";
import { cfnBucketOf, indexArns, type Storage } from "./storage.ts";

/** What all functions of one deployment share. */
export interface FunctionDefaults {
  readonly entry: string;
  readonly storage: Storage;
  readonly architecture: lambda.Architecture;
  readonly logRetention: logs.RetentionDays;
  readonly removalPolicy: RemovalPolicy;
  readonly tracing: boolean;
  readonly encryptionKey?: kms.IKey | undefined;
}

export interface FunctionSize {
  readonly memorySize: number;
  readonly timeout: Duration;
  readonly reservedConcurrency?: number | undefined;
}

export interface PawlFunctionProps extends FunctionSize {
  readonly code: FunctionName;
  readonly defaults: FunctionDefaults;
  readonly environment: Readonly<Record<string, string>>;
  readonly description: string;
  /** For events of asynchronous invocations. The sweeper has them; a stray one elsewhere is kept too. */
  readonly deadLetterQueue: sqs.Queue;
}

/** Newest of those that Lambda offers and `engines` of the package allows. */
const RUNTIME = lambda.Runtime.NODEJS_24_X;

type TableActions = Readonly<Partial<Record<TableName, readonly string[]>>>;

/** What each function does to each table: the calls of the adapters that its engine uses. */
const TABLE_ACTIONS: Readonly<Record<FunctionName, TableActions>> = {
  api: {
    workflow_runs: ["GetItem", "PutItem", "UpdateItem", "Query"],
    history_events: ["PutItem", "Query"],
    activity_attempts: ["Query"],
  },
  "workflow-task": {
    workflow_runs: ["GetItem", "PutItem", "UpdateItem"],
    history_events: ["PutItem", "Query"],
    activity_executions: ["BatchWriteItem"],
    activity_attempts: ["BatchWriteItem", "GetItem", "PutItem", "Query", "UpdateItem"],
    timers: ["PutItem"],
  },
  "activity-task": {
    activity_attempts: ["GetItem", "PutItem", "UpdateItem"],
    timers: ["PutItem"],
  },
  sweeper: {
    workflow_runs: ["GetItem", "UpdateItem", "Query"],
    history_events: ["Query"],
    activity_attempts: ["GetItem", "PutItem", "Query", "UpdateItem"],
    timers: ["DeleteItem", "PutItem", "Query"],
  },
};

export class PawlFunction extends Construct {
  readonly function: lambda.Function;
  readonly role: iam.Role;
  readonly logGroup: logs.LogGroup;

  constructor(scope: Construct, id: string, props: PawlFunctionProps) {
    super(scope, id);
    const { defaults } = props;
    this.logGroup = new logs.LogGroup(this, "Logs", {
      retention: defaults.logRetention,
      removalPolicy: defaults.removalPolicy,
    });
    this.role = new iam.Role(this, "Role", {
      assumedBy: new iam.ServicePrincipal("lambda.amazonaws.com"),
      description: props.description,
    });
    // Not AWSLambdaBasicExecutionRole: that managed policy writes to every log group.
    this.allow(["logs:CreateLogStream", "logs:PutLogEvents"], [this.logGroup.logGroupArn]);
    this.allowStorage(props.code, defaults);
    this.function = new lambda.Function(this, "Function", {
      runtime: RUNTIME,
      architecture: defaults.architecture,
      handler: HANDLER,
      code: functionCode(props.code, defaults.entry),
      role: this.role,
      logGroup: this.logGroup,
      loggingFormat: lambda.LoggingFormat.JSON,
      tracing: defaults.tracing ? lambda.Tracing.ACTIVE : lambda.Tracing.DISABLED,
      memorySize: props.memorySize,
      timeout: props.timeout,
      description: props.description,
      environment: { ...props.environment, NODE_OPTIONS: "--enable-source-maps" },
      // A workflow is a chain function, queue, function: Lambda would stop it after 16 hops and move
      // its message to the dead-letter queue. The engine has bounds of its own: receives of a message,
      // events of a run, attempts of an activity (core/limits.ts). LocalStack does not show this.
      ...(props.code === "api" ? {} : { recursiveLoop: lambda.RecursiveLoop.ALLOW }),
      ...(props.reservedConcurrency === undefined
        ? {}
        : { reservedConcurrentExecutions: props.reservedConcurrency }),
      deadLetterQueue: props.deadLetterQueue,
    });
    if (defaults.tracing) acknowledge(this.role, "AwsSolutions-IAM5[Resource::*]", TRACING_REASON);
  }

  allow(actions: readonly string[], resources: readonly string[]): void {
    this.role.addToPrincipalPolicy(
      new iam.PolicyStatement({ actions: [...actions], resources: [...resources] }),
    );
  }

  allowSend(queues: readonly sqs.IQueue[]): void {
    this.allow(
      ["sqs:SendMessage"],
      queues.map((queue) => queue.queueArn),
    );
  }

  /** Also for handing a message back with a delay: ChangeMessageVisibility. */
  allowReceive(queues: readonly sqs.IQueue[]): void {
    this.allow(
      [
        "sqs:ChangeMessageVisibility",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
        "sqs:ReceiveMessage",
      ],
      queues.map((queue) => queue.queueArn),
    );
  }

  /** Reads a queue in batches; a message that is not named as failed is deleted (reliability 5, row 9). */
  consume(queue: sqs.IQueue, options: ConsumeOptions): void {
    this.allowReceive([queue]);
    const mapping = new lambda.EventSourceMapping(this, "Source", {
      target: this.function,
      eventSourceArn: queue.queueArn,
      batchSize: options.batchSize ?? QUEUE_BATCH_MAX,
      maxBatchingWindow: Duration.seconds(0),
      reportBatchItemFailures: true,
      ...(options.maxConcurrency === undefined ? {} : { maxConcurrency: options.maxConcurrency }),
    });
    acknowledge(mapping, "Serverless-LambdaEventSourceMappingDestination", SQS_SOURCE_REASON);
  }

  private allowStorage(name: FunctionName, defaults: FunctionDefaults): void {
    const { tables, payloadBucket } = defaults.storage;
    const byName: Readonly<Record<TableName, (typeof tables)["timers"]>> = {
      workflow_runs: tables.workflowRuns,
      history_events: tables.historyEvents,
      activity_executions: tables.activityExecutions,
      activity_attempts: tables.activityAttempts,
      timers: tables.timers,
    };
    for (const { name: tableName } of Object.values(TABLES)) {
      const actions = TABLE_ACTIONS[name][tableName];
      if (actions === undefined) continue;
      const table = byName[tableName];
      this.allow(
        actions.map((action) => `dynamodb:${action}`),
        [table.tableArn],
      );
      const indexes = indexArns(tableName, table);
      if (actions.includes("Query") && indexes.length > 0) this.allow(["dynamodb:Query"], indexes);
    }
    this.allow(["s3:GetObject", "s3:PutObject"], [payloadBucket.arnForObjects("*")]);
    const bucketId = Stack.of(this).getLogicalId(cfnBucketOf(payloadBucket));
    acknowledge(this.role, `AwsSolutions-IAM5[Resource::<${bucketId}.Arn>/*]`, OBJECTS_REASON);
    // Grants in the key's own policy as well, where that is needed, and names no `kms:ReEncrypt*`.
    defaults.encryptionKey?.grant(
      this.role,
      "kms:Decrypt",
      "kms:DescribeKey",
      "kms:Encrypt",
      "kms:GenerateDataKey",
      "kms:ReEncryptFrom",
      "kms:ReEncryptTo",
    );
  }
}

export interface ConsumeOptions {
  readonly batchSize?: number | undefined;
  readonly maxConcurrency?: number | undefined;
}

const TRACING_REASON =
  "X-Ray's PutTraceSegments and PutTelemetryRecords know no resources: AWS demands the wildcard.";
const OBJECTS_REASON =
  "Payload keys are made at run time; the wildcard covers the objects of this one bucket only.";
const SQS_SOURCE_REASON =
  "Lambda takes no failure destination for an SQS source: the queue has a dead-letter queue itself.";

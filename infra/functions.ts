/**
 * One Lambda function with a role and a log group of its own. A role lists exact actions on exact
 * ARNs (reliability S11); it starts with its own log group only, and who builds it adds the rest.
 */
import { Duration, type RemovalPolicy, Stack } from "aws-cdk-lib";
import type * as dynamodb from "aws-cdk-lib/aws-dynamodb";
import * as iam from "aws-cdk-lib/aws-iam";
import type * as kms from "aws-cdk-lib/aws-kms";
import * as lambda from "aws-cdk-lib/aws-lambda";
import * as logs from "aws-cdk-lib/aws-logs";
import type * as sqs from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";
import { TABLES, type TableName } from "../sdk/adapters/dynamodb/layout.ts";
import { QUEUE_BATCH_MAX } from "../sdk/core/limits.ts";
import type { FunctionName } from "../sdk/core/test-points.ts";
import { STORAGE_ACCESS } from "./access.ts";
import { acknowledge } from "./acknowledge.ts";
import { functionCode, HANDLER } from "./code.ts";
import { cfnBucketOf, type Storage } from "./storage.ts";

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

  allowSend(queue: sqs.IQueue): void {
    this.allow(["sqs:SendMessage"], [queue.queueArn]);
  }

  /** To take messages out by hand, as the sweeper does with dead letters. */
  allowTake(queue: sqs.IQueue): void {
    this.allow(["sqs:DeleteMessage", "sqs:ReceiveMessage"], [queue.queueArn]);
  }

  /** Reads a queue in batches; a message that is not named as failed is deleted (reliability 5, row 9). */
  consume(queue: sqs.IQueue, options: ConsumeOptions): void {
    // The event source needs all but the last, which hands a message back with a delay.
    this.allow(
      [
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
        "sqs:ReceiveMessage",
        "sqs:ChangeMessageVisibility",
      ],
      [queue.queueArn],
    );
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
    const byName: Readonly<Record<TableName, dynamodb.Table>> = {
      workflow_runs: tables.workflowRuns,
      history_events: tables.historyEvents,
      activity_executions: tables.activityExecutions,
      activity_attempts: tables.activityAttempts,
      timers: tables.timers,
    };
    const access = STORAGE_ACCESS[name];
    for (const { name: table } of Object.values(TABLES)) {
      const actions = access.tables[table];
      if (actions === undefined) continue;
      this.allow(
        actions.map((action) => `dynamodb:${action}`),
        [byName[table].tableArn],
      );
    }
    const indexArns = Object.values(TABLES).flatMap(({ name: table }) =>
      (access.indexes[table] ?? []).map((index) => `${byName[table].tableArn}/index/${index.name}`),
    );
    if (indexArns.length > 0) this.allow(["dynamodb:Query"], indexArns);
    this.allow(
      access.payloads.map((action) => `s3:${action}`),
      [payloadBucket.arnForObjects("*")],
    );
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

/**
 * What must outlive every deployment: the five tables of sdk/adapters/dynamodb/layout.ts and the
 * bucket of large payloads. Construct ids and key schemas are a contract: changing one replaces a
 * table (reliability section 5, row 24), so test/infra holds a snapshot of them.
 */
import { Duration, type RemovalPolicy, Stack, Tags } from "aws-cdk-lib";
import * as dynamodb from "aws-cdk-lib/aws-dynamodb";
import * as iam from "aws-cdk-lib/aws-iam";
import type * as kms from "aws-cdk-lib/aws-kms";
import * as s3 from "aws-cdk-lib/aws-s3";
import { Construct } from "constructs";
import {
  PARTITION_KEY,
  SORT_KEY,
  TABLES,
  type TableLayout,
  type TableName,
} from "../sdk/adapters/dynamodb/layout.ts";

export interface StorageProps {
  readonly removalPolicy: RemovalPolicy;
  readonly deletionProtection: boolean;
  readonly pointInTimeRecovery: boolean;
  readonly encryptionKey?: kms.IKey | undefined;
  readonly accessLogsBucket?: s3.IBucket | undefined;
}

/** The tables by their names in the layout. */
export interface PawlTables {
  readonly workflowRuns: dynamodb.Table;
  readonly historyEvents: dynamodb.Table;
  readonly activityExecutions: dynamodb.Table;
  readonly activityAttempts: dynamodb.Table;
  readonly timers: dynamodb.Table;
}

const ACCESS_LOGS_DAYS = 90;
const UNFINISHED_UPLOAD_DAYS = 7;

export class Storage extends Construct {
  readonly tables: PawlTables;
  readonly payloadBucket: s3.Bucket;

  constructor(scope: Construct, id: string, props: StorageProps) {
    super(scope, id);
    const table = (name: TableName): dynamodb.Table => createTable(this, TABLES[name], props);
    this.tables = {
      workflowRuns: table("workflow_runs"),
      historyEvents: table("history_events"),
      activityExecutions: table("activity_executions"),
      activityAttempts: table("activity_attempts"),
      timers: table("timers"),
    };
    this.payloadBucket = createPayloadBucket(this, props);
  }
}

export function cfnBucketOf(bucket: s3.Bucket): s3.CfnBucket {
  const resource = bucket.node.defaultChild;
  if (!(resource instanceof s3.CfnBucket)) throw new Error(`${bucket.node.path} has no CfnBucket`);
  return resource;
}

/**
 * Not a global table: the log's conditional write is the fence against zombies, and replication
 * between regions, where the last writer wins, would remove it.
 */
function createTable(scope: Construct, layout: TableLayout, props: StorageProps): dynamodb.Table {
  const table = new dynamodb.Table(scope, layout.name, {
    partitionKey: { name: PARTITION_KEY, type: dynamodb.AttributeType.STRING },
    sortKey: { name: SORT_KEY, type: attributeType(layout.sortKeyType) },
    billingMode: dynamodb.BillingMode.PAY_PER_REQUEST,
    encryption:
      props.encryptionKey === undefined
        ? dynamodb.TableEncryption.DEFAULT
        : dynamodb.TableEncryption.CUSTOMER_MANAGED,
    ...(props.encryptionKey === undefined ? {} : { encryptionKey: props.encryptionKey }),
    pointInTimeRecoverySpecification: {
      pointInTimeRecoveryEnabled: props.pointInTimeRecovery,
    },
    deletionProtection: props.deletionProtection,
    removalPolicy: props.removalPolicy,
    ...(layout.ttlAttribute === undefined ? {} : { timeToLiveAttribute: layout.ttlAttribute }),
  });
  for (const index of layout.indexes) {
    table.addGlobalSecondaryIndex({
      indexName: index.name,
      partitionKey: { name: index.partitionKey, type: dynamodb.AttributeType.STRING },
      sortKey: { name: index.sortKey, type: attributeType(index.sortKeyType) },
      projectionType:
        index.keysOnly === true ? dynamodb.ProjectionType.KEYS_ONLY : dynamodb.ProjectionType.ALL,
    });
  }
  // Physical names are CloudFormation's, so that a retained table never blocks a new deployment;
  // the tag tells an operator which table of the layout this is.
  Tags.of(table).add("pawl:table", layout.name);
  return table;
}

function attributeType(type: "S" | "N"): dynamodb.AttributeType {
  return type === "S" ? dynamodb.AttributeType.STRING : dynamodb.AttributeType.NUMBER;
}

function createPayloadBucket(scope: Construct, props: StorageProps): s3.Bucket {
  const bucket = new s3.Bucket(scope, "Payloads", {
    blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL,
    objectOwnership: s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
    enforceSSL: true,
    ...(props.encryptionKey === undefined
      ? { encryption: s3.BucketEncryption.S3_MANAGED }
      : {
          encryption: s3.BucketEncryption.KMS,
          encryptionKey: props.encryptionKey,
          bucketKeyEnabled: true,
        }),
    lifecycleRules: [
      { abortIncompleteMultipartUploadAfter: Duration.days(UNFINISHED_UPLOAD_DAYS) },
    ],
    removalPolicy: props.removalPolicy,
  });
  if (props.accessLogsBucket === undefined) logAccess(bucket, createAccessLogsBucket(scope, props));
  else logAccess(bucket, props.accessLogsBucket);
  return bucket;
}

function createAccessLogsBucket(scope: Construct, props: StorageProps): s3.Bucket {
  return new s3.Bucket(scope, "AccessLogs", {
    blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL,
    objectOwnership: s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
    enforceSSL: true,
    // The log delivery service writes only into buckets with S3's own keys.
    encryption: s3.BucketEncryption.S3_MANAGED,
    lifecycleRules: [{ expiration: Duration.days(ACCESS_LOGS_DAYS) }],
    removalPolicy: props.removalPolicy,
  });
}

/** What is needed of the bucket; `s3.Bucket` and `s3.IBucket` disagree under exactOptionalPropertyTypes. */
type AccessLogs = Pick<s3.IBucket, "addToResourcePolicy" | "arnForObjects" | "bucketName">;

/**
 * Written out, because `serverAccessLogsBucket` grants by ACL or by policy depending on a feature
 * flag of the app, and a bucket with enforced ownership refuses the ACL.
 */
function logAccess(bucket: s3.Bucket, logs: AccessLogs): void {
  logs.addToResourcePolicy(
    new iam.PolicyStatement({
      principals: [new iam.ServicePrincipal("logging.s3.amazonaws.com")],
      actions: ["s3:PutObject"],
      resources: [logs.arnForObjects("payloads/*")],
      conditions: {
        ArnLike: { "aws:SourceArn": bucket.bucketArn },
        StringEquals: { "aws:SourceAccount": Stack.of(bucket).account },
      },
    }),
  );
  cfnBucketOf(bucket).loggingConfiguration = {
    destinationBucketName: logs.bucketName,
    logFilePrefix: "payloads/",
  };
}

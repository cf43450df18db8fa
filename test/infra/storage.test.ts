import { RemovalPolicy } from "aws-cdk-lib";
import * as kms from "aws-cdk-lib/aws-kms";
import { describe, expect, test } from "vitest";
import { PARTITION_KEY, SORT_KEY, TABLES } from "../../sdk/adapters/dynamodb/layout.ts";
import { type Resource, resources, statementsOf, synthesize, target } from "./synthesize.ts";

const { template } = synthesize();
const tables = resources(template, "AWS::DynamoDB::Table");
const buckets = resources(template, "AWS::S3::Bucket");

const tableName = ({ properties }: Resource): string =>
  properties["Tags"].find((tag: { Key: string }) => tag.Key === "pawl:table").Value;

describe("tables", () => {
  test("are those of the layout, with its keys and indexes (A-04, S-09)", () => {
    const found = tables.map((table) => ({
      name: tableName(table),
      keys: table.properties["KeySchema"].map(
        (key: { AttributeName: string }) => key.AttributeName,
      ),
      indexes: (table.properties["GlobalSecondaryIndexes"] ?? []).map(
        (index: { IndexName: string; KeySchema: readonly { AttributeName: string }[] }) => [
          index.IndexName,
          ...index.KeySchema.map((key) => key.AttributeName),
        ],
      ),
      ttl: table.properties["TimeToLiveSpecification"]?.AttributeName,
    }));
    const expected = Object.values(TABLES).map((layout) => ({
      name: layout.name,
      keys: [PARTITION_KEY, SORT_KEY],
      indexes: layout.indexes.map(({ name, partitionKey, sortKey }) => [
        name,
        partitionKey,
        sortKey,
      ]),
      ttl: "ttlAttribute" in layout ? layout.ttlAttribute : undefined,
    }));
    expect(new Set(found)).toEqual(new Set(expected));
  });

  test("declare the types that the layout gives to their attributes", () => {
    const runs = tables.find((table) => tableName(table) === "workflow_runs");
    const history = tables.find((table) => tableName(table) === "history_events");
    expect(runs?.properties["AttributeDefinitions"]).toContainEqual({
      AttributeName: "started_at",
      AttributeType: "N",
    });
    expect(history?.properties["AttributeDefinitions"]).toEqual([
      { AttributeName: "pk", AttributeType: "S" },
      { AttributeName: "sk", AttributeType: "N" },
    ]);
  });

  test("are kept when the stack goes, protected, backed up and paid by request (S13)", () => {
    expect(tables).toHaveLength(5);
    for (const { properties, deletionPolicy, updateReplacePolicy } of tables) {
      expect(deletionPolicy).toBe("Retain");
      expect(updateReplacePolicy).toBe("Retain");
      expect(properties["DeletionProtectionEnabled"]).toBe(true);
      expect(properties["BillingMode"]).toBe("PAY_PER_REQUEST");
      expect(properties["PointInTimeRecoverySpecification"]).toEqual({
        PointInTimeRecoveryEnabled: true,
      });
    }
  });

  test("keep their logical ids, names and keys, so that no upgrade replaces one (S13)", () => {
    const contract = tables.map(({ id, properties }) => ({
      id,
      name: properties["TableName"] ?? "generated",
      keys: properties["KeySchema"],
      indexes: properties["GlobalSecondaryIndexes"] ?? [],
    }));
    expect(contract).toMatchSnapshot("tables");
    expect(
      buckets.map(({ id, properties }) => [id, properties["BucketName"] ?? "generated"]),
    ).toMatchSnapshot("buckets");
    expect(resources(template, "AWS::SQS::Queue").map(({ id }) => id)).toMatchSnapshot("queues");
  });
});

describe("the payload bucket", () => {
  test("is kept, private, encrypted, and logs who reads it", () => {
    expect(buckets).toHaveLength(2);
    for (const { properties, deletionPolicy, updateReplacePolicy } of buckets) {
      expect(deletionPolicy).toBe("Retain");
      expect(updateReplacePolicy).toBe("Retain");
      expect(properties["PublicAccessBlockConfiguration"]).toEqual({
        BlockPublicAcls: true,
        BlockPublicPolicy: true,
        IgnorePublicAcls: true,
        RestrictPublicBuckets: true,
      });
      expect(properties["BucketEncryption"]).toBeDefined();
      expect(properties["OwnershipControls"].Rules).toEqual([
        { ObjectOwnership: "BucketOwnerEnforced" },
      ]);
    }
    const payloads = buckets.find(({ id }) => id.includes("Payloads"));
    const logs = buckets.find(({ id }) => id.includes("AccessLogs"));
    expect(target(payloads?.properties["LoggingConfiguration"].DestinationBucketName)).toBe(
      logs?.id,
    );
  });

  test("refuses requests without TLS, as does the bucket of its logs", () => {
    const policies = resources(template, "AWS::S3::BucketPolicy");
    const refusing = policies.filter(({ properties }) =>
      properties["PolicyDocument"].Statement.some(
        (statement: { Effect: string; Condition?: { Bool?: Record<string, string> } }) =>
          statement.Effect === "Deny" &&
          statement.Condition?.Bool?.["aws:SecureTransport"] === "false",
      ),
    );
    expect(refusing.map(({ properties }) => target(properties["Bucket"])).sort()).toEqual(
      buckets.map(({ id }) => id).sort(),
    );
  });
});

describe("options", () => {
  test("removalPolicy DESTROY lets tables and buckets go, and ends the protection with it", () => {
    const { template: destroyed } = synthesize(() => ({
      removalPolicy: RemovalPolicy.DESTROY,
    }));
    const stateful = ["AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::Logs::LogGroup"];
    for (const { deletionPolicy } of stateful.flatMap((type) => resources(destroyed, type))) {
      expect(deletionPolicy).toBe("Delete");
    }
    for (const { properties } of resources(destroyed, "AWS::DynamoDB::Table")) {
      expect(properties["DeletionProtectionEnabled"]).toBe(false);
    }
    // A custom resource that empties the bucket would be code of somebody else in the account.
    expect(Object.keys(destroyed.findResources("Custom::S3AutoDeleteObjects"))).toEqual([]);
  });

  test("encryptionKey encrypts tables, payloads and queues; roles may use it, without wildcards", () => {
    const { template: encrypted } = synthesize((stack) => ({
      encryptionKey: new kms.Key(stack, "Key", { enableKeyRotation: true }),
    }));
    const [key] = resources(encrypted, "AWS::KMS::Key");
    for (const { properties } of resources(encrypted, "AWS::DynamoDB::Table")) {
      expect(target(properties["SSESpecification"].KMSMasterKeyId)).toBe(key?.id);
    }
    const payloads = resources(encrypted, "AWS::S3::Bucket").find(({ id }) => /Payloads/.test(id));
    const [rule] = payloads?.properties["BucketEncryption"].ServerSideEncryptionConfiguration ?? [];
    expect(target(rule.ServerSideEncryptionByDefault.KMSMasterKeyID)).toBe(key?.id);
    const queues = resources(encrypted, "AWS::SQS::Queue").filter(({ id }) => !/Events/.test(id));
    expect(queues).toHaveLength(4);
    for (const { properties } of queues) expect(target(properties["KmsMasterKeyId"])).toBe(key?.id);
    for (const role of ["ApiHandler", "WorkflowTask", "defaultWorker", "Sweeper"]) {
      const onKey = statementsOf(encrypted, role).filter(({ actions }) =>
        actions.some((action) => action.startsWith("kms:")),
      );
      expect(onKey).toHaveLength(1);
      expect(onKey[0]?.resources.map(target)).toEqual([key?.id]);
      expect(onKey[0]?.actions.filter((action) => action.includes("*"))).toEqual([]);
    }
  });
});

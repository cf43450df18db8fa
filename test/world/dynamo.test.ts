/** What FakeDynamo refuses where emulators are more lenient than the service, or where it ends. */
import {
  BatchGetCommand,
  DeleteCommand,
  PutCommand,
  QueryCommand,
  ScanCommand,
  UpdateCommand,
} from "@aws-sdk/lib-dynamodb";
import { beforeEach, describe, expect, test } from "vitest";
import { TABLES } from "../../sdk/adapters/dynamodb/layout.ts";
import { FakeDynamo } from "../../sdk/testing/world/dynamo.ts";
import { isReserved } from "../../sdk/testing/world/reserved-words.ts";

const TableName = "workflow_runs";
const Key = { pk: "p", sk: "s" };
let dynamo: FakeDynamo;

beforeEach(async () => {
  dynamo = new FakeDynamo({
    tables: Object.values(TABLES),
    now: () => 0,
    removeUndefinedValues: false,
  });
  await dynamo.send(new PutCommand({ TableName, Item: { ...Key, a: 1, list: [1] } }));
});

const conditional = (ConditionExpression: string, values?: Record<string, unknown>) =>
  dynamo.send(
    new DeleteCommand({
      TableName,
      Key,
      ConditionExpression,
      ...(values === undefined ? {} : { ExpressionAttributeValues: values }),
    }),
  );
const query = (more: object) =>
  dynamo.send(
    new QueryCommand({
      TableName,
      KeyConditionExpression: "pk = :p",
      ExpressionAttributeValues: { ":p": "p" },
      ...more,
    }),
  );

describe("FakeDynamo", () => {
  test.each([
    [
      "an empty partition key in a key condition",
      () => query({ ExpressionAttributeValues: { ":p": "" } }),
    ],
    [
      "a number for a text key in a key condition",
      () => query({ ExpressionAttributeValues: { ":p": 1 } }),
    ],
    ["a start key of another partition", () => query({ ExclusiveStartKey: { pk: "q", sk: "s" } })],
    ["an order of booleans", () => conditional("a < :v", { ":v": true })],
    ["an attribute compared with itself", () => conditional("a = a")],
    ["a reserved word as a name", () => conditional("attribute_exists(sequence)")],
  ])("refuses %s, as the service does", async (_what, call) => {
    await expect(call()).rejects.toMatchObject({ name: "ValidationException" });
  });

  test.each([
    ["a path into a document", () => conditional("list[0] = :v", { ":v": 1 })],
    ["a nested name", () => conditional("a.b = :v", { ":v": 1 })],
    ["size()", () => conditional("size(a) = :v", { ":v": 1 })],
    ["contains()", () => conditional("contains(a, :v)", { ":v": 1 })],
    ["IN", () => conditional("a IN (:v)", { ":v": 1 })],
    ["a scan", () => dynamo.send(new ScanCommand({ TableName }))],
    ["a batch of reads", () => dynamo.send(new BatchGetCommand({ RequestItems: {} }))],
    ["a parameter that it does not know", () => query({ ReturnConsumedCapacity: "TOTAL" })],
    [
      "a set",
      () => dynamo.send(new PutCommand({ TableName, Item: { ...Key, s: new Set(["a"]) } })),
    ],
  ])("fails loudly at %s, which it does not imitate", async (_what, call) => {
    await expect(call()).rejects.toMatchObject({ name: "UnsupportedByFake" });
  });

  test("refuses undefined as the document client does unless it is told to drop it", async () => {
    const item = { ...Key, gone: undefined };
    await expect(dynamo.send(new PutCommand({ TableName, Item: item }))).rejects.toThrow(
      "removeUndefinedValues",
    );
  });

  test("answers the old item of a refused condition in DynamoDB's own form", async () => {
    const command = new PutCommand({
      TableName,
      Item: Key,
      ConditionExpression: "attribute_not_exists(pk)",
      ReturnValuesOnConditionCheckFailure: "ALL_OLD",
    });
    await expect(dynamo.send(command)).rejects.toMatchObject({
      name: "ConditionalCheckFailedException",
      Item: { pk: { S: "p" }, a: { N: "1" }, list: { L: [{ N: "1" }] } },
    });
  });

  test("answers no attributes of an item that an update has created", async () => {
    const answer = await dynamo.send(
      new UpdateCommand({
        TableName,
        Key: { pk: "p", sk: "new" },
        UpdateExpression: "SET a = :a",
        ExpressionAttributeValues: { ":a": 1 },
        ReturnValues: "ALL_OLD",
      }),
    );
    expect(answer.Attributes).toBeUndefined();
  });

  test("gives copies: what a caller changes afterwards does not reach the table", async () => {
    const first = await query({});
    const [item] = first.Items ?? [];
    if (item !== undefined) item["a"] = "changed";
    expect((await query({})).Items?.[0]?.["a"]).toBe(1);
  });

  test("knows DynamoDB's reserved words in any case", () => {
    expect(["STATUS", "status", "Owner", "until", "ttl"].map(isReserved)).toEqual(
      Array.from({ length: 5 }, () => true),
    );
    expect(isReserved("workflow_id")).toBe(false);
  });
});

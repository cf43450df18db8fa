/** Commands that the service refuses, and some at the very border of what it takes. */
import {
  BatchWriteCommand,
  DeleteCommand,
  GetCommand,
  PutCommand,
  QueryCommand,
  UpdateCommand,
} from "@aws-sdk/lib-dynamodb";
import { TABLES } from "../../sdk/adapters/dynamodb/layout.ts";
import type { Command } from "./dynamo-stream.ts";

type Item = Record<string, unknown>;
const RUNS = TABLES.workflow_runs.name;

export function badCommands({
  table,
  key,
  partition,
  value,
}: {
  readonly table: string;
  readonly key: Item;
  readonly partition: string;
  readonly value: unknown;
}): readonly (() => Command)[] {
  const query = (input: Item): Command =>
    new QueryCommand({
      TableName: RUNS,
      KeyConditionExpression: "pk = :p",
      ExpressionAttributeValues: { ":p": partition },
      ...input,
    });
  const update = (UpdateExpression: string, more: Item = {}): Command =>
    new UpdateCommand({ TableName: table, Key: key, UpdateExpression, ...more });
  const put = (item: Item, more: Item = {}): Command =>
    new PutCommand({
      TableName: RUNS,
      Item: { pk: partition, sk: "s", ...item },
      ...more,
    });
  const conditional = (ConditionExpression: string, more: Item = {}): Command =>
    put({}, { ConditionExpression, ...more });
  const values = { ExpressionAttributeValues: { ":v": value, ":n": 1 } };
  return [
    () => put({ pk: "" }),
    () => put({ sk: "" }),
    () => put({ sk: 5 }),
    () => put({ pk: 5 }),
    () => put({ pk: "k".repeat(2_049) }),
    () => put({ sk: "k".repeat(1_025) }),
    () => put({ sk: "k".repeat(1_024) }),
    () => put({ by_start_pk: 7 }),
    () => put({ by_start_pk: "" }),
    () => put({ by_start_pk: "p", started_at: "text" }),
    () => new PutCommand({ TableName: RUNS, Item: { pk: "p" } }),
    () => new PutCommand({ TableName: "no_such_table", Item: key }),
    () => new GetCommand({ TableName: table, Key: { pk: "p" } }),
    () => new GetCommand({ TableName: table, Key: { ...key, a: 1 } }),
    () => new GetCommand({ TableName: "no_such_table", Key: key }),
    () => new DeleteCommand({ TableName: RUNS, Key: { pk: "p", sk: 1 } }),
    () => query({ IndexName: "no_such_index" }),
    () => query({ Limit: 0 }),
    () => query({ KeyConditionExpression: "sk = :p" }),
    () => query({ KeyConditionExpression: "pk > :p" }),
    () => query({ KeyConditionExpression: "pk = :p AND a = :p" }),
    () => query({ KeyConditionExpression: "pk = :p AND sk <> :p" }),
    () => query({ KeyConditionExpression: "pk = :p OR sk = :p" }),
    () => query({ FilterExpression: "sk = :p" }),
    () => query({ FilterExpression: "attribute_exists(a" }),
    () => query({ ExclusiveStartKey: { pk: "p" } }),
    () =>
      query({
        IndexName: "by_start",
        ConsistentRead: true,
        KeyConditionExpression: "by_start_pk = :p",
      }),
    () => update("SET pk = :v", values),
    () => update("SET a = :v"),
    () => update("SET a = :v, a = :n", values),
    () => update("SET a = :v SET b = :n", values),
    () => update("SET a :v", values),
    () => update("SET a = a + :v", { ExpressionAttributeValues: { ":v": "text" } }),
    () => update("ADD a :v", { ExpressionAttributeValues: { ":v": "text" } }),
    () => update("REMOVE a,"),
    () => update("PUT a = :v", values),
    () => update(""),
    () => update("SET status = :v", { ExpressionAttributeValues: { ":v": 1 } }),
    () => update("SET a = :v", { ExpressionAttributeValues: { ":v": 1, ":unused": 2 } }),
    () =>
      update("SET a = :v", {
        ExpressionAttributeValues: { ":v": 1 },
        ExpressionAttributeNames: { "#x": "x" },
      }),
    () => conditional(""),
    () => conditional("attribute_exists(#x)"),
    () => conditional("a = :v"),
    () => conditional("a = = :v", values),
    () => conditional("a = :v AND", { ExpressionAttributeValues: { ":v": 1 } }),
    () => conditional("(a = :v", { ExpressionAttributeValues: { ":v": 1 } }),
    () => conditional("nonsense(a)"),
    () => conditional("attribute_exists(:v)", { ExpressionAttributeValues: { ":v": 1 } }),
    () => conditional("begins_with(a, :v)", { ExpressionAttributeValues: { ":v": 1 } }),
    () => conditional("a BETWEEN :v AND :w", { ExpressionAttributeValues: { ":v": 2, ":w": 1 } }),
    () => conditional("attribute_exists(owner)"),
    () => conditional("attribute_exists(a)", { ExpressionAttributeNames: {} }),
    () => put({}, { ExpressionAttributeValues: { ":v": 1 } }),
    () => put({}, { ReturnValues: "ALL_NEW" }),
    () => put({ d: "x".repeat(409_601) }),
    () => update("SET d = :v", { ExpressionAttributeValues: { ":v": "x".repeat(409_601) } }),
    () => put({ d: deep(34) }),
    () => put({ d: 1e-140 }),
    () => put({ d: Number.NaN }),
    () => put({ d: 2 ** 60 }),
    () =>
      new BatchWriteCommand({
        RequestItems: {
          [table]: [{ DeleteRequest: { Key: key } }, { DeleteRequest: { Key: key } }],
        },
      }),
    () =>
      new BatchWriteCommand({
        RequestItems: {
          [RUNS]: Array.from({ length: 26 }, (_, index) => ({
            DeleteRequest: { Key: { pk: "p", sk: String(index) } },
          })),
        },
      }),
  ];
}

function deep(levels: number): unknown {
  return levels === 0 ? 1 : [deep(levels - 1)];
}

/**
 * FakeDynamo against a real emulator, answer by answer. Where an emulator is more lenient than the
 * service (an empty or wrongly typed partition key in a key condition, `a < true`, `a = a`, a start
 * key of another partition, ReturnValues ALL_OLD of an item that did not exist), the fake follows the
 * service and the stream does not go there.
 */
import { isDeepStrictEqual } from "node:util";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { DynamoDBDocumentClient, PutCommand, QueryCommand } from "@aws-sdk/lib-dynamodb";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createTables } from "../../sdk/adapters/dynamodb/create-tables.ts";
import { TABLES } from "../../sdk/adapters/dynamodb/layout.ts";
import type { DynamoClient } from "../../sdk/adapters/dynamodb/table.ts";
import { type DynamoDb, startDynamoDb } from "../../sdk/dev/embedded/dynamodb.ts";
import { FakeDynamo } from "../../sdk/testing/world/dynamo.ts";
import { Lane } from "./dynamo-stream.ts";

const OPERATIONS = 20_000;
const AUTHORIZATION =
  "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0";
/** Lanes share no partition, so they may run at the same time. */
const LANES = 16;

interface Answer {
  readonly error?: string;
  readonly output: Readonly<Record<string, unknown>>;
}

let emulator: DynamoDb;
let base: DynamoDBClient;
let real: DynamoClient;

beforeAll(async () => {
  emulator = await startDynamoDb(undefined);
  base = new DynamoDBClient({
    endpoint: emulator.endpoint,
    region: "us-east-1",
    credentials: { accessKeyId: "test", secretAccessKey: "test" },
    maxAttempts: 1,
    // The emulator wants a signature and checks none; making 20,000 real ones takes seconds.
    httpAuthSchemeProvider: () => [{ schemeId: "smithy.api#noAuth" }],
    httpAuthSchemes: [
      {
        schemeId: "smithy.api#noAuth",
        identityProvider: () => async () => ({}),
        signer: {
          sign: async (request) => {
            request.headers["authorization"] = AUTHORIZATION;
            request.headers["x-amz-date"] = "20260101T000000Z";
            return request;
          },
        },
      },
    ],
  });
  real = DynamoDBDocumentClient.from(base, { marshallOptions: { removeUndefinedValues: true } });
  await createTables(base, {
    workflow_runs: "workflow_runs",
    history_events: "history_events",
    activity_executions: "activity_executions",
    activity_attempts: "activity_attempts",
    timers: "timers",
  });
});

afterAll(async () => {
  base?.destroy();
  await emulator?.stop();
});

describe("FakeDynamo", () => {
  test("answers 20,000 random commands as an emulator does, error names included", async () => {
    const fake = new FakeDynamo({
      tables: Object.values(TABLES),
      now: () => 0,
      removeUndefinedValues: true,
    });
    const seen = new Map<string, number>();
    const lanes = Array.from({ length: LANES }, (_, index) => new Lane(`lane${index}`));
    await Promise.all(
      lanes.map(async (lane) => {
        for (let count = 0; count < OPERATIONS / LANES; count++) {
          const command = lane.next();
          const expected = await answerOf(real.send(command));
          const answer = await answerOf(fake.send(command));
          if (!isDeepStrictEqual(answer, expected))
            expect({ command: command.input, answer }).toEqual({
              command: command.input,
              answer: expected,
            });
          lane.saw(command, lastKeyOf(answer));
          const kind = `${command.constructor.name} ${answer.error ?? "ok"}`;
          seen.set(kind, (seen.get(kind) ?? 0) + 1);
        }
      }),
    );
    // A stream that no longer reaches one of these would compare nothing.
    const kinds = [
      "PutCommand ok",
      "PutCommand ConditionalCheckFailedException",
      "PutCommand ValidationException",
      "PutCommand ResourceNotFoundException",
      "UpdateCommand ok",
      "UpdateCommand ConditionalCheckFailedException",
      "UpdateCommand ValidationException",
      "DeleteCommand ConditionalCheckFailedException",
      "GetCommand ok",
      "QueryCommand ok",
      "QueryCommand ValidationException",
      "BatchWriteCommand ok",
      "BatchWriteCommand ValidationException",
    ];
    expect(kinds.filter((kind) => (seen.get(kind) ?? 0) < 5)).toEqual([]);
  }, 60_000);

  test("cuts pages of a query at 1 MB where the emulator does, table and index alike", async () => {
    const fake = new FakeDynamo({
      tables: Object.values(TABLES),
      now: () => 0,
      removeUndefinedValues: true,
    });
    for (let count = 0; count < 12; count++) {
      const item = {
        pk: "big",
        sk: String(count).padStart(3, "0"),
        by_start_pk: "big",
        started_at: 100 - count,
        text: "x".repeat(150_000 + 1_000 * count),
      };
      const command = new PutCommand({ TableName: "workflow_runs", Item: item });
      await Promise.all([real.send(command), fake.send(command)]);
    }
    for (const index of [undefined, "by_start"]) {
      let from: Record<string, unknown> | undefined;
      let pages = 0;
      do {
        const command = new QueryCommand({
          TableName: "workflow_runs",
          KeyConditionExpression: "#p = :p",
          ExpressionAttributeNames: { "#p": index === undefined ? "pk" : "by_start_pk" },
          ExpressionAttributeValues: { ":p": "big" },
          ...(index === undefined ? {} : { IndexName: index }),
          ...(from === undefined ? {} : { ExclusiveStartKey: from }),
        });
        const [expected, answer] = [await real.send(command), await fake.send(command)];
        expect(answer.Items?.map(({ sk }) => sk)).toEqual(expected.Items?.map(({ sk }) => sk));
        expect(answer.LastEvaluatedKey).toEqual(expected.LastEvaluatedKey);
        from = answer.LastEvaluatedKey;
        pages += 1;
      } while (from !== undefined);
      expect(pages).toBe(2);
    }
  });
});

async function answerOf(sent: Promise<object>): Promise<Answer> {
  try {
    const output = Object.entries(await sent).filter(
      ([name, value]) => name !== "$metadata" && value !== undefined,
    );
    return { output: Object.fromEntries(output) };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return { error: error.name, output: "Item" in error ? { Item: error.Item } : {} };
  }
}

function lastKeyOf({ output }: Answer): Record<string, unknown> | undefined {
  const key = output["LastEvaluatedKey"];
  return typeof key === "object" && key !== null ? { ...key } : undefined;
}

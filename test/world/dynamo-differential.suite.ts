/**
 * FakeDynamo against a real emulator, answer by answer. Where an emulator is more lenient than the
 * service (an empty or wrongly typed partition key in a key condition, `a < true`, `a = a`, a start
 * key of another partition, ReturnValues ALL_OLD of an item that did not exist), the fake follows the
 * service and the stream does not go there.
 */
import { isDeepStrictEqual } from "node:util";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import {
  DynamoDBDocumentClient,
  PutCommand,
  QueryCommand,
  UpdateCommand,
} from "@aws-sdk/lib-dynamodb";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createTables } from "../../sdk/adapters/dynamodb/create-tables.ts";
import { TABLES } from "../../sdk/adapters/dynamodb/layout.ts";
import type { DynamoClient } from "../../sdk/adapters/dynamodb/table.ts";
import { FakeDynamo } from "../../sdk/testing/world/dynamo.ts";
import { type Command, Lane } from "./dynamo-stream.ts";

const OPERATIONS = 20_000;
const AUTHORIZATION =
  "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0";
/** Lanes share no partition, so they may run at the same time. */
const LANES = 16;

export interface EmulatorTarget {
  readonly name: string;
  /** The address of an emulator without tables of the layout's names. */
  endpoint(): Promise<string>;
  stop?(): Promise<void>;
  /** True for DynamoDB Local, which differs from its service in the ways that {@link LOCAL_WAYS} names. */
  readonly isDynamoDbLocal?: boolean;
}

/**
 * Where DynamoDB Local 2.6.1 goes another way, and nowhere else:
 * - every answer tells the consumed capacity, also when nobody asked for it;
 * - a page that ends with the last item that the key condition can match has no LastEvaluatedKey, where
 *   the service gives one whenever the limit was reached; the page behind it is empty;
 * - `if_not_exists(c, b)` is refused when there is no `b`, even if there is a `c`: the stream takes a
 *   value in the place of `b`;
 * - a sum keeps its trailing zero in the item of a refused condition: "10.0" for 8.5 and 1.5;
 * - a page of 1 MB includes the item that goes beyond it.
 */
const LOCAL_WAYS = {
  unasked: "ConsumedCapacity",
  operand: { attribute: "if_not_exists(c, b)", value: "if_not_exists(c, :n)" },
} as const;

interface Answer {
  readonly error?: string;
  readonly output: Readonly<Record<string, unknown>>;
}

export function answersAlike(target: EmulatorTarget): void {
  describe(`FakeDynamo and ${target.name}`, () => {
    let base: DynamoDBClient;
    let real: DynamoClient;

    beforeAll(async () => {
      base = clientOf(await target.endpoint());
      real = DynamoDBDocumentClient.from(base, {
        marshallOptions: { removeUndefinedValues: true },
      });
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
      await target.stop?.();
    });

    test("answer 20,000 random commands alike, error names included", async () => {
      const seen = await compareStream(target, real, createFake());
      // A stream that no longer reaches one of these would compare nothing.
      expect(KINDS.filter((kind) => (seen.get(kind) ?? 0) < 5)).toEqual([]);
    }, 240_000);

    test("cut pages of a query at 1 MB at the same places, table and index alike", async () => {
      const fake = createFake();
      await writeLargeItems(real, fake);
      for (const index of [undefined, "by_start"])
        expect(await comparePages({ target, real, fake }, index)).toBe(2);
    });
  });
}

/** Answers that the stream has to bring about. */
const KINDS = [
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

function clientOf(endpoint: string): DynamoDBClient {
  return new DynamoDBClient({
    endpoint,
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
}

function createFake(): FakeDynamo {
  return new FakeDynamo({
    tables: Object.values(TABLES),
    now: () => 0,
    removeUndefinedValues: true,
  });
}

/** Answers how often each kind of answer was given. */
async function compareStream(
  target: EmulatorTarget,
  real: DynamoClient,
  fake: FakeDynamo,
): Promise<ReadonlyMap<string, number>> {
  const seen = new Map<string, number>();
  const lanes = Array.from({ length: LANES }, (_, index) => new Lane(`lane${index}`));
  await Promise.all(
    lanes.map(async (lane) => {
      for (let count = 0; count < OPERATIONS / LANES; count++) {
        const command = lane.next();
        if (target.isDynamoDbLocal === true) avoidMissingOperand(command);
        const answered = await answerOf(real.send(command));
        const expected = target.isDynamoDbLocal === true ? withPlainNumbers(answered) : answered;
        const answer = await answerOf(fake.send(command));
        if (
          !isDeepStrictEqual(answer, expected) &&
          !(target.isDynamoDbLocal === true && (await isLocalWay(fake, command, answer, expected)))
        )
          expect({ command: command.input, answer }).toEqual({
            command: command.input,
            answer: expected,
          });
        lane.saw(command, lastKeyOf(expected));
        const kind = `${command.constructor.name} ${answer.error ?? "ok"}`;
        seen.set(kind, (seen.get(kind) ?? 0) + 1);
      }
    }),
  );
  return seen;
}

function avoidMissingOperand(command: Command): void {
  if (!(command instanceof UpdateCommand)) return;
  const { attribute, value } = LOCAL_WAYS.operand;
  command.input.UpdateExpression = command.input.UpdateExpression?.replace(attribute, value);
}

function withPlainNumbers(answer: Answer): Answer {
  const { Item: item } = answer.output;
  return answer.error === undefined || item === undefined
    ? answer
    : { ...answer, output: { Item: plain(item) } };
}

/** An item of the wire format, where numbers are text. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => [
      key,
      key === "N" && typeof one === "string" ? String(Number(one)) : plain(one),
    ]),
  );
}

/** Equal but for a key that leads nowhere. */
async function isLocalWay(
  fake: FakeDynamo,
  command: Command,
  answer: Answer,
  expected: Answer,
): Promise<boolean> {
  const from = lastKeyOf(answer);
  if (!(command instanceof QueryCommand) || from === undefined) return false;
  const { LastEvaluatedKey: _, ...output } = answer.output;
  if (!isDeepStrictEqual({ ...answer, output }, expected)) return false;
  const next = await fake.send(new QueryCommand({ ...command.input, ExclusiveStartKey: from }));
  return next.ScannedCount === 0;
}

async function writeLargeItems(real: DynamoClient, fake: FakeDynamo): Promise<void> {
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
}

/** Follows one query to its end on both sides; answers its pages. */
async function comparePages(
  {
    target,
    real,
    fake,
  }: {
    readonly target: EmulatorTarget;
    readonly real: DynamoClient;
    readonly fake: FakeDynamo;
  },
  index: string | undefined,
): Promise<number> {
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
    const [theirs, ours] = [expected, answer].map(({ Items = [] }) => Items.map(({ sk }) => sk));
    const isOneMore = target.isDynamoDbLocal === true && answer.LastEvaluatedKey !== undefined;
    expect(ours).toEqual(isOneMore ? theirs?.slice(0, -1) : theirs);
    if (!isOneMore) expect(answer.LastEvaluatedKey).toEqual(expected.LastEvaluatedKey);
    from = expected.LastEvaluatedKey;
    pages += 1;
  } while (from !== undefined);
  return pages;
}

async function answerOf(sent: Promise<object>): Promise<Answer> {
  try {
    const output = Object.entries(await sent).filter(
      ([name, value]) => name !== "$metadata" && name !== LOCAL_WAYS.unasked && value !== undefined,
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

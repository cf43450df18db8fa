/**
 * One DynamoDB table as the adapters use it: conditional writes whose refusal is a value, and reads
 * that take every page. The grammar of the expressions is in `layout.ts`.
 *
 * In expressions `#name` always stands for the attribute `name`, so names are never listed by hand.
 */
import {
  type BatchWriteCommand,
  DeleteCommand,
  GetCommand,
  PutCommand,
  QueryCommand,
  UpdateCommand,
} from "@aws-sdk/lib-dynamodb";
import { invariant } from "../../core/errors.ts";
import { calling, faultName } from "../faults.ts";
import { PARTITION_KEY, SORT_KEY } from "./layout.ts";

export type Item = Readonly<Record<string, unknown>>;

export type DynamoCommand =
  | PutCommand
  | GetCommand
  | QueryCommand
  | UpdateCommand
  | DeleteCommand
  | BatchWriteCommand;

/** The parts of the commands' outputs that the adapters read. */
export interface DynamoOutput {
  readonly Item?: Record<string, unknown> | undefined;
  readonly Items?: readonly Record<string, unknown>[] | undefined;
  readonly Attributes?: Record<string, unknown> | undefined;
  readonly LastEvaluatedKey?: Record<string, unknown> | undefined;
  readonly UnprocessedItems?: Readonly<Record<string, readonly unknown[]>> | undefined;
}

/** What the adapters need of `DynamoDBDocumentClient`; fakes stand here. */
export interface DynamoClient {
  send(command: DynamoCommand): Promise<DynamoOutput>;
}

export interface Table {
  readonly client: DynamoClient;
  readonly name: string;
}

export interface ItemKey {
  readonly pk: string;
  readonly sk: string | number;
}

/** What became of a conditional write; a refused one answers the item that stands in the way. */
export type Written =
  | { readonly kind: "written"; readonly item: Item | undefined }
  | { readonly kind: "refused"; readonly item: Item | undefined };

export interface Condition {
  readonly expression: string;
  /** By the names in the expression, without the colon. */
  readonly values?: Item;
}

export interface Change {
  /** Attributes to set; one that is undefined is left alone. */
  readonly set?: Item;
  /** Attributes to set only where they do not exist. */
  readonly setIfAbsent?: Item;
  readonly remove?: readonly string[];
  readonly condition: Condition;
}

/** Nothing stands at this key: the first writer wins, whoever comes later is told who it was. */
export const ABSENT: Condition = { expression: "attribute_not_exists(#pk)" };

export async function putItem(table: Table, item: Item, condition?: Condition): Promise<Written> {
  const key = keyOf(item);
  return write(table, key, "PutItem", async () => {
    await table.client.send(
      new PutCommand({
        TableName: table.name,
        Item: defined(item),
        ...(condition === undefined ? {} : conditionInput(condition)),
      }),
    );
    return undefined;
  });
}

/** Changes an item; the answer of a written change is the whole item after it. */
export async function updateItem(table: Table, key: ItemKey, change: Change): Promise<Written> {
  const { expression, values } = changeInput(change);
  const condition = change.condition.expression;
  return write(table, key, "UpdateItem", async () => {
    const output = await table.client.send(
      new UpdateCommand({
        TableName: table.name,
        Key: { ...key },
        UpdateExpression: expression,
        ConditionExpression: condition,
        ExpressionAttributeNames: namesIn(expression, condition),
        ...valuesInput(values),
        ReturnValues: "ALL_NEW",
        ReturnValuesOnConditionCheckFailure: "ALL_OLD",
      }),
    );
    return output.Attributes;
  });
}

export async function deleteItem(
  table: Table,
  key: ItemKey,
  condition?: Condition,
): Promise<Written> {
  return write(table, key, "DeleteItem", async () => {
    await table.client.send(
      new DeleteCommand({
        TableName: table.name,
        Key: { ...key },
        ...(condition === undefined ? {} : conditionInput(condition)),
      }),
    );
    return undefined;
  });
}

/** One item, strongly consistent. */
export async function getItem(table: Table, key: ItemKey): Promise<Item | undefined> {
  const output = await calling(`DynamoDB GetItem on ${table.name}`, () =>
    table.client.send(
      new GetCommand({ TableName: table.name, Key: { ...key }, ConsistentRead: true }),
    ),
  );
  return output.Item;
}

export interface Query {
  /** The name of an index; its reads are eventually consistent, those of the table strongly. */
  readonly index?: string;
  readonly keys: string;
  readonly filter?: string;
  readonly values: Item;
  /** Newest first. Default false. */
  readonly descending?: boolean;
  /** Items that one page looks at, before the filter. */
  readonly limit?: number;
  readonly after?: Item | undefined;
}

export interface Page {
  readonly items: readonly Item[];
  /** Where the next page begins; undefined on the last one. */
  readonly next: Item | undefined;
}

export async function queryPage(table: Table, query: Query): Promise<Page> {
  const { index, keys, filter, limit, after } = query;
  const output = await calling(`DynamoDB Query on ${table.name}`, () =>
    table.client.send(
      new QueryCommand({
        TableName: table.name,
        KeyConditionExpression: keys,
        ExpressionAttributeNames: namesIn(keys, filter ?? ""),
        ExpressionAttributeValues: withColons(query.values),
        ScanIndexForward: query.descending !== true,
        ...(index === undefined ? { ConsistentRead: true } : { IndexName: index }),
        ...(filter === undefined ? {} : { FilterExpression: filter }),
        ...(limit === undefined ? {} : { Limit: limit }),
        ...(after === undefined ? {} : { ExclusiveStartKey: { ...after } }),
      }),
    ),
  );
  return { items: output.Items ?? [], next: output.LastEvaluatedKey };
}

/** All items of a query. Ends because every page begins behind the one before. */
export async function queryAll(table: Table, query: Query): Promise<readonly Item[]> {
  const items: Item[] = [];
  let after: Item | undefined = query.after;
  do {
    const page = await queryPage(table, { ...query, after });
    items.push(...page.items);
    after = page.next;
  } while (after !== undefined);
  return items;
}

/**
 * A refused condition is an answer, and what stands in the way is part of it (R9). Not every
 * emulator returns the old item of a refused condition: then one consistent read fetches it.
 */
async function write(
  table: Table,
  key: ItemKey,
  operation: string,
  send: () => Promise<Item | undefined>,
): Promise<Written> {
  const written = await calling(
    `DynamoDB ${operation} on ${table.name}`,
    async (): Promise<Written> => {
      try {
        return { kind: "written", item: await send() };
      } catch (error) {
        if (faultName(error) !== "ConditionalCheckFailedException") throw error;
        return { kind: "refused", item: oldItem(error) };
      }
    },
  );
  if (written.kind === "written" || written.item !== undefined) return written;
  return { kind: "refused", item: await getItem(table, key) };
}

/** The document client leaves the item of an exception in DynamoDB's own form: `{ pk: { S: "a" } }`. */
function oldItem(error: unknown): Item | undefined {
  if (!(error instanceof Error) || !("Item" in error)) return undefined;
  return isRecord(error.Item) ? plainRecord(error.Item) : undefined;
}

function plainRecord(values: Item): Item {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, plain(value)]));
}

function plain(value: unknown): unknown {
  invariant(isRecord(value), "an attribute value of DynamoDB is not an object");
  if (typeof value["S"] === "string" || typeof value["BOOL"] === "boolean")
    return value["S"] ?? value["BOOL"];
  if (typeof value["N"] === "string") return Number(value["N"]);
  if (isRecord(value["M"])) return plainRecord(value["M"]);
  if (Array.isArray(value["L"])) return value["L"].map(plain);
  invariant(
    value["NULL"] === true,
    "an attribute value of DynamoDB has a type Pawl does not write",
  );
  return null;
}

function isRecord(value: unknown): value is Item {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function keyOf(item: Item): ItemKey {
  const pk = item[PARTITION_KEY];
  const sk = item[SORT_KEY];
  const isKey = typeof pk === "string" && (typeof sk === "string" || typeof sk === "number");
  invariant(isKey, "an item for DynamoDB has no key");
  return { pk, sk };
}

function conditionInput(condition: Condition) {
  return {
    ConditionExpression: condition.expression,
    ExpressionAttributeNames: namesIn(condition.expression),
    ...valuesInput(condition.values ?? {}),
    ReturnValuesOnConditionCheckFailure: "ALL_OLD",
  } as const;
}

function changeInput(change: Change): { readonly expression: string; readonly values: Item } {
  const set = defined(change.set ?? {});
  const setIfAbsent = defined(change.setIfAbsent ?? {});
  const assignments = [
    ...Object.keys(set).map((name) => `#${name} = :${name}`),
    ...Object.keys(setIfAbsent).map((name) => `#${name} = if_not_exists(#${name}, :${name})`),
  ];
  const removals = (change.remove ?? []).map((name) => `#${name}`);
  const clauses = [
    ...(assignments.length === 0 ? [] : [`SET ${assignments.join(", ")}`]),
    ...(removals.length === 0 ? [] : [`REMOVE ${removals.join(", ")}`]),
  ];
  return {
    expression: clauses.join(" "),
    values: { ...set, ...setIfAbsent, ...change.condition.values },
  };
}

/** DynamoDB refuses an empty map of values. */
function valuesInput(values: Item) {
  return Object.keys(values).length === 0 ? {} : { ExpressionAttributeValues: withColons(values) };
}

function withColons(values: Item): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [`:${name}`, value]));
}

/** `#name` is the attribute `name` in every expression; DynamoDB refuses names that are not used. */
function namesIn(...expressions: readonly string[]): Record<string, string> {
  const found = expressions.join(" ").matchAll(/#(\w+)/g);
  return Object.fromEntries(Array.from(found, ([placeholder, name = ""]) => [placeholder, name]));
}

function defined(item: Item): Record<string, unknown> {
  return Object.fromEntries(Object.entries(item).filter(([, value]) => value !== undefined));
}

/**
 * A fake DynamoDB at the level of the document client's `send(command)`: what the adapters rely on,
 * with the service's refusals under the service's error names. Anything that it does not imitate
 * fails loudly ({@link UnsupportedByFake}); `test/world/dynamo-differential.test.ts` compares it
 * with a real emulator.
 */
import { ConditionalCheckFailedException } from "@aws-sdk/client-dynamodb";
import type { TableLayout } from "../../adapters/dynamodb/layout.ts";
import { METADATA, serviceError, validationError } from "./aws-errors.ts";
import { planQuery } from "./dynamo-query.ts";
import { checkIndexKeys, type Key, keyOf, Table } from "./dynamo-table.ts";
import { applyUpdate, holds, updatedNames } from "./expression.ts";
import {
  type Condition,
  parseCondition,
  parseProjection,
  parseUpdate,
  type Update,
} from "./expression-syntax.ts";
import { type Command, checkParameters, commandName, UnsupportedByFake } from "./gate.ts";
import {
  checkNesting,
  copyItem,
  ITEM_BYTES_MAX,
  type Item,
  itemBytes,
  readItem,
  toAttributeValues,
} from "./item.ts";
import { Placeholders } from "./placeholders.ts";

const BATCH_WRITES_MAX = 25;
const ACTIONS = {
  PutCommand: "PutItem",
  GetCommand: "GetItem",
  QueryCommand: "Query",
  UpdateCommand: "UpdateItem",
  DeleteCommand: "DeleteItem",
  BatchWriteCommand: "BatchWriteItem",
} as const;
export type DynamoAction = (typeof ACTIONS)[keyof typeof ACTIONS];

export interface DynamoOptions {
  readonly tables: readonly TableLayout[];
  readonly now: () => number;
  /** As the document client's marshallOptions. */
  readonly removeUndefinedValues: boolean;
  /** By how many milliseconds an eventually consistent read is behind; asked for each one. */
  readonly staleMs?: (table: string, index: string | undefined) => number;
  /** The largest answer of `staleMs`: earlier states are kept for so long. Default 0. */
  readonly staleMsMax?: number;
}

export interface DynamoRequest {
  readonly action: DynamoAction;
  readonly input: Input;
}

type Input = Readonly<Record<string, unknown>>;
/** The parts of the commands' outputs that are imitated. */
export interface DynamoOutput {
  readonly $metadata: object;
  readonly Item?: Record<string, unknown>;
  readonly Items?: readonly Record<string, unknown>[];
  readonly Attributes?: Record<string, unknown>;
  readonly Count?: number;
  readonly ScannedCount?: number;
  readonly LastEvaluatedKey?: Record<string, unknown>;
  readonly UnprocessedItems?: Readonly<Record<string, readonly unknown[]>>;
}

export class FakeDynamo {
  readonly #tables: ReadonlyMap<string, Table>;
  readonly #options: DynamoOptions;
  /** Called after every write; `item` is undefined when it was deleted. */
  onWrite: (table: string, item: Item | undefined) => void = () => {};

  constructor(options: DynamoOptions) {
    this.#options = options;
    this.#tables = new Map(
      options.tables.map((layout) => [layout.name, new Table(layout, options.staleMsMax ?? 0)]),
    );
  }

  /** All items of a table, for assertions and for the world's own bookkeeping. */
  items(table: string): readonly Item[] {
    return [...this.#table(table).all()];
  }

  /** Understands a command without performing it. */
  request(command: Command): DynamoRequest {
    const name = commandName(command);
    if (!isKnown(name)) throw new UnsupportedByFake(`the DynamoDB command ${name}`);
    return { action: ACTIONS[name], input: { ...command.input } };
  }

  /** Performs one request; throws the service's error. */
  perform({ action, input }: DynamoRequest): DynamoOutput {
    checkParameters(action, input, PARAMETERS[action]);
    switch (action) {
      case "PutItem":
        return this.#put(input);
      case "GetItem":
        return this.#get(input);
      case "Query":
        return this.#query(input);
      case "UpdateItem":
        return this.#update(input);
      case "DeleteItem":
        return this.#delete(input);
      case "BatchWriteItem":
        return this.#batchWrite(input);
    }
  }

  async send(command: Command): Promise<DynamoOutput> {
    return this.perform(this.request(command));
  }

  #put(input: Input): DynamoOutput {
    const table = this.#table(input["TableName"]);
    const item = this.#readItem(input["Item"]);
    const write = this.#writeRequest(input, ["NONE", "ALL_OLD"]);
    const key = keyOf(table.layout, item, false);
    checkItem(table.layout, item, "Item size has exceeded the maximum allowed size");
    const old = this.#checked(table, key, write);
    this.#set(table, key, item);
    return attributes(write.returnValues === "ALL_OLD" ? old : undefined);
  }

  #delete(input: Input): DynamoOutput {
    const table = this.#table(input["TableName"]);
    const write = this.#writeRequest(input, ["NONE", "ALL_OLD"]);
    const key = keyOf(table.layout, this.#readItem(input["Key"]), true);
    const old = this.#checked(table, key, write);
    if (old !== undefined) this.#set(table, key, undefined);
    return attributes(write.returnValues === "ALL_OLD" ? old : undefined);
  }

  #update(input: Input): DynamoOutput {
    const table = this.#table(input["TableName"]);
    const write = this.#writeRequest(input, [
      "NONE",
      "ALL_OLD",
      "ALL_NEW",
      "UPDATED_OLD",
      "UPDATED_NEW",
    ]);
    const keyItem = this.#readItem(input["Key"]);
    const key = keyOf(table.layout, keyItem, true);
    const update = write.update ?? { set: [], remove: [], add: [] };
    for (const name of updatedNames(update))
      if (name in keyItem)
        throw validationError(
          `One or more parameter values were invalid: Cannot update attribute ${name}. This attribute is part of the key`,
        );
    const old = this.#checked(table, key, write);
    const item = applyUpdate(update, old ?? keyItem);
    checkItem(table.layout, item, "Item size to update has exceeded the maximum allowed size");
    this.#set(table, key, item);
    const isOld = write.returnValues.endsWith("_OLD");
    const state = isOld ? old : item;
    if (write.returnValues === "NONE" || state === undefined) return attributes(undefined);
    return attributes(
      write.returnValues.startsWith("ALL") ? state : pick(state, updatedNames(update)),
    );
  }

  #get(input: Input): DynamoOutput {
    const table = this.#table(input["TableName"]);
    const key = keyOf(table.layout, this.#readItem(input["Key"]), true);
    const project = this.#projection(input);
    const item = table.get(key, this.#asOf(table, undefined, input));
    return {
      $metadata: METADATA,
      ...(item === undefined ? {} : { Item: copyItem(project(item)) }),
    };
  }

  #query(input: Input): DynamoOutput {
    const table = this.#table(input["TableName"]);
    const placeholders = this.#placeholders(input);
    const plan = planQuery(table, input, placeholders, (value) => this.#readItem(value));
    const project = this.#projection(input, placeholders);
    placeholders.checkAllUsed();
    const page = table.page({
      ...plan.request,
      asOf: this.#asOf(table, plan.request.schema.index, input),
    });
    const found = page.items.filter(
      (item) => plan.filter === undefined || holds(plan.filter, item),
    );
    const last = page.items.at(-1);
    return {
      $metadata: METADATA,
      Count: found.length,
      ScannedCount: page.items.length,
      ...(input["Select"] === "COUNT"
        ? {}
        : { Items: found.map((item) => copyItem(project(item))) }),
      ...(page.cut && last !== undefined
        ? { LastEvaluatedKey: copyItem(pick(last, plan.keyNames)) }
        : {}),
    };
  }

  #batchWrite(input: Input): DynamoOutput {
    const writes = batches(input).flatMap(({ table, requests }) =>
      requests.map((request) => this.#batchEntry(this.#table(table), request)),
    );
    if (writes.length === 0 || writes.length > BATCH_WRITES_MAX)
      throw validationError("1 validation error detected: a batch has 1 to 25 requests");
    const names = writes.map(({ table, key }) => JSON.stringify([table.layout.name, key]));
    if (new Set(names).size !== names.length)
      throw validationError("Provided list of item keys contains duplicates");
    for (const { table, key, item } of writes) this.#set(table, key, item);
    return { $metadata: METADATA, UnprocessedItems: {} };
  }

  #batchEntry(table: Table, request: object): { table: Table; key: Key; item: Item | undefined } {
    if ("PutRequest" in request && isObject(request.PutRequest) && "Item" in request.PutRequest) {
      const item = this.#readItem(request.PutRequest.Item);
      const key = keyOf(table.layout, item, false);
      checkItem(table.layout, item, "Item size has exceeded the maximum allowed size");
      return { table, key, item };
    }
    if (
      "DeleteRequest" in request &&
      isObject(request.DeleteRequest) &&
      "Key" in request.DeleteRequest
    ) {
      const key = keyOf(table.layout, this.#readItem(request.DeleteRequest.Key), true);
      return { table, key, item: undefined };
    }
    throw validationError("Supplied AttributeValue has more than one or no request");
  }

  /** Answers the item under the key when the condition holds on it. */
  #checked(table: Table, key: Key, write: WriteRequest): Item | undefined {
    const old = table.get(key);
    if (write.condition === undefined || holds(write.condition, old)) return old;
    throw conditionError(write.wantsOldOnFailure ? old : undefined);
  }

  #set(table: Table, key: Key, item: Item | undefined): void {
    table.set(key, item, this.#options.now());
    this.onWrite(table.layout.name, item);
  }

  #writeRequest(input: Input, returnValues: readonly string[]): WriteRequest {
    const placeholders = this.#placeholders(input);
    const [updateText, conditionText] = [input["UpdateExpression"], input["ConditionExpression"]];
    const update =
      typeof updateText === "string" ? parseUpdate(updateText, placeholders) : undefined;
    const condition =
      typeof conditionText === "string" ? parseCondition(conditionText, placeholders) : undefined;
    placeholders.checkAllUsed();
    const wanted = String(input["ReturnValues"] ?? "NONE");
    if (!returnValues.includes(wanted)) throw validationError(`ReturnValues cannot be ${wanted}`);
    const onFailure = input["ReturnValuesOnConditionCheckFailure"] ?? "NONE";
    if (onFailure !== "NONE" && onFailure !== "ALL_OLD")
      throw validationError(`ReturnValuesOnConditionCheckFailure cannot be ${String(onFailure)}`);
    return { condition, update, returnValues: wanted, wantsOldOnFailure: onFailure === "ALL_OLD" };
  }

  #placeholders(input: Input): Placeholders {
    const [names, values] = [input["ExpressionAttributeNames"], input["ExpressionAttributeValues"]];
    const hasExpression = Object.entries(input).some(
      ([name, value]) => name.endsWith("Expression") && value !== undefined,
    );
    if (!hasExpression && (names !== undefined || values !== undefined))
      throw validationError(
        "ExpressionAttributeNames and ExpressionAttributeValues can only be specified when using expressions",
      );
    return new Placeholders(
      isObject(names) ? names : undefined,
      isObject(values) ? values : undefined,
      this.#options.removeUndefinedValues,
    );
  }

  #projection(input: Input, shared?: Placeholders): (item: Item) => Item {
    const text = input["ProjectionExpression"];
    const placeholders = shared ?? this.#placeholders(input);
    if (typeof text !== "string") return (item) => item;
    const names = parseProjection(text, placeholders);
    if (shared === undefined) placeholders.checkAllUsed();
    return (item) => pick(item, names);
  }

  #asOf(table: Table, index: string | undefined, input: Input): number | undefined {
    if (input["ConsistentRead"] === true) return undefined;
    const staleMs = this.#options.staleMs?.(table.layout.name, index) ?? 0;
    return staleMs > 0 ? this.#options.now() - staleMs : undefined;
  }

  #readItem(value: unknown): Item {
    return readItem(value, this.#options.removeUndefinedValues);
  }

  #table(name: unknown): Table {
    const table = typeof name === "string" ? this.#tables.get(name) : undefined;
    if (table === undefined)
      throw serviceError("ResourceNotFoundException", "Requested resource not found");
    return table;
  }
}

interface WriteRequest {
  readonly condition: Condition | undefined;
  readonly update: Update | undefined;
  readonly returnValues: string;
  readonly wantsOldOnFailure: boolean;
}

const WRITE_PARAMETERS = [
  "TableName",
  "ConditionExpression",
  "ExpressionAttributeNames",
  "ExpressionAttributeValues",
  "ReturnValues",
  "ReturnValuesOnConditionCheckFailure",
];
const READ_PARAMETERS = [
  "TableName",
  "ConsistentRead",
  "ProjectionExpression",
  "ExpressionAttributeNames",
];
const PARAMETERS: Readonly<Record<DynamoAction, readonly string[]>> = {
  PutItem: [...WRITE_PARAMETERS, "Item"],
  DeleteItem: [...WRITE_PARAMETERS, "Key"],
  UpdateItem: [...WRITE_PARAMETERS, "Key", "UpdateExpression"],
  GetItem: [...READ_PARAMETERS, "Key"],
  Query: [
    ...READ_PARAMETERS,
    "ExpressionAttributeValues",
    "IndexName",
    "KeyConditionExpression",
    "FilterExpression",
    "ScanIndexForward",
    "Limit",
    "ExclusiveStartKey",
    "Select",
  ],
  BatchWriteItem: ["RequestItems"],
};

function isKnown(name: string): name is keyof typeof ACTIONS {
  return Object.hasOwn(ACTIONS, name);
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function batches(
  input: Input,
): readonly { readonly table: string; readonly requests: readonly object[] }[] {
  const items = input["RequestItems"];
  if (!isObject(items)) throw validationError("RequestItems is missing");
  return Object.entries(items).map(([table, requests]: [string, unknown]) => ({
    table,
    requests: Array.isArray(requests) ? requests.filter(isObject) : [],
  }));
}

function checkItem(layout: TableLayout, item: Item, tooLarge: string): void {
  checkNesting(item);
  checkIndexKeys(layout, item);
  if (itemBytes(item) > ITEM_BYTES_MAX) throw validationError(tooLarge);
}

function pick(item: Item, names: readonly string[]): Item {
  return Object.fromEntries(Object.entries(item).filter(([name]) => names.includes(name)));
}

function attributes(item: Item | undefined): DynamoOutput {
  const isEmpty = item === undefined || Object.keys(item).length === 0;
  return { $metadata: METADATA, ...(isEmpty ? {} : { Attributes: copyItem(item) }) };
}

/** The old item goes out in the wire form: the document client does not translate errors. */
function conditionError(item: Item | undefined): Error {
  return new ConditionalCheckFailedException({
    message: "The conditional request failed",
    $metadata: METADATA,
    ...(item === undefined ? {} : { Item: toAttributeValues(item) }),
  });
}

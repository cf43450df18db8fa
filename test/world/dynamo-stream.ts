/**
 * A seeded stream of DynamoDB commands, good and bad, within one lane: lanes share no partition of a
 * table or index, so that several may run at the same time and each still has one right answer.
 */
import {
  BatchWriteCommand,
  DeleteCommand,
  GetCommand,
  PutCommand,
  QueryCommand,
  UpdateCommand,
} from "@aws-sdk/lib-dynamodb";
import { RUNS_BY_CHECK, RUNS_BY_START, TABLES } from "../../sdk/adapters/dynamodb/layout.ts";
import { seededRandom } from "../../sdk/core/random.ts";
import { badCommands } from "./dynamo-bad-commands.ts";

export type Command =
  | PutCommand
  | GetCommand
  | QueryCommand
  | UpdateCommand
  | DeleteCommand
  | BatchWriteCommand;
type Item = Record<string, unknown>;

const RUNS = TABLES.workflow_runs.name;
const HISTORY = TABLES.history_events.name;
const NAMES = ["a", "b", "c", "d"];
const INDEXES = [RUNS_BY_START, RUNS_BY_CHECK];

/** Choices of one lane, drawn from its seed. */
export class Lane {
  readonly #random: () => number;
  readonly #name: string;
  #unique = 0;
  /** A query that stopped before its end, with the key from which it goes on. */
  #open: { readonly input: QueryCommand["input"]; readonly from: Item } | undefined;

  constructor(seed: string) {
    this.#name = seed;
    this.#random = seededRandom(seed);
  }

  next(): Command {
    const pick = this.#random();
    if (pick < 0.25) return this.#put();
    if (pick < 0.45) return this.#update();
    if (pick < 0.53) return this.#delete();
    if (pick < 0.66) return this.#get();
    if (pick < 0.8) return this.#queryTable();
    if (pick < 0.9) return this.#queryIndex();
    if (pick < 0.93) return this.#batch();
    return this.#bad();
  }

  /** Tells the lane where a query stopped. */
  saw(command: Command, lastKey: Item | undefined): void {
    if (!(command instanceof QueryCommand)) return;
    this.#open = lastKey === undefined ? undefined : { input: command.input, from: lastKey };
  }

  #put(): Command {
    const table = this.#table();
    return new PutCommand({
      TableName: table,
      Item: this.#item(table),
      ...this.#condition(0.6),
      ...this.#sometimes(0.5, { ReturnValues: "ALL_OLD" as const }),
    });
  }

  #update(): Command {
    const table = this.#table();
    const clauses = this.#oneOf([
      ["SET #a = :v", { "#a": "a" }, { ":v": this.#value() }],
      [
        "SET #a = if_not_exists(#a, :zero) + :n, c = :v",
        { "#a": "a" },
        { ":zero": 0, ":n": this.#number(), ":v": this.#value() },
      ],
      ["SET b = a REMOVE d", undefined, undefined],
      ["REMOVE a, b", undefined, undefined],
      ["ADD a :n SET c = if_not_exists(c, b)", undefined, { ":n": this.#number() }],
      ["SET a = a - :n", undefined, { ":n": this.#number() }],
      [
        "SET by_check_pk = :p, check_at = :n",
        undefined,
        { ":p": this.#partition(0), ":n": this.#uniqueNumber() },
      ],
      ["REMOVE by_check_pk", undefined, undefined],
    ] as const);
    const [expression, names, values] = clauses;
    const condition = this.#condition(0.5, names, values);
    return new UpdateCommand({
      TableName: table,
      Key: this.#key(table),
      UpdateExpression: expression,
      ...(names === undefined ? {} : { ExpressionAttributeNames: names }),
      ...(values === undefined ? {} : { ExpressionAttributeValues: values }),
      ...condition,
      ReturnValues: this.#oneOf(["NONE", "ALL_NEW", "UPDATED_NEW", "UPDATED_OLD"]),
    });
  }

  #delete(): Command {
    const table = this.#table();
    return new DeleteCommand({
      TableName: table,
      Key: this.#key(table),
      ...this.#condition(0.5),
      ...this.#sometimes(0.5, { ReturnValues: "ALL_OLD" as const }),
    });
  }

  #get(): Command {
    const table = this.#table();
    return new GetCommand({
      TableName: table,
      Key: this.#key(table),
      ConsistentRead: this.#random() < 0.5,
      ...this.#sometimes(0.2, {
        ProjectionExpression: "pk, #a, b",
        ExpressionAttributeNames: { "#a": "a" },
      }),
    });
  }

  #queryTable(): Command {
    const table = this.#table();
    const isRuns = table === RUNS;
    const sort = (): unknown => (isRuns ? this.#sortText() : this.#sortNumber());
    const [low, high] = [sort(), sort()];
    const [range, values] = this.#oneOf<readonly [string, Item]>([
      ["", {}],
      [" AND sk = :s", { ":s": low }],
      [" AND sk < :s", { ":s": low }],
      [" AND sk <= :s", { ":s": low }],
      [" AND sk > :s", { ":s": low }],
      [" AND sk >= :s", { ":s": low }],
      [" AND sk BETWEEN :s AND :t", { ":s": low, ":t": high }],
      isRuns ? [" AND begins_with(sk, :s)", { ":s": "s1" }] : [" AND sk > :s", { ":s": low }],
    ]);
    const query = { pk: this.#partition(), where: `pk = :p${range}`, values, table };
    return this.#query(query, undefined);
  }

  #queryIndex(): Command {
    const index = this.#oneOf(INDEXES);
    const [range, values] = this.#oneOf<readonly [string, Item]>([
      ["", {}],
      [` AND ${index.sortKey} < :s`, { ":s": this.#uniqueNumber() }],
      [` AND ${index.sortKey} >= :s`, { ":s": this.#uniqueNumber() }],
    ]);
    const query = {
      pk: this.#partition(0),
      where: `${index.partitionKey} = :p${range}`,
      values,
      table: RUNS,
    };
    return this.#query(query, index.name);
  }

  #query(
    query: {
      readonly pk: string;
      readonly where: string;
      readonly values: Item;
      readonly table: string;
    },
    index: string | undefined,
  ): Command {
    if (this.#open !== undefined && this.#random() < 0.7) {
      const { input, from } = this.#open;
      return new QueryCommand({ ...input, ExclusiveStartKey: from });
    }
    return new QueryCommand({
      TableName: query.table,
      ...(index === undefined ? {} : { IndexName: index }),
      KeyConditionExpression: query.where,
      ScanIndexForward: this.#random() < 0.7,
      ...this.#sometimes(0.6, { Limit: 1 + Math.floor(this.#random() * 6) }),
      ...this.#sometimes(0.1, { Select: "COUNT" as const }),
      ...this.#filter({ ":p": query.pk, ...query.values }),
    });
  }

  #filter(values: Item): Item {
    if (this.#random() < 0.6) return { ExpressionAttributeValues: values };
    const [text, more] = this.#conditionText("f");
    return {
      FilterExpression: text,
      ExpressionAttributeValues: { ...values, ...more },
    };
  }

  #batch(): Command {
    const table = this.#table();
    const keys = new Map<string, Item>();
    for (let count = 1 + Math.floor(this.#random() * 6); count > 0; count--) {
      const key = this.#key(table);
      keys.set(JSON.stringify(key), key);
    }
    return new BatchWriteCommand({
      RequestItems: {
        [table]: [...keys.values()].map((key) =>
          this.#random() < 0.7
            ? { PutRequest: { Item: { ...this.#item(table), ...key } } }
            : { DeleteRequest: { Key: key } },
        ),
      },
    });
  }

  /** A condition of one or two parts, with its own placeholders merged into given ones. */
  #condition(probability: number, names?: Item, values?: Item): Item {
    if (this.#random() >= probability) return {};
    const [text, more] = this.#conditionText("c");
    const allValues = { ...values, ...more };
    return {
      ConditionExpression: text,
      ...(names === undefined ? {} : { ExpressionAttributeNames: names }),
      ...(Object.keys(allValues).length === 0 ? {} : { ExpressionAttributeValues: allValues }),
      ...this.#sometimes(0.5, { ReturnValuesOnConditionCheckFailure: "ALL_OLD" as const }),
    };
  }

  #conditionText(prefix: string): readonly [string, Item] {
    const [one, other] = [this.#simpleCondition(`${prefix}1`), this.#simpleCondition(`${prefix}2`)];
    const both = { ...one[1], ...other[1] };
    return this.#oneOf<readonly [string, Item]>([
      one,
      [`NOT ${one[0]}`, one[1]],
      [`${one[0]} AND ${other[0]}`, both],
      [`${one[0]} OR (${other[0]})`, both],
      [`NOT (${one[0]} OR ${other[0]})`, both],
      [`${one[0]} AND NOT ${other[0]} OR attribute_exists(d)`, both],
    ]);
  }

  #simpleCondition(placeholder: string): readonly [string, Item] {
    const name = this.#oneOf(NAMES);
    const value = `:${placeholder}`;
    const comparator = this.#oneOf(["=", "<>", "<", "<=", ">", ">="]);
    const ordered = this.#oneOf<unknown>([this.#number(), this.#text()]);
    return this.#oneOf<readonly [string, Item]>([
      [`attribute_exists(${name})`, {}],
      [`attribute_not_exists(${name})`, {}],
      [`${name} ${comparator} ${value}`, { [value]: ordered }],
      [`${name} = ${value}`, { [value]: this.#value() }],
      [`${name} <> ${value}`, { [value]: this.#value() }],
      [
        `${name} BETWEEN ${value} AND ${value}x`,
        { [value]: -5, [`${value}x`]: this.#number() + 10 },
      ],
      [`begins_with(${name}, ${value})`, { [value]: "t" }],
      [`a ${comparator} b`, {}],
    ]);
  }

  #item(table: string): Item {
    const item: Item = this.#key(table);
    for (const name of NAMES) if (this.#random() < 0.5) item[name] = this.#value();
    if (table === RUNS)
      for (const index of INDEXES)
        if (this.#random() < 0.6) {
          item[index.partitionKey] = this.#partition(0);
          if (this.#random() < 0.9) item[index.sortKey] = this.#uniqueNumber();
        }
    if (this.#random() < 0.004) item["d"] = "x".repeat(this.#oneOf([100_000, 300_000, 409_400]));
    if (this.#random() < 0.002) item["d"] = "y".repeat(409_600);
    return item;
  }

  #bad(): Command {
    const table = this.#table();
    const [key, partition, value] = [this.#key(table), this.#partition(), this.#value()];
    return this.#oneOf(badCommands({ table, key, partition, value }))();
  }

  #table(): string {
    return this.#random() < 0.6 ? RUNS : HISTORY;
  }

  #key(table: string): Item {
    return { pk: this.#partition(), sk: table === RUNS ? this.#sortText() : this.#sortNumber() };
  }

  #partition(which: number = Math.floor(this.#random() * 3)): string {
    return `${this.#name}/${which}`;
  }

  #sortText(): string {
    return this.#oneOf(["s", "s1", "s10", "s2", "S", "ä", "\u{1f600}", "\uff5e", "z", "zz"]);
  }

  #sortNumber(): number {
    return this.#oneOf([-10, -1, 0, 0.5, 1, 2, 3, 10, 20, 100, 1e9, 1e15]);
  }

  #uniqueNumber(): number {
    this.#unique += 1;
    return Math.floor(this.#random() * 1_000) * 100_000 + this.#unique;
  }

  #number(): number {
    return this.#oneOf([-3, 0, 1, 1.5, 7, 42]);
  }

  #text(): string {
    return this.#oneOf(["", "t", "tt", "u", "ä"]);
  }

  #value(): unknown {
    return this.#oneOf<() => unknown>([
      () => this.#number(),
      () => this.#number(),
      () => this.#text(),
      () => this.#text(),
      () => this.#random() < 0.5,
      () => null,
      () => [this.#number(), { n: null }],
      () => ({ x: this.#text(), y: [] }),
      () => Uint8Array.of(1, 2, Math.floor(this.#random() * 3)),
    ])();
  }

  #sometimes<T extends object>(probability: number, value: T): T | Record<string, never> {
    return this.#random() < probability ? value : {};
  }

  #oneOf<T>(choices: readonly T[]): T {
    const choice = choices[Math.floor(this.#random() * choices.length)];
    if (choice === undefined) throw new Error("nothing to choose from");
    return choice;
  }
}

/** What a Query command asks of a table: which index, partition, range, page and filter. */
import { PARTITION_KEY, SORT_KEY } from "../../adapters/dynamodb/layout.ts";
import { validationError } from "./aws-errors.ts";
import type { KeySchema, PageRequest, Table } from "./dynamo-table.ts";
import { holds } from "./expression.ts";
import { type Condition, type Operand, parseCondition } from "./expression-syntax.ts";
import { type Item, typeOf } from "./item.ts";
import type { Placeholders } from "./placeholders.ts";

export interface QueryPlan {
  readonly request: Omit<PageRequest, "asOf">;
  readonly filter: Condition | undefined;
  /** The attributes of LastEvaluatedKey. */
  readonly keyNames: readonly string[];
}

export function planQuery(
  table: Table,
  input: Readonly<Record<string, unknown>>,
  placeholders: Placeholders,
  readItem: (value: unknown) => Item,
): QueryPlan {
  const { IndexName, KeyConditionExpression, FilterExpression, Limit } = input;
  const schema = typeof IndexName === "string" ? table.index(IndexName) : table.schema;
  if (schema.index !== undefined && input["ConsistentRead"] === true)
    throw validationError("Consistent reads are not supported on global secondary indexes");
  if (typeof KeyConditionExpression !== "string")
    throw validationError(
      "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.",
    );
  const { partition, sort } = keyCondition(
    table,
    schema,
    parseCondition(KeyConditionExpression, placeholders, "KeyConditionExpression"),
  );
  const filter =
    typeof FilterExpression === "string"
      ? parseCondition(FilterExpression, placeholders, "FilterExpression")
      : undefined;
  if (filter !== undefined) checkFilter(filter, schema);
  if (Limit !== undefined && (typeof Limit !== "number" || Limit < 1))
    throw validationError("1 validation error detected: Limit must be at least 1");
  const keyNames = [...new Set([schema.partition, schema.sort, PARTITION_KEY, SORT_KEY])];
  const start = input["ExclusiveStartKey"];
  const after = start === undefined ? undefined : startKey(readItem(start), keyNames);
  if (after !== undefined) checkStart(after, schema, partition, sort);
  return {
    request: {
      schema,
      partition,
      matches: (value) => sort === undefined || holds(sort, { [schema.sort]: value }),
      forward: input["ScanIndexForward"] !== false,
      limit: typeof Limit === "number" ? Limit : Number.POSITIVE_INFINITY,
      after,
    },
    filter,
    keyNames,
  };
}

/** `partition = :value`, alone or with one condition on the sort key. */
function keyCondition(
  table: Table,
  schema: KeySchema,
  condition: Condition,
): { readonly partition: string; readonly sort: Condition | undefined } {
  const parts = condition.kind === "and" ? [condition.left, condition.right] : [condition];
  const partition = parts.find((part) => keyNameOf(part) === schema.partition);
  const sort = parts.find((part) => part !== partition);
  if (partition?.kind !== "compare" || partition.comparator !== "=")
    throw validationError(`Query condition missed key schema element: ${schema.partition}`);
  if (partition.right.kind !== "value") throw validationError("Invalid KeyConditionExpression");
  const value = partition.right.value;
  if (typeof value !== "string") throw wrongKeyType();
  if (value === "")
    throw validationError(
      "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: " +
        schema.partition,
    );
  if (sort !== undefined) checkSortCondition(table, schema, sort);
  return { partition: value, sort };
}

function checkSortCondition(table: Table, schema: KeySchema, sort: Condition): void {
  if (keyNameOf(sort) !== schema.sort)
    throw validationError(`Query condition missed key schema element: ${schema.sort}`);
  if (sort.kind === "compare" && sort.comparator === "<>")
    throw validationError("Unsupported operator on KeyCondition: <>");
  const expected =
    table.layout.indexes.find(({ name }) => name === schema.index)?.sortKeyType ??
    table.layout.sortKeyType;
  for (const operand of valuesOf(sort)) {
    if (operand.kind !== "value") throw validationError("Invalid KeyConditionExpression");
    if (typeOf(operand.value) !== expected) throw wrongKeyType();
    if (operand.value === "")
      throw validationError(
        "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: " +
          schema.sort,
      );
  }
}

function wrongKeyType(): Error {
  return validationError(
    "One or more parameter values were invalid: Condition parameter type does not match schema type",
  );
}

/** The attribute that a simple condition is about; undefined for anything else. */
function keyNameOf(condition: Condition): string | undefined {
  const subject =
    condition.kind === "compare"
      ? condition.left
      : "subject" in condition
        ? condition.subject
        : undefined;
  return subject?.kind === "path" ? subject.name : undefined;
}

function valuesOf(condition: Condition): readonly Operand[] {
  switch (condition.kind) {
    case "compare":
      return [condition.right];
    case "between":
      return [condition.low, condition.high];
    case "begins_with":
      return [condition.prefix];
    default:
      return [];
  }
}

function checkFilter(filter: Condition, schema: KeySchema): void {
  const names = namesOf(filter);
  const key = names.find((name) => name === schema.partition || name === schema.sort);
  if (key !== undefined)
    throw validationError(
      `Filter Expression can only contain non-primary key attributes: Primary key attribute: ${key}`,
    );
}

function namesOf(condition: Condition): readonly string[] {
  switch (condition.kind) {
    case "and":
    case "or":
      return [...namesOf(condition.left), ...namesOf(condition.right)];
    case "not":
      return namesOf(condition.inner);
    case "exists":
      return [condition.name];
    case "compare":
      return pathNames([condition.left, condition.right]);
    case "between":
      return pathNames([condition.subject, condition.low, condition.high]);
    case "begins_with":
      return pathNames([condition.subject, condition.prefix]);
  }
}

function pathNames(operands: readonly Operand[]): readonly string[] {
  return operands.flatMap((operand) => (operand.kind === "path" ? [operand.name] : []));
}

function startKey(key: Item, names: readonly string[]): Item {
  const given = Object.keys(key);
  if (given.length !== names.length || !given.every((name) => names.includes(name)))
    throw validationError("The provided starting key is invalid");
  return key;
}

function checkStart(
  after: Item,
  schema: KeySchema,
  partition: string,
  sort: Condition | undefined,
): void {
  const isInside =
    after[schema.partition] === partition && (sort === undefined || holds(sort, after));
  if (!isInside)
    throw validationError(
      "The provided starting key is outside query boundaries based on provided conditions",
    );
}

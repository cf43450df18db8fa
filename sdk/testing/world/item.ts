/**
 * Values of DynamoDB as the document client takes and gives them, with the service's sizes, order
 * and refusals. Sets are not imitated: no item of Pawl has one.
 */
import type { AttributeValue } from "@aws-sdk/client-dynamodb";
import { validationError } from "./aws-errors.ts";
import { UnsupportedByFake } from "./gate.ts";

export type { AttributeValue };
export type Value =
  | null
  | string
  | number
  | boolean
  | Uint8Array
  | readonly Value[]
  | { readonly [name: string]: Value };
export type Item = Readonly<Record<string, Value>>;
export type ValueType = "S" | "N" | "B" | "BOOL" | "NULL" | "L" | "M";

export const ITEM_BYTES_MAX = 409_600;
const NESTING_MAX = 32;

/** Copies what a caller gave, refusing what the document client refuses before it sends anything. */
export function readValue(input: unknown, removeUndefined: boolean): Value {
  switch (typeof input) {
    case "string":
    case "boolean":
      return input;
    case "number":
      return readNumber(input);
    case "object":
      return input === null ? null : readContainer(input, removeUndefined);
    case "undefined":
      throw new Error(
        "Pass options.removeUndefinedValues=true to remove undefined values from map/array/set.",
      );
    default:
      throw new UnsupportedByFake(`a value of type ${typeof input} in an item`);
  }
}

export function readItem(input: unknown, removeUndefined: boolean): Item {
  const value = readValue(input, removeUndefined);
  if (!isMap(value)) throw validationError("1 validation error detected: an item must be a map");
  return value;
}

function readNumber(input: number): number {
  if (!Number.isFinite(input)) throw new Error(`Special numeric value ${input} is not allowed`);
  if (Math.abs(input) > Number.MAX_SAFE_INTEGER)
    throw new Error(
      `Number ${input} is ${input > 0 ? "greater than Number.MAX" : "lesser than Number.MIN"}_SAFE_INTEGER. Use NumberValue from @aws-sdk/lib-dynamodb.`,
    );
  if (input !== 0 && Math.abs(input) < 1e-130)
    throw validationError(
      "Number underflow. Attempting to store a number with magnitude smaller than supported range",
    );
  return input === 0 ? 0 : input;
}

function readContainer(input: object, removeUndefined: boolean): Value {
  if (input instanceof Uint8Array) return Uint8Array.from(input);
  if (Array.isArray(input)) {
    const elements: readonly unknown[] = input;
    return elements
      .filter((element) => !(removeUndefined && element === undefined))
      .map((element) => readValue(element, removeUndefined));
  }
  const prototype: unknown = Object.getPrototypeOf(input);
  if (prototype !== Object.prototype && prototype !== null)
    throw new UnsupportedByFake(
      `a value of class ${input.constructor.name} in an item (the document client refuses class instances, and sets are not imitated)`,
    );
  const map: Record<string, Value> = Object.create(null);
  for (const [name, value] of Object.entries(input)) {
    if (typeof value === "function" || (removeUndefined && value === undefined)) continue;
    map[name] = readValue(value, removeUndefined);
  }
  return map;
}

/** A copy for a caller, who may change it. */
export function copyValue(value: Value): unknown {
  if (value === null || typeof value !== "object") return value;
  if (value instanceof Uint8Array) return Uint8Array.from(value);
  if (isList(value)) return value.map(copyValue);
  return copyItem(value);
}

export function copyItem(item: Item): Record<string, unknown> {
  const copy: Record<string, unknown> = {};
  for (const name in item) copy[name] = copyValue(item[name] ?? null);
  return copy;
}

export function isList(value: Value): value is readonly Value[] {
  return Array.isArray(value);
}

export function isMap(value: Value): value is Item {
  return (
    typeof value === "object" && value !== null && !isList(value) && !(value instanceof Uint8Array)
  );
}

export function typeOf(value: Value): ValueType {
  if (value === null) return "NULL";
  if (typeof value === "string") return "S";
  if (typeof value === "number") return "N";
  if (typeof value === "boolean") return "BOOL";
  if (value instanceof Uint8Array) return "B";
  return isList(value) ? "L" : "M";
}

export function equalValues(left: Value, right: Value): boolean {
  if (left === right) return true;
  if (typeOf(left) !== typeOf(right) || left === null || right === null) return false;
  if (left instanceof Uint8Array && right instanceof Uint8Array)
    return Buffer.compare(left, right) === 0;
  if (isList(left) && isList(right))
    return (
      left.length === right.length &&
      left.every((element, index) => equalValues(element, right[index] ?? null))
    );
  if (!isMap(left) || !isMap(right)) return false;
  const names = Object.keys(left);
  return (
    names.length === Object.keys(right).length &&
    names.every((name) => {
      const [one, other] = [left[name], right[name]];
      return one !== undefined && other !== undefined && equalValues(one, other);
    })
  );
}

/** Negative, zero or positive; undefined when the two have no order (different or unordered types). */
export function compareValues(left: Value, right: Value): number | undefined {
  if (typeof left === "number" && typeof right === "number") return left - right;
  if (typeof left === "string" && typeof right === "string") return compareText(left, right);
  if (left instanceof Uint8Array && right instanceof Uint8Array) return Buffer.compare(left, right);
  return undefined;
}

/** DynamoDB sorts text by its UTF-8 bytes; JavaScript by UTF-16 units, which differs above U+FFFF. */
function compareText(left: string, right: string): number {
  if (left === right) return 0;
  const hasSurrogate = /[\ud800-\udfff]/;
  if (hasSurrogate.test(left) || hasSurrogate.test(right))
    return Buffer.compare(Buffer.from(left), Buffer.from(right));
  return left < right ? -1 : 1;
}

/** Bytes of an item as the service counts them: names and values. */
export function itemBytes(item: Item): number {
  const known = knownBytes.get(item);
  if (known !== undefined) return known;
  let bytes = 0;
  for (const name in item) bytes += Buffer.byteLength(name) + valueBytes(item[name] ?? null);
  knownBytes.set(item, bytes);
  return bytes;
}
/** An item never changes, and every page that it stands on counts it again. */
const knownBytes = new WeakMap<Item, number>();

function valueBytes(value: Value): number {
  if (value === null || typeof value === "boolean") return 1;
  if (typeof value === "string") return Buffer.byteLength(value);
  if (typeof value === "number") return numberBytes(value);
  if (value instanceof Uint8Array) return value.byteLength;
  if (isList(value))
    return 3 + value.reduce((sum: number, element) => sum + 1 + valueBytes(element), 0);
  return (
    3 +
    Object.entries(value).reduce(
      (sum, [name, element]) => sum + 1 + Buffer.byteLength(name) + valueBytes(element),
      0,
    )
  );
}

/** About one byte per two significant digits, and one more; one more for the sign. */
function numberBytes(value: number): number {
  const digits = String(Math.abs(value))
    .replace(/e.*$/, "")
    .replace(".", "")
    .replace(/^0+|0+$/g, "").length;
  return 1 + Math.ceil(Math.max(1, digits) / 2) + (value < 0 ? 1 : 0);
}

export function checkNesting(value: Value, depth: number = 0): void {
  if (depth > NESTING_MAX) throw validationError("Nesting Levels have exceeded supported limits");
  if (value === null || typeof value !== "object" || value instanceof Uint8Array) return;
  for (const element of isList(value) ? value : Object.values(value))
    checkNesting(element, depth + 1);
}

export function toAttributeValues(item: Item): Record<string, AttributeValue> {
  return Object.fromEntries(
    Object.entries(item).map(([name, value]) => [name, toAttributeValue(value)]),
  );
}

function toAttributeValue(value: Value): AttributeValue {
  if (value === null) return { NULL: true };
  if (typeof value === "string") return { S: value };
  if (typeof value === "number") return { N: String(value) };
  if (typeof value === "boolean") return { BOOL: value };
  if (value instanceof Uint8Array) return { B: value };
  if (isList(value)) return { L: value.map(toAttributeValue) };
  return { M: toAttributeValues(value) };
}

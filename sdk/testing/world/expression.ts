/** What parsed expressions mean on an item. */
import { validationError } from "./aws-errors.ts";
import type { Comparator, Condition, Operand, SetValue, Update } from "./expression-syntax.ts";
import { compareValues, equalValues, type Item, type Value } from "./item.ts";

/** Whether the condition holds on an item; on an absent one when `item` is undefined. */
export function holds(condition: Condition, item: Item | undefined): boolean {
  switch (condition.kind) {
    case "and":
      return holds(condition.left, item) && holds(condition.right, item);
    case "or":
      return holds(condition.left, item) || holds(condition.right, item);
    case "not":
      return !holds(condition.inner, item);
    case "exists":
      return (item?.[condition.name] !== undefined) === condition.expected;
    case "compare":
      return compareOperands(
        condition.comparator,
        resolve(condition.left, item),
        resolve(condition.right, item),
      );
    case "between": {
      const subject = resolve(condition.subject, item);
      return (
        compareOperands(">=", subject, resolve(condition.low, item)) &&
        compareOperands("<=", subject, resolve(condition.high, item))
      );
    }
    case "begins_with": {
      const [subject, prefix] = [resolve(condition.subject, item), resolve(condition.prefix, item)];
      if (typeof subject === "string" && typeof prefix === "string")
        return subject.startsWith(prefix);
      return (
        subject instanceof Uint8Array &&
        prefix instanceof Uint8Array &&
        Buffer.compare(subject.subarray(0, prefix.length), prefix) === 0
      );
    }
  }
}

function resolve(operand: Operand, item: Item | undefined): Value | undefined {
  return operand.kind === "value" ? operand.value : item?.[operand.name];
}

/** An absent attribute equals nothing and has no order; it is different from everything. */
export function compareOperands(
  comparator: Comparator,
  left: Value | undefined,
  right: Value | undefined,
): boolean {
  if (left === undefined || right === undefined) return comparator === "<>";
  if (comparator === "=") return equalValues(left, right);
  if (comparator === "<>") return !equalValues(left, right);
  const order = compareValues(left, right);
  if (order === undefined) return false;
  switch (comparator) {
    case "<":
      return order < 0;
    case "<=":
      return order <= 0;
    case ">":
      return order > 0;
    case ">=":
      return order >= 0;
  }
}

/** The item after the update; every clause sees the item before it. */
export function applyUpdate(update: Update, item: Item): Item {
  const result: Record<string, Value> = { ...item };
  for (const { name, value } of update.set) result[name] = evaluate(value, item);
  for (const name of update.remove) delete result[name];
  for (const { name, value } of update.add) {
    const old = item[name];
    if (old !== undefined && typeof old !== "number") throw wrongType();
    result[name] = (old ?? 0) + value;
  }
  return result;
}

/** The names that an update touches. */
export function updatedNames(update: Update): readonly string[] {
  return [
    ...update.set.map(({ name }) => name),
    ...update.remove,
    ...update.add.map(({ name }) => name),
  ];
}

function evaluate(value: SetValue, item: Item): Value {
  switch (value.kind) {
    case "value":
      return value.value;
    case "path": {
      const found = item[value.name];
      if (found === undefined)
        throw validationError(
          "The provided expression refers to an attribute that does not exist in the item",
        );
      return found;
    }
    case "if_not_exists": {
      const found = item[value.name];
      return found === undefined ? evaluate(value.otherwise, item) : found;
    }
    case "+":
    case "-": {
      const [left, right] = [evaluate(value.left, item), evaluate(value.right, item)];
      if (typeof left !== "number" || typeof right !== "number") throw wrongType();
      return value.kind === "+" ? left + right : left - right;
    }
  }
}

function wrongType(): Error {
  return validationError("An operand in the update expression has an incorrect data type");
}

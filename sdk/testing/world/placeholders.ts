/** The `#name` and `:value` placeholders of one command: resolved, and each one used. */
import { validationError } from "./aws-errors.ts";
import { readValue, type Value } from "./item.ts";

/** The parameter of the command that an expression stands in. */
export type Where =
  | "ConditionExpression"
  | "KeyConditionExpression"
  | "FilterExpression"
  | "UpdateExpression"
  | "ProjectionExpression";

/** The placeholders of one command, and which of them its expressions have used. */
export class Placeholders {
  readonly #names: ReadonlyMap<string, string>;
  readonly #values: ReadonlyMap<string, Value>;
  readonly #unused: Set<string>;

  constructor(names: object | undefined, values: object | undefined, removeUndefined: boolean) {
    this.#names = new Map(Object.entries(names ?? {}));
    this.#values = new Map(
      Object.entries(values ?? {}).map(([name, value]) => [
        name,
        readValue(value, removeUndefined),
      ]),
    );
    for (const [kind, map] of [
      ["Names", names],
      ["Values", values],
    ] as const)
      if (map !== undefined && Object.keys(map).length === 0)
        throw validationError(`ExpressionAttribute${kind} must not be empty`);
    this.#unused = new Set([...this.#names.keys(), ...this.#values.keys()]);
  }

  name(placeholder: string, where: Where): string {
    const name = this.#names.get(placeholder);
    if (name === undefined)
      throw invalid(
        where,
        `An expression attribute name used in the document path is not defined; attribute name: ${placeholder}`,
      );
    this.#unused.delete(placeholder);
    return name;
  }

  value(placeholder: string, where: Where): Value {
    const value = this.#values.get(placeholder);
    if (value === undefined)
      throw invalid(
        where,
        `An expression attribute value used in expression is not defined; attribute value: ${placeholder}`,
      );
    this.#unused.delete(placeholder);
    return value;
  }

  /** To be called when all expressions of the command are parsed. */
  checkAllUsed(): void {
    if (this.#unused.size > 0)
      throw validationError(
        `Value provided in ExpressionAttributeNames or ExpressionAttributeValues unused in expressions: keys: {${[...this.#unused].join(", ")}}`,
      );
  }
}

export function invalid(where: Where, message: string): Error {
  return validationError(`Invalid ${where}: ${message}`);
}

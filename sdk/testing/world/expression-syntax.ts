/**
 * The grammar of DynamoDB's condition, key, filter and update expressions, as far as Pawl uses it:
 * what is wrong is a ValidationException as in the service; what is right but not imitated (paths
 * into documents, IN, size, contains, attribute_type, list_append, DELETE) fails by name.
 */
import { UnsupportedByFake } from "./gate.ts";
import { compareValues, typeOf, type Value } from "./item.ts";
import { invalid, type Placeholders, type Where } from "./placeholders.ts";
import { isReserved } from "./reserved-words.ts";

export type Comparator = "=" | "<>" | "<" | "<=" | ">" | ">=";
export type Operand =
  | { readonly kind: "path"; readonly name: string }
  | { readonly kind: "value"; readonly value: Value };
export type Condition =
  | { readonly kind: "and" | "or"; readonly left: Condition; readonly right: Condition }
  | { readonly kind: "not"; readonly inner: Condition }
  | {
      readonly kind: "compare";
      readonly comparator: Comparator;
      readonly left: Operand;
      readonly right: Operand;
    }
  | {
      readonly kind: "between";
      readonly subject: Operand;
      readonly low: Operand;
      readonly high: Operand;
    }
  | { readonly kind: "begins_with"; readonly subject: Operand; readonly prefix: Operand }
  | { readonly kind: "exists"; readonly name: string; readonly expected: boolean };
export type SetValue =
  | Operand
  | { readonly kind: "if_not_exists"; readonly name: string; readonly otherwise: SetValue }
  | { readonly kind: "+" | "-"; readonly left: SetValue; readonly right: SetValue };
export interface Update {
  readonly set: readonly { readonly name: string; readonly value: SetValue }[];
  readonly remove: readonly string[];
  readonly add: readonly { readonly name: string; readonly value: number }[];
}

export function parseCondition(
  text: string,
  placeholders: Placeholders,
  where: Where = "ConditionExpression",
): Condition {
  const parser = new Parser(text, placeholders, where);
  const condition = parser.or();
  parser.end();
  return condition;
}

/** Names of top-level attributes, separated by commas. */
export function parseProjection(text: string, placeholders: Placeholders): readonly string[] {
  const parser = new Parser(text, placeholders, "ProjectionExpression");
  const names = parser.list(() => parser.path());
  parser.end();
  parser.checkDistinct(names);
  return names;
}

export function parseUpdate(text: string, placeholders: Placeholders): Update {
  const parser = new Parser(text, placeholders, "UpdateExpression");
  const update = parser.update();
  parser.end();
  return update;
}

const TOKEN = /\s*(?:([#:][A-Za-z0-9_]+|[A-Za-z_][A-Za-z0-9_]*)|(<>|<=|>=|[=<>(),+-])|(\S))/y;
const COMPARATORS: readonly string[] = ["=", "<>", "<", "<=", ">", ">="] satisfies Comparator[];
const NOT_IMITATED = ["contains", "size", "attribute_type", "list_append"];
const FUNCTIONS = ["attribute_exists", "attribute_not_exists", "begins_with", "if_not_exists"];

class Parser {
  readonly #tokens: readonly string[];
  readonly #placeholders: Placeholders;
  readonly #where: Where;
  #next = 0;

  constructor(text: string, placeholders: Placeholders, where: Where) {
    this.#placeholders = placeholders;
    this.#where = where;
    if (text.trim() === "") throw invalid(where, "The expression can not be empty;");
    this.#tokens = tokens(text, where);
  }

  end(): void {
    if (this.#peek() !== undefined) throw this.#syntax();
  }

  or(): Condition {
    let left = this.#and();
    while (this.#keyword("OR")) left = { kind: "or", left, right: this.#and() };
    return left;
  }

  #and(): Condition {
    let left = this.#not();
    while (this.#keyword("AND")) left = { kind: "and", left, right: this.#not() };
    return left;
  }

  #not(): Condition {
    if (this.#keyword("NOT")) return { kind: "not", inner: this.#not() };
    if (this.#take("(")) {
      const inner = this.or();
      this.#expect(")");
      return inner;
    }
    return this.#simple();
  }

  #simple(): Condition {
    if (this.#function("attribute_exists")) return this.#exists(true);
    if (this.#function("attribute_not_exists")) return this.#exists(false);
    if (this.#function("begins_with")) {
      const subject = this.#operand();
      this.#expect(",");
      const prefix = this.#operand();
      this.#expect(")");
      this.#checkType("begins_with", prefix, ["S", "B"]);
      this.#checkType("begins_with", subject, ["S", "B"]);
      return { kind: "begins_with", subject, prefix };
    }
    const left = this.#operand();
    if (this.#keyword("BETWEEN")) {
      const low = this.#operand();
      if (!this.#keyword("AND")) throw this.#syntax();
      const high = this.#operand();
      return this.#between(left, low, high);
    }
    if (this.#keyword("IN")) throw new UnsupportedByFake("the operator IN");
    const comparator = this.#tokens[this.#next];
    if (!isComparator(comparator)) throw this.#syntax();
    this.#next += 1;
    const right = this.#operand();
    if (comparator !== "=" && comparator !== "<>")
      for (const operand of [left, right]) this.#checkType(comparator, operand, ["S", "N", "B"]);
    this.#checkDistinctOperands(comparator, left, [right]);
    return { kind: "compare", comparator, left, right };
  }

  #exists(expected: boolean): Condition {
    const name = this.path();
    this.#expect(")");
    return { kind: "exists", name, expected };
  }

  #between(subject: Operand, low: Operand, high: Operand): Condition {
    for (const operand of [subject, low, high])
      this.#checkType("BETWEEN", operand, ["S", "N", "B"]);
    if (low.kind === "value" && high.kind === "value") {
      if (typeOf(low.value) !== typeOf(high.value))
        throw invalid(
          this.#where,
          "The BETWEEN operator requires same data type for lower and upper bounds",
        );
      if (isGreater(low.value, high.value))
        throw invalid(
          this.#where,
          "The BETWEEN operator requires upper bound to be greater than or equal to lower bound",
        );
    }
    this.#checkDistinctOperands("BETWEEN", subject, [low, high]);
    return { kind: "between", subject, low, high };
  }

  update(): Update {
    const sections = new Set<string>();
    const set: { name: string; value: SetValue }[] = [];
    const remove: string[] = [];
    const add: { name: string; value: number }[] = [];
    while (this.#peek() !== undefined) {
      const section = this.#peek()?.toUpperCase() ?? "";
      this.#next += 1;
      if (section === "DELETE") throw new UnsupportedByFake("the section DELETE");
      if (!["SET", "REMOVE", "ADD"].includes(section)) throw this.#syntax(-1);
      if (sections.has(section))
        throw invalid(
          this.#where,
          `The "${section}" section can only be used once in an update expression;`,
        );
      sections.add(section);
      if (section === "SET") set.push(...this.list(() => this.#setClause()));
      else if (section === "REMOVE") remove.push(...this.list(() => this.path()));
      else add.push(...this.list(() => this.#addClause()));
    }
    this.checkDistinct([...set.map(({ name }) => name), ...remove, ...add.map(({ name }) => name)]);
    return { set, remove, add };
  }

  #setClause(): { name: string; value: SetValue } {
    const name = this.path();
    this.#expect("=");
    const left = this.#setOperand();
    const sign = this.#take("+") ? "+" : this.#take("-") ? "-" : undefined;
    if (sign === undefined) return { name, value: left };
    const right = this.#setOperand();
    for (const operand of [left, right])
      if (operand.kind === "value") this.#checkType(sign, operand, ["N"]);
    return { name, value: { kind: sign, left, right } };
  }

  #setOperand(): SetValue {
    if (!this.#function("if_not_exists")) return this.#operand();
    const name = this.path();
    this.#expect(",");
    const otherwise = this.#setOperand();
    this.#expect(")");
    return { kind: "if_not_exists", name, otherwise };
  }

  #addClause(): { name: string; value: number } {
    const name = this.path();
    const operand = this.#operand();
    if (operand.kind !== "value") throw this.#syntax(-1);
    if (typeof operand.value !== "number")
      throw invalid(
        this.#where,
        `Incorrect operand type for operator or function; operator: ADD, operand type: ${typeOf(operand.value)}`,
      );
    return { name, value: operand.value };
  }

  list<T>(element: () => T): T[] {
    const elements = [element()];
    while (this.#take(",")) elements.push(element());
    return elements;
  }

  /** The name of a top-level attribute. */
  path(): string {
    const token = this.#tokens[this.#next];
    if (token === undefined || token.startsWith(":") || !/^[#A-Za-z_]/.test(token))
      throw this.#syntax();
    if (this.#tokens[this.#next + 1] === "(") throw this.#unknownFunction(token);
    this.#next += 1;
    if (token.startsWith("#")) return this.#placeholders.name(token, this.#where);
    if (isReserved(token))
      throw invalid(
        this.#where,
        `Attribute name is a reserved keyword; reserved keyword: ${token}`,
      );
    return token;
  }

  #operand(): Operand {
    const token = this.#peek();
    if (token?.startsWith(":") !== true) return { kind: "path", name: this.path() };
    this.#next += 1;
    return { kind: "value", value: this.#placeholders.value(token, this.#where) };
  }

  checkDistinct(names: readonly string[]): void {
    const twice = names.find((name, index) => names.indexOf(name) !== index);
    if (twice !== undefined)
      throw invalid(
        this.#where,
        `Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [${twice}], path two: [${twice}]`,
      );
  }

  #checkDistinctOperands(operator: string, first: Operand, others: readonly Operand[]): void {
    if (first.kind !== "path") return;
    if (others.some((other) => other.kind === "path" && other.name === first.name))
      throw invalid(
        this.#where,
        `The first operand must be distinct from the remaining operands for this operator or function; operator: ${operator}, first operand: [${first.name}]`,
      );
  }

  #checkType(operator: string, operand: Operand, types: readonly string[]): void {
    if (operand.kind === "value" && !types.includes(typeOf(operand.value)))
      throw invalid(
        this.#where,
        `Incorrect operand type for operator or function; operator or function: ${operator}, operand type: ${typeOf(operand.value)}`,
      );
  }

  #peek(): string | undefined {
    return this.#tokens[this.#next];
  }

  #take(token: string): boolean {
    if (this.#peek() !== token) return false;
    this.#next += 1;
    return true;
  }

  #expect(token: string): void {
    if (!this.#take(token)) throw this.#syntax();
  }

  #keyword(word: string): boolean {
    if (this.#peek()?.toUpperCase() !== word) return false;
    this.#next += 1;
    return true;
  }

  #function(name: string): boolean {
    if (this.#peek() !== name || this.#tokens[this.#next + 1] !== "(") return false;
    this.#next += 2;
    return true;
  }

  #unknownFunction(name: string): Error {
    if (NOT_IMITATED.includes(name)) return new UnsupportedByFake(`the function ${name}`);
    if (FUNCTIONS.includes(name))
      return invalid(this.#where, `The function is not allowed in this place; function: ${name}`);
    return invalid(this.#where, `Invalid function name; function: ${name}`);
  }

  #syntax(offset: number = 0): Error {
    const index = this.#next + offset;
    const token = this.#tokens[index] ?? "<EOF>";
    const near = this.#tokens.slice(Math.max(0, index - 1), index + 2).join(" ");
    return invalid(this.#where, `Syntax error; token: "${token}", near: "${near}"`);
  }
}

function isComparator(token: string | undefined): token is Comparator {
  return token !== undefined && COMPARATORS.includes(token);
}

function isGreater(low: Value, high: Value): boolean {
  return (compareValues(low, high) ?? 0) > 0;
}

function tokens(text: string, where: Where): readonly string[] {
  const found: string[] = [];
  const pattern = new RegExp(TOKEN);
  while (pattern.lastIndex < text.trimEnd().length) {
    const match = pattern.exec(text);
    const odd = match?.[3];
    if (match === null || odd !== undefined) {
      if (odd === "." || odd === "[") throw new UnsupportedByFake("a path into a document");
      throw invalid(where, `Syntax error; token: "${odd ?? text}"`);
    }
    found.push(match[1] ?? match[2] ?? "");
  }
  return found;
}

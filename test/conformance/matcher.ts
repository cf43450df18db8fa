/**
 * Compares what happened with what a case expects. Patterns are JSON in which "*" is anything,
 * "${NAME}" is the same value everywhere, "${/re/}" is a text that fits, "${>= 2}" and "${1..2}" are
 * numbers in bounds. Mappings of patterns are subsets, lists are whole. Nothing here knows of platforms.
 */
import { isDeepStrictEqual } from "node:util";

/** What variables stand for so far; never changed in place. */
export type Bindings = ReadonlyMap<string, unknown>;

export interface Mismatch {
  /** Where, such as `failure.message` or `activities[0].attempts`. */
  readonly path: string;
  readonly expected: string;
  readonly actual: string;
}

export type Match =
  | { readonly bindings: Bindings; readonly mismatch?: never }
  | { readonly mismatch: Mismatch; readonly bindings?: never };

const VARIABLE = /^\$\{([A-Za-z_][A-Za-z0-9_]*)\}$/u;
const REGEX = /^\$\{\/(.*)\/([a-z]*)\}$/su;
const RANGE = /^\$\{(-?[0-9.]+?)\.\.(-?[0-9.]+)\}$/u;
const BOUND = /^\$\{(<=|>=|<|>)\s*(-?[0-9.]+)\}$/u;

/** The names of the variables in a pattern, once for each place. */
export function variablesIn(pattern: unknown): readonly string[] {
  if (typeof pattern === "string") {
    const name = VARIABLE.exec(pattern)?.[1];
    return name === undefined ? [] : [name];
  }
  if (typeof pattern !== "object" || pattern === null) return [];
  return Object.values(pattern).flatMap(variablesIn);
}

/** Every "${…}" in a pattern that is none of the forms above, such as a misspelt regular expression. */
export function unknownForms(pattern: unknown): readonly string[] {
  if (typeof pattern === "string") {
    if (!pattern.startsWith("${")) return [];
    const regex = REGEX.exec(pattern);
    if (regex !== null) return isRegex(regex[1] ?? "", regex[2] ?? "") ? [] : [pattern];
    const isKnown = [VARIABLE, BOUND, RANGE].some((form) => form.test(pattern));
    return isKnown ? [] : [pattern];
  }
  if (typeof pattern !== "object" || pattern === null) return [];
  return Object.values(pattern).flatMap(unknownForms);
}

function isRegex(source: string, flags: string): boolean {
  try {
    void new RegExp(source, flags);
    return true;
  } catch {
    return false;
  }
}

interface Place {
  readonly path: string;
  /** True: a mapping has these keys and no others. */
  readonly whole: boolean;
}

/** Compares one value; `whole` forbids keys that the pattern does not name, at every depth. */
export function matchValue(
  pattern: unknown,
  actual: unknown,
  bindings: Bindings,
  place: Place,
): Match {
  const differs = (): Match => ({
    mismatch: { path: place.path, expected: shown(pattern, bindings), actual: shown(actual) },
  });
  if (typeof pattern === "string") return matchText(pattern, actual, bindings, differs);
  if (Array.isArray(pattern)) {
    if (!Array.isArray(actual)) return differs();
    return matchList(pattern, actual, bindings, { place, differs });
  }
  if (isMapping(pattern)) {
    if (!isMapping(actual)) return differs();
    return matchMapping(pattern, actual, bindings, place);
  }
  return Object.is(pattern, actual) ? { bindings } : differs();
}

function matchText(
  pattern: string,
  actual: unknown,
  bindings: Bindings,
  differs: () => Match,
): Match {
  if (pattern === "*") return actual === undefined ? differs() : { bindings };
  const regex = REGEX.exec(pattern);
  if (regex !== null) {
    const fits = actual !== undefined && new RegExp(regex[1] ?? "", regex[2]).test(String(actual));
    return fits ? { bindings } : differs();
  }
  const bound = BOUND.exec(pattern);
  if (bound !== null) return isWithin(bound, actual) ? { bindings } : differs();
  const range = RANGE.exec(pattern);
  if (range !== null) {
    const fits =
      typeof actual === "number" && actual >= Number(range[1]) && actual <= Number(range[2]);
    return fits ? { bindings } : differs();
  }
  const name = VARIABLE.exec(pattern)?.[1];
  if (name === undefined) return pattern === actual ? { bindings } : differs();
  if (actual === undefined) return differs();
  if (!bindings.has(name)) return { bindings: new Map([...bindings, [name, actual]]) };
  return isDeepStrictEqual(bindings.get(name), actual) ? { bindings } : differs();
}

function isWithin([, operator, limit]: RegExpExecArray, actual: unknown): boolean {
  if (typeof actual !== "number") return false;
  switch (operator) {
    case "<=":
      return actual <= Number(limit);
    case ">=":
      return actual >= Number(limit);
    case "<":
      return actual < Number(limit);
    default:
      return actual > Number(limit);
  }
}

function matchList(
  pattern: readonly unknown[],
  actual: readonly unknown[],
  bindings: Bindings,
  { place, differs }: { readonly place: Place; readonly differs: () => Match },
): Match {
  if (pattern.length !== actual.length) return differs();
  let known = bindings;
  for (const [index, one] of pattern.entries()) {
    const path = `${place.path}[${index}]`;
    const match = matchValue(one, actual[index], known, { ...place, path });
    if (match.bindings === undefined) return match;
    known = match.bindings;
  }
  return { bindings: known };
}

function matchMapping(
  pattern: Readonly<Record<string, unknown>>,
  actual: Readonly<Record<string, unknown>>,
  bindings: Bindings,
  place: Place,
): Match {
  const pathOf = (key: string) => (place.path === "" ? key : `${place.path}.${key}`);
  let known = bindings;
  for (const [key, one] of Object.entries(pattern)) {
    const value = Object.hasOwn(actual, key) ? actual[key] : undefined;
    const match = matchValue(one, value, known, { ...place, path: pathOf(key) });
    if (match.bindings === undefined) return match;
    known = match.bindings;
  }
  const extra = Object.keys(actual).find((key) => !Object.hasOwn(pattern, key));
  if (!place.whole || extra === undefined) return { bindings: known };
  return {
    mismatch: { path: pathOf(extra), expected: "nothing", actual: shown(actual[extra]) },
  };
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function shown(value: unknown, bindings?: Bindings): string {
  if (value === undefined) return "nothing";
  const text = JSON.stringify(value);
  const name = typeof value === "string" ? VARIABLE.exec(value)?.[1] : undefined;
  if (name === undefined || bindings?.has(name) !== true) return text;
  return `${text}, which is ${JSON.stringify(bindings.get(name))}`;
}

/**
 * How values cross the engine's borders: encoded once as JSON text, measured in UTF-8 bytes, and
 * kept inline or as a pointer to the blob store (claim check). Decides what may cross and what is
 * refused by name; it does not store anything.
 */
import { type PawlError, pawlError } from "./errors.ts";
import { JSON_DEPTH_MAX, PAYLOAD_BYTES_MAX } from "./limits.ts";

/** A value in the log: JSON text inline, or the key and size of the blob that holds the text. */
export type Payload = { readonly json: string } | { readonly blob: string; readonly bytes: number };

export type Encoded =
  | { readonly kind: "encoded"; readonly json: string; readonly bytes: number }
  | { readonly kind: "refused"; readonly error: PawlError };

/**
 * Encodes one value. `undefined` becomes `null`: a void activity returns null.
 *
 * Refused, never silently changed: functions, symbols, BigInt, cycles, NaN and infinities anywhere
 * in the value, nesting deeper than {@link JSON_DEPTH_MAX} and more than {@link PAYLOAD_BYTES_MAX}
 * UTF-8 bytes (M-01, B-09). `-0` becomes `0` and integers beyond 2^53 keep JavaScript's precision,
 * as JSON does. Objects with `toJSON` (Date) are stored as what it returns.
 *
 * @param what names the value in the error, such as "the argument of activity charge"
 */
export function encode(
  value: unknown,
  what: string,
  bytesMax: number = PAYLOAD_BYTES_MAX,
): Encoded {
  let json: string;
  try {
    const problem = findProblem(value, 0, []);
    if (problem !== undefined)
      return { kind: "refused", error: pawlError(problem.code, { what, where: problem.where }) };
    // A `toJSON` may answer undefined, which becomes null like any other.
    json = JSON.stringify(value ?? null) ?? "null";
  } catch (cause) {
    // A getter or `toJSON` of the value threw.
    const reason = cause instanceof Error ? cause.message : String(cause);
    return {
      kind: "refused",
      error: pawlError("payload_not_serializable", { what, where: reason }),
    };
  }
  const bytes = utf8Bytes(json);
  if (bytes > bytesMax) {
    return {
      kind: "refused",
      error: pawlError("payload_too_large", {
        what,
        bytes: String(bytes),
        limit: String(bytesMax),
      }),
    };
  }
  return { kind: "encoded", json, bytes };
}

/** Decodes JSON text of the log. Text in the log was written by {@link encode}, so it always parses. */
export function decode(json: string): unknown {
  return JSON.parse(json);
}

/** The UTF-8 size of a string in bytes, without encoding it. */
export function utf8Bytes(text: string): number {
  let bytes = 0;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit < 0x80) bytes += 1;
    else if (unit < 0x800) bytes += 2;
    else if (unit >= 0xd800 && unit <= 0xdbff && isLowSurrogate(text.charCodeAt(index + 1))) {
      bytes += 4;
      index++;
    } else bytes += 3;
  }
  return bytes;
}

function isLowSurrogate(unit: number): boolean {
  return unit >= 0xdc00 && unit <= 0xdfff;
}

interface Problem {
  readonly code: "payload_not_serializable" | "payload_too_deep";
  readonly where: string;
}

/** Walks the value as JSON.stringify would, so that what it would drop or change is refused. */
function findProblem(value: unknown, depth: number, path: readonly unknown[]): Problem | undefined {
  switch (typeof value) {
    case "string":
    case "boolean":
      return undefined;
    case "undefined":
      return undefined;
    case "number":
      return Number.isFinite(value) ? undefined : unserializable(`the number ${value}`);
    case "bigint":
      return unserializable("a BigInt (send it as a string)");
    case "function":
      return unserializable("a function");
    case "symbol":
      return unserializable("a symbol");
    case "object":
      return value === null ? undefined : findProblemInObject(value, depth, path);
  }
}

function findProblemInObject(
  value: object,
  depth: number,
  path: readonly unknown[],
): Problem | undefined {
  if (depth >= JSON_DEPTH_MAX)
    return { code: "payload_too_deep", where: `deeper than ${JSON_DEPTH_MAX} levels` };
  if (path.includes(value)) return unserializable("a cycle");
  const inner = [...path, value];
  if ("toJSON" in value && typeof value.toJSON === "function") {
    const replaced: unknown = value.toJSON("");
    return findProblem(replaced, depth + 1, inner);
  }
  if (value instanceof Map || value instanceof Set)
    return unserializable("a Map or Set (send an array or object)");
  for (const item of Object.values(value)) {
    const problem = findProblem(item, depth + 1, inner);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function unserializable(where: string): Problem {
  return { code: "payload_not_serializable", where };
}

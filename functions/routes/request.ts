/** Reading requests: bounded before they are parsed, refused by name, never changed silently (L6 to L8, L13). */
import type { Context } from "hono";
import * as v from "valibot";
import { pawlError } from "../../sdk/core/errors.ts";
import { JSON_DEPTH_MAX } from "../../sdk/core/limits.ts";
import type { RunRef } from "../../sdk/engine/operations/find-run.ts";

type Schema<Entries extends v.ObjectEntries> = v.ObjectSchema<Entries, undefined>;

/** A value of a request's body lies one level below the body itself. */
const BODY_DEPTH_MAX = JSON_DEPTH_MAX + 1;
/** Characters of a caller's own text that an error repeats. */
const ECHO_LENGTH_MAX = 80;

/** The run that the path names. */
export function runRef(context: Context): RunRef {
  const workflow_id = context.req.param("id") ?? "";
  const run_id = context.req.param("run_id");
  return run_id === undefined ? { workflow_id } : { workflow_id, run_id };
}

/**
 * The body as the schema describes it; no body is an empty object.
 * @throws PawlError invalid_json, invalid_request, payload_too_deep
 */
export async function readBody<Entries extends v.ObjectEntries>(
  context: Context,
  schema: Schema<Entries>,
): Promise<v.InferOutput<Schema<Entries>>> {
  const text = decodeUtf8(await context.req.arrayBuffer());
  if (text.trim() === "") return parse(schema, {}, "the field");
  if (exceedsDepth(text, BODY_DEPTH_MAX)) {
    const where = `deeper than ${JSON_DEPTH_MAX} levels`;
    throw pawlError("payload_too_deep", { what: "the request body", where });
  }
  const body = parseJson(text);
  if (typeof body !== "object" || body === null || Array.isArray(body))
    throw pawlError("invalid_request", { reason: "the body is not a JSON object" });
  return parse(schema, body, "the field");
}

/** The query parameters as the schema describes them. @throws PawlError invalid_request */
export function readQuery<Entries extends v.ObjectEntries>(
  context: Context,
  schema: Schema<Entries>,
): v.InferOutput<Schema<Entries>> {
  const parameters = new URL(context.req.url).searchParams;
  const names = [...parameters.keys()];
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw invalid(`the query parameter ${echo(twice)} is given twice`);
  return parse(schema, Object.fromEntries(parameters), "the query parameter");
}

function parse<Entries extends v.ObjectEntries>(
  schema: Schema<Entries>,
  value: object,
  what: string,
): v.InferOutput<Schema<Entries>> {
  const known = Object.keys(schema.entries);
  for (const name of Object.keys(value)) {
    if (known.includes(name)) continue;
    const expected = known.length === 0 ? "none is known here" : `known are ${known.join(", ")}`;
    throw invalid(`${what} ${echo(name)} is unknown; ${expected}`);
  }
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  const [issue] = result.issues;
  const name = v.getDotPath(issue) ?? "";
  throw invalid(`${what} ${name} ${problemOf(issue)}`);
}

/** Says what was expected and never repeats what came: it may be large or secret (S8). */
function problemOf(issue: v.BaseIssue<unknown>): string {
  if (issue.kind !== "schema") return issue.message;
  if (issue.type === "object" && issue.received === "undefined") return "is missing";
  return `must be ${issue.expected ?? "of another type"}`;
}

function invalid(reason: string): Error {
  return pawlError("invalid_request", { reason });
}

function echo(text: string): string {
  return JSON.stringify(text.slice(0, ECHO_LENGTH_MAX));
}

function decodeUtf8(bytes: ArrayBuffer): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw pawlError("invalid_json", { reason: "it is not UTF-8" });
  }
}

/** The parser's own message repeats a part of the body: only the position is passed on. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const position = cause instanceof Error ? /position \d+/.exec(cause.message)?.[0] : undefined;
    throw pawlError("invalid_json", { reason: `it cannot be parsed (${position ?? "its text"})` });
  }
}

/**
 * Whether JSON text nests deeper than `depthMax`, in one pass over its characters: a bomb of
 * brackets never reaches the parser.
 */
export function exceedsDepth(text: string, depthMax: number): boolean {
  let depth = 0;
  let inString = false;
  for (let index = 0; index < text.length; index++) {
    const character = text[index];
    if (inString) {
      if (character === "\\") index++;
      else if (character === '"') inString = false;
    } else if (character === '"') inString = true;
    else if (character === "[" || character === "{") {
      if (++depth > depthMax) return true;
    } else if (character === "]" || character === "}") depth--;
  }
  return false;
}

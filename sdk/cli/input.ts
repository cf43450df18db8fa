/** What users type as values: JSON, files, durations, lists. Wrong ones are refused with an example. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { WorkflowStatus } from "../client.ts";
import { UsageError } from "./exit.ts";
import type { Io } from "./io.ts";

/** `-i`: JSON text, `@file` with JSON in it, or `-` for JSON on standard input. */
export async function readInput(text: string | undefined, io: Io): Promise<unknown> {
  if (text === undefined) return undefined;
  const { source, where } = await readSource(text, io);
  try {
    return JSON.parse(source);
  } catch (error) {
    throw new UsageError(
      `${where} is not JSON: ${error instanceof Error ? error.message : String(error)}`,
      `-i '{"key":"value"}', -i @file.json, or -i - to read standard input; quote the JSON for your shell`,
    );
  }
}

/** An argument of a signal or query: as `-i`, but text that is not JSON is the text itself. */
export async function readArguments(texts: readonly string[], io: Io): Promise<readonly unknown[]> {
  const values: unknown[] = [];
  for (const text of texts) values.push(await readArgument(text, io));
  return values;
}

async function readArgument(text: string, io: Io): Promise<unknown> {
  if (text === "-" || text.startsWith("@")) return readInput(text, io);
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

async function readSource(
  text: string,
  io: Io,
): Promise<{ readonly source: string; readonly where: string }> {
  if (text === "-") return { source: await io.readStdin(), where: "standard input" };
  if (!text.startsWith("@")) return { source: text, where: "the input" };
  const file = text.slice(1);
  try {
    return { source: readFileSync(resolve(io.cwd, file), "utf8"), where: file };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UsageError(`cannot read ${file}: ${reason}`, "check the path after the @");
  }
}

const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** `90`, `90s`, `1.5h`, `200ms`, `2d` in milliseconds; a bare number is seconds. */
export function durationMs(text: string): number {
  const [, amount = "", unit = "s"] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/.exec(text) ?? [];
  const unitMs = UNIT_MS[unit];
  if (amount === "" || unitMs === undefined)
    throw new UsageError(`${JSON.stringify(text)} is not a duration`, "30s, 5m, 1h or 2d");
  return Number(amount) * unitMs;
}

/** A whole number from `min` to `max`. */
export function count(what: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < min || value > max) {
    const message = `${what} is ${JSON.stringify(text)}; expected a whole number`;
    throw new UsageError(message, `a number from ${min} to ${max}`);
  }
  return value;
}

const STATUSES = [
  "pending",
  "running",
  "completed",
  "failed",
  "cancelled",
  "terminated",
] as const satisfies readonly WorkflowStatus[];

/** `running,failed` as a list without repeats. */
export function statuses(text: string): readonly WorkflowStatus[] {
  const names = new Set(text.split(",").map((name) => name.trim()));
  return [...names].map((name) => {
    const known = STATUSES.find((status) => status === name);
    if (known !== undefined) return known;
    throw new UsageError(
      `${JSON.stringify(name)} is not a status`,
      `--status with one or more of ${STATUSES.join(",")}`,
    );
  });
}

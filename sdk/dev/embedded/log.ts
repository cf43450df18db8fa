/** What the stack and its functions print, line by line. */
import type { FunctionName } from "../../core/test-points.ts";

export interface LogLine {
  /** ISO 8601. */
  readonly at: string;
  readonly source: FunctionName | "stack";
  readonly level: "info" | "error";
  readonly text: string;
  /** The line's own fields when a function printed a JSON object. */
  readonly fields?: Readonly<Record<string, unknown>>;
  /** Process id of the function's environment. */
  readonly pid?: number;
}

export type Log = (line: LogLine) => void;

/** A line of the stack itself. */
export function stackLine(level: LogLine["level"], text: string): LogLine {
  return { at: new Date().toISOString(), source: "stack", level, text };
}

/** A line that a function printed. */
export function functionLine(
  source: FunctionName,
  pid: number | undefined,
  stream: "stdout" | "stderr",
  text: string,
): LogLine {
  const fields = fieldsOf(text);
  return {
    at: new Date().toISOString(),
    source,
    level: stream === "stderr" || isErrorLevel(fields?.["level"]) ? "error" : "info",
    text,
    ...(fields === undefined ? {} : { fields }),
    ...(pid === undefined ? {} : { pid }),
  };
}

function isErrorLevel(level: unknown): boolean {
  return typeof level === "string" && /^(error|critical|fatal)$/i.test(level);
}

function fieldsOf(text: string): Readonly<Record<string, unknown>> | undefined {
  if (!text.startsWith("{")) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null
      ? Object.fromEntries(Object.entries(value))
      : undefined;
  } catch {
    return undefined;
  }
}

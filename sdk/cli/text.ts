/** Text of users on a terminal: no control characters, no more columns than there are. */
import type { FailureView } from "../client.ts";
import type { OmittedValue } from "../core/api.ts";
import type { Colors } from "./session.ts";

/**
 * One line without control characters, which could move the cursor or forge other lines: line breaks
 * become a space, the rest its escape.
 */
export function plain(text: string): string {
  return text
    .replaceAll(/\s*[\r\n]+\s*/g, " ")
    .replaceAll(
      /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu,
      (character) => `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, "0")}`,
    );
}

/** Several lines, each made {@link plain}. */
export function plainLines(text: string): string {
  return text
    .split(/\r?\n/)
    .map((line) => plain(line.replaceAll("\t", "  ")))
    .join("\n");
}

/** At most `width` characters, with an ellipsis where something is missing. */
export function clip(text: string, width: number): string {
  if (text.length <= width) return text;
  return width <= 1 ? "…".slice(0, width) : `${text.slice(0, width - 1)}…`;
}

/** A value as compact JSON within `width` characters. */
export function jsonText(value: unknown, width: number): string {
  if (isOmitted(value)) return `(${value.bytes.toLocaleString("en")} bytes, left out)`;
  return clip(plain(JSON.stringify(value) ?? "null"), width);
}

function isOmitted(value: unknown): value is OmittedValue {
  return (
    typeof value === "object" && value !== null && "$pawl" in value && value.$pawl === "omitted"
  );
}

export function failureText(failure: FailureView): string {
  return plain(failure.message === "" ? failure.type : `${failure.type}: ${failure.message}`);
}

/** Exactly `width` characters. */
export function cell(text: string, width: number): string {
  return clip(text, width).padEnd(width);
}

/** A status in its colour; the word stands alone without colour. */
export function statusText(status: string, colors: Colors, width: number = 0): string {
  const paint = PAINTS[status];
  const padded = status.padEnd(width);
  return paint === undefined ? padded : colors[paint](padded);
}

const PAINTS: Readonly<Record<string, "green" | "red" | "yellow" | "cyan">> = {
  completed: "green",
  failed: "red",
  expired: "red",
  terminated: "red",
  cancelled: "yellow",
  pending: "cyan",
  running: "cyan",
};

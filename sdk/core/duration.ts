/**
 * Durations as authors write them, to milliseconds (C-11). Decides what counts as a duration and
 * refuses the rest by name; which durations an option allows is decided in `parse-options.ts`.
 */
import { type PawlError, pawlError } from "./errors.ts";

/** One unit of a duration text: milliseconds, seconds, minutes, hours, days. */
type DurationUnit = "ms" | "s" | "m" | "h" | "d";

export type DurationText =
  | `${number}${DurationUnit}`
  | `${number}d${number}h`
  | `${number}h${number}m`
  | `${number}m${number}s`
  | `${number}h${number}m${number}s`;

/** The sum of its fields; at least one is given. */
export interface DurationFields {
  readonly days?: number;
  readonly hours?: number;
  readonly minutes?: number;
  readonly seconds?: number;
  readonly milliseconds?: number;
}

/**
 * A span of time: seconds as a bare number up to one day (`10`, `0.5`), a text with units
 * (`"250ms"`, `"10s"`, `"1h30m"`, `"2d"`; larger units first), or an object
 * (`{ minutes: 5, seconds: 30 }`). Whole milliseconds, 0 to 36,500 days.
 */
export type Duration = number | DurationText | DurationFields;

/** Names what a duration is for, so that an error says where to look. */
export interface DurationPlace {
  /** Such as `activity charge`. */
  readonly where: string;
  readonly option: string;
}

/** Milliseconds of a day: the largest bare number, because 86400 is rarely a slip and 600000 often is. */
const DAY_MS = 86_400_000;
/** Milliseconds of the longest duration: 36,500 days. */
export const DURATION_MS_MAX = 36_500 * DAY_MS;

const UNIT_MS = {
  d: DAY_MS,
  h: 3_600_000,
  m: 60_000,
  s: 1_000,
  ms: 1,
} as const satisfies Record<DurationUnit, number>;

const FIELD_MS = new Map<string, number>([
  ["days", UNIT_MS.d],
  ["hours", UNIT_MS.h],
  ["minutes", UNIT_MS.m],
  ["seconds", UNIT_MS.s],
  ["milliseconds", UNIT_MS.ms],
]);

// Every part is optional and the text has a fixed number of parts, so matching takes linear time (L14).
const AMOUNT = String.raw`\d{1,15}(?:\.\d{1,9})?`;
const TEXT = new RegExp(
  `^(?:(${AMOUNT})d)?(?:(${AMOUNT})h)?(?:(${AMOUNT})m(?!s))?(?:(${AMOUNT})s)?(?:(${AMOUNT})ms)?$`,
);
const TEXT_UNITS_MS = [UNIT_MS.d, UNIT_MS.h, UNIT_MS.m, UNIT_MS.s, UNIT_MS.ms];
const FORMS = 'write seconds as a number, "10s", "5m", "250ms" or { minutes: 5 }';

/**
 * Milliseconds of a duration.
 * @throws PawlError invalid_option naming the option and the value received
 */
export function durationMs(value: unknown, place: DurationPlace): number {
  const read = readDuration(value);
  if (typeof read === "string") throw durationError(place, value, read);
  const ms = Math.round(read);
  // The tolerance forgives binary fractions (1.005 s); real fractions of a millisecond are refused.
  if (Math.abs(ms - read) > 1e-3) throw durationError(place, value, "is finer than a millisecond");
  if (ms > DURATION_MS_MAX) throw durationError(place, value, "is longer than 36,500 days");
  return ms;
}

function durationError(place: DurationPlace, value: unknown, reason: string): PawlError {
  return pawlError("invalid_option", {
    ...place,
    reason: `${reason}; received ${showValue(value)}`,
  });
}

/** A value as an error message shows it: short, on one line, and never a throw. */
export function showValue(value: unknown): string {
  let text: string | undefined;
  try {
    text =
      typeof value === "object" || typeof value === "string" ? JSON.stringify(value) : undefined;
  } catch {
    text = "an object that cannot be shown";
  }
  const shown = text ?? (typeof value === "function" ? "a function" : String(value));
  return shown.length <= 80 ? shown : `${shown.slice(0, 80)}…`;
}

/** Milliseconds, or the reason why there are none. */
function readDuration(value: unknown): number | string {
  if (typeof value === "number") return readSeconds(value);
  if (typeof value === "string") return readText(value);
  if (typeof value === "object" && value !== null && !Array.isArray(value))
    return readFields(value);
  return `must be a duration: ${FORMS}`;
}

function readSeconds(seconds: number): number | string {
  if (!Number.isFinite(seconds)) return "must be a finite number of seconds";
  if (seconds < 0) return "must not be negative";
  if (seconds * 1_000 > DAY_MS) return 'is above one day (86400): write the unit, such as "7d"';
  return seconds * 1_000;
}

function readText(text: string): number | string {
  const parts = TEXT.exec(text);
  if (parts === null || text === "") return `is not a duration: ${FORMS}`;
  let ms = 0;
  for (const [index, unitMs] of TEXT_UNITS_MS.entries())
    ms += Number(parts[index + 1] ?? 0) * unitMs;
  return ms;
}

function readFields(fields: object): number | string {
  let ms = 0;
  let given = 0;
  for (const [field, amount] of Object.entries(fields) as [string, unknown][]) {
    const unitMs = FIELD_MS.get(field);
    if (unitMs === undefined)
      return `has no field ${field}; expected ${[...FIELD_MS.keys()].join(", ")}`;
    if (amount === undefined) continue;
    if (typeof amount !== "number" || !Number.isFinite(amount) || amount < 0)
      return `needs a number of ${field}, not negative`;
    ms += amount * unitMs;
    given++;
  }
  return given === 0 ? `names no span of time: ${FORMS}` : ms;
}

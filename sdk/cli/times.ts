/** Times and durations as people read them. */
export type TimeFormat = "relative" | "iso";

/** A duration in at most two units: `12ms`, `3.41s`, `2m 5s`, `4h 10m`, `3d 2h`. */
export function durationText(durationMs: number): string {
  const ms = Math.max(0, Math.round(durationMs));
  if (ms < 1_000) return `${ms}ms`;
  if (ms < 60_000) return `${trimZeros((ms / 1_000).toFixed(ms < 10_000 ? 2 : 1))}s`;
  const seconds = Math.floor(ms / 1_000);
  if (seconds < 3_600) return twoUnits(seconds, MINUTE, SECOND);
  return seconds < 86_400 ? twoUnits(seconds, HOUR, MINUTE) : twoUnits(seconds, DAY, HOUR);
}

/** `12s ago`, `in 4m`, or the ISO text, as the user asked for. */
export function timeText(iso: string, nowMs: number, format: TimeFormat): string {
  if (format === "iso") return iso;
  const ageMs = nowMs - Date.parse(iso);
  if (Math.abs(ageMs) < 1_000) return "now";
  const text = durationText(Math.abs(ageMs) < 60_000 ? wholeSeconds(ageMs) : Math.abs(ageMs));
  return ageMs > 0 ? `${text} ago` : `in ${text}`;
}

function wholeSeconds(durationMs: number): number {
  return Math.floor(Math.abs(durationMs) / 1_000) * 1_000;
}

interface Unit {
  readonly name: string;
  readonly seconds: number;
}
const SECOND: Unit = { name: "s", seconds: 1 };
const MINUTE: Unit = { name: "m", seconds: 60 };
const HOUR: Unit = { name: "h", seconds: 3_600 };
const DAY: Unit = { name: "d", seconds: 86_400 };

function twoUnits(seconds: number, big: Unit, small: Unit): string {
  const whole = `${Math.floor(seconds / big.seconds)}${big.name}`;
  const rest = Math.floor((seconds % big.seconds) / small.seconds);
  return rest === 0 ? whole : `${whole} ${rest}${small.name}`;
}

function trimZeros(number: string): string {
  return number.replace(/\.?0+$/, "");
}

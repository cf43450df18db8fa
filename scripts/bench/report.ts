/** The benchmark's results as JSON lines, as a table for a terminal, and as the table of the documentation. */
import { readFileSync } from "node:fs";
import { cpus } from "node:os";
import { type Check, isMet, type Loaded, type Measurement, type Results } from "./measurement.ts";

const manifest = new URL("../../package.json", import.meta.url);
// The package's own manifest: its version is a string.
const { version } = JSON.parse(readFileSync(manifest, "utf8")) as { readonly version: string };

/** One JSON line, with the field names of the peers' harness. */
export function jsonLine(result: Loaded<Measurement> | Loaded<Check>): string {
  const meta = { peer: "pawl", version, node: process.version };
  if ("target" in result) return JSON.stringify({ ...meta, ...result, met: isMet(result) });
  const { figures, ...fields } = result;
  const values = Object.entries(figures).map(([name, value]) => [name, rounded(value)]);
  return JSON.stringify({ ...meta, ...fields, ...Object.fromEntries(values) });
}

export function line(measurement: Measurement): string {
  const { workload, what, variant = "", concurrency, figures } = measurement;
  const where = concurrency === undefined ? "" : `c${concurrency}`;
  return `${workload.padEnd(7)} ${variant.padEnd(13)} ${where.padEnd(4)} ${what}: ${figuresText(figures)}`;
}

export function checkTable(checks: readonly Check[]): string {
  const rows = sorted(checks).map((check) => [
    check.target,
    check.what,
    valueOf(check),
    wantedOf(check),
    isMet(check) ? "met" : "FALLS SHORT",
  ]);
  return table(["", "target", "measured", "wanted", ""], rows);
}

/** What stands between the marks in docs/PERFORMANCE.md. */
export function markdown(results: Results): string {
  return [
    `Pawl ${version}, Node ${process.version}, ${cpus().length} cores (${cpus()[0]?.model ?? "unknown"}).`,
    "",
    "| | Target | Measured | Wanted | | Load |",
    "|---|---|---|---|---|---|",
    ...sorted(results.checks).map(
      (check) =>
        `| ${check.target} | ${check.what}${check.steady ? "" : " ⏱"} | ${valueOf(check)} | ${wantedOf(check)} | ${isMet(check) ? "met" : "**falls short**"} | ${check.load1} |`,
    ),
    "",
    "⏱: a time, which other work on the machine makes longer. Everything else is a count, a size or a ratio within one run. Load: the load average of that minute; above the number of cores, times are too long.",
    "",
    "| Workload | | c | Figures | Store | Load |",
    "|---|---|---|---|---|---|",
    ...results.measurements.map(
      ({ workload, what, variant, concurrency, figures, durability, load1 }) =>
        `| ${workload} | ${what}${variant === undefined ? "" : `, ${variant}`} | ${concurrency ?? ""} | ${figuresText(figures)} | ${durability} | ${load1} |`,
    ),
  ].join("\n");
}

const BEGIN = "<!-- begin: npm run bench -- --write -->";
const END = "<!-- end -->";

/** The document with the part between its marks replaced. */
export function withTable(document: string, text: string): string {
  const begin = document.indexOf(BEGIN);
  const end = document.indexOf(END);
  if (begin < 0 || end < begin)
    throw new Error(`the document has no part between ${BEGIN} and ${END}`);
  return `${document.slice(0, begin + BEGIN.length)}\n\n${text}\n\n${document.slice(end)}`;
}

function figuresText(figures: Readonly<Record<string, number>>): string {
  return Object.entries(figures)
    .map(([name, value]) => `${name} ${shown(value)}`)
    .join(", ");
}

function valueOf({ measured, unit }: Check): string {
  return `${shown(measured)} ${unit}`.trimEnd();
}

function wantedOf({ wanted, unit }: Check): string {
  const text = "atMost" in wanted ? `≤ ${shown(wanted.atMost)}` : `≥ ${shown(wanted.atLeast)}`;
  return `${text} ${unit}`.trimEnd();
}

function sorted<C extends Check>(checks: readonly C[]): readonly C[] {
  return checks.toSorted((one, other) => one.target.localeCompare(other.target));
}

function shown(value: number): string {
  if (Number.isNaN(value)) return "none";
  return Math.abs(value) >= 100 ? Math.round(value).toLocaleString("en") : String(rounded(value));
}

function rounded(value: number): number {
  return Number(value.toPrecision(Math.abs(value) >= 100 ? 6 : 3));
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => (row[column] ?? "").length)));
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

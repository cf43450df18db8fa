/** A tally as text. */
import type { Failure, Tally } from "./tally.ts";

const COLUMNS = 4;

/** What a campaign did, as tables: a person looks for the zero among the faults. */
export function report(tally: Tally, seconds: number): string {
  const rate = (tally.runs / seconds).toFixed(1);
  const hours = (tally.virtualMs / 3_600_000).toFixed(1);
  return [
    `${tally.runs} runs in ${seconds.toFixed(1)} s (${rate}/s): ${tally.operations} I/O operations, ${hours} virtual hours`,
    table("faults that fired", tally.fired),
    table("answers to clients", tally.answers),
    table("events written", tally.events),
    violations(tally),
  ].join("\n");
}

function table(title: string, values: Readonly<Record<string, number>>): string {
  const cells = Object.entries(values)
    .sort(([one], [other]) => one.localeCompare(other))
    .map(([name, count]) => [name, String(count)] as const);
  const nameWidth = Math.max(0, ...cells.map(([name]) => name.length));
  const countWidth = Math.max(0, ...cells.map(([, count]) => count.length));
  const lines = inRows(
    cells.map(([name, count]) => `${name.padEnd(nameWidth)} ${count.padStart(countWidth)}`),
  );
  return [`${title}:`, ...lines].join("\n");
}

function inRows(cells: readonly string[]): readonly string[] {
  const rows = Math.ceil(cells.length / COLUMNS);
  return Array.from({ length: rows }, (_, row) =>
    `  ${cells.filter((__, index) => index % rows === row).join("   ")}`.trimEnd(),
  );
}

export function violations({ failures, runs }: Tally): string {
  return [`violations: ${failures.length} of ${runs} runs`, ...failures.map(violation)].join("\n");
}

/** One line: how to see it again, and the first thing that was wrong. */
export function violation({ again, programs, violations: [first] }: Failure): string {
  const what = `${first?.invariant}: ${first?.what}`;
  return `  ${again} (${programs.join(", ")}) ${what.slice(0, 400)}`;
}

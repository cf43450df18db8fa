/** A tally as text. */
import type { Tally } from "./tally.ts";

export function report(tally: Tally, seconds: number): string {
  const rate = (tally.runs / seconds).toFixed(1);
  const hours = (tally.virtualMs / 3_600_000).toFixed(1);
  return [
    `${tally.runs} runs in ${seconds.toFixed(1)} s (${rate}/s): ${tally.operations} I/O operations, ${hours} virtual hours`,
    `faults: ${counts(tally.fired)}`,
    `answers: ${counts(tally.answers)}`,
    `events: ${counts(tally.events)}`,
    violations(tally),
  ].join("\n");
}

function counts(values: Readonly<Record<string, number>>): string {
  return Object.entries(values)
    .sort(([one], [other]) => one.localeCompare(other))
    .map(([name, count]) => `${name} ${count}`)
    .join(", ");
}

export function violations({ failures, runs }: Tally): string {
  const lines = failures.map(({ again, programs, violations: [first] }) => {
    const what = `${first?.invariant}: ${first?.what}`;
    return `  ${again} (${programs.join(", ")}) ${what.slice(0, 400)}`;
  });
  return [`violations: ${failures.length} of ${runs} runs`, ...lines].join("\n");
}

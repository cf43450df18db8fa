/** Loops, medians and percentiles, with the semantics of the peers' harness. */

/** The value below which the share `share` of the values lies; NaN without values. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

export interface Loop {
  readonly latenciesMs: readonly number[];
  readonly wallMs: number;
  readonly failures: number;
}

const FAILURES_MAX = 5;

/** Calls `call` again and again for `ms` milliseconds, `concurrency` at the same time. */
export async function loop(
  concurrency: number,
  ms: number,
  call: () => Promise<unknown>,
): Promise<Loop> {
  const latenciesMs: number[] = [];
  let failures = 0;
  const begin = performance.now();
  const worker = async (): Promise<void> => {
    while (performance.now() < begin + ms) {
      const at = performance.now();
      try {
        await call();
        latenciesMs.push(performance.now() - at);
      } catch (error) {
        failures++;
        if (failures > FAILURES_MAX) throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  return { latenciesMs, wallMs: performance.now() - begin, failures };
}

/** Milliseconds that a call took. */
export async function timed(call: () => Promise<unknown>): Promise<number> {
  const at = performance.now();
  await call();
  return performance.now() - at;
}

/** The median of `runs` timings, after one call that is not timed. */
export async function medianOf(runs: number, call: () => Promise<unknown>): Promise<number> {
  await call();
  const times: number[] = [];
  for (let run = 0; run < runs; run++) times.push(await timed(call));
  return median(times);
}

/** The distances between neighbours. */
export function gaps(stamps: readonly number[]): readonly number[] {
  return stamps.slice(1).map((stamp, index) => stamp - (stamps[index] ?? stamp));
}

/** What the benchmark writes down: figures of a workload, and how they stand to the targets. */
import { loadavg } from "node:os";

/** The rows P1 to P9 of docs/PERFORMANCE.md, and D-04 of the requirements. */
export type TargetName = "P1" | "P2" | "P3" | "P4" | "P5" | "P6" | "P7" | "P8" | "P9" | "D-04";

/** Figures of one workload by name; names say units. */
export interface Measurement {
  /** W1 to W5 and WR are the workloads of the peers' harness; others are Pawl's own. */
  readonly workload: string;
  readonly what: string;
  readonly variant?: string;
  readonly concurrency?: number;
  /** The store that the row ran on, and what survives what there. */
  readonly durability: string;
  readonly figures: Readonly<Record<string, number>>;
}

/** One target, and what was measured for it. */
export interface Check {
  readonly target: TargetName;
  readonly what: string;
  readonly measured: number;
  readonly unit: string;
  readonly wanted: Bound;
  /** True for counts, sizes and ratios: they do not depend on how busy the machine is. */
  readonly steady: boolean;
  readonly durability: string;
}

export type Bound = { readonly atMost: number } | { readonly atLeast: number };

export function isMet({ measured, wanted }: Check): boolean {
  return "atMost" in wanted ? measured <= wanted.atMost : measured >= wanted.atLeast;
}

/** A result, with the machine's load average of the minute in which it was written down. */
export type Loaded<T> = T & { readonly load1: number };

/** Gathers the results of all parts of the benchmark. */
export class Results {
  readonly measurements: Loaded<Measurement>[] = [];
  readonly checks: Loaded<Check>[] = [];
  readonly #onMeasurement: (measurement: Loaded<Measurement>) => void;

  constructor(onMeasurement: (measurement: Loaded<Measurement>) => void) {
    this.#onMeasurement = onMeasurement;
  }

  add(measurement: Measurement): void {
    const loaded = withLoad(measurement);
    this.measurements.push(loaded);
    this.#onMeasurement(loaded);
  }

  check(check: Check): void {
    this.checks.push(withLoad(check));
  }
}

function withLoad<T>(result: T): Loaded<T> {
  return { ...result, load1: Math.round((loadavg()[0] ?? 0) * 10) / 10 };
}

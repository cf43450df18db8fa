/** What can go wrong, how often, and how often it did. */
import type { Service } from "../../sdk/testing/world/gate.ts";
import { Rng } from "./rng.ts";

/** Every fault with its probability per occasion in a random seed that has it switched on. */
const FAULTS = {
  /** Processes: per I/O operation. */
  crashBefore: 0.008,
  crashAfter: 0.012,
  /** Of crashed processes: goes on after 10 ms to 60 s. */
  zombie: 0.5,
  /** Per invocation: every warm environment is gone. */
  coldStart: 0.1,
  /** Per invocation: the clock is up to 1.5 s wrong. */
  clockSkew: 0.9,
  /** DynamoDB, S3 and SQS: per operation. */
  throttled: 0.03,
  notApplied: 0.03,
  appliedUnanswered: 0.03,
  /** The AWS client tries again by itself after an applied but unanswered call. */
  clientRetried: 0.02,
  slow: 0.03,
  staleIndex: 0.3,
  smallPages: 0.3,
  unprocessed: 0.2,
  /** Per seed: one service refuses everything for a while. */
  outage: 0.25,
  /** SQS: per message. */
  duplicate: 0.1,
  late: 0.05,
  lostDelete: 0.06,
  olderHandleDeletes: 0.5,
  sendPartlyFailed: 0.04,
  /** Activity bodies: per attempt. */
  bodyThrows: 0.2,
  bodyFatal: 0.04,
  bodySlow: 0.1,
  bodyHangs: 0.03,
  bodyBlocks: 0.02,
  bodyLarge: 0.04,
  bodyUnserializable: 0.01,
  bodyIgnoresCancel: 0.2,
  bodySilent: 0.04,
  beatLarge: 0.1,
} as const;

export type Fault = keyof typeof FAULTS;
export const ALL_FAULTS: readonly Fault[] = Object.keys(FAULTS).filter(
  (name): name is Fault => name in FAULTS,
);
export type Profile = "random" | "storm";

/** In a storm everything is on and more frequent; these go up less, or no run would ever advance. */
const STORM_FACTOR = 4.5;
const STORM_MAX = 0.6;
const STORM_FACTORS: Partial<Record<Fault, number>> = {
  zombie: 1,
  clockSkew: 1,
  olderHandleDeletes: 1,
  bodyThrows: 1.5,
  bodyFatal: 1,
  bodyUnserializable: 1,
};

/** The share of seeds that have programs which wait for hours. */
const PATIENT_SHARE = 0.1;

/** The parts of a seed's virtual time, milliseconds. */
export interface Phases {
  readonly faultsMs: number;
  /** After the faults everything must come to rest within. */
  readonly quietWithinMs: number;
  /** How often the world is looked at for rest. */
  readonly lookEveryMs: number;
}

const PHASES: Phases = { faultsMs: 120_000, quietWithinMs: 500_000, lookEveryMs: 5_000 };
/** With long waits: some of them end under faults, and all of them must end. */
const PATIENT_PHASES: Phases = {
  faultsMs: 1_800_000,
  quietWithinMs: 60_000_000,
  lookEveryMs: 60_000,
};
const CALM_PHASES: Phases = { ...PHASES, faultsMs: 1_000 };

export class FaultPlan {
  readonly rates: Readonly<Record<Fault, number>>;
  readonly fired: Map<Fault, number> = new Map();
  /** Settings of the seed that are no events. */
  readonly settings: {
    readonly maxReceiveCount: number;
    readonly windowMs: number;
    readonly batchSize: number;
    readonly concurrency: number;
    readonly workflowTimeoutMs: number;
    readonly activityTimeoutMs: number;
    readonly leaseMs: number;
    /** The sweeper's look at open runs is left out: redelivery alone must keep them going. */
    readonly blindSweeper: boolean;
    /** Programs wait longer than a queue can delay: hours of virtual time. */
    readonly patient: boolean;
  };
  readonly phases: Phases;
  active = true;
  readonly #outage:
    | { readonly service: Service; readonly from: number; readonly to: number }
    | undefined;
  readonly #rng: Rng;
  /** One stream per fault: a fault that is added or switched off moves no other. */
  readonly #streams: ReadonlyMap<Fault, Rng>;

  constructor(seed: string, profile: Profile | "none") {
    const stream = (name: string): Rng => new Rng(`${seed}/plan/${name}`);
    this.#rng = new Rng(`${seed}/faults`);
    this.#streams = new Map(ALL_FAULTS.map((fault) => [fault, new Rng(`${seed}/faults/${fault}`)]));
    this.rates = ratesOf(stream, profile);
    const calm = profile === "none";
    this.settings = {
      maxReceiveCount: calm ? 20 : stream("receives").pick([4, 8, 20]),
      windowMs: calm ? 0 : stream("window").pick([0, 0, 50, 400, 2_000]),
      batchSize: calm ? 10 : stream("batch").pick([1, 10, 10]),
      concurrency: stream("concurrency").pick([2, 5, 10]),
      workflowTimeoutMs: stream("workflow timeout").pick([20_000, 30_000, 60_000]),
      activityTimeoutMs: stream("activity timeout").pick([15_000, 25_000]),
      leaseMs: stream("lease").pick([4_000, 10_000, 30_000]),
      blindSweeper: calm || stream("blind sweeper").chance(0.7),
      patient: !calm && stream("patient").chance(PATIENT_SHARE),
    };
    this.phases = calm ? CALM_PHASES : this.settings.patient ? PATIENT_PHASES : PHASES;
    const outage = stream("the outage");
    if (!outage.chance(this.rates.outage)) return;
    const from = outage.int(0, 60_000);
    const service = outage.pick(["dynamodb", "sqs", "s3"] as const);
    this.#outage = { service, from, to: from + outage.int(2_000, 60_000) };
  }

  /** @param atMs virtual milliseconds since the seed's start */
  isOut(service: Service, atMs: number): boolean {
    const outage = this.#outage;
    if (!this.active || outage?.service !== service || atMs < outage.from || atMs > outage.to)
      return false;
    this.note("outage");
    return true;
  }

  /** Whether the fault happens now; counted when it does. */
  strikes(fault: Fault): boolean {
    if (!this.active || this.#streams.get(fault)?.chance(this.rates[fault]) !== true) return false;
    this.note(fault);
    return true;
  }

  note(fault: Fault): void {
    this.fired.set(fault, (this.fired.get(fault) ?? 0) + 1);
  }

  int(low: number, high: number): number {
    return this.#rng.int(low, high);
  }

  pick<T>(choices: readonly T[]): T {
    return this.#rng.pick(choices);
  }
}

function ratesOf(
  stream: (name: string) => Rng,
  profile: Profile | "none",
): Readonly<Record<Fault, number>> {
  const rates: Record<Fault, number> = { ...FAULTS };
  for (const fault of ALL_FAULTS) {
    const isOn = stream(fault).chance(0.6);
    const usual = FAULTS[fault];
    if (profile === "none") rates[fault] = 0;
    else if (profile === "storm")
      rates[fault] = Math.min(
        Math.max(usual, STORM_MAX),
        usual * (STORM_FACTORS[fault] ?? STORM_FACTOR),
      );
    else rates[fault] = isOn ? usual : 0;
  }
  return rates;
}

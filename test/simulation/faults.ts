/** What can go wrong, how often, and how often it did. */
import { LOCAL_BODIES_MAX } from "../../sdk/core/limits.ts";
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
  /** Per invocation: the clock of this host alone is an hour ahead, and right again in the next one. */
  clockJump: 0.03,
  /** Per seed: from some moment on the clocks of all hosts are an hour ahead. */
  clocksJump: 0.08,
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
  bodyDetails: 0.01,
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
/** What follows from the faults and settings of a seed. */
export const INCIDENTS = ["deadLettered", "vanished"] as const;
export type Incident = (typeof INCIDENTS)[number];
export const ALL_FAULTS: readonly Fault[] = Object.keys(FAULTS).filter(
  (name): name is Fault => name in FAULTS,
);

/**
 * `random` and `storm` have all layers of repair. So has `copies`, in which little else goes wrong than
 * messages that come twice, late, and to slow handlers: for named programs, against which mutants run.
 * The others take one layer away, so that the rest shows what it repairs alone:
 *
 * - `no-redelivery`: SQS gives a message out once. When its invocation fails, or leaves it undecided
 *   without having set its visibility, it is gone; `check_at` and the sweeper must do.
 * - `no-sweeper`: there is no sweeper; redelivery must do. Without it nobody finds a start whose
 *   message never left, takes a late timer out of its table or sends a dead letter back: the first is
 *   no violation, the others do not occur (no long waits, no clock that is an hour ahead and makes
 *   waits long, receives without end).
 */
export const PROFILES = ["random", "storm", "copies", "no-redelivery", "no-sweeper"] as const;
export type Profile = (typeof PROFILES)[number];

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

/** Enough of what makes two handlers of one message meet, and few crashes: what is left must be slow. */
const COPIES: Partial<Record<Fault, number>> = {
  duplicate: 0.6,
  olderHandleDeletes: 0.8,
  late: 0.3,
  slow: 0.2,
  crashBefore: 0.015,
  crashAfter: 0.025,
  zombie: 0.3,
  lostDelete: 0.2,
  coldStart: 0.3,
  clockSkew: 0.9,
};

/** Faults that are on in fewer seeds than the others, in storms too: they excuse what clocks decide. */
const SHARES: Partial<Record<Fault, number>> = { clockJump: 0.1, clocksJump: 0.5 };
const SHARE = 0.6;
/** What gives a message out again although its invocation did not ask for it. */
const REDELIVERIES: readonly Fault[] = ["duplicate", "lostDelete", "olderHandleDeletes"];
/** What puts wake-ups into the table of timers, which only a sweeper empties. */
const JUMPS: readonly Fault[] = ["clockJump", "clocksJump"];
const HOUR_MS = 3_600_000;

/** The share of random seeds without any fault. */
const UNDISTURBED_SHARE = 0.03;
/** The share of seeds whose histories are replayed prefix by prefix, and whose runs are all asked. */
const SAMPLED_SHARE = 1 / 8;

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
  readonly fired: Map<Fault | Incident, number> = new Map();
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
    /** Messages come again after a failed invocation. */
    readonly redelivers: boolean;
    readonly sweeps: boolean;
    /** Checked at the end with all that takes time. */
    readonly sampled: boolean;
    /** Nothing goes wrong at all: what then costs too much, or gets lost, has no excuse. */
    readonly undisturbed: boolean;
    /** Local bodies that one task runs at the same time. */
    readonly places: number;
  };
  readonly phases: Phases;
  active = true;
  readonly #outage:
    | { readonly service: Service; readonly from: number; readonly to: number }
    | undefined;
  /** When the clocks of all hosts jump, virtual milliseconds since the seed's start. */
  readonly #clocksJumpAt: number;
  readonly #rng: Rng;
  /** One stream per fault: a fault that is added or switched off moves no other. */
  readonly #streams: ReadonlyMap<Fault, Rng>;

  constructor(seed: string, profile: Profile | "none") {
    const stream = (name: string): Rng => new Rng(`${seed}/plan/${name}`);
    this.#rng = new Rng(`${seed}/faults`);
    this.#streams = new Map(ALL_FAULTS.map((fault) => [fault, new Rng(`${seed}/faults/${fault}`)]));
    const undisturbed = profile === "random" && stream("undisturbed").chance(UNDISTURBED_SHARE);
    const sweeps = profile !== "no-sweeper";
    const mayWait = profile !== "none" && profile !== "copies" && sweeps;
    const patient = mayWait && stream("patient").chance(PATIENT_SHARE);
    this.rates = ratesOf(stream, undisturbed ? "none" : profile, patient);
    const calm = profile === "none";
    const copies = profile === "copies";
    const redelivers = profile !== "no-redelivery";
    const receives = calm ? 20 : stream("receives").pick([4, 8, 20]);
    const blind = stream("blind sweeper").chance(0.7) && redelivers;
    this.settings = {
      maxReceiveCount: sweeps ? receives : Number.MAX_SAFE_INTEGER,
      windowMs: calm ? 0 : stream("window").pick([0, 0, 50, 400, 2_000]),
      batchSize: calm || copies ? 10 : stream("batch").pick([1, 10, 10]),
      // One handler at a time lets messages wait for each other: they come back in one batch.
      concurrency: stream("concurrency").pick(copies ? [1, 5, 10] : [2, 5, 10]),
      workflowTimeoutMs: stream("workflow timeout").pick([20_000, 30_000, 60_000]),
      activityTimeoutMs: stream("activity timeout").pick([15_000, 25_000]),
      leaseMs: stream("lease").pick([4_000, 10_000, 30_000]),
      blindSweeper: calm || blind,
      patient,
      redelivers,
      sweeps,
      undisturbed,
      sampled: calm || stream("sampled").chance(SAMPLED_SHARE),
      places: calm
        ? LOCAL_BODIES_MAX
        : stream("places").pick([1, 3, LOCAL_BODIES_MAX, LOCAL_BODIES_MAX]),
    };
    const jumps = stream("the jump");
    const jumpsOnce = jumps.chance(this.rates.clocksJump);
    this.#clocksJumpAt = jumpsOnce ? jumps.int(2_000, 90_000) : Number.POSITIVE_INFINITY;
    this.phases = phasesOf(this.settings, this.rates.clockJump > 0 || jumpsOnce, calm);
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

  /**
   * By how much more than the usual skew a host's clock is ahead in an invocation that starts now.
   * @param atMs virtual milliseconds since the seed's start
   */
  jumpMs(atMs: number): number {
    const all = atMs >= this.#clocksJumpAt;
    if (all) this.note("clocksJump");
    return all || this.strikes("clockJump") ? HOUR_MS : 0;
  }

  /** A host's clock has jumped: what one of them takes for over may be under way on another. */
  get clocksDiffer(): boolean {
    return this.fired.has("clockJump") || this.fired.has("clocksJump");
  }

  /** Whether the fault happens now; counted when it does. */
  strikes(fault: Fault): boolean {
    if (!this.active || this.#streams.get(fault)?.chance(this.rates[fault]) !== true) return false;
    this.note(fault);
    return true;
  }

  note(fault: Fault | Incident): void {
    this.fired.set(fault, (this.fired.get(fault) ?? 0) + 1);
  }

  int(low: number, high: number): number {
    return this.#rng.int(low, high);
  }

  pick<T>(choices: readonly T[]): T {
    return this.#rng.pick(choices);
  }
}

function phasesOf(
  { patient, redelivers }: FaultPlan["settings"],
  clocksJump: boolean,
  calm: boolean,
): Phases {
  if (calm) return CALM_PHASES;
  if (patient) return PATIENT_PHASES;
  // What an hour's lead has scheduled comes an hour late; the sweeper looks at longer and longer intervals.
  return clocksJump || !redelivers ? { ...PATIENT_PHASES, faultsMs: PHASES.faultsMs } : PHASES;
}

function ratesOf(
  stream: (name: string) => Rng,
  profile: Profile | "none",
  patient: boolean,
): Readonly<Record<Fault, number>> {
  const rates: Record<Fault, number> = { ...FAULTS };
  for (const fault of ALL_FAULTS) {
    const share = SHARES[fault];
    const isOn = stream(fault).chance(share ?? SHARE);
    const usual = FAULTS[fault];
    const isOff =
      profile === "none" ||
      (profile === "no-redelivery" && REDELIVERIES.includes(fault)) ||
      (profile === "no-sweeper" && JUMPS.includes(fault));
    if (isOff) rates[fault] = 0;
    else if (profile === "copies") rates[fault] = COPIES[fault] ?? 0;
    // Copies of copies, for half an hour: nothing but copies would be left.
    else if (profile === "storm" && patient && REDELIVERIES.includes(fault)) rates[fault] = usual;
    else if (profile === "storm" && share === undefined)
      rates[fault] = Math.min(
        Math.max(usual, STORM_MAX),
        usual * (STORM_FACTORS[fault] ?? STORM_FACTOR),
      );
    else rates[fault] = isOn ? usual : 0;
  }
  return rates;
}

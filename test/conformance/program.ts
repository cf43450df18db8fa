/**
 * Workflow programs as data: what a case file writes under `program`, and what the workflow of
 * `entry.ts` interprets. README.md says what each word means.
 */

/** How `call` steps run: by localActivity, inside runActivitiesLocally, or through the queue. */
export const FLAVOURS = ["local", "scope", "regular"] as const;
export type Flavour = (typeof FLAVOURS)[number];

/** The activities of `entry.ts`, by the names that programs call them by. */
export const ACTIVITIES = [
  "alpha",
  "beta",
  "gamma",
  "delta",
  "cleanup",
  /** Its definition's name is "custom_activity_name". */
  "renamed",
  /** Its definition has every option that means nothing in local execution. */
  "routed",
  /** (left, right = 1) => left + right */
  "defaulted",
  /** (word, connection = depends(…)) => what the connection makes of it */
  "injected",
  /** Takes { count: number } only, by a schema. */
  "validated",
  /** Its definition has no limit at all. */
  "unlimited",
  /** Not exported: no worker knows it. */
  "unregistered",
] as const;
export type ActivityName = (typeof ACTIVITIES)[number];

export interface Thrown {
  /** An ApplicationFailure of this type; without it an error called `name`. */
  readonly type?: string | undefined;
  readonly name?: string | undefined;
  readonly message?: string | undefined;
  readonly non_retryable?: boolean | undefined;
  readonly details?: unknown;
}

export const ODD_VALUES = ["bigint", "cycle", "function", "infinity", "undefined"] as const;
export type OddValue = (typeof ODD_VALUES)[number];

/** One thing that a body does; the keys exclude each other. */
export interface BodyAction {
  readonly return?: unknown;
  readonly return_odd?: OddValue;
  /** A text of so many bytes. */
  readonly return_bytes?: number;
  readonly throw?: Thrown;
  /** Settles never, and hears nothing. */
  readonly hang?: true;
  /** Waits until the attempt's signal aborts, then goes on. */
  readonly until_told?: true;
  /** Throws what the signal was aborted with. */
  readonly stop?: true;
  /** An awaited heartbeat; with null it has no details. */
  readonly beat?: unknown;
  /** An awaited heartbeat whose details are a text of so many bytes. */
  readonly beat_bytes?: number;
  /** A heartbeat that is not awaited. */
  readonly beat_aside?: unknown;
  /** Awaited heartbeats until one is refused, whose error it throws. */
  readonly beat_until_told?: true;
  /** So many awaited heartbeats, each after so many milliseconds. */
  readonly beat_every?: { readonly ms: number; readonly times: number };
  /** So many heartbeats at once, none of them awaited. */
  readonly flood?: number;
  /** Waits until the action `release` of this name. */
  readonly wait_for?: string;
  /** Works for so long. */
  readonly pause_ms?: number;
  /** Keeps the event loop for so long. */
  readonly block_ms?: number;
  /** Ends the process. */
  readonly exit?: number;
  /** Leaves a rejected promise behind that nobody looks at. */
  readonly reject_aside?: string;
  /** Calls an activity from the body. */
  readonly nested?: CallStep;
  /** What stands for the result of `nested` when it fails; without it the body fails with it. */
  readonly or_else?: unknown;
}

/** What the body of one attempt does; the last one of a list also stands for all later attempts. */
export type Attempt = readonly BodyAction[];

interface CallFields {
  /** What the counts of bodies call it; default: the activity's name. */
  readonly label?: string;
  /** Scripted bodies. Without them the body gets `args` and the activity does what its name says. */
  readonly attempts?: readonly Attempt[];
  readonly args?: readonly unknown[];
  /** The six options of a local activity, given to whatever the call is. */
  readonly options?: Readonly<Record<string, unknown>>;
  /** Given to `.with()`. */
  readonly with?: Readonly<Record<string, unknown>>;
}

/** The verbs of a call: by localActivity, inside the scope, through the queue, and by the facade's two names. */
export const CALL_MODES = ["local", "scope", "regular", "facade", "facade_execute"] as const;
export type CallMode = (typeof CALL_MODES)[number];

export type CallStep = CallFields & { readonly [Mode in CallMode]?: ActivityName } & {
  /** Runs as the case's flavour says. */
  readonly call?: ActivityName;
};

/** One step; the verbs exclude each other. */
export type Step = CallStep & {
  readonly sleep?: unknown;
  readonly side_effect?: { readonly return?: unknown; readonly throw?: Thrown };
  readonly wait_signal?: string;
  /** Collects the arguments of all signals of this name in the variable `as`. */
  readonly handle_signal?: string;
  /** Waits until the variable, a list, has so many entries. */
  readonly wait_until?: { readonly variable: string; readonly length: number };
  readonly timeout?: unknown;
  readonly all?: readonly (readonly Step[])[];
  readonly race?: readonly (readonly Step[])[];
  readonly repeat?: number;
  readonly fan_out?: number;
  readonly of?: readonly Step[];
  readonly begin?: readonly Step[];
  readonly await?: string;
  readonly try?: readonly Step[];
  readonly catch?: readonly Step[];
  readonly finally?: readonly Step[];
  readonly locally?: readonly Step[];
  readonly draw?: "now" | "random" | "uuid" | "cancel_requested";
  readonly set?: Readonly<Record<string, unknown>>;
  readonly return?: unknown;
  readonly throw?: Thrown;
  /** Throws what the `catch` around it has caught. */
  readonly rethrow?: true;
  /** The variable that gets the step's value. */
  readonly as?: string;
};

/** The input of the workflow of `entry.ts`. */
export interface ProgramInput {
  readonly program: readonly Step[];
  readonly flavour: Flavour;
  readonly input: unknown;
  /** The folder in which bodies note that they were entered; absent where nobody can read it. */
  readonly journal: string | null;
}

/** The one argument of a scripted body. */
export interface Script {
  readonly $script: {
    readonly label: string;
    readonly attempts: readonly Attempt[];
    readonly args: readonly unknown[];
    readonly journal: string | null;
  };
}

/** One line of the journal. */
export interface Entered {
  readonly run_id: string;
  readonly label: string;
  /** Null for a side effect. */
  readonly activity_id: string | null;
  readonly attempt: number;
}

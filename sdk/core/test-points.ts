/**
 * How a test names a place in a function's life, and what it reads about the calls that were made.
 * The instrumented bundle (functions/instrument.ts) and the test platform share these shapes.
 */

/** The functions of a deployment, by the names that they have on every target. */
export const FUNCTION_NAMES = ["workflow-task", "activity-task", "api", "sweeper"] as const;
export type FunctionName = (typeof FUNCTION_NAMES)[number];

/** One call of a function to a service, and what happens to the function at it. */
export interface CrashPoint {
  readonly function: FunctionName;
  /**
   * The operation and its table, queue, bucket or function, by their logical names:
   * "PutItem history_events", "SendMessageBatch workflow-tasks", "SendMessage activity-tasks/default",
   * "PutObject payloads", "Invoke workflow-task". A batch over several tables joins them with "+".
   */
  readonly call: string;
  /**
   * before: the process dies and the call is not made. after: the call is made, then the process
   * dies. applied: the call is made, then the caller gets a timeout and lives on.
   */
  readonly when: "before" | "after" | "applied";
  /** The how many-th such call after arming, over all processes of the function; default 1. */
  readonly nth?: number;
}

/** A crash point that has been armed. It works once. */
export interface CrashHandle {
  /** Resolves when the point was reached and the process has died or got its timeout. */
  readonly reached: Promise<void>;
  /** Takes the point back; nothing happens when it was reached already. */
  disarm(): void;
}

/** What the functions did since the stack started. Retries of the AWS SDK count as one call. */
export interface Counts {
  /** By table: requests that read, and items written. */
  readonly store: Readonly<Record<string, StoreCounts>>;
  /** By queue: calls that send, and messages in them. */
  readonly queue: Readonly<Record<string, QueueCounts>>;
  /** By function: how often it was invoked. */
  readonly invocations: Readonly<Record<FunctionName, number>>;
  /** By function and call, as a crash point names them: "workflow-task: PutItem history_events". */
  readonly calls: Readonly<Record<string, number>>;
}
export interface StoreCounts {
  readonly reads: number;
  readonly writes: number;
}
export interface QueueCounts {
  readonly calls: number;
  readonly messages: number;
}

/**
 * What an instrumented function and the stack that holds it say to each other, between the messages
 * of the invocations. The stack decides, so that "the second such call" is exact over all processes.
 */
export type PointsMessage =
  /** From the stack: the calls at which the function asks before it goes on. */
  | { readonly kind: "points"; readonly points: readonly Pick<CrashPoint, "call" | "when">[] }
  /** From the stack: go on, or throw a timeout. A process that is to die gets no answer, but SIGKILL. */
  | { readonly kind: "verdict"; readonly ask: number; readonly fail: boolean }
  /** From the function, once per process: it waits for the points. */
  | { readonly kind: "listening" }
  /** From the function: such a call is next ("before") or has been made ("after", "applied"). */
  | {
      readonly kind: "asked";
      readonly ask: number;
      readonly call: string;
      readonly when: CrashPoint["when"];
    }
  /** From the function: a call is being made. */
  | {
      readonly kind: "called";
      readonly call: string;
      readonly store: readonly (StoreCounts & { readonly table: string })[];
      readonly queue: readonly { readonly queue: string; readonly messages: number }[];
    };

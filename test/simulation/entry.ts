/** The entry module under simulation: one activity, one workflow that interprets programs. */
import {
  type ActivityCallOptions,
  ActivityCancellation,
  ActivityFailure,
  ActivityTimeout,
  abortSignal,
  activity,
  activityInfo,
  CancelledFailure,
  cancelRequested,
  condition,
  defineQuery,
  defineSignal,
  heartbeat,
  heartbeatDetails,
  LocalActivityOptions,
  localActivity,
  now,
  type RetryPolicyOptions,
  random,
  runActivitiesLocally,
  setHandler,
  sideEffect,
  sleep,
  uuid,
  waitForSignal,
  workflow,
  workflowInfo,
} from "../../sdk/index.ts";
import type { Call, CallOptions, Node, ProgramInput, SignalName } from "./program.ts";
import { currentProcess, currentStage, THROWN } from "./theatre.ts";

const SIGNAL = {
  red: defineSignal<[string]>("red"),
  green: defineSignal<[string]>("green"),
};
const progress = defineQuery<readonly string[], [word?: string]>("progress");
/** Characters of a snapshot that just stays inside the log. */
const BULKY_CHARACTERS = 8_000;
const LARGE_CHARACTERS = 9_000;

export const work = activity(
  { name: "work" },
  async (name: string, ballast = ""): Promise<unknown> =>
    currentStage().perform(name, {
      info: activityInfo(),
      ballast,
      details: heartbeatDetails(),
      signal: abortSignal(),
      heartbeat,
      process: currentProcess(),
    }),
);

export const program = workflow(async ({ root, ballast = "" }: ProgramInput): Promise<string> => {
  const told: string[] = [];
  setHandler(progress, (word = "") => [...told, word, ballast]);
  return (await new Interpreter(told).run(root)) + ballast;
});

class Interpreter {
  readonly #told: string[];
  #heard = 0;

  constructor(told: string[]) {
    this.#told = told;
  }

  /** What a node comes to, as text; the whole text is the workflow's result. */
  async run(node: Node): Promise<string> {
    const said = await this.#say(node);
    this.#told.push(node.kind);
    currentStage().noteRan(node.kind);
    return said;
  }

  async #say(node: Node): Promise<string> {
    switch (node.kind) {
      case "local":
        return short(
          await localActivity(work, localOptions(node.options), node.name, ...ballastOf(node)),
        );
      case "regular":
        return short(await work.with(queuedOptions(node.options))(node.name, ...ballastOf(node)));
      case "timer":
        await sleep({ milliseconds: node.ms });
        return "t";
      case "effect":
        return short(await snapshot(node));
      case "clock":
        return `${now()}/${Date.now()}/${random()}/${uuid()}`;
      case "signal":
        return short(await waitForSignal(SIGNAL[node.name]));
      case "fail":
        throw new TypeError("the program fails");
      case "handle":
        return this.#handle(node.name, node.reaction);
      case "heard":
        return await this.#listen(node);
      case "sequence":
        return await this.#sequence(node.of);
      case "all":
        return `(${(await Promise.all(node.of.map((one) => this.run(one)))).join("&")})`;
      case "race":
        return await Promise.race(node.of.map((one) => this.run(one)));
      case "wide":
        return (await Promise.all(manyOf(node).map((one) => this.#say(one)))).join("");
      case "locally":
        return await runActivitiesLocally(() => this.run(node.of));
      case "attempt":
        return await this.#attempt(node.of, node.otherwise);
      case "cleanup":
        return await this.#cleanup(node.of, node.finally);
      case "stubborn":
        return await this.#insist(node.of, node.after);
    }
  }

  #handle(name: SignalName, reaction: Node | null): string {
    setHandler(SIGNAL[name], async (word) => {
      this.#heard += 1;
      this.#told.push(short(word));
      if (reaction !== null) await this.run(reaction).catch(() => undefined);
    });
    return "h";
  }

  async #listen(node: { readonly count: number; readonly withinMs: number | null }) {
    const enough = (): boolean => this.#heard >= node.count;
    if (node.withinMs === null) return String(await condition(enough));
    return String(await condition(enough, { milliseconds: node.withinMs }));
  }

  async #sequence(nodes: readonly Node[]): Promise<string> {
    const said: string[] = [];
    for (const node of nodes) said.push(await this.run(node));
    return said.join(",");
  }

  /** What was caught stands in the result, so that a replay that catches something else is noticed. */
  async #attempt(of: Node, otherwise: Node): Promise<string> {
    try {
      return await this.run(of);
    } catch (error) {
      if (error instanceof CancelledFailure) throw error;
      return `!${nameOf(error)}!${await this.run(otherwise)}`;
    }
  }

  async #cleanup(of: Node, last: Node): Promise<string> {
    try {
      return await this.run(of);
    } finally {
      await this.run(last).catch(() => undefined);
    }
  }

  async #insist(of: Node, after: Node): Promise<string> {
    try {
      return await this.run(of);
    } catch (error) {
      const isCancel = error instanceof CancelledFailure || error instanceof ActivityCancellation;
      if (!isCancel) throw error;
      return `~${cancelRequested()}~${await this.run(after)}`;
    }
  }
}

async function snapshot(node: { readonly name: string; readonly shape?: string }): Promise<string> {
  const { runId } = workflowInfo();
  const padding = { large: LARGE_CHARACTERS, bulky: BULKY_CHARACTERS }[node.shape ?? ""] ?? 0;
  return await sideEffect(() => {
    const value = currentStage().snapshot(runId, node.name).padEnd(padding, "-");
    if (node.shape === "throws") throw new RangeError(value);
    return value;
  });
}

function manyOf(node: Extract<Node, { readonly kind: "wide" }>): readonly Node[] {
  return Array.from({ length: node.count }, (_, index): Node => {
    const name = `${node.name}-${index}`;
    switch (node.what) {
      case "timer":
        return { kind: "timer", ms: 10 * (index % 7) };
      case "effect":
        return { kind: "effect", name, shape: "bulky" };
      default:
        return { kind: node.what, name, options: { backoffMs: 50 } };
    }
  });
}

/** Large values are named by their beginning. */
function short(value: unknown): string {
  return String(value).slice(0, 12);
}

function nameOf(error: unknown): string {
  if (error instanceof ActivityTimeout) return `${error.timeoutKind} ${error.attempts}`;
  if (error instanceof ActivityFailure) return `${error.type} ${error.attempts}`;
  return error instanceof Error ? `${error.name} ${error.message.slice(0, 40)}` : String(error);
}

function ballastOf({ name }: Call): readonly [] | readonly [ballast: string] {
  const length = Number(name.split(":")[1] ?? 0);
  return length === 0 ? [] : ["b".repeat(length)];
}

function localOptions(options: CallOptions): LocalActivityOptions {
  return new LocalActivityOptions({
    ...(options.maxAttempts === undefined ? {} : { maxAttempts: options.maxAttempts }),
    ...backoff(options),
    ...timeouts(options),
    ...(options.thrownIsFinal === true ? { nonRetryableErrorTypes: [THROWN] } : {}),
  });
}

function queuedOptions(options: CallOptions): ActivityCallOptions {
  const { growing } = options;
  const retryPolicy: RetryPolicyOptions = {
    ...(options.maxAttempts === undefined ? {} : { maxAttempts: options.maxAttempts }),
    ...(growing === undefined
      ? backoff(options)
      : { initialInterval: { milliseconds: growing.initialMs }, jitter: growing.jitter }),
    ...(options.thrownIsFinal === true ? { nonRetryableErrorTypes: [THROWN] } : {}),
  };
  return {
    ...timeouts(options),
    ...(options.scheduleToStartS === undefined
      ? {}
      : { scheduleToStartTimeout: options.scheduleToStartS }),
    retryPolicy,
  };
}

function backoff({ backoffMs, backoffsMs }: CallOptions) {
  if (backoffsMs !== undefined)
    return { backoff: backoffsMs.map((milliseconds) => ({ milliseconds })) };
  return backoffMs === undefined ? {} : { backoff: { milliseconds: backoffMs } };
}

function timeouts(options: CallOptions) {
  return {
    ...(options.startToCloseS === undefined ? {} : { startToCloseTimeout: options.startToCloseS }),
    ...(options.scheduleToCloseS === undefined
      ? {}
      : { scheduleToCloseTimeout: options.scheduleToCloseS }),
    ...(options.heartbeatS === undefined ? {} : { heartbeatTimeout: options.heartbeatS }),
  };
}

/** The entry module under simulation: one activity, one workflow that interprets programs. */
import {
  type ActivityCallOptions,
  abortSignal,
  activity,
  activityInfo,
  CancelledFailure,
  condition,
  defineQuery,
  defineSignal,
  heartbeat,
  LocalActivityOptions,
  localActivity,
  runActivitiesLocally,
  setHandler,
  sideEffect,
  sleep,
  waitForSignal,
  workflow,
} from "../../sdk/index.ts";
import type { Call, CallOptions, Node, SignalName } from "./program.ts";
import { currentProcess, currentStage, THROWN } from "./theatre.ts";

const SIGNAL = {
  red: defineSignal<[string]>("red"),
  green: defineSignal<[string]>("green"),
};
const progress = defineQuery<readonly string[]>("progress");

export const work = activity(
  { name: "work" },
  async (name: string): Promise<unknown> =>
    currentStage().perform(name, {
      info: activityInfo(),
      signal: abortSignal(),
      heartbeat,
      process: currentProcess(),
    }),
);

export const program = workflow(async (root: Node): Promise<string> => {
  const told: string[] = [];
  setHandler(progress, () => told);
  return await new Interpreter(told).run(root);
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
    return said;
  }

  async #say(node: Node): Promise<string> {
    switch (node.kind) {
      case "local":
        return short(await localActivity(work, localOptions(node.options), node.name));
      case "regular":
        return short(await work.with(queuedOptions(node.options))(node.name));
      case "timer":
        await sleep({ milliseconds: node.ms });
        return "t";
      case "effect":
        return await sideEffect(() => node.name);
      case "signal":
        return await waitForSignal(SIGNAL[node.name]);
      case "fail":
        throw new TypeError("the program fails");
      case "handle":
        return this.#handle(node.name, node.reaction);
      case "heard":
        return node.withinMs === null
          ? String(await condition(() => this.#heard >= node.count))
          : String(
              await condition(() => this.#heard >= node.count, { milliseconds: node.withinMs }),
            );
      case "sequence":
        return await this.#sequence(node.of);
      case "all":
        return `(${(await Promise.all(node.of.map((one) => this.run(one)))).join("&")})`;
      case "race":
        return await Promise.race(node.of.map((one) => this.run(one)));
      case "locally":
        return await runActivitiesLocally(() => this.run(node.of));
      case "attempt":
        return await this.#attempt(node.of, node.otherwise);
      case "cleanup":
        return await this.#cleanup(node.of, node.finally);
    }
  }

  #handle(name: SignalName, reaction: Node | null): string {
    setHandler(SIGNAL[name], async (word) => {
      this.#heard += 1;
      this.#told.push(word);
      if (reaction !== null) await this.run(reaction).catch(() => undefined);
    });
    return "h";
  }

  async #sequence(nodes: readonly Node[]): Promise<string> {
    const said: string[] = [];
    for (const node of nodes) said.push(await this.run(node));
    return said.join(",");
  }

  async #attempt(of: Node, otherwise: Node): Promise<string> {
    try {
      return await this.run(of);
    } catch (error) {
      if (error instanceof CancelledFailure) throw error;
      return `!${await this.run(otherwise)}`;
    }
  }

  async #cleanup(of: Node, last: Node): Promise<string> {
    try {
      return await this.run(of);
    } finally {
      await this.run(last).catch(() => undefined);
    }
  }
}

/** Large values are named by their beginning. */
function short(value: unknown): string {
  return String(value).slice(0, 12);
}

function localOptions(options: CallOptions): LocalActivityOptions {
  return new LocalActivityOptions({
    ...(options.maxAttempts === undefined ? {} : { maxAttempts: options.maxAttempts }),
    ...(options.backoffMs === undefined ? {} : { backoff: { milliseconds: options.backoffMs } }),
    ...timeouts(options),
    ...(options.thrownIsFinal === true ? { nonRetryableErrorTypes: [THROWN] } : {}),
  });
}

function queuedOptions(options: CallOptions): ActivityCallOptions {
  return {
    ...timeouts(options),
    ...(options.scheduleToStartS === undefined
      ? {}
      : { scheduleToStartTimeout: options.scheduleToStartS }),
    retryPolicy: {
      ...(options.maxAttempts === undefined ? {} : { maxAttempts: options.maxAttempts }),
      ...(options.backoffMs === undefined ? {} : { backoff: { milliseconds: options.backoffMs } }),
      ...(options.thrownIsFinal === true ? { nonRetryableErrorTypes: [THROWN] } : {}),
    },
  };
}

function timeouts(options: Call["options"]) {
  return {
    ...(options.startToCloseS === undefined ? {} : { startToCloseTimeout: options.startToCloseS }),
    ...(options.scheduleToCloseS === undefined
      ? {}
      : { scheduleToCloseTimeout: options.scheduleToCloseS }),
    ...(options.heartbeatS === undefined ? {} : { heartbeatTimeout: options.heartbeatS }),
  };
}

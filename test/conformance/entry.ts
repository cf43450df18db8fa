/** The entry module of the conformance suite: one workflow that interprets programs, and its activities. */
import {
  type Activity,
  ActivityFailure,
  ActivityTimeout,
  activity,
  CancelledFailure,
  cancelRequested,
  condition,
  defineQuery,
  defineSignal,
  depends,
  LocalActivityOptions,
  localActivity,
  now,
  PawlError,
  random,
  runActivitiesLocally,
  type StandardSchema,
  setHandler,
  sideEffect,
  sleep,
  uuid,
  Workflow,
  waitForSignal,
  workflow,
  workflowInfo,
} from "pawl";
import { errorOf, note, perform } from "./bodies.ts";
import { resolveValue } from "./expressions.ts";
import type {
  ActivityName,
  CallMode,
  CallStep,
  Flavour,
  ProgramInput,
  Script,
  Step,
} from "./program.ts";
import { CALL_MODES } from "./program.ts";

const limited = { startToCloseTimeout: "30s" } as const;
const scripted = async (...args: readonly unknown[]): Promise<unknown> => perform(args, nested);

export const alpha = activity(limited, scripted);
export const beta = activity(limited, scripted);
export const gamma = activity(limited, scripted);
export const delta = activity(limited, scripted);
export const cleanup = activity(limited, scripted);
export const renamed = activity({ ...limited, name: "custom_activity_name" }, scripted);

/** Locally none of this applies; regular it would wait for ever: no worker serves the queue. */
export const routed = activity(
  {
    ...limited,
    queue: "nobody",
    scheduleToStartTimeout: "1s",
    heartbeatTimeout: "1s",
    stickyToWorker: true,
    rateLimit: { timeWindow: "1h", maxExecution: 1 },
  },
  scripted,
);

export const defaulted = activity(limited, async (left: number, right: number = 1) => left + right);

let made = 0;
function numbered(kind: string): string {
  made += 1;
  return `${kind} ${made}`;
}
const plain = () => numbered("plain");
const promised = async () => numbered("promised");
function* generated() {
  yield numbered("generated");
}
async function* connected(name = depends(plain)) {
  yield { greet: (word: string) => `${word} by ${name}` };
}
export const injected = activity(
  limited,
  async (
    word: string,
    db = depends(connected),
    others = [depends(promised), depends(generated)],
  ) => [db.greet(word), ...others],
);

const counting: StandardSchema<{ count: number }> = {
  "~standard": {
    version: 1,
    vendor: "conformance",
    validate: (value) =>
      typeof value === "object" && value !== null && typeof Reflect.get(value, "count") === "number"
        ? { value: { count: Number(Reflect.get(value, "count")) } }
        : { issues: [{ message: "count must be a number" }] },
  },
};
export const validated = activity(
  { ...limited, input: counting },
  async ({ count }: { readonly count: number }) => count,
);

export const unlimited = activity(scripted);

const unregistered = activity({ ...limited, name: "unregistered" }, scripted);

type AnyActivity = Activity<readonly unknown[]>;

const activities: Readonly<Record<ActivityName, AnyActivity>> = {
  alpha,
  beta,
  gamma,
  delta,
  cleanup,
  renamed,
  routed,
  // What a case gives them is what their callers could give over JSON: the case says what follows.
  defaulted: defaulted as unknown as AnyActivity,
  injected: injected as unknown as AnyActivity,
  validated: validated as unknown as AnyActivity,
  unlimited,
  unregistered,
};

async function nested(step: CallStep, journal: string | null): Promise<unknown> {
  const { name } = modeOf(step, "regular");
  return await activities[name](...argumentsOf(step, { journal, variables: {} }));
}

/** The program's variables; every case can ask for them. */
export const variables = defineQuery<Readonly<Record<string, unknown>>>("variables");
/** Asked of every case: the answer takes a replay, and is small. */
export const present = defineQuery<true>("present");

/** The workflow of every case that has a program. */
export const conformance = workflow(async (input: ProgramInput): Promise<unknown> => {
  const run = new Interpreter(input);
  setHandler(variables, () => run.variables);
  setHandler(present, () => true);
  return (await run.steps(input.program)).value;
});

interface Done {
  /** The program has returned: nothing behind it runs. */
  readonly returned: boolean;
  readonly value: unknown;
}

class Interpreter {
  readonly variables: Record<string, unknown>;
  readonly #input: ProgramInput;
  readonly #promises = new Map<string, Promise<Done>>();
  #caught: unknown;

  constructor(input: ProgramInput) {
    this.#input = input;
    this.variables = { input: input.input };
  }

  async steps(steps: readonly Step[]): Promise<Done> {
    let last: Done = { returned: false, value: null };
    for (const step of steps) {
      last = await this.#step(step);
      if (last.returned) break;
    }
    return last;
  }

  async #step(step: Step): Promise<Done> {
    const done = await this.#run(step);
    if (step.as !== undefined && step.handle_signal === undefined)
      this.variables[step.as] = done.value ?? null;
    return done;
  }

  async #run(step: Step): Promise<Done> {
    if (step.try !== undefined) return await this.#try(step);
    if (step.locally !== undefined) {
      const inside = step.locally;
      return await runActivitiesLocally(() => this.steps(inside));
    }
    if (step.await !== undefined) return await this.#promise(step.await);
    if (Object.hasOwn(step, "return")) return { returned: true, value: this.#resolve(step.return) };
    return { returned: false, value: await this.#value(step) };
  }

  async #value(step: Step): Promise<unknown> {
    if (step.throw !== undefined) throw errorOf(step.throw);
    if (step.rethrow === true) throw this.#caught;
    if (step.set !== undefined) return Object.assign(this.variables, this.#resolve(step.set));
    if (step.draw !== undefined) return draw(step.draw);
    if (step.begin !== undefined) return this.#begin(step.begin, step.as ?? "");
    if (step.side_effect !== undefined) return await this.#sideEffect(step.side_effect);
    if (step.of !== undefined || step.all !== undefined || step.race !== undefined)
      return await this.#together(step);
    if (step.sleep !== undefined) return await Reflect.apply(sleep, undefined, [step.sleep]);
    if (step.handle_signal !== undefined) return this.#handle(step.handle_signal, step.as);
    if (step.wait_signal !== undefined)
      return await waitForSignal(defineSignal<[unknown]>(step.wait_signal));
    if (step.wait_until !== undefined) return await this.#waitUntil(step.wait_until, step.timeout);
    return await this.#call(step);
  }

  async #together({ all, race, fan_out, repeat, of = [] }: Step): Promise<unknown> {
    const value = async (steps: readonly Step[]) => (await this.steps(steps)).value;
    if (all !== undefined) return await Promise.all(all.map(value));
    if (race !== undefined) return await Promise.race(race.map(value));
    if (fan_out !== undefined)
      return await Promise.all(Array.from({ length: fan_out }, () => value(of)));
    const values: unknown[] = [];
    for (let index = 0; index < (repeat ?? 0); index++) values.push(await value(of));
    return values;
  }

  #handle(signal: string, variable: string = signal): null {
    const heard: unknown[] = [];
    this.variables[variable] = heard;
    setHandler(defineSignal<[unknown]>(signal), (value) => heard.push(value));
    return null;
  }

  async #waitUntil(
    { variable, length }: NonNullable<Step["wait_until"]>,
    timeout: unknown,
  ): Promise<unknown> {
    const holds = () => {
      const list = this.variables[variable];
      return Array.isArray(list) && list.length >= length;
    };
    return await Reflect.apply(condition, undefined, [holds, timeout]);
  }

  async #call(step: Step): Promise<unknown> {
    const { name, mode } = modeOf(step, this.#input.flavour);
    const { options = {} } = step;
    const called = step.with === undefined ? activities[name] : activities[name].with(step.with);
    const args = argumentsOf(step, { journal: this.#input.journal, variables: this.variables });
    const given = step.options === undefined ? [] : [new LocalActivityOptions(options)];
    switch (mode) {
      case "local":
        return await Reflect.apply(localActivity, undefined, [called, ...given, ...args]);
      case "facade":
        return await Reflect.apply(Workflow.localActivity, undefined, [called, ...given, ...args]);
      case "facade_execute":
        return await Reflect.apply(Workflow.executeLocalActivity, undefined, [
          ...[called, ...given, ...args],
        ]);
      case "scope":
        return await runActivitiesLocally(() => called.with(callOptions(options))(...args));
      case "regular":
        return await called.with(callOptions(options))(...args);
    }
  }

  #begin(steps: readonly Step[], name: string): null {
    const promise = this.steps(steps);
    // A failure is that of the step which awaits it.
    promise.catch(() => undefined);
    this.#promises.set(name, promise);
    return null;
  }

  async #promise(name: string): Promise<Done> {
    const promise = this.#promises.get(name);
    if (promise === undefined) throw new Error(`no step has begun ${name}`);
    return { ...(await promise), returned: false };
  }

  async #sideEffect(effect: NonNullable<Step["side_effect"]>): Promise<unknown> {
    const { runId } = workflowInfo();
    const entered = { run_id: runId, label: "side_effect", activity_id: null, attempt: 1 };
    return await sideEffect((): unknown => {
      note(this.#input.journal, entered);
      if (effect.throw !== undefined) throw errorOf(effect.throw);
      return this.#resolve(effect.return);
    });
  }

  async #try(step: Step): Promise<Done> {
    try {
      return await this.steps(step.try ?? []);
    } catch (error) {
      if (step.catch === undefined) throw error;
      this.#caught = error;
      this.variables["error"] = errorView(error);
      return await this.steps(step.catch);
    } finally {
      if (step.finally !== undefined) await this.steps(step.finally);
    }
  }

  #resolve(value: unknown): unknown {
    return resolveValue(value, this.variables);
  }
}

function modeOf(step: CallStep, flavour: Flavour): { name: ActivityName; mode: CallMode } {
  if (step.call !== undefined) return { name: step.call, mode: flavour };
  for (const mode of CALL_MODES) {
    const name = step[mode];
    if (name !== undefined) return { name, mode };
  }
  throw new Error(`a step without a verb: ${JSON.stringify(step)}`);
}

function argumentsOf(
  step: CallStep,
  given: {
    readonly journal: string | null;
    readonly variables: Readonly<Record<string, unknown>>;
  },
): readonly unknown[] {
  const args = (step.args ?? []).map((arg) => resolveValue(arg, given.variables));
  if (step.attempts === undefined) return args;
  const label = step.label ?? modeOf(step, "local").name;
  const script: Script = {
    $script: { label, attempts: step.attempts, args, journal: given.journal },
  };
  return [script];
}

/** The six options of a local activity in the form that every other call takes. */
function callOptions(options: Readonly<Record<string, unknown>>): object {
  const { maxAttempts, backoff, nonRetryableErrorTypes, ...others } = options;
  const policy = Object.entries({ maxAttempts, backoff, nonRetryableErrorTypes }).filter(
    ([, value]) => value !== undefined,
  );
  return policy.length === 0 ? others : { ...others, retryPolicy: Object.fromEntries(policy) };
}

function draw(what: NonNullable<Step["draw"]>): unknown {
  switch (what) {
    case "now":
      return now();
    case "random":
      return random();
    case "uuid":
      return uuid();
    case "cancel_requested":
      return cancelRequested();
  }
}

/** What a `catch` sees as $error. */
function errorView(error: unknown): Readonly<Record<string, unknown>> {
  if (error instanceof ActivityFailure)
    return {
      name: error.name,
      type: error.type,
      message: error.message,
      attempts: error.attempts,
      activity_type: error.activityType,
      non_retryable: error.nonRetryable,
      details: error.details ?? null,
      timeout_kind: error instanceof ActivityTimeout ? error.timeoutKind : null,
    };
  if (error instanceof PawlError)
    return { name: error.name, type: error.code, message: error.message };
  if (error instanceof CancelledFailure)
    return { name: error.name, type: error.name, message: error.message };
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  return { name, type: Reflect.get(Object(error), "type") ?? name, message };
}

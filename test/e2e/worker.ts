/** The entry module of the end-to-end tests: small workflows, each for one behaviour. */
import {
  ActivityFailure,
  ActivityTimeout,
  ApplicationFailure,
  activity,
  activityInfo,
  CancelledFailure,
  condition,
  defineQuery,
  defineSignal,
  LocalActivityOptions,
  localActivity,
  PawlError,
  runActivitiesLocally,
  setHandler,
  sideEffect,
  sleep,
  uuid,
  Workflow,
  waitForSignal,
  workflow,
} from "pawl";

interface Where {
  readonly pid: number;
  readonly attempt: number;
  readonly isLocal: boolean;
}

export const where = activity(async (): Promise<Where> => {
  const { attempt, isLocal } = activityInfo();
  return { pid: process.pid, attempt, isLocal };
});

export const add = activity(
  { startToCloseTimeout: "5s" },
  async (left: number, right: number = 1) => left + right,
);

export const succeedsAt = activity(
  { retryPolicy: { initialInterval: 1, maxAttempts: 4 } },
  async (attemptWanted: number) => {
    const { attempt } = activityInfo();
    if (attempt < attemptWanted) {
      throw new ApplicationFailure(`attempt ${attempt} fails`, { type: "Transient" });
    }
    return attempt;
  },
);

export const alwaysFails = activity(
  { retryPolicy: { initialInterval: "1s", maxAttempts: 2 } },
  async (): Promise<never> => {
    throw new ApplicationFailure("the gateway said no", {
      type: "GatewayError",
      details: { code: 7 },
    });
  },
);

export const hangs = activity(
  { startToCloseTimeout: "1s", retryPolicy: { maxAttempts: 1 } },
  () => new Promise<never>(() => undefined),
);

export const repeat = activity(async (text: string, times: number) => text.repeat(times));

export const length = activity(async (text: string) => text.length);

export const returnsFunction = activity(
  { retryPolicy: { maxAttempts: 2 } },
  async (): Promise<unknown> => () => "a function is not data",
);

export const echo = activity(async (value: unknown) => value);

/** B-05: the name option is what history and dispatch use. */
export const namedByOption = activity({ name: "custom_activity_name" }, async () => "named");

const notExported = activity({ name: "notExported" }, async () => "never");

export const mixed = workflow(async (input: { readonly start: number }) => {
  const local = await runActivitiesLocally(async () => await add(input.start));
  const here = await Workflow.localActivity(where);
  const there = await where();
  const sum = await localActivity(
    add,
    new LocalActivityOptions({ startToCloseTimeout: 5 }),
    local,
    10,
  );
  return { sum, here, there, named: await namedByOption() };
});

export const retries = workflow(async (local: boolean) =>
  local ? await localActivity(succeedsAt, 3) : await succeedsAt(2),
);

async function caught(call: () => Promise<unknown>): Promise<unknown> {
  try {
    return { value: await call() };
  } catch (error) {
    if (!(error instanceof ActivityFailure)) throw error;
    return {
      name: error.name,
      type: error.type,
      message: error.message,
      attempts: error.attempts,
      details: error.details ?? null,
      timeoutKind: error instanceof ActivityTimeout ? error.timeoutKind : null,
    };
  }
}

export const failures = workflow(async (local: boolean) => {
  const call = async (failing: () => Promise<unknown>) =>
    await caught(() => (local ? runActivitiesLocally(failing) : failing()));
  return {
    exhausted: await call(() => alwaysFails()),
    timeout: await call(() => hangs()),
    notData: await call(() => returnsFunction()),
    unregistered: local ? await call(() => notExported()) : null,
    after: await add(1),
  };
});

export const throwing = workflow(async (): Promise<never> => {
  throw ApplicationFailure.nonRetryable("this order cannot be", "Impossible", { why: "test" });
});

export const large = workflow(
  async (input: { readonly local: boolean; readonly bytes: number; readonly tooLarge: number }) => {
    const run = async <T>(call: () => Promise<T>) =>
      input.local ? await runActivitiesLocally(call) : await call();
    const text = await run(() => repeat("x", input.bytes));
    const measured = await run(() => length(text));
    return { measured, tooLarge: await caught(() => run(() => repeat("x", input.tooLarge))) };
  },
);

export const returnsLarge = workflow(async (bytes: number) => "y".repeat(bytes));

export const approve = defineSignal<[by: string]>("approve");
export const note = defineSignal<[text: string]>("note");
export const state = defineQuery<{
  readonly notes: readonly string[];
  readonly approvedBy: string | null;
}>("state");

export const approval = workflow(async () => {
  const notes: string[] = [];
  let approvedBy: string | null = null;
  setHandler(state, () => ({ notes: [...notes], approvedBy }));
  setHandler(note, (text) => {
    notes.push(text);
  });
  approvedBy = await waitForSignal(approve);
  const count = await runActivitiesLocally(async () => await add(notes.length, 0));
  return { approvedBy, notes, count };
});

export const cancellable = workflow(async () => {
  try {
    await sleep("1h");
    return "slept";
  } catch (error) {
    if (!(error instanceof CancelledFailure)) throw error;
    const cleaned = await add(40, 2);
    if (cleaned === 42) throw error;
    return "not cleaned";
  }
});

export const timers = workflow(async (input: { readonly seconds: number }) => {
  const won = await Promise.race([
    sleep(input.seconds).then(() => "timer"),
    condition(() => false, "2h"),
  ]);
  return { won, id: await sideEffect(() => "made once"), uuid: uuid() };
});

export const waitsLong = workflow(async () => {
  await sleep("30d");
  return "woke";
});

export const tenLocal = workflow(async () => {
  let sum = 0;
  for (let step = 0; step < 10; step++) sum = await localActivity(add, sum, 1);
  return sum;
});

export const manyLocal = workflow(async (count: number) => {
  const sums = await runActivitiesLocally(() =>
    Promise.all(Array.from({ length: count }, (_, index) => add(index, 0))),
  );
  return sums.reduce((total, sum) => total + sum, 0);
});

export const sequentialRegular = workflow(async (count: number) => {
  let sum = 0;
  for (let step = 0; step < count; step++) sum = await add(sum, 1);
  return sum;
});

export const manyRegular = workflow(async (count: number) => {
  const sums = await Promise.all(Array.from({ length: count }, (_, index) => add(index, 0)));
  return sums.reduce((total, sum) => total + sum, 0);
});

/** Dies where a local body would: the process ends in its first attempts. */
export const diesAt = activity(
  { retryPolicy: { initialInterval: 1, maxAttempts: 3 } },
  async (attempts: number) => {
    const { attempt } = activityInfo();
    if (attempt <= attempts) process.exit(1);
    return attempt;
  },
);

export const survives = workflow(async (attempts: number) => await localActivity(diesAt, attempts));

/** Leaves errors to nobody: a rejected promise in its first attempt, a throw in a timer in its second. */
export const leavesErrors = activity(
  { startToCloseTimeout: "20s", retryPolicy: { initialInterval: 1, maxAttempts: 3 } },
  async () => {
    const { attempt } = activityInfo();
    if (attempt === 1) void Promise.reject(new RangeError("left to nobody"));
    if (attempt === 2)
      setTimeout(() => {
        throw new TypeError("thrown in a timer");
      });
    if (attempt < 3) await new Promise<never>(() => undefined);
    return attempt;
  },
);

export const recovers = workflow(async (local: boolean) =>
  local ? await localActivity(leavesErrors) : await leavesErrors(),
);

export const echoes = workflow(
  async (input: unknown) => await echo(await localActivity(echo, input)),
);

export const readsClock = workflow(async () => {
  const first = Date.now();
  await sleep(1);
  return { later: Date.now() >= first, random: Math.random() < 1 };
});

// For bad-input.suite.ts: what an author, a caller or an attacker would try next.

/** Returns its input as it came, with nothing in between. */
export const returnsInput = workflow(async (input: unknown) => input);

export const returnsOdd = activity(
  { retryPolicy: { maxAttempts: 3 } },
  async (kind: OddKind): Promise<unknown> => oddValue(kind),
);

const ODD_KINDS = ["bigint", "cycle", "function", "infinity", "map", "deep", "throwing"] as const;
type OddKind = (typeof ODD_KINDS)[number];

function oddValue(kind: OddKind): unknown {
  const cycle: Record<string, unknown> = {};
  cycle["self"] = cycle;
  switch (kind) {
    case "bigint":
      return 1n;
    case "cycle":
      return cycle;
    case "function":
      return { call: () => 1 };
    case "infinity":
      return [1e308 * 10];
    case "map":
      return new Map([[1, 2]]);
    case "deep":
      return Array.from({ length: 5_000 }).reduce((inner) => [inner], []);
    case "throwing":
      return {
        get broken() {
          throw new Error("a getter threw");
        },
      };
  }
}

/** What is refused as a result, local and regular, and as an argument: types by kind, attempts in all. */
export const oddValues = workflow(async (local: boolean) => {
  const refused: Record<string, unknown> = {};
  let attempts = 0;
  for (const kind of ODD_KINDS) {
    const call = async (act: () => Promise<unknown>): Promise<string> => {
      try {
        await (local ? runActivitiesLocally(act) : act());
        return "accepted";
      } catch (error) {
        if (error instanceof ActivityFailure) attempts += error.attempts;
        return error instanceof ActivityFailure || error instanceof ApplicationFailure
          ? error.type
          : String(error);
      }
    };
    refused[kind] = [await call(() => returnsOdd(kind)), await call(() => echo(oddValue(kind)))];
  }
  return { refused, attempts };
});

export const oddResult = workflow(async (kind: OddKind) => oddValue(kind));

/** Options that are wrong at run time, where no compiler looks: the code of each refusal. */
export const wrongOptions = workflow(async (options: readonly unknown[]) => {
  const codeOf = (call: () => unknown): string => {
    try {
      call();
      return "accepted";
    } catch (error) {
      return error instanceof PawlError ? error.code : String(error);
    }
  };
  return options.map((given) => [
    codeOf(() => Reflect.apply(add.with, add, [given])),
    codeOf(() => Reflect.construct(LocalActivityOptions, [given])),
  ]);
});

export const wrongDuration = workflow(async (duration: string) => {
  await Reflect.apply(sleep, undefined, [duration]);
});

export const unregistered = workflow(async () => {
  const once = notExported.with({ retryPolicy: { maxAttempts: 1 } });
  return [await caught(() => localActivity(notExported)), await caught(() => once())];
});

/** What every object looks like after hostile input went through workflow and activities. */
export const looksPolluted = workflow(async (input: unknown) => {
  const here = await localActivity(pollution, input);
  const there = await pollution(input);
  return [...here, ...there, Reflect.get({}, "polluted") ?? null];
});

export const pollution = activity(async (input: unknown) => [
  typeof input,
  Reflect.get({}, "polluted") ?? null,
]);

export const throwingQuery = defineQuery<never>("throwing");
export const asynchronousQuery = defineQuery<Promise<number>>("asynchronous");
export const actingQuery = defineQuery<unknown>("acting");
export const oddQuery = defineQuery<unknown>("odd");

export const queried = workflow(async () => {
  setHandler(state, () => ({ notes: [], approvedBy: null }));
  setHandler(throwingQuery, () => {
    throw new Error("this state has no answer");
  });
  setHandler(asynchronousQuery, async () => 1);
  setHandler(actingQuery, () => add(1, 1));
  setHandler(oddQuery, () => 1n);
  return await waitForSignal(approve);
});

import { describe, expect, test } from "vitest";
import { PawlError } from "../../sdk/core/errors.ts";
import {
  localOptions,
  overrideSettings,
  parseActivityOptions,
  parseLocalActivityOptions,
  queuedOptions,
} from "../../sdk/core/parse-options.ts";

const where = "activity charge";
const recorded = (options: unknown) => queuedOptions(parseActivityOptions(options, where));

describe("options of a definition", () => {
  test("no options are legal and nothing is recorded for them (B-02)", () => {
    expect(recorded({})).toEqual({});
  });

  test("every option is recorded in milliseconds under its contract name (C-01 to C-15)", () => {
    const options = {
      startToCloseTimeout: 10,
      scheduleToCloseTimeout: "5m",
      scheduleToStartTimeout: { hours: 1 },
      heartbeatTimeout: "30s",
      queue: "gpu",
      retryPolicy: {
        maxAttempts: 5,
        initialInterval: "250ms",
        backoffCoefficient: 1.5,
        maximumInterval: "2m",
        backoff: [1, "5s", { minutes: 1 }],
        nonRetryableErrorTypes: ["CardDeclined"],
        jitter: "full",
      },
    };
    expect(recorded(options)).toEqual({
      start_to_close_ms: 10_000,
      schedule_to_close_ms: 300_000,
      schedule_to_start_ms: 3_600_000,
      heartbeat_ms: 30_000,
      queue: "gpu",
      retry_policy: {
        max_attempts: 5,
        initial_interval_ms: 250,
        backoff_coefficient: 1.5,
        maximum_interval_ms: 120_000,
        backoff_ms: [1_000, 5_000, 60_000],
        non_retryable_error_types: ["CardDeclined"],
        jitter: "full",
      },
    });
  });

  test("defaults that are written out are not recorded", () => {
    const options = {
      queue: "default",
      retryPolicy: {
        maxAttempts: 3,
        initialInterval: 1,
        backoffCoefficient: 2,
        maximumInterval: "1m",
        nonRetryableErrorTypes: [],
        jitter: "none",
      },
    };
    expect(recorded(options)).toEqual({});
  });

  test("an option that is undefined is absent", () => {
    expect(recorded({ queue: undefined, retryPolicy: undefined })).toEqual({});
  });

  test("stickiness and rate limit are kept on the definition and not in the record (C-05, C-07)", () => {
    const byDuration = { timeWindow: "1m", maxExecution: 10, key: "stripe" };
    const settings = parseActivityOptions({ stickyToWorker: true, rateLimit: byDuration }, where);
    expect(settings).toEqual({
      snapshot: {},
      stickyToWorker: true,
      rateLimit: { timeWindowMs: 60_000, maxExecution: 10, key: "stripe" },
    });
    const bySeconds = { timeWindowInSec: 2, maxExecution: 1 };
    expect(parseActivityOptions({ rateLimit: bySeconds }, where).rateLimit).toEqual({
      timeWindowMs: 2_000,
      maxExecution: 1,
    });
  });

  test.for<readonly [object, string, string]>([
    // Timeouts have at least one second (C-12).
    [{ startToCloseTimeout: 0 }, "startToCloseTimeout", "must be at least one second; received 0"],
    [{ startToCloseTimeout: -5 }, "startToCloseTimeout", "must not be negative; received -5"],
    [{ startToCloseTimeout: Number.NaN }, "startToCloseTimeout", "received NaN"],
    [{ startToCloseTimeout: Number("1e309") }, "startToCloseTimeout", "received Infinity"],
    [{ scheduleToCloseTimeout: "999ms" }, "scheduleToCloseTimeout", "at least one second"],
    [{ scheduleToStartTimeout: null }, "scheduleToStartTimeout", "must be a duration"],
    [{ heartbeatTimeout: "soon" }, "heartbeatTimeout", 'received "soon"'],
    [{ queue: "" }, "queue", "must be 1 to 64 letters"],
    [{ queue: "a/b" }, "queue", "must be 1 to 64 letters"],
    [{ queue: 5 }, "queue", "received 5"],
    [{ stickyToWorker: "yes" }, "stickyToWorker", 'must be true or false; received "yes"'],
    [{ retryPolicy: 5 }, "retryPolicy", "must be an object; received 5"],
    [{ retryPolicy: null }, "retryPolicy", "must be an object; received null"],
    [{ retryPolicy: { maxAttempts: 0 } }, "retryPolicy.maxAttempts", "received 0"],
    [{ retryPolicy: { maxAttempts: -1 } }, "retryPolicy.maxAttempts", "received -1"],
    [{ retryPolicy: { maxAttempts: 1.5 } }, "retryPolicy.maxAttempts", "received 1.5"],
    [
      { retryPolicy: { maxAttempts: Number("1e309") } },
      "retryPolicy.maxAttempts",
      "received Infinity",
    ],
    [{ retryPolicy: { maxAttempts: Number.NaN } }, "retryPolicy.maxAttempts", "received NaN"],
    [{ retryPolicy: { maxAttempts: "5s" } }, "retryPolicy.maxAttempts", 'received "5s"'],
    [{ retryPolicy: { maxAttempts: 10_001 } }, "retryPolicy.maxAttempts", "from 1 to 10000"],
    [{ retryPolicy: { initialInterval: 0 } }, "retryPolicy.initialInterval", "received 0"],
    [{ retryPolicy: { maximumInterval: "0s" } }, "retryPolicy.maximumInterval", 'received "0s"'],
    [{ retryPolicy: { backoffCoefficient: 0.5 } }, "retryPolicy.backoffCoefficient", "at least 1"],
    [{ retryPolicy: { backoffCoefficient: "2" } }, "retryPolicy.backoffCoefficient", '"2"'],
    [
      { retryPolicy: { backoffCoefficient: Number("1e309") } },
      "retryPolicy.backoffCoefficient",
      "Infinity",
    ],
    [{ retryPolicy: { backoff: [] } }, "retryPolicy.backoff", "must have 1 to 100 entries"],
    [{ retryPolicy: { backoff: [1, -2] } }, "retryPolicy.backoff", "received -2"],
    [{ retryPolicy: { backoff: Array(101).fill(1) } }, "retryPolicy.backoff", "1 to 100 entries"],
    [{ retryPolicy: { jitter: "some" } }, "retryPolicy.jitter", "one of none, equal, full"],
    [{ retryPolicy: { nonRetryableErrorTypes: "E" } }, "retryPolicy.nonRetryable", "a list of"],
    [{ retryPolicy: { nonRetryableErrorTypes: [""] } }, "retryPolicy.nonRetryable", "none empty"],
    [{ retryPolicy: { nonRetryableErrorTypes: [5] } }, "retryPolicy.nonRetryable", "as texts"],
    [{ retryPolicy: { nonRetryableErrorTypes: ["E", "E"] } }, "retryPolicy.non", "none twice"],
    [{ rateLimit: { timeWindow: 1 } }, "rateLimit.maxExecution", "must be given"],
    [{ rateLimit: { maxExecution: 1 } }, "rateLimit.timeWindow", "must be given"],
    [{ rateLimit: { maxExecution: 0, timeWindow: 1 } }, "rateLimit.maxExecution", "received 0"],
    [{ rateLimit: { maxExecution: 1, timeWindow: 0 } }, "rateLimit.timeWindow", "received 0"],
    [
      { rateLimit: { maxExecution: 1, timeWindow: 1, timeWindowInSec: 1 } },
      "rateLimit.timeWindow",
      "given both",
    ],
    [
      { rateLimit: { maxExecution: 1, timeWindowInSec: "5s" } },
      "rateLimit.timeWindowInSec",
      'must be a number of seconds; received "5s"',
    ],
    [{ rateLimit: { maxExecution: 1, timeWindow: 1, key: "" } }, "rateLimit.key", "1 to 256"],
  ])("%j is refused by the name of the option (L9, C-12)", ([options, option, reason]) => {
    const attempt = () => parseActivityOptions(options, where);
    expect(attempt).toThrow(expect.objectContaining({ code: "invalid_option" }));
    expect(attempt).toThrow(`activity charge: the option ${option}`);
    expect(attempt).toThrow(reason);
  });

  test.for([null, 5, "options", [], undefined])("%j is no set of options", (options) => {
    expect(() => parseActivityOptions(options, where)).toThrow("must be an object");
  });

  test.for<readonly [object, string]>([
    [{ startToClose: 5 }, "startToClose"],
    [{ retryPolicy: { attempts: 5 } }, "retryPolicy.attempts"],
    [{ rateLimit: { window: 5 } }, "rateLimit.window"],
    [JSON.parse('{"__proto__": 1}'), "__proto__"],
  ])("%j is refused as unknown, with what is known (C-09)", ([options, option]) => {
    const attempt = () => parseActivityOptions(options, where, ["name"]);
    expect(attempt).toThrow(expect.objectContaining({ code: "unknown_option" }));
    expect(attempt).toThrow(`activity charge: ${option} is not an option; expected one of`);
  });
});

describe("options of one call", () => {
  const override = (base: object, over: object) =>
    queuedOptions(
      overrideSettings(parseActivityOptions(base, where), parseActivityOptions(over, where)),
    );

  test("the call wins field by field, the retry policy's fields included (C-15)", () => {
    const base = {
      startToCloseTimeout: 10,
      queue: "gpu",
      retryPolicy: { maxAttempts: 5, jitter: "full" },
    };
    const over = { startToCloseTimeout: 20, retryPolicy: { maxAttempts: 2 } };
    expect(override(base, over)).toEqual({
      start_to_close_ms: 20_000,
      queue: "gpu",
      retry_policy: { max_attempts: 2, jitter: "full" },
    });
  });

  test("a default that the call writes out wins over the definition", () => {
    const base = { queue: "gpu", retryPolicy: { maxAttempts: 5 } };
    expect(override(base, { queue: "default", retryPolicy: { maxAttempts: 3 } })).toEqual({});
  });

  test("growing delays of the call replace the definition's list of delays (V-03)", () => {
    const base = { retryPolicy: { backoff: [1, 2] } };
    const over = { retryPolicy: { initialInterval: 5 } };
    expect(override(base, over)).toEqual({ retry_policy: { initial_interval_ms: 5_000 } });
  });

  test("a list of delays of the call joins the rest of the definition's policy", () => {
    const base = { retryPolicy: { maxAttempts: 5 } };
    const over = { retryPolicy: { backoff: "2s" } };
    expect(override(base, over)).toEqual({
      retry_policy: { max_attempts: 5, backoff_ms: [2_000] },
    });
  });

  test("stickiness and rate limit are overridden as well", () => {
    const base = parseActivityOptions({ stickyToWorker: true }, where);
    const over = parseActivityOptions({ stickyToWorker: false }, where);
    expect(overrideSettings(base, over).stickyToWorker).toBe(false);
  });
});

describe("local execution", () => {
  const definition = parseActivityOptions(
    {
      startToCloseTimeout: 5,
      scheduleToCloseTimeout: 50,
      scheduleToStartTimeout: 5,
      heartbeatTimeout: 5,
      queue: "gpu",
      stickyToWorker: true,
      rateLimit: { timeWindow: 1, maxExecution: 1 },
      retryPolicy: { maxAttempts: 4, nonRetryableErrorTypes: ["Declined"] },
    },
    where,
  );

  test("timeouts and retries apply, the rest of the definition is named as ignored (E-04, E-05)", () => {
    expect(localOptions(definition)).toEqual({
      options: {
        start_to_close_ms: 5_000,
        schedule_to_close_ms: 50_000,
        retry_policy: { max_attempts: 4, non_retryable_error_types: ["Declined"] },
      },
      ignored: [
        "queue",
        "scheduleToStartTimeout",
        "heartbeatTimeout",
        "stickyToWorker",
        "rateLimit",
      ],
    });
  });

  test("nothing is named when nothing is ignored", () => {
    const plain = parseActivityOptions({ stickyToWorker: false }, where);
    expect(localOptions(plain)).toEqual({ options: {}, ignored: [] });
  });

  test("the six options of the call override, heartbeat timeout included (C-09, V-01)", () => {
    const call = parseLocalActivityOptions({
      maxAttempts: 2,
      backoff: [0, 1],
      startToCloseTimeout: "1s",
      scheduleToCloseTimeout: "9s",
      heartbeatTimeout: "2s",
      nonRetryableErrorTypes: ["Other"],
    });
    expect(localOptions(definition, call).options).toEqual({
      start_to_close_ms: 1_000,
      schedule_to_close_ms: 9_000,
      heartbeat_ms: 2_000,
      retry_policy: {
        max_attempts: 2,
        backoff_ms: [0, 1_000],
        non_retryable_error_types: ["Other"],
      },
    });
  });

  test("no options of the call are recorded as none", () => {
    expect(parseLocalActivityOptions({})).toEqual({});
  });

  test.for([
    "connection",
    "queue",
    "workerSession",
    "stickyToWorker",
    "rateLimit",
    "scheduleToStartTimeout",
    "name",
  ])("LocalActivityOptions rejects %s by name (C-10)", (option) => {
    const attempt = () => parseLocalActivityOptions({ [option]: "x" });
    expect(attempt).toThrow(PawlError);
    expect(attempt).toThrow(
      expect.objectContaining({
        code: "local_activity_option_rejected",
        details: expect.objectContaining({ option }),
      }),
    );
  });

  test.for<readonly [unknown, string]>([
    [{ maxAttempts: 0 }, "maxAttempts"],
    [{ heartbeatTimeout: 0.5 }, "heartbeatTimeout"],
    [{ backoff: -1 }, "backoff"],
    [{ nonRetryableErrorTypes: ["a", "a"] }, "nonRetryableErrorTypes"],
    ["5s", "options"],
  ])("%j is refused by name (L9, C-12)", ([options, option]) => {
    expect(() => parseLocalActivityOptions(options)).toThrow(
      `LocalActivityOptions: the option ${option}`,
    );
  });
});

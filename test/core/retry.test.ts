import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { RetryPolicySnapshot } from "../../sdk/core/options.ts";
import { backoffMs, fullPolicy } from "../../sdk/core/retry.ts";

/** Milliseconds behind the attempts 1 to `attempts`. */
function delays(policy: RetryPolicySnapshot, attempts: number, seed: string = "r/1") {
  return Array.from({ length: attempts }, (_, index) =>
    backoffMs(fullPolicy(policy), index + 1, seed),
  );
}

describe("the delays of a retry policy (G-02, C-13)", () => {
  test.for([
    // The defaults: 1 s doubled, 60 s at most (design section 4).
    [{}, [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]],
    [
      { initial_interval_ms: 2_000, backoff_coefficient: 3 },
      [2_000, 6_000, 18_000, 54_000, 60_000],
    ],
    [{ backoff_coefficient: 1 }, [1_000, 1_000, 1_000]],
    [{ maximum_interval_ms: 1_500 }, [1_000, 1_500, 1_500]],
    // The maximum holds for the first delay too.
    [{ initial_interval_ms: 9_000, maximum_interval_ms: 5_000 }, [5_000, 5_000]],
    // One number is a constant; a list goes attempt by attempt and its last entry repeats.
    [{ backoff_ms: [7_000] }, [7_000, 7_000, 7_000]],
    [{ backoff_ms: [1_000, 0, 90_000] }, [1_000, 0, 90_000, 90_000]],
    // A list overrides interval, coefficient and maximum.
    [{ backoff_ms: [120_000], maximum_interval_ms: 1_000 }, [120_000]],
  ] as const)("%j waits %j", ([policy, expected]) => {
    expect(delays(policy, expected.length)).toEqual(expected);
  });

  test("the thousandth attempt waits the maximum, not for ever", () => {
    expect(backoffMs(fullPolicy({ backoff_coefficient: 10 }), 1_000, "s")).toBe(60_000);
  });

  test("without a policy the defaults hold: three attempts, no jitter", () => {
    expect(fullPolicy(undefined)).toEqual({
      max_attempts: 3,
      initial_interval_ms: 1_000,
      backoff_coefficient: 2,
      maximum_interval_ms: 60_000,
      backoff_ms: [],
      non_retryable_error_types: [],
      jitter: "none",
    });
  });
});

describe("laws", () => {
  const policy = fc.record({
    initial_interval_ms: fc.integer({ min: 1, max: 3_600_000 }),
    backoff_coefficient: fc.double({ min: 1, max: 100, noNaN: true }),
    maximum_interval_ms: fc.integer({ min: 1, max: 86_400_000 }),
  });
  const attempt = fc.integer({ min: 1, max: 5_000 });

  test("without a list, delays never shrink and never pass the maximum", () => {
    fc.assert(
      fc.property(policy, attempt, (given, number) => {
        const full = fullPolicy(given);
        const delayMs = backoffMs(full, number, "s");
        expect(delayMs).toBeGreaterThanOrEqual(0);
        expect(delayMs).toBeLessThanOrEqual(given.maximum_interval_ms);
        expect(backoffMs(full, number + 1, "s")).toBeGreaterThanOrEqual(delayMs);
      }),
    );
  });

  test("jitter stays within its bounds and is the same on every replay", () => {
    fc.assert(
      fc.property(policy, attempt, fc.string(), (given, number, seed) => {
        const plain = backoffMs(fullPolicy(given), number, seed);
        const equal = backoffMs(fullPolicy({ ...given, jitter: "equal" }), number, seed);
        const full = backoffMs(fullPolicy({ ...given, jitter: "full" }), number, seed);
        expect(equal).toBeGreaterThanOrEqual(Math.floor(plain / 2));
        expect(equal).toBeLessThanOrEqual(Math.ceil(plain));
        expect(full).toBeGreaterThanOrEqual(0);
        expect(full).toBeLessThanOrEqual(Math.ceil(plain));
        expect(backoffMs(fullPolicy({ ...given, jitter: "full" }), number, seed)).toBe(full);
      }),
    );
  });

  test("jitter spreads: of 200 activities that fail together, retries fill the whole interval", () => {
    const spread = Array.from({ length: 200 }, (_, index) =>
      backoffMs(fullPolicy({ jitter: "full", backoff_ms: [10_000] }), 1, `run/${index}`),
    );
    for (let tenth = 0; tenth < 10; tenth++) {
      const inside = spread.filter(
        (delayMs) => delayMs >= tenth * 1_000 && delayMs < (tenth + 1) * 1_000,
      );
      expect(inside.length).toBeGreaterThan(5);
    }
  });
});

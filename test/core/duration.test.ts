import { describe, expect, test } from "vitest";
import { DURATION_MS_MAX, durationMs, showValue } from "../../sdk/core/duration.ts";
import { PawlError } from "../../sdk/core/errors.ts";

const place = { where: "activity charge", option: "startToCloseTimeout" };

describe("durationMs", () => {
  test.for<readonly [unknown, number]>([
    // Bare numbers are seconds, up to a day (C-11).
    [10, 10_000],
    [0, 0],
    [0.5, 500],
    [1.005, 1_005],
    [86_400, 86_400_000],
    // Texts name their units, the larger ones first.
    ["250ms", 250],
    ["10s", 10_000],
    ["1.5s", 1_500],
    ["5m", 300_000],
    ["2h", 7_200_000],
    ["7d", 604_800_000],
    ["1h30m", 5_400_000],
    ["1h2m3s", 3_723_000],
    ["1m500ms", 60_500],
    ["0s", 0],
    // Objects add up; a field that is undefined is not there.
    [{ seconds: 5 }, 5_000],
    [{ minutes: 1, seconds: 30 }, 90_000],
    [{ days: 1, hours: 1, minutes: 1, seconds: 1, milliseconds: 1 }, 90_061_001],
    [{ seconds: 1, minutes: undefined }, 1_000],
    [{ days: 36_500 }, DURATION_MS_MAX],
  ])("reads %j as %i milliseconds (C-11)", ([value, ms]) => {
    expect(durationMs(value, place)).toBe(ms);
  });

  test.for<readonly [unknown, string]>([
    [-1, "must not be negative; received -1"],
    [Number.NaN, "must be a finite number of seconds; received NaN"],
    [Number("1e309"), "must be a finite number of seconds; received Infinity"],
    [86_401, 'is above one day (86400): write the unit, such as "7d"; received 86401'],
    [0.0001, "is finer than a millisecond; received 0.0001"],
    ["", "is not a duration"],
    ["5", "is not a duration"],
    ["-5s", "is not a duration"],
    ["5 s", "is not a duration"],
    ["5sec", "is not a duration"],
    ["30m1h", "is not a duration"],
    ["1e3s", "is not a duration"],
    [`${"1".repeat(16)}s`, "is not a duration"],
    [{}, "names no span of time"],
    [{ weeks: 1 }, "has no field weeks; expected days, hours, minutes, seconds, milliseconds"],
    [{ seconds: "5" }, "needs a number of seconds, not negative"],
    [{ seconds: -5 }, "needs a number of seconds, not negative"],
    [{ seconds: Number.POSITIVE_INFINITY }, "needs a number of seconds, not negative"],
    [{ days: 36_501 }, "is longer than 36,500 days"],
    [[5], "must be a duration"],
    [null, "must be a duration"],
    [true, "must be a duration"],
    [undefined, "must be a duration"],
  ])("refuses %j by name (L9)", ([value, reason]) => {
    const attempt = () => durationMs(value, place);
    expect(attempt).toThrow(PawlError);
    expect(attempt).toThrow(reason);
    expect(attempt).toThrow("activity charge: the option startToCloseTimeout");
    expect(attempt).toThrow(`received ${showValue(value)}`);
  });

  test("a hostile text is refused in linear time (L14)", () => {
    const text = "1".repeat(50_000);
    expect(() => durationMs(text, place)).toThrow("is not a duration");
  });
});

describe("showValue", () => {
  test.for<readonly [unknown, string]>([
    ["a\nb", '"a\\nb"'],
    [{ a: 1 }, '{"a":1}'],
    [() => 1, "a function"],
    [Symbol("s"), "Symbol(s)"],
    [12n, "12"],
    [{ big: 1n }, "an object that cannot be shown"],
    ["x".repeat(100), `"${"x".repeat(79)}…`],
  ])("shows a value on one short line", ([value, shown]) => {
    expect(showValue(value)).toBe(shown);
  });
});

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { hash, seededRandom } from "../../sdk/core/random.ts";

function draw(seed: string, count: number): readonly number[] {
  const next = seededRandom(seed);
  return Array.from({ length: count }, next);
}

describe("the seeded sequence (P-07)", () => {
  test("is the same for the same seed, on every replay and in every version of Pawl", () => {
    // Recorded once: histories were written with these numbers, so they never change.
    expect(draw("pawl", 4)).toEqual([
      0.14798937528394163, 0.32829239941202104, 0.09955694014206529, 0.7132711948361248,
    ]);
    expect(draw("", 2)).toEqual([0.005756614962592721, 0.19524576188996434]);
  });

  test("is another one for another seed", () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (one, other) => {
        fc.pre(one !== other);
        expect(draw(one, 4)).not.toEqual(draw(other, 4));
      }),
    );
  });

  test("lies from 0 to below 1 and is spread evenly", () => {
    const buckets = Array.from({ length: 10 }, () => 0);
    for (const number of draw("even", 10_000)) {
      expect(number).toBeGreaterThanOrEqual(0);
      expect(number).toBeLessThan(1);
      const bucket = Math.floor(number * 10);
      buckets[bucket] = (buckets[bucket] ?? 0) + 1;
    }
    // 1,000 each: five standard deviations are 150.
    for (const count of buckets) expect(Math.abs(count - 1_000)).toBeLessThan(150);
  });

  test("does not repeat itself soon, not even for seeds that differ in one letter", () => {
    const numbers = ["run-1", "run-2", "run-3"].flatMap((seed) => draw(seed, 1_000));
    // Two of 3,000 of 2^32 values are equal by chance once in a thousand times.
    expect(new Set(numbers).size).toBeGreaterThanOrEqual(2_999);
  });
});

test("the hash is FNV-1a of 32 bits", () => {
  // Published values of the empty text, "a" and "foobar".
  expect(hash("") >>> 0).toBe(0x811c9dc5);
  expect(hash("a") >>> 0).toBe(0xe40c292c);
  expect(hash("foobar") >>> 0).toBe(0xbf9cf968);
});

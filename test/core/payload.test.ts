import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { JSON_DEPTH_MAX, PAYLOAD_BYTES_MAX } from "../../sdk/core/limits.ts";
import { decode, encode, utf8Bytes } from "../../sdk/core/payload.ts";
import { encoded } from "../support/core.ts";

/** The code and message of the refusal; undefined when the value is taken. */
function refusal(value: unknown, bytesMax?: number) {
  const result = encode(value, "the result of price", bytesMax);
  return result.kind === "refused"
    ? { code: result.error.code, message: result.error.message }
    : undefined;
}

function nested(levels: number): unknown {
  let value: unknown = "leaf";
  for (let level = 0; level < levels; level++) value = [value];
  return value;
}

const cyclic: Record<string, unknown> = { name: "order" };
cyclic["self"] = { inside: [cyclic] };

describe("what crosses the borders", () => {
  test("any JSON value comes back equal, and its size is that of its text (B-09)", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
        const result = encode(value, "a value");
        if (result.kind === "refused") throw result.error;
        // As text, because JSON knows no -0.
        expect(JSON.stringify(decode(result.json))).toBe(JSON.stringify(value));
        expect(result.bytes).toBe(new TextEncoder().encode(result.json).length);
      }),
    );
  });

  test.for([
    // A void activity returns null (B-08).
    [undefined, "null"],
    [null, "null"],
    [-0, "0"],
    ["", '""'],
    // What JSON leaves out of an object, and what it makes of a hole in a list.
    [{ note: undefined, total: 1 }, '{"total":1}'],
    [[undefined, 1], "[null,1]"],
    // Objects with toJSON are stored as what it returns, nothing included.
    [new Date(0), '"1970-01-01T00:00:00.000Z"'],
    [{ toJSON: () => ({ amount: 5 }) }, '{"amount":5}'],
    [{ toJSON: () => undefined }, "null"],
    [{ price: { toJSON: () => undefined } }, "{}"],
    // Half a surrogate pair becomes an escape: the text stays valid UTF-8 (L3).
    ["\ud800", String.raw`"\ud800"`],
    // A key like any other (L7).
    [JSON.parse('{"__proto__":1}'), '{"__proto__":1}'],
  ] as const)("%j is stored as %s", ([value, json]) => {
    expect(encoded(value)).toBe(json);
  });

  test("the same object twice is not a cycle", () => {
    const address = { city: "Bern" };
    expect(encoded({ from: address, to: address })).toBe(
      '{"from":{"city":"Bern"},"to":{"city":"Bern"}}',
    );
  });
});

describe("what is refused by name, never changed (B-09, M-01)", () => {
  test.for([
    ["a function", () => 1, "a function"],
    ["a symbol", Symbol("s"), "a symbol"],
    ["a BigInt", 1n, "a BigInt (send it as a string)"],
    ["a boxed BigInt", Object(1n), "Do not know how to serialize a BigInt"],
    ["NaN", Number.NaN, "the number NaN"],
    ["an infinity", Number.NEGATIVE_INFINITY, "the number -Infinity"],
    ["a Map", new Map(), "a Map or Set (send an array or object)"],
    ["a Set", new Set(), "a Map or Set (send an array or object)"],
    ["a cycle", cyclic, "a cycle"],
    ["a toJSON with a function", { toJSON: () => () => 1 }, "a function"],
    ["a toJSON that throws", { toJSON: throwing("no total") }, "no total"],
    ["a getter that throws no error", Object.defineProperty({}, "x", throwingText()), "no error"],
  ] as const)("%s", ([, value, where]) => {
    expect(refusal(value)).toEqual({
      code: "payload_not_serializable",
      message: `the result of price cannot be stored as JSON: it contains ${where}`,
    });
  });

  test("one bad value is found wherever it stands", () => {
    const wrappers = fc.array(fc.constantFrom("list", "object", "toJSON"), { maxLength: 10 });
    const bad = fc.constantFrom(Number.NaN, 1n, Symbol("s"), () => 1, new Set());
    fc.assert(
      fc.property(bad, wrappers, fc.jsonValue({ maxDepth: 2 }), (leaf, path, neighbour) => {
        let value: unknown = leaf;
        for (const wrapper of path) value = wrap(wrapper, value, neighbour);
        expect(refusal(value)?.code).toBe("payload_not_serializable");
      }),
    );
  });

  test("nesting is taken up to its limit and not one level deeper (L4)", () => {
    expect(refusal(nested(JSON_DEPTH_MAX))).toBeUndefined();
    expect(refusal(nested(JSON_DEPTH_MAX + 1))).toEqual({
      code: "payload_too_deep",
      message: `the result of price is nested deeper than ${JSON_DEPTH_MAX} levels`,
    });
  });

  test("a value is taken up to 2,097,152 bytes of UTF-8 and not one more (M-01)", () => {
    // Two quotes; ü has two bytes.
    expect(refusal("x".repeat(PAYLOAD_BYTES_MAX - 2))).toBeUndefined();
    expect(refusal(`${"x".repeat(PAYLOAD_BYTES_MAX - 3)}ü`)).toEqual({
      code: "payload_too_large",
      message: "the result of price has 2097153 bytes; at most 2097152 bytes are allowed",
    });
  });

  test("a caller may set a lower limit", () => {
    expect(refusal("abc", 5)).toBeUndefined();
    expect(refusal("abc", 4)?.code).toBe("payload_too_large");
  });
});

describe("the UTF-8 size of a text", () => {
  test.for([
    ["", 0],
    ["a", 1],
    ["\u007f", 1],
    ["\u0080", 2],
    ["\u07ff", 2],
    ["\u0800", 3],
    ["\uffff", 3],
    ["😀", 4],
    // First and last pair.
    ["\ud800\udc00", 4],
    ["\udbff\udfff", 4],
    // Half a pair counts as the replacement character that an encoder writes.
    ["\ud83d", 3],
    ["\ud83dx", 4],
    ["\ude00", 3],
  ] as const)("%j has %i bytes", ([text, bytes]) => {
    expect(utf8Bytes(text)).toBe(bytes);
  });

  test("is that of an encoder, for any sequence of code units", () => {
    const units = fc.array(
      fc.oneof(fc.integer({ min: 0, max: 0xffff }), fc.integer({ min: 0xd800, max: 0xdfff })),
    );
    fc.assert(
      fc.property(units, (codes) => {
        const text = String.fromCharCode(...codes);
        expect(utf8Bytes(text)).toBe(new TextEncoder().encode(text).length);
      }),
    );
  });
});

function throwing(message: string) {
  return () => {
    throw new Error(message);
  };
}

/** A property whose getter throws what is no error. */
function throwingText(): PropertyDescriptor {
  return {
    enumerable: true,
    get: () => {
      throw "no error";
    },
  };
}

function wrap(wrapper: "list" | "object" | "toJSON", value: unknown, neighbour: unknown): unknown {
  switch (wrapper) {
    case "list":
      return [neighbour, value];
    case "object":
      return { neighbour, value };
    case "toJSON":
      return { toJSON: () => value };
  }
}

/** Reads one object of options, field by field, and refuses by name what is no value for a field (L9). */
import { type DurationPlace, durationMs, showValue } from "./duration.ts";
import { type PawlError, pawlError } from "./errors.ts";
import { ID_LENGTH_MAX } from "./limits.ts";
import { JITTERS, type Jitter } from "./options.ts";

export interface ReaderPlace {
  /** Whose options they are, such as `activity charge`. */
  readonly where: string;
  /** The path of the object inside the options, such as `retryPolicy.`; empty at the top. */
  readonly path: string;
  readonly known: readonly string[];
  /** Makes the error for an option that is not known. Default: unknown_option. */
  readonly unknown?: (option: string, known: readonly string[]) => PawlError;
}

/** Entries of a list of delays or error types. */
const LIST_LENGTH_MAX = 100;
/** Timeouts are enforced by seconds (C-12, H-08). */
const TIMEOUT_MS_MIN = 1_000;

/** Every method answers undefined when the field is absent, and throws invalid_option when it is wrong. */
export class OptionReader {
  readonly #fields: ReadonlyMap<string, unknown>;
  readonly #place: ReaderPlace;

  /** @throws PawlError invalid_option when it is no object, unknown_option */
  constructor(options: unknown, place: ReaderPlace) {
    this.#place = place;
    if (!isPlainObject(options)) {
      const option = place.path === "" ? "options" : place.path.slice(0, -1);
      const reason = `must be an object; received ${showValue(options)}`;
      throw pawlError("invalid_option", { where: place.where, option, reason });
    }
    this.#fields = new Map(Object.entries(options));
    for (const option of this.#fields.keys()) {
      if (place.known.includes(option)) continue;
      throw (place.unknown ?? this.#unknown)(option, place.known);
    }
  }

  /** A reader of an object inside this one. */
  nested(option: string, known: readonly string[]): OptionReader | undefined {
    const value = this.#fields.get(option);
    if (value === undefined) return undefined;
    return new OptionReader(value, {
      where: this.#place.where,
      path: `${this.#place.path}${option}.`,
      known,
    });
  }

  /** Milliseconds, at least one second. */
  timeout(option: string): number | undefined {
    const ms = this.#duration(option);
    if (ms !== undefined && ms < TIMEOUT_MS_MIN)
      throw this.refuse(option, "must be at least one second");
    return ms;
  }

  /** Milliseconds, more than none. */
  interval(option: string): number | undefined {
    const ms = this.#duration(option);
    if (ms === 0) throw this.refuse(option, "must be longer than nothing");
    return ms;
  }

  /** Milliseconds of one delay or of each of a list; no delay at all is allowed (C-12, C-13). */
  delays(option: string): readonly number[] | undefined {
    const value = this.#fields.get(option);
    if (value === undefined) return undefined;
    const list: readonly unknown[] = Array.isArray(value) ? value : [value];
    if (list.length === 0 || list.length > LIST_LENGTH_MAX)
      throw this.refuse(option, `must have 1 to ${LIST_LENGTH_MAX} entries`);
    return list.map((entry) => durationMs(entry, this.#at(option)));
  }

  /** A whole number from 1 to `max`. */
  count(option: string, max: number): number | undefined {
    const value = this.#fields.get(option);
    if (value === undefined) return undefined;
    if (typeof value !== "number" || !Number.isInteger(value) || value < 1 || value > max)
      throw this.refuse(option, `must be a whole number from 1 to ${max}`);
    return value;
  }

  /** A finite number of at least 1. */
  factor(option: string): number | undefined {
    const value = this.#fields.get(option);
    if (value === undefined) return undefined;
    if (typeof value !== "number" || !Number.isFinite(value) || value < 1)
      throw this.refuse(option, "must be a finite number of at least 1");
    return value;
  }

  /** Seconds as a bare number, in milliseconds. */
  seconds(option: string): number | undefined {
    const value = this.#fields.get(option);
    if (value !== undefined && typeof value !== "number")
      throw this.refuse(option, "must be a number of seconds");
    return this.interval(option);
  }

  flag(option: string): boolean | undefined {
    const value = this.#fields.get(option);
    if (value === undefined || typeof value === "boolean") return value;
    throw this.refuse(option, "must be true or false");
  }

  /** A text of 1 to 256 characters that `pattern` matches. */
  text(option: string, pattern: RegExp, form: string): string | undefined {
    const value = this.#fields.get(option);
    if (value === undefined) return undefined;
    if (typeof value !== "string" || value.length > ID_LENGTH_MAX || !pattern.test(value))
      throw this.refuse(option, form);
    return value;
  }

  jitter(option: string): Jitter | undefined {
    const value = this.#fields.get(option);
    if (value === undefined) return undefined;
    const jitter = JITTERS.find((known) => known === value);
    if (jitter === undefined) throw this.refuse(option, `must be one of ${JITTERS.join(", ")}`);
    return jitter;
  }

  /** Texts that are not empty and stand once (C-12). */
  errorTypes(option: string): readonly string[] | undefined {
    const value = this.#fields.get(option);
    if (value === undefined) return undefined;
    if (!Array.isArray(value) || value.length > LIST_LENGTH_MAX)
      throw this.refuse(option, `must be a list of at most ${LIST_LENGTH_MAX} error types`);
    const list: readonly unknown[] = value;
    const types = list.filter(
      (type): type is string =>
        typeof type === "string" && type !== "" && type.length <= ID_LENGTH_MAX,
    );
    if (types.length !== list.length || new Set(types).size !== list.length)
      throw this.refuse(option, "must list error types as texts, none empty and none twice");
    return types;
  }

  /** An invalid_option error that shows the value received. */
  refuse(option: string, reason: string): PawlError {
    const received = showValue(this.#fields.get(option));
    return pawlError("invalid_option", {
      ...this.#at(option),
      reason: `${reason}; received ${received}`,
    });
  }

  #duration(option: string): number | undefined {
    const value = this.#fields.get(option);
    return value === undefined ? undefined : durationMs(value, this.#at(option));
  }

  #at(option: string): DurationPlace {
    return { where: this.#place.where, option: `${this.#place.path}${option}` };
  }

  readonly #unknown = (option: string, known: readonly string[]): PawlError =>
    pawlError("unknown_option", {
      where: this.#place.where,
      option: `${this.#place.path}${option}`,
      expected: known.join(", "),
    });
}

/** The object without the fields that are undefined. */
export function compact<T extends object>(
  fields: {
    readonly [K in keyof T]: T[K] | undefined;
  },
): T {
  // Exact optional properties: the fields that remain are those of T.
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;
}

function isPlainObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

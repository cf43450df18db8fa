/** Broken invariants, kept beside the code under test: an exception in there could be swallowed. */
export interface Violation {
  /** The invariant's name, such as I11. */
  readonly invariant: string;
  readonly what: string;
  /** Virtual milliseconds since the seed's start. */
  readonly atMs: number;
}

export class Violations {
  readonly found: Violation[] = [];
  readonly #now: () => number;
  readonly #onFound: (violation: Violation) => void;

  constructor(now: () => number, onFound: (violation: Violation) => void) {
    this.#now = now;
    this.#onFound = onFound;
  }

  expect(holds: boolean, invariant: string, what: () => string): void {
    if (!holds) this.report(invariant, what());
  }

  report(invariant: string, what: string): void {
    const violation = { invariant, what, atMs: this.#now() };
    this.found.push(violation);
    this.#onFound(violation);
  }
}

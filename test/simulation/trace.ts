/** What happened, in order: hashed always, kept or printed when asked. */
export class Trace {
  #hash = 2_166_136_261;
  #lines = 0;
  readonly #now: () => number;
  readonly #print: ((line: string) => void) | undefined;

  /** @param now virtual milliseconds since the seed's start */
  constructor(now: () => number, print: ((line: string) => void) | undefined) {
    this.#now = now;
    this.#print = print;
  }

  add(line: string): void {
    const text = `${this.#now()} ${line}`;
    this.#lines += 1;
    let hash = this.#hash;
    for (let index = 0; index < text.length; index++)
      hash = Math.imul(hash ^ text.charCodeAt(index), 16_777_619);
    this.#hash = hash >>> 0;
    this.#print?.(text);
  }

  /** Equal for equal runs. */
  get hash(): string {
    return `${this.#lines}/${this.#hash.toString(16)}`;
  }
}

/** One call of the command: the global options, the client they lead to, and how output is written. */
import pc from "picocolors";
import { Client } from "../client.ts";
import { UsageError } from "./exit.ts";
import type { Io } from "./io.ts";
import { findTarget, type Target } from "./target.ts";
import type { TimeFormat } from "./times.ts";

/** As commander hands them over. */
export interface GlobalOptions {
  readonly api?: string;
  readonly output: "text" | "json" | "jsonl";
  readonly timeFormat: TimeFormat;
  readonly color: "auto" | "always" | "never";
}

export type Colors = ReturnType<typeof pc.createColors>;

/** Attempts of a request: someone waits at the terminal, so fewer than a program makes. */
const ATTEMPTS_MAX = 3;

export class Session {
  readonly io: Io;
  readonly output: GlobalOptions["output"];
  readonly timeFormat: TimeFormat;
  /** For text on standard output. */
  readonly colors: Colors;
  readonly target: Target;
  readonly client: Client;

  constructor(io: Io, options: GlobalOptions) {
    this.io = io;
    this.output = options.output;
    this.timeFormat = options.timeFormat;
    this.colors = pc.createColors(wantsColor(options.color, io));
    this.target = findTarget(options.api, io);
    if (!URL.canParse(this.target.url)) {
      const message = `${JSON.stringify(this.target.url)} (from ${this.target.from}) is not a URL`;
      throw new UsageError(message, "--api http://127.0.0.1:7400");
    }
    this.client = new Client({
      baseUrl: this.target.url,
      fetch: io.fetch,
      clock: io.clock,
      attemptsMax: ATTEMPTS_MAX,
    });
  }

  /** True when data is for people. */
  get isText(): boolean {
    return this.output === "text";
  }

  /** One JSON value: indented for a person at a terminal, one line otherwise. */
  json(value: unknown): void {
    const indent = this.io.stdout.isTerminal && this.output !== "jsonl" ? 2 : 0;
    this.io.stdout.write(`${JSON.stringify(value, null, indent)}\n`);
  }

  /** A list as JSON: one array, or with `jsonl` one line for each. */
  jsonList(values: readonly unknown[]): void {
    if (this.output === "jsonl") for (const value of values) this.json(value);
    else this.json(values);
  }

  line(text: string = ""): void {
    this.io.stdout.write(`${text}\n`);
  }

  /** Progress and hints: never data. */
  note(text: string): void {
    this.io.stderr.write(`${text}\n`);
  }
}

function wantsColor(choice: GlobalOptions["color"], io: Io): boolean {
  if (choice !== "auto") return choice === "always";
  if (io.env["NO_COLOR"]) return false;
  if (io.env["FORCE_COLOR"]) return true;
  return io.stdout.isTerminal && io.env["TERM"] !== "dumb";
}

import { pins } from "./pins.ts";

/** One way to get a LocalStack, and why it did not work here. */
export interface FailedWay {
  readonly way: string;
  readonly reason: string;
  /** What the reader can do about it, as an imperative sentence without its period. */
  readonly hint?: string;
}

/** No way is skipped silently: the message names each one, why it failed and what to install next. */
export class LocalStackUnavailableError extends Error {
  override readonly name = "LocalStackUnavailableError";
  readonly code = "localstack_unavailable";
  readonly failedWays: readonly FailedWay[];

  constructor(failedWays: readonly FailedWay[]) {
    super(describe(failedWays));
    this.failedWays = failedWays;
  }
}

function describe(failedWays: readonly FailedWay[]): string {
  const tried = failedWays.map(({ way, reason }, index) => `  ${index + 1}. ${way}: ${reason}`);
  const hints = failedWays.flatMap(({ hint }) => (hint === undefined ? [] : [`  - ${hint}`]));
  return [
    `LocalStack ${pins.localstack} could not be reached or started. Tried, in this order:`,
    ...tried,
    ...(hints.length === 0 ? [] : ["What to do next, one of:", ...hints]),
  ].join("\n");
}

/** The target `localstack`: a stack that CDK has deployed there, seen through its API alone. */
import { Client } from "../../client.ts";
import { type PawlError, pawlError } from "../../core/errors.ts";
import type { TestPlatform, TestPlatformOptions } from "../platform.ts";

export function connectLocalStack(options: TestPlatformOptions): TestPlatform {
  const close = async (): Promise<void> => {};
  const refuse = (what: string): PawlError =>
    pawlError("target_unsupported", {
      what,
      target: "localstack",
      instead: "use the target memory or embedded",
    });
  return {
    target: "localstack",
    client: new Client(options.apiUrl === undefined ? {} : { baseUrl: options.apiUrl }),
    advance: async () => {
      throw refuse("moving the clock");
    },
    crash: () => {
      throw refuse("a crash point");
    },
    counts: () => {
      throw refuse("counting calls");
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** `pawl/testing`: run workflows in a test, in this process or on a local stack. */
import { pawlError } from "../core/errors.ts";
import type { TestPlatform, TestPlatformOptions } from "./platform.ts";
import { startEmbeddedPlatform } from "./targets/embedded.ts";
import { startLocalStackPlatform } from "./targets/localstack.ts";
import { startMemory } from "./targets/memory.ts";

export type {
  Counts,
  CrashHandle,
  CrashPoint,
  FunctionName,
  QueueCounts,
  StoreCounts,
} from "../core/test-points.ts";
export { difference } from "./counts.ts";
export type { RawRequest, TargetName, TestPlatform, TestPlatformOptions } from "./platform.ts";
export { type RecordedHistory, replayHistory } from "./replay.ts";

/**
 * Starts a platform to run workflows on; close it when the test is over.
 *
 * On `memory` nothing leaves the process and time is virtual: a timer of 30 days fires at once when
 * the test waits for the result, or exactly when it advances the clock.
 * @throws PawlError target_unsupported for an option that the target does not have, registry_*
 */
export async function createTestPlatform(options: TestPlatformOptions): Promise<TestPlatform> {
  const { target, entry } = options;
  if (target === "memory") return startMemory(options);
  if (options.workflows !== undefined || options.activities !== undefined)
    throw pawlError("target_unsupported", {
      what: "giving workflows and activities as objects",
      target,
      instead: "export them from an entry module and give its path as entry",
    });
  if (target === "localstack") return startLocalStackPlatform(options);
  if (entry === undefined)
    throw pawlError("target_unsupported", {
      what: "starting without an entry module",
      target,
      instead: "give the path of the module that exports the workflows as entry",
    });
  return startEmbeddedPlatform({ ...options, entry });
}

/** The target `embedded`: the local stack with instrumented functions, in real processes and time. */
import { Client } from "../../client.ts";
import { pawlError } from "../../core/errors.ts";
import { LEASE_MS_MIN } from "../../core/limits.ts";
import { queueUrl, WORKFLOW_QUEUE } from "../../dev/embedded/deployment.ts";
import type { TestPlatform, TestPlatformOptions } from "../platform.ts";
import { fetchFrom } from "./raw-fetch.ts";
import { deliverTo } from "./sqs-endpoint.ts";

const VISIBILITY_MS = 6_000;

export async function startEmbeddedPlatform(
  options: TestPlatformOptions & { readonly entry: string },
): Promise<TestPlatform> {
  // Loaded here: tests on `memory` need neither the bundler nor the emulators.
  const { startEmbedded } = await import("../../dev/embedded/start.ts");
  const { entry, queues, onLog } = options;
  const stack = await startEmbedded({
    entry,
    crashPoints: true,
    // A test that kills a process waits for what a crash leaves behind: seconds, not minutes.
    visibilityMs: VISIBILITY_MS,
    leaseMs: LEASE_MS_MIN,
    ...(queues === undefined ? {} : { queues }),
    ...(onLog === undefined ? {} : { onLog }),
  });
  const close = (): Promise<void> => stack.stop();
  return {
    target: "embedded",
    client: new Client({ baseUrl: stack.apiUrl }),
    fetch: fetchFrom(stack.apiUrl),
    advance: async () => {
      throw pawlError("target_unsupported", {
        what: "moving the clock",
        target: "embedded",
        instead: "use the target memory, whose clock is virtual",
      });
    },
    crash: (point) => stack.crash(point),
    counts: () => stack.counts(),
    deliver: (message) =>
      deliverTo(stack.endpoints.queues, queueUrl(stack.endpoints.queues, WORKFLOW_QUEUE), message),
    close,
    [Symbol.asyncDispose]: close,
  };
}

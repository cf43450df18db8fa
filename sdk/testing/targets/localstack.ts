/**
 * The target `localstack`: the entry module deployed by CDK into a LocalStack that is found or
 * started; or, with `apiUrl`, a stack that is deployed already, seen through its API alone.
 */
import { Client } from "../../client.ts";
import { type PawlError, pawlError } from "../../core/errors.ts";
import type { TestPlatform, TestPlatformOptions } from "../platform.ts";
import { fetchFrom } from "./raw-fetch.ts";
import { deliverTo } from "./sqs-endpoint.ts";

export async function startLocalStackPlatform(options: TestPlatformOptions): Promise<TestPlatform> {
  if (options.apiUrl === undefined) return deployed(options);
  return platformOf(options.apiUrl, {
    close: async () => {},
    deliver: async () => {
      throw refusal("delivering a message to a stack that is known by its API alone");
    },
  });
}

async function deployed({ entry, queues, onProgress }: TestPlatformOptions): Promise<TestPlatform> {
  if (entry === undefined) throw refusal("starting without an entry module");
  // Loaded here: only this target needs CDK.
  const { startLocalStack } = await import("../../dev/localstack/host.ts");
  const { deployToLocalStack } = await import("../../dev/localstack-deploy.ts");
  const progress = onProgress === undefined ? {} : { onProgress };
  const instance = await startLocalStack(progress);
  const { endpoint } = instance;
  const stop = (): Promise<void> => instance.stop();
  const deployment = await deployToLocalStack({
    entry,
    endpoint,
    ...progress,
    ...(queues === undefined ? {} : { queues }),
  }).catch(async (error: unknown) => {
    await stop();
    throw error;
  });
  return platformOf(deployment.apiUrl, {
    async close() {
      try {
        await deployment.destroy();
      } finally {
        await stop();
      }
    },
    deliver: (message) => deliverTo(endpoint, deployment.workflowQueueUrl, message),
  });
}

function platformOf(apiUrl: string, stack: Pick<TestPlatform, "close" | "deliver">): TestPlatform {
  return {
    ...stack,
    target: "localstack",
    client: new Client({ baseUrl: apiUrl }),
    fetch: fetchFrom(apiUrl),
    advance: async () => {
      throw refusal("moving the clock");
    },
    crash: () => {
      throw refusal("a crash point");
    },
    counts: () => {
      throw refusal("counting calls");
    },
    [Symbol.asyncDispose]: stack.close,
  };
}

function refusal(what: string): PawlError {
  return pawlError("target_unsupported", {
    what,
    target: "localstack",
    instead: "use the target memory or embedded",
  });
}

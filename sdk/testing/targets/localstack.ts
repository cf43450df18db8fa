/** The target `localstack`: the entry module deployed by CDK into a LocalStack that is found or started. */
import { ListQueuesCommand } from "@aws-sdk/client-sqs";
import { Client } from "../../client.ts";
import { InvariantError, type PawlError, pawlError } from "../../core/errors.ts";
import type { TestPlatform, TestPlatformOptions } from "../platform.ts";
import { emulatedSqs, sendCopy } from "./deliver.ts";

export async function startLocalStackPlatform(
  options: TestPlatformOptions & { readonly entry: string },
): Promise<TestPlatform> {
  // Loaded here: only this target needs CDK.
  const { startLocalStack } = await import("../../dev/localstack/host.ts");
  const { deployToLocalStack } = await import("../../dev/localstack-deploy.ts");
  const { entry, queues, onLog } = options;
  const progress =
    onLog === undefined ? {} : { onProgress: (text: string) => onLog({ source: "stack", text }) };
  const { endpoint, stop } = await startLocalStack(progress);
  const deployment = await deployToLocalStack({
    entry,
    endpoint,
    ...progress,
    ...(queues === undefined ? {} : { queues }),
  }).catch(async (error: unknown) => {
    await stop();
    throw error;
  });
  const close = async (): Promise<void> => {
    try {
      await deployment.destroy();
    } finally {
      await stop();
    }
  };
  return {
    target: "localstack",
    client: new Client({ baseUrl: deployment.apiUrl }),
    advance: async () => {
      throw refusal("moving the clock");
    },
    crash: () => {
      throw refusal("a crash point");
    },
    counts: () => {
      throw refusal("counting calls");
    },
    deliver: async (message) => {
      if (message.type !== "workflow_task") throw refusal("delivering an activity task");
      await sendCopy(endpoint, await workflowQueueUrl(endpoint, deployment.stackName), message);
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** CloudFormation chooses the names; they begin with the stack's. */
async function workflowQueueUrl(endpoint: string, stackName: string): Promise<string> {
  const client = emulatedSqs(endpoint);
  try {
    const { QueueUrls: urls = [] } = await client.send(
      new ListQueuesCommand({ QueueNamePrefix: stackName }),
    );
    const url = urls.find((each) => /workflowtask/i.test(each) && !/deadletter/i.test(each));
    if (url === undefined) throw new InvariantError(`the stack ${stackName} has no workflow queue`);
    return url;
  } finally {
    client.destroy();
  }
}

function refusal(what: string): PawlError {
  return pawlError("target_unsupported", {
    what,
    target: "localstack",
    instead: "use the target memory or embedded",
  });
}

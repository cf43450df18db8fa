import { SQSClient } from "@aws-sdk/client-sqs";
import { Client } from "../../sdk/client.ts";
import { createBundler } from "../../sdk/dev/embedded/bundler.ts";
import { startStack } from "../../sdk/dev/embedded/start.ts";
import { messagesIn } from "../support/queues.ts";
import { ENTRY, sourceUnderAgent } from "./bundle.ts";
import { Control } from "./fixture/control.ts";
import { crashMatrix, type MatrixStack } from "./matrix.suite.ts";

/** Milliseconds; long enough that a busy machine loses no living lease, short enough to wait for. */
const LEASE_MS = 5_000;
const VISIBILITY_MS = 6_000;
const ACCOUNT = {
  region: "us-east-1",
  credentials: { accessKeyId: "embedded", secretAccessKey: "embedded" },
};

async function start(): Promise<MatrixStack> {
  const options = {
    entry: ENTRY,
    crashPoints: true,
    leaseMs: LEASE_MS,
    visibilityMs: VISIBILITY_MS,
    workflowBatchSizeMax: 1,
  };
  const stack = await startStack(options, (root) =>
    createBundler({ ...options, root, source: sourceUnderAgent }),
  );
  const queues = new SQSClient({
    ...ACCOUNT,
    endpoint: stack.endpoints.queues,
    useQueueUrlAsEndpoint: false,
  });
  return {
    client: new Client({ baseUrl: stack.apiUrl }),
    control: new Control({ ...ACCOUNT, endpoint: stack.endpoints.dynamodb }),
    messages: () => messagesIn(queues),
    async stop() {
      queues.destroy();
      await stack.stop();
    },
  };
}

crashMatrix({
  name: "the embedded stack",
  functions: ["workflow-task", "activity-task"],
  start,
});

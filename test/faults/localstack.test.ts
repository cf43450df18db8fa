import { afterAll } from "vitest";
import { messagesIn } from "../support/queues.ts";
import { answersAlike } from "../world/dynamo-differential.suite.ts";
import { chaos } from "./chaos.suite.ts";
import { type Deployment, deploy } from "./deployment.ts";
import { Control } from "./fixture/control.ts";
import { crashMatrix } from "./matrix.suite.ts";

const TUNING = { leaseMs: 5_000, visibilityMs: 8_000 };

/** One for all: the first to ask deploys. */
let deployment: Promise<Deployment> | undefined;
function deployed(): Promise<Deployment> {
  deployment ??= deployAndTune();
  return deployment;
}

async function deployAndTune(): Promise<Deployment> {
  const fresh = await deploy((line) => process.stderr.write(`${line}\n`));
  await fresh.tune(TUNING);
  return fresh;
}

// With the production bundles; those with crash points come behind.
chaos(deployed);

crashMatrix({
  name: "LocalStack",
  functions: ["workflow-task"],
  async start() {
    const stack = await deployed();
    await stack.putUnderAgent();
    return {
      client: stack.client,
      control: new Control(stack.account),
      messages: () => messagesIn(stack.sqs),
      stop: async () => {},
    };
  },
});

answersAlike({
  name: "DynamoDB Local",
  isDynamoDbLocal: true,
  endpoint: async () => (await deployed()).dynamoDbLocal,
});

afterAll(async () => {
  await (await deployment)?.stop();
});

import { createPorts } from "../../functions/compose.ts";
import { ENV } from "../../functions/environment.ts";
import { TABLES } from "../../sdk/adapters/dynamodb/layout.ts";
import { nodeHost } from "../../sdk/adapters/lambda/host.ts";
import { FakeDynamo } from "../../sdk/testing/world/dynamo.ts";
import { FakeS3 } from "../../sdk/testing/world/s3.ts";
import { Scheduler } from "../../sdk/testing/world/scheduler.ts";
import { FakeSqs } from "../../sdk/testing/world/sqs.ts";
import type { PortsUnderTest } from "./fixtures.ts";
import { portsContract } from "./ports.suite.ts";
import { recordingTelemetry } from "./recording-telemetry.ts";

portsContract("the simulation's fakes", async () => fakes());

function fakes(): PortsUnderTest {
  const scheduler = new Scheduler(1_700_000_000_000);
  const url = (queue: string) => `https://sqs/${queue}`;
  const sqs = new FakeSqs(
    ["workflow", "default"].map((name) => ({ name, visibilityTimeoutMs: 30_000 })),
    url,
    scheduler,
  );
  const ports = createPorts({
    environment: {
      [ENV.namespace]: "contract",
      [ENV.version]: "0.0.0",
      [ENV.runsTable]: TABLES.workflow_runs.name,
      [ENV.historyTable]: TABLES.history_events.name,
      [ENV.executionsTable]: TABLES.activity_executions.name,
      [ENV.attemptsTable]: TABLES.activity_attempts.name,
      [ENV.timersTable]: TABLES.timers.name,
      [ENV.payloadBucket]: "payloads",
      [ENV.workflowQueueUrl]: url("workflow"),
      [ENV.activityQueueUrls]: JSON.stringify({ default: url("default") }),
    },
    clients: {
      dynamo: new FakeDynamo({
        tables: Object.values(TABLES),
        now: () => scheduler.now(),
        removeUndefinedValues: true,
      }),
      sqs,
      s3: new FakeS3(["payloads"]),
      lambda: { send: () => Promise.reject(new Error("there is no Lambda here")) },
    },
    host: { ...nodeHost(), now: () => scheduler.now() },
    telemetry: recordingTelemetry().telemetry,
  });
  return {
    ports,
    async receive(queue) {
      const received = sqs.queue(queue).receive(Number.POSITIVE_INFINITY);
      return received.map(({ body, receiptHandle }) => ({ body, handle: receiptHandle }));
    },
    close: async () => {},
  };
}

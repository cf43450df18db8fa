import { Duration } from "aws-cdk-lib";
import * as sns from "aws-cdk-lib/aws-sns";
import { describe, expect, test } from "vitest";
import { ENV } from "../../functions/environment.ts";
import { QUEUE_BATCH_MAX, RECEIVES_MAX } from "../../sdk/core/limits.ts";
import { build, type Resource, resources, statementsOf, synthesize, target } from "./synthesize.ts";

// One template for everything that its props do not contradict.
const { template, pawl, stack } = synthesize((scope) => ({
  alarmTopic: new sns.Topic(scope, "Alarms"),
  environment: { LOG_ENDPOINT: "https://logs.example" },
  workflowMaxConcurrency: 50,
  queues: {
    default: { timeout: Duration.minutes(5), maxConcurrency: 20 },
    gpu: { memorySize: 3008, batchSize: 1, reservedConcurrency: 4, environment: { GPU: "1" } },
  },
}));

const functions = resources(template, "AWS::Lambda::Function");
const queues = resources(template, "AWS::SQS::Queue");
const mappings = resources(template, "AWS::Lambda::EventSourceMapping");
const alarms = resources(template, "AWS::CloudWatch::Alarm");

const fn = (part: string): Resource => only(functions, part);
const environmentOf = (part: string): Record<string, unknown> =>
  fn(part).properties["Environment"].Variables;
const isDeadLetters = ({ id }: Resource): boolean => id.includes("DeadLetters");

function only(all: readonly Resource[], part: string): Resource {
  const found = all.filter(({ id }) => id.includes(part));
  const [first] = found;
  if (found.length !== 1 || first === undefined) {
    throw new Error(`${found.length} of ${all.map(({ id }) => id).join(", ")} match ${part}`);
  }
  return first;
}

describe("functions", () => {
  test("are api, workflow-task, sweeper, and one activity-task for each queue (D-01)", () => {
    const kinds = ["ApiHandlerFunction", "WorkflowTaskFunction", "SweeperFunction"];
    const workers = ["defaultWorkerFunction", "gpuWorkerFunction"];
    expect(functions).toHaveLength(5);
    for (const part of [...kinds, ...workers]) expect(fn(part).id).toContain(part);
  });

  test("run the newest Node on ARM with source maps, traces, logs of their own and a size", () => {
    const groups = resources(template, "AWS::Logs::LogGroup");
    expect(groups).toHaveLength(6);
    for (const { properties } of groups) expect(properties["RetentionInDays"]).toBe(30);
    const used = functions.map(({ properties }) => {
      expect(properties["Runtime"]).toBe("nodejs24.x");
      expect(properties["Architectures"]).toEqual(["arm64"]);
      expect(properties["TracingConfig"]).toEqual({ Mode: "Active" });
      expect(properties["Environment"].Variables.NODE_OPTIONS).toBe("--enable-source-maps");
      expect(properties["MemorySize"]).toBeGreaterThan(0);
      return target(properties["LoggingConfig"].LogGroup);
    });
    expect(new Set(used).size).toBe(functions.length);
  });

  test("have the timeouts that the engine counts with, and a default of 15 minutes for activities", () => {
    const timeout = (part: string): number => fn(part).properties["Timeout"];
    expect(timeout("ApiHandler")).toBe(29);
    expect(timeout("WorkflowTask")).toBe(120);
    expect(timeout("Sweeper")).toBe(60);
    expect(timeout("defaultWorker")).toBe(300);
    expect(timeout("gpuWorker")).toBe(900);
  });

  test("may call each other through queues without end: Lambda's loop detection would stop a workflow after 16 hops", () => {
    const loops = functions.map(({ id, properties }) => [id, properties["RecursiveLoop"]]);
    for (const [id, loop] of loops) {
      expect([id, loop]).toEqual([id, String(id).includes("ApiHandler") ? undefined : "Allow"]);
    }
  });

  test("get exactly the environment that they read", () => {
    const common = Object.entries(ENV)
      // On AWS processes do not end together: nothing has the name of a start.
      .filter(([key]) => !["workflowFunction", "deadLetterQueueUrls", "boot"].includes(key))
      .map(([, name]) => name);
    const own = (part: string): readonly string[] =>
      Object.keys(environmentOf(part)).filter((name) => name.startsWith("PAWL_"));
    expect(own("WorkflowTask").toSorted()).toEqual(common.toSorted());
    expect(own("gpuWorker").toSorted()).toEqual(common.toSorted());
    expect(own("ApiHandler").toSorted()).toEqual([...common, ENV.workflowFunction].toSorted());
    expect(own("Sweeper").toSorted()).toEqual([...common, ENV.deadLetterQueueUrls].toSorted());
    expect(target(environmentOf("ApiHandler")[ENV.workflowFunction])).toBe(fn("WorkflowTask").id);
  });

  test("are told of every queue by its name, those that were added late included", () => {
    const urls = stack.resolve(environmentOf("WorkflowTask")[ENV.activityQueueUrls]);
    const [, parts] = urls["Fn::Join"];
    const text = parts.map((part: unknown) =>
      typeof part === "string" ? part : `<${target(part)}>`,
    );
    expect(Object.keys(JSON.parse(text.join("")))).toEqual(["default", "gpu"]);
    expect(Object.values(JSON.parse(text.join("")))).toEqual([
      `<${only(queues, "defaultTasksQueue").id}>`,
      `<${only(queues, "gpuTasksQueue").id}>`,
    ]);
  });

  test("give the user's environment to user code only, and a queue's to its own function", () => {
    expect(environmentOf("WorkflowTask")["LOG_ENDPOINT"]).toBe("https://logs.example");
    expect(environmentOf("gpuWorker")).toMatchObject({
      LOG_ENDPOINT: "https://logs.example",
      GPU: "1",
    });
    expect(environmentOf("defaultWorker")["GPU"]).toBeUndefined();
    expect(environmentOf("ApiHandler")["LOG_ENDPOINT"]).toBeUndefined();
  });
});

describe("queues", () => {
  const working = queues.filter((queue) => !isDeadLetters(queue));

  test("hide a message for six times the timeout of their function, at most 12 hours (reliability 5, row 7)", () => {
    expect(mappings).toHaveLength(working.length);
    for (const { properties } of mappings) {
      const queue = only(queues, target(properties["EventSourceArn"]));
      const worker = only(functions, target(properties["FunctionName"]));
      const hiddenSeconds = queue.properties["VisibilityTimeout"];
      expect(hiddenSeconds).toBeGreaterThanOrEqual(6 * worker.properties["Timeout"]);
      expect(hiddenSeconds).toBeLessThanOrEqual(43_200);
    }
  });

  test("are read in batches with partial failures, at once and within their concurrency (row 9)", () => {
    const settings = mappings.map(({ id, properties }) => [
      /WorkflowTask|default|gpu/.exec(id)?.[0],
      properties["BatchSize"],
      properties["MaximumBatchingWindowInSeconds"],
      properties["FunctionResponseTypes"],
      properties["ScalingConfig"]?.MaximumConcurrency,
    ]);
    const partial = ["ReportBatchItemFailures"];
    expect(settings.toSorted()).toEqual([
      ["WorkflowTask", QUEUE_BATCH_MAX, 0, partial, 50],
      ["default", 1, 0, partial, 20],
      ["gpu", 1, 0, partial, undefined],
    ]);
    expect(fn("gpuWorker").properties["ReservedConcurrentExecutions"]).toBe(4);
  });

  test("each have a dead-letter queue that keeps messages longer than the queue itself", () => {
    expect(working).toHaveLength(3);
    for (const { properties } of working) {
      const redrive = properties["RedrivePolicy"];
      const deadLetters = only(queues, target(redrive.deadLetterTargetArn));
      expect(redrive.maxReceiveCount).toBe(RECEIVES_MAX);
      expect(deadLetters.properties["MessageRetentionPeriod"]).toBeGreaterThan(
        properties["MessageRetentionPeriod"],
      );
    }
  });

  test("are encrypted and refuse requests without TLS", () => {
    for (const { properties } of queues) expect(properties["SqsManagedSseEnabled"]).toBe(true);
    const refusing = resources(template, "AWS::SQS::QueuePolicy")
      .filter(({ properties }) => /"aws:SecureTransport":"false"/.test(JSON.stringify(properties)))
      .flatMap(({ properties }) => properties["Queues"].map(target));
    expect(new Set(refusing)).toEqual(new Set(queues.map(({ id }) => id)));
  });

  test("raise an alarm for the first message in any dead-letter queue, and tell the topic", () => {
    const watched = alarms
      .filter(({ properties }) => properties["MetricName"] === "ApproximateNumberOfMessagesVisible")
      .map(({ properties }) => {
        expect(properties["Threshold"]).toBe(0);
        expect(properties["ComparisonOperator"]).toBe("GreaterThanThreshold");
        expect(properties["EvaluationPeriods"]).toBe(1);
        return target(properties["Dimensions"][0].Value);
      });
    expect(new Set(watched)).toEqual(new Set(queues.filter(isDeadLetters).map(({ id }) => id)));
    const [topic] = resources(template, "AWS::SNS::Topic");
    for (const { properties } of alarms) {
      expect(properties["AlarmActions"].map(target)).toEqual([topic?.id]);
    }
  });

  test("raise an alarm before SQS's limit of messages in flight is reached (row 3)", () => {
    const inFlight = alarms.filter(
      ({ properties }) => properties["MetricName"] === "ApproximateNumberOfMessagesNotVisible",
    );
    expect(inFlight).toHaveLength(3);
    for (const { properties } of inFlight) expect(properties["Threshold"]).toBe(96_000);
  });
});

test("the sweeper starts each minute, and what could not be delivered is kept", () => {
  const [rule, ...others] = resources(template, "AWS::Events::Rule");
  expect(others).toEqual([]);
  expect(rule?.properties["ScheduleExpression"]).toBe("rate(1 minute)");
  const [sweeper] = rule?.properties["Targets"] ?? [];
  expect(target(sweeper.Arn)).toBe(fn("Sweeper").id);
  expect(target(sweeper.DeadLetterConfig.Arn)).toBe(only(queues, "EventsDeadLetters").id);
});

describe("addActivityQueue", () => {
  test("adds a queue, a dead-letter queue, alarms and a function that only works this queue", () => {
    const { pawl: extended, stack: scope } = build();
    extended.addActivityQueue("mail");
    const mail = extended.addActivityQueue("slow_jobs", { timeout: Duration.seconds(30) });
    expect([...extended.activityQueues.keys()]).toEqual(["default", "mail", "slow_jobs"]);
    expect(extended.activityQueue("slow_jobs")).toBe(mail);
    expect(mail.function.timeout?.toSeconds()).toBe(30);
    expect(scope.resolve(mail.queue.queueArn)).not.toEqual(
      scope.resolve(mail.deadLetterQueue.queueArn),
    );
  });

  test("lets workflow tasks and the sweeper send to it, and its function nowhere but to workflow tasks", () => {
    const gpu = only(queues, "gpuTasksQueue").id;
    const workflowTasks = only(queues, "WorkflowTasksQueue").id;
    const sends = (role: string): readonly string[] =>
      statementsOf(template, role)
        .filter(({ actions }) => actions.includes("sqs:SendMessage"))
        .flatMap(({ resources: arns }) => arns.map(target))
        .filter((id) => !id.includes("Events"));
    expect(sends("ComputeWorkflowTaskRole")).toContain(gpu);
    expect(sends("SweeperRole")).toContain(gpu);
    expect(sends("gpuWorkerRole")).toEqual([workflowTasks]);
    expect(sends("ApiHandlerRole")).toEqual([workflowTasks]);
  });

  test("takes any name, those of other parts of the construct included", () => {
    const { pawl: extended } = build();
    for (const name of ["Sweeper", "WorkflowTasks", "Events", "Activities"]) {
      expect(extended.addActivityQueue(name).name).toBe(name);
    }
  });

  const refused = [
    ["default", {}, "already an activity queue default"],
    ["", {}, "name  is not possible"],
    ["no spaces", {}, "name no spaces is not possible: expected 1 to 64 letters"],
    ["x".repeat(65), {}, "is not possible"],
    ["a/b", {}, "is not possible"],
    [
      "a",
      { timeout: Duration.minutes(16) },
      "timeout in seconds is 960: expected a whole number from 1 to 900",
    ],
    ["a", { maxConcurrency: 1 }, "maxConcurrency is 1: expected a whole number from 2 to 1000"],
    ["a", { batchSize: 11 }, "batchSize is 11: expected a whole number from 1 to 10"],
    ["a", { environment: { PAWL_RUNS_TABLE: "x" } }, "names with PAWL_ are reserved"],
    ["a", { environment: { NODE_OPTIONS: "x" } }, "which Pawl sets itself"],
  ] as const;
  const { pawl: victim } = build();
  test.for(refused)("refuses %o with %o", ([name, options, reason]) => {
    expect(() => victim.addActivityQueue(name, options)).toThrow(reason);
    expect(() => victim.addActivityQueue(name, options)).toThrow("Test/Pawl: ");
  });

  test("names the queues that exist when one is asked for that does not", () => {
    expect(() => pawl.activityQueue("mail")).toThrow(
      "there is no activity queue mail; there are: default, gpu",
    );
  });
});

describe("props", () => {
  test("an entry that does not exist is named at once", () => {
    expect(() => build(() => ({ entry: "src/wroker.ts" }))).toThrow(
      "there is no entry module src/wroker.ts",
    );
  });

  const refused = [
    [{ namespace: "a b" }, "namespace a b is not possible"],
    [{ workflowTimeout: Duration.hours(1) }, "workflowTimeout in seconds is 3600"],
    [{ workflowMaxConcurrency: 1001 }, "workflowMaxConcurrency is 1001"],
    // Case 45: an option that would let nothing run is refused by its name.
    [{ localConcurrency: 0 }, "localConcurrency is 0: expected a whole number from 1 to 1000"],
    [{ environment: { PAWL_VERSION: "x" } }, "names with PAWL_ are reserved"],
    [{ queues: { "a b": {} } }, "activity queue name a b is not possible"],
  ] as const;
  test.for(refused)("%o is refused", ([props, reason]) => {
    expect(() => build(() => props)).toThrow(reason);
  });
});

describe("metrics", () => {
  test("metric has the name, namespace and dimensions that the functions write", () => {
    const metric = pawl.metric("activity_failed", { dimensionsMap: { queue: "gpu" } });
    expect(metric.namespace).toBe("Pawl");
    expect(metric.metricName).toBe("activity_failed");
    expect(metric.dimensions).toEqual({ service: "pawl", namespace: "default", queue: "gpu" });
  });

  test("those of a queue are SQS's own, of the queue or of its dead letters", () => {
    const queueOf = (metric: { readonly dimensions?: Record<string, unknown> }): string =>
      target(stack.resolve(metric.dimensions?.["QueueName"]));
    expect(queueOf(pawl.metricDeadLettered("gpu"))).toBe(only(queues, "gpuTasksDeadLetters").id);
    expect(queueOf(pawl.metricDeadLettered())).toBe(only(queues, "WorkflowTasksDeadLetters").id);
    expect(queueOf(pawl.metricActivityQueueAge("gpu"))).toBe(only(queues, "gpuTasksQueue").id);
    expect(pawl.metricActivityQueueAge("gpu").metricName).toBe("ApproximateAgeOfOldestMessage");
    expect(pawl.metricActivityQueueDepth("gpu").metricName).toBe(
      "ApproximateNumberOfMessagesVisible",
    );
    expect(queueOf(pawl.metricWorkflowQueueAge())).toBe(only(queues, "WorkflowTasksQueue").id);
  });
});

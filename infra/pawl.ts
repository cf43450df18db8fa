/**
 * The public construct: everything that a deployment of Pawl is, in one line of a stack.
 *
 * ```ts
 * const pawl = new Pawl(this, "Pawl", { entry: "src/worker.ts" });
 * pawl.grantStart(checkout);
 * ```
 */

import { existsSync, readFileSync } from "node:fs";
import { Duration, RemovalPolicy } from "aws-cdk-lib";
import type * as apigateway from "aws-cdk-lib/aws-apigateway";
import * as cloudwatch from "aws-cdk-lib/aws-cloudwatch";
import type * as iam from "aws-cdk-lib/aws-iam";
import * as lambda from "aws-cdk-lib/aws-lambda";
import * as logs from "aws-cdk-lib/aws-logs";
import type * as s3 from "aws-cdk-lib/aws-s3";
import type * as sqs from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";
import { LEASE_MS, LOCAL_BODIES_MAX } from "../sdk/core/limits.ts";
import { DEFAULT_QUEUE } from "../sdk/core/options.ts";
import { Api, type Permission } from "./api.ts";
import { type ActivityQueue, type ActivityQueueSize, Compute } from "./compute.ts";
import type { FunctionDefaults } from "./functions.ts";
import type { ActivityQueueOptions, PawlProps } from "./props.ts";
import { type PawlTables, Storage } from "./storage.ts";
import { checkProps, checkQueueName, checkQueueOptions } from "./validation.ts";

/** The namespace of Pawl's own metrics in CloudWatch. */
export const METRIC_NAMESPACE = "Pawl";

const DEFAULT_NAMESPACE = "default";
const WORKFLOW_TIMEOUT = Duration.seconds(120);
const ACTIVITY_TIMEOUT = Duration.minutes(15);
/** API Gateway gives up after 29 s. */
const API_TIMEOUT = Duration.seconds(29);
const SWEEPER_TIMEOUT = Duration.seconds(60);

/** Durable workflows and activities in the account of the stack. */
export class Pawl extends Construct {
  readonly tables: PawlTables;
  /** Values that are too large for the log. */
  readonly payloadBucket: s3.Bucket;
  readonly workflowQueue: sqs.Queue;
  readonly workflowDeadLetterQueue: sqs.Queue;
  readonly api: apigateway.RestApi;
  /** The base address of the HTTP API, without a slash at its end; routes begin with `/api`. */
  readonly apiUrl: string;
  readonly apiFunction: lambda.Function;
  /** Runs workflow code and local activities; give it what they need. */
  readonly workflowFunction: lambda.Function;
  readonly sweeperFunction: lambda.Function;
  private readonly compute: Compute;
  private readonly routes: Api;
  private readonly namespace: string;
  private readonly environment: Readonly<Record<string, string>>;

  /**
   * @throws PawlError entry_not_found, or an Error that names the prop whose value is not possible;
   *   bundle_failed (with file and line) when the stack is synthesized and the entry does not compile
   */
  constructor(scope: Construct, id: string, props: PawlProps) {
    super(scope, id);
    checkProps(this, props);
    this.namespace = props.namespace ?? DEFAULT_NAMESPACE;
    this.environment = props.environment ?? {};
    const removalPolicy = props.removalPolicy ?? RemovalPolicy.RETAIN;
    const storage = new Storage(this, "Storage", {
      removalPolicy,
      deletionProtection: props.deletionProtection ?? removalPolicy !== RemovalPolicy.DESTROY,
      pointInTimeRecovery: props.pointInTimeRecovery ?? true,
      encryptionKey: props.encryptionKey,
      accessLogsBucket: props.accessLogsBucket,
    });
    const defaults: FunctionDefaults = {
      entry: props.entry,
      storage,
      architecture: props.architecture ?? lambda.Architecture.ARM_64,
      logRetention: props.logRetention ?? logs.RetentionDays.ONE_MONTH,
      removalPolicy,
      tracing: props.tracing ?? true,
      encryptionKey: props.encryptionKey,
    };
    this.compute = createCompute(this, props, defaults);
    this.routes = createApi(this, props, defaults, this.compute);

    this.tables = storage.tables;
    this.payloadBucket = storage.payloadBucket;
    this.workflowQueue = this.compute.workflowTasks.queue;
    this.workflowDeadLetterQueue = this.compute.workflowTasks.deadLetterQueue;
    this.workflowFunction = this.compute.workflow.function;
    this.sweeperFunction = this.compute.sweeper.function;
    this.api = this.routes.restApi;
    this.apiUrl = this.routes.url;
    this.apiFunction = this.routes.handler.function;

    const { [DEFAULT_QUEUE]: ofDefault, ...others } = props.queues ?? {};
    this.addActivityQueue(DEFAULT_QUEUE, ofDefault);
    for (const [name, options] of Object.entries(others)) this.addActivityQueue(name, options);
  }

  /** The activity queues by name; `default` is always one of them. */
  get activityQueues(): ReadonlyMap<string, ActivityQueue> {
    return this.compute.activityQueues;
  }

  /**
   * Adds a task queue for activities, with a function, a dead-letter queue and an alarm of its own.
   * An activity goes there by its `queue` option (C-14).
   *
   * @param name 1 to 64 letters, digits, `-` and `_`
   * @throws Error when the name is taken or not possible, or an option is out of its range
   */
  addActivityQueue(name: string, options: ActivityQueueOptions = {}): ActivityQueue {
    checkQueueName(this, name, this.activityQueues);
    checkQueueOptions(this, name, options);
    return this.compute.addActivityQueue(name, this.sizeOf(options));
  }

  /** @throws Error when there is no such queue */
  activityQueue(name: string): ActivityQueue {
    const queue = this.activityQueues.get(name);
    if (queue !== undefined) return queue;
    const known = [...this.activityQueues.keys()].join(", ");
    throw new Error(`${this.node.path}: there is no activity queue ${name}; there are: ${known}`);
  }

  /** Allows to start workflows and to wait for their results. */
  grantStart(grantee: iam.IGrantable): iam.Grant {
    return this.routes.grant(
      grantee,
      ({ permission, path }) => permission === "start" || path.endsWith("/result"),
    );
  }

  /** Allows to signal workflows. */
  grantSignal(grantee: iam.IGrantable): iam.Grant {
    return this.grantRoutes(grantee, ["signal"]);
  }

  /** Allows to list and describe workflows, to read histories and results, and to query. */
  grantRead(grantee: iam.IGrantable): iam.Grant {
    return this.grantRoutes(grantee, ["read"]);
  }

  /** Allows what an operator does: to read, to signal, to cancel and to terminate. */
  grantOperate(grantee: iam.IGrantable): iam.Grant {
    return this.grantRoutes(grantee, ["read", "signal", "operate"]);
  }

  /**
   * A metric that Pawl's functions write, by the name that they write it under; dimensions that the
   * metric has beside the namespace go into `dimensionsMap`.
   * @default - sum over five minutes
   */
  metric(name: string, options: cloudwatch.MetricOptions = {}): cloudwatch.Metric {
    return new cloudwatch.Metric({
      namespace: METRIC_NAMESPACE,
      metricName: name,
      statistic: cloudwatch.Stats.SUM,
      ...options,
      dimensionsMap: {
        service: "pawl",
        namespace: this.namespace,
        ...options.dimensionsMap,
      },
    });
  }

  /** Messages in the dead-letter queue of an activity queue, or of the workflow tasks without a name. */
  metricDeadLettered(queue?: string, options?: cloudwatch.MetricOptions): cloudwatch.Metric {
    const { deadLetterQueue } =
      queue === undefined ? this.compute.workflowTasks : this.activityQueue(queue);
    return deadLetterQueue.metricApproximateNumberOfMessagesVisible({
      statistic: cloudwatch.Stats.MAXIMUM,
      ...options,
    });
  }

  /** Seconds for which the oldest activity of a queue has been waiting: what to scale or alarm by. */
  metricActivityQueueAge(queue: string, options?: cloudwatch.MetricOptions): cloudwatch.Metric {
    return this.activityQueue(queue).queue.metricApproximateAgeOfOldestMessage({
      statistic: cloudwatch.Stats.MAXIMUM,
      ...options,
    });
  }

  /** Activities of a queue that wait for a worker. */
  metricActivityQueueDepth(queue: string, options?: cloudwatch.MetricOptions): cloudwatch.Metric {
    return this.activityQueue(queue).queue.metricApproximateNumberOfMessagesVisible({
      statistic: cloudwatch.Stats.MAXIMUM,
      ...options,
    });
  }

  /** Seconds for which the oldest workflow task has been waiting. */
  metricWorkflowQueueAge(options?: cloudwatch.MetricOptions): cloudwatch.Metric {
    return this.workflowQueue.metricApproximateAgeOfOldestMessage({
      statistic: cloudwatch.Stats.MAXIMUM,
      ...options,
    });
  }

  private grantRoutes(grantee: iam.IGrantable, permissions: readonly Permission[]): iam.Grant {
    return this.routes.grant(grantee, ({ permission }) => permissions.includes(permission));
  }

  private sizeOf(options: ActivityQueueOptions): ActivityQueueSize {
    return {
      timeout: options.timeout ?? ACTIVITY_TIMEOUT,
      memorySize: options.memorySize ?? 1024,
      environment: { ...this.environment, ...options.environment },
      batchSize: options.batchSize ?? 1,
      maxConcurrency: options.maxConcurrency,
      reservedConcurrency: options.reservedConcurrency,
    };
  }
}

function createCompute(scope: Construct, props: PawlProps, defaults: FunctionDefaults): Compute {
  return new Compute(scope, "Compute", {
    defaults,
    namespace: props.namespace ?? DEFAULT_NAMESPACE,
    version: packageVersion(),
    leaseMs: props.lease?.toMilliseconds() ?? LEASE_MS,
    localConcurrency: props.localConcurrency ?? LOCAL_BODIES_MAX,
    environment: props.environment ?? {},
    workflow: {
      timeout: props.workflowTimeout ?? WORKFLOW_TIMEOUT,
      memorySize: props.workflowMemorySize ?? 1024,
      maxConcurrency: props.workflowMaxConcurrency,
      reservedConcurrency: props.workflowReservedConcurrency,
    },
    sweeper: { timeout: SWEEPER_TIMEOUT, memorySize: props.sweeperMemorySize ?? 512 },
    encryptionKey: props.encryptionKey,
    alarmTopic: props.alarmTopic,
  });
}

function createApi(
  scope: Construct,
  props: PawlProps,
  defaults: FunctionDefaults,
  compute: Compute,
): Api {
  return new Api(scope, "Api", {
    defaults,
    compute,
    size: { timeout: API_TIMEOUT, memorySize: props.apiMemorySize ?? 512 },
    rateLimit: props.throttling?.rateLimit ?? 500,
    burstLimit: props.throttling?.burstLimit ?? 1000,
    publicHealth: props.publicHealth ?? true,
  });
}

/** The package.json nearest above this file: the package's root from source, and from dist alike. */
function packageVersion(): string {
  for (const up of ["..", "../.."]) {
    const file = new URL(`${up}/package.json`, import.meta.url);
    if (!existsSync(file)) continue;
    const { version } = JSON.parse(readFileSync(file, "utf8")) as { readonly version: string };
    return version;
  }
  throw new Error("package.json of pawl is missing: install the package again");
}

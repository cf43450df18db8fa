/**
 * Who works: the workflow-task function on its queue, one activity-task function per task queue, and
 * the sweeper that an EventBridge rule starts each minute.
 */
import { Duration, Lazy, Stack } from "aws-cdk-lib";
import * as events from "aws-cdk-lib/aws-events";
import * as targets from "aws-cdk-lib/aws-events-targets";
import type * as kms from "aws-cdk-lib/aws-kms";
import type * as lambda from "aws-cdk-lib/aws-lambda";
import type * as sns from "aws-cdk-lib/aws-sns";
import type * as sqs from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";
import { ENV } from "../functions/environment.ts";
import { type FunctionDefaults, type FunctionSize, PawlFunction } from "./functions.ts";
import { createDeadLetterQueue, deadLetterAlarm, WorkQueue } from "./queues.ts";

/** Nobody empties this queue, and the alarm should end by itself: the next minute's sweep repairs. */
const EVENT_RETENTION = Duration.days(1);

export interface ComputeProps {
  readonly defaults: FunctionDefaults;
  readonly namespace: string;
  readonly version: string;
  readonly leaseMs: number;
  readonly localConcurrency: number;
  /** Of the user, for the functions that run the user's code. */
  readonly environment: Readonly<Record<string, string>>;
  readonly workflow: WorkflowSize;
  readonly sweeper: FunctionSize;
  readonly encryptionKey?: kms.IKey | undefined;
  readonly alarmTopic?: sns.ITopic | undefined;
}

export interface WorkflowSize extends FunctionSize {
  readonly maxConcurrency?: number | undefined;
}

export interface ActivityQueueSize extends FunctionSize {
  readonly batchSize?: number | undefined;
  readonly maxConcurrency?: number | undefined;
  readonly environment: Readonly<Record<string, string>>;
}

/** A task queue of activities, its dead-letter queue and the function that works it. */
export class ActivityQueue extends Construct {
  /** The name that an activity's `queue` option gives. */
  readonly name: string;
  readonly queue: sqs.Queue;
  readonly deadLetterQueue: sqs.Queue;
  /** Runs the activities of this queue; give it what they need, such as `bucket.grantRead(...)`. */
  readonly function: lambda.Function;

  constructor(scope: Construct, name: string, compute: Compute, size: ActivityQueueSize) {
    super(scope, name);
    this.name = name;
    const work = compute.createQueue(this, "Tasks", size.timeout);
    this.queue = work.queue;
    this.deadLetterQueue = work.deadLetterQueue;
    const worker = new PawlFunction(this, "Worker", {
      ...size,
      code: "activity-task",
      defaults: compute.props.defaults,
      deadLetterQueue: compute.eventDeadLetterQueue,
      description: `Pawl: runs the activities of the task queue ${name}`,
      environment: { ...size.environment, ...compute.environment },
    });
    this.function = worker.function;
    worker.consume(work.queue, size);
    worker.allowSend(compute.workflowTasks.queue);
  }
}

export class Compute extends Construct {
  readonly props: ComputeProps;
  readonly queueProps:
    | { readonly encryptionKey?: kms.IKey | undefined; readonly alarmTopic?: sns.ITopic }
    | undefined;
  readonly workflowTasks: WorkQueue;
  readonly workflow: PawlFunction;
  readonly sweeper: PawlFunction;
  /** Events of asynchronous invocations that failed: the sweeper's, and any that nobody planned. */
  readonly eventDeadLetterQueue: sqs.Queue;
  /** What every function has; see functions/environment.ts. */
  readonly environment: Readonly<Record<string, string>>;
  readonly activityQueues: ReadonlyMap<string, ActivityQueue>;
  /** A scope for names that users choose, apart from those that are chosen here. */
  private readonly activities: Construct;
  private readonly queuesByName = new Map<string, ActivityQueue>();

  constructor(scope: Construct, id: string, props: ComputeProps) {
    super(scope, id);
    this.props = props;
    this.activityQueues = this.queuesByName;
    this.activities = new Construct(this, "Activities");
    this.workflowTasks = this.createQueue(this, "WorkflowTasks", props.workflow.timeout);
    this.eventDeadLetterQueue = this.createEventDeadLetters();
    this.environment = this.createEnvironment();
    this.workflow = this.createWorkflowFunction();
    this.sweeper = this.createSweeper();
  }

  addActivityQueue(name: string, size: ActivityQueueSize): ActivityQueue {
    const activityQueue = new ActivityQueue(this.activities, name, this, size);
    this.queuesByName.set(name, activityQueue);
    this.workflow.allowSend(activityQueue.queue);
    this.sweeper.allowSend(activityQueue.queue);
    this.sweeper.allowTake(activityQueue.deadLetterQueue);
    return activityQueue;
  }

  createQueue(scope: Construct, id: string, functionTimeout: Duration): WorkQueue {
    const { encryptionKey, alarmTopic } = this.props;
    return new WorkQueue(scope, id, { functionTimeout, encryptionKey, alarmTopic });
  }

  private createEnvironment(): Readonly<Record<string, string>> {
    const { tables, payloadBucket } = this.props.defaults.storage;
    return {
      [ENV.namespace]: this.props.namespace,
      [ENV.version]: this.props.version,
      [ENV.leaseMs]: String(this.props.leaseMs),
      [ENV.localConcurrency]: String(this.props.localConcurrency),
      [ENV.runsTable]: tables.workflowRuns.tableName,
      [ENV.historyTable]: tables.historyEvents.tableName,
      [ENV.executionsTable]: tables.activityExecutions.tableName,
      [ENV.attemptsTable]: tables.activityAttempts.tableName,
      [ENV.timersTable]: tables.timers.tableName,
      [ENV.payloadBucket]: payloadBucket.bucketName,
      [ENV.workflowQueueUrl]: this.workflowTasks.queue.queueUrl,
      // Queues are added after the functions: the list is read when the template is written.
      [ENV.activityQueueUrls]: this.lateJson(() =>
        [...this.queuesByName.values()].map(({ name, queue }) => [name, queue.queueUrl]),
      ),
    };
  }

  private createWorkflowFunction(): PawlFunction {
    const { workflow, environment, defaults } = this.props;
    const worker = new PawlFunction(this, "WorkflowTask", {
      ...workflow,
      code: "workflow-task",
      defaults,
      deadLetterQueue: this.eventDeadLetterQueue,
      description: "Pawl: works workflow tasks and runs local activities in them",
      environment: { ...environment, ...this.environment },
    });
    worker.consume(this.workflowTasks.queue, { maxConcurrency: workflow.maxConcurrency });
    worker.allowSend(this.workflowTasks.queue);
    return worker;
  }

  private createSweeper(): PawlFunction {
    const sweeper = new PawlFunction(this, "Sweeper", {
      ...this.props.sweeper,
      code: "sweeper",
      defaults: this.props.defaults,
      description: "Pawl: due timers, missing alarms, starts that were not sent, dead letters",
      deadLetterQueue: this.eventDeadLetterQueue,
      environment: {
        ...this.environment,
        [ENV.deadLetterQueueUrls]: this.lateJson(() =>
          [this.workflowTasks, ...this.queuesByName.values()].map((work) => [
            work.deadLetterQueue.queueUrl,
            work.queue.queueUrl,
          ]),
        ),
      },
    });
    sweeper.allowSend(this.workflowTasks.queue);
    sweeper.allowTake(this.workflowTasks.deadLetterQueue);
    // A rule, not EventBridge Scheduler: LocalStack's community edition does not fire schedules.
    const rule = new events.Rule(this, "EachMinute", {
      description: "Pawl: starts the sweeper",
      schedule: events.Schedule.rate(Duration.minutes(1)),
    });
    // The next minute does what this one could not: repeating an old start is of no use.
    rule.addTarget(
      new targets.LambdaFunction(sweeper.function, {
        deadLetterQueue: this.eventDeadLetterQueue,
        maxEventAge: Duration.minutes(1),
        retryAttempts: 1,
      }),
    );
    return sweeper;
  }

  private createEventDeadLetters(): sqs.Queue {
    const scope = new Construct(this, "Events");
    // With SQS's own key in any case: EventBridge would need a statement in the policy of the user's
    // key, and the events hold nothing but the time.
    const queue = createDeadLetterQueue(scope, "DeadLetters", EVENT_RETENTION);
    deadLetterAlarm(scope, queue, this.props.alarmTopic);
    return queue;
  }

  private lateJson(entries: () => readonly (readonly string[])[]): string {
    const produce = () => Stack.of(this).toJsonString(Object.fromEntries(entries()));
    return Lazy.string({ produce });
  }
}

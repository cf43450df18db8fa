/**
 * A queue with everything around it: its dead-letter queue, TLS, encryption and alarms.
 */
import { Duration } from "aws-cdk-lib";
import * as cloudwatch from "aws-cdk-lib/aws-cloudwatch";
import { SnsAction } from "aws-cdk-lib/aws-cloudwatch-actions";
import type * as kms from "aws-cdk-lib/aws-kms";
import type * as sns from "aws-cdk-lib/aws-sns";
import * as sqs from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";
import { RECEIVES_MAX } from "../sdk/core/limits.ts";
import { acknowledge } from "./acknowledge.ts";

export interface WorkQueueProps {
  /** The timeout of the function that reads the queue. */
  readonly functionTimeout: Duration;
  readonly encryptionKey?: kms.IKey | undefined;
  readonly alarmTopic?: sns.ITopic | undefined;
}

/** What AWS asks for, so that a batch that waited for a throttled function is not delivered twice. */
const VISIBILITY_PER_TIMEOUT = 6;
const MESSAGE_BYTES_MAX = 262_144;
const RETENTION_DAYS = 4;
/** Longer than the queue's own: a message keeps its age when it moves to the dead-letter queue. */
const DEAD_LETTER_RETENTION = Duration.days(14);
/** 80 % of the 120,000 messages that a standard queue can have in flight. */
const IN_FLIGHT_ALARM = 96_000;

export class WorkQueue extends Construct {
  readonly queue: sqs.Queue;
  readonly deadLetterQueue: sqs.Queue;
  readonly deadLetterAlarm: cloudwatch.Alarm;

  constructor(scope: Construct, id: string, props: WorkQueueProps) {
    super(scope, id);
    this.deadLetterQueue = createDeadLetterQueue(
      this,
      "DeadLetters",
      DEAD_LETTER_RETENTION,
      props.encryptionKey,
    );
    this.queue = new sqs.Queue(this, "Queue", {
      // Standard, not FIFO: order lives in the log, and messages carry their own delays.
      visibilityTimeout: Duration.seconds(
        props.functionTimeout.toSeconds() * VISIBILITY_PER_TIMEOUT,
      ),
      retentionPeriod: Duration.days(RETENTION_DAYS),
      maxMessageSizeBytes: MESSAGE_BYTES_MAX,
      deadLetterQueue: { queue: this.deadLetterQueue, maxReceiveCount: RECEIVES_MAX },
      ...queueSecurity(props.encryptionKey),
    });
    this.deadLetterAlarm = deadLetterAlarm(this, this.deadLetterQueue, props.alarmTopic);
    const inFlight = new cloudwatch.Alarm(this, "InFlightAlarm", {
      alarmDescription: "80 % of the messages that SQS allows in flight: use more queues",
      metric: this.queue.metricApproximateNumberOfMessagesNotVisible({
        statistic: cloudwatch.Stats.MAXIMUM,
        period: Duration.minutes(1),
      }),
      threshold: IN_FLIGHT_ALARM,
      evaluationPeriods: 5,
      treatMissingData: cloudwatch.TreatMissingData.NOT_BREACHING,
    });
    notify(inFlight, props.alarmTopic);
  }
}

/** A dead-letter queue; without a key of the user it is encrypted with SQS's own. */
export function createDeadLetterQueue(
  scope: Construct,
  id: string,
  retentionPeriod: Duration,
  encryptionKey?: kms.IKey,
): sqs.Queue {
  const queue = new sqs.Queue(scope, id, {
    retentionPeriod,
    maxMessageSizeBytes: MESSAGE_BYTES_MAX,
    ...queueSecurity(encryptionKey),
  });
  acknowledge(queue, "Serverless-SQSRedrivePolicy", DEAD_LETTER_REASON);
  return queue;
}

/** Any message in a dead-letter queue is a task that could not be done: say so within a minute. */
export function deadLetterAlarm(
  scope: Construct,
  queue: sqs.IQueue,
  alarmTopic?: sns.ITopic,
): cloudwatch.Alarm {
  const alarm = new cloudwatch.Alarm(scope, "DeadLettersAlarm", {
    alarmDescription: "a message could not be worked and lies in the dead-letter queue",
    metric: queue.metricApproximateNumberOfMessagesVisible({
      statistic: cloudwatch.Stats.MAXIMUM,
      period: Duration.minutes(1),
    }),
    threshold: 0,
    comparisonOperator: cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
    evaluationPeriods: 1,
    treatMissingData: cloudwatch.TreatMissingData.NOT_BREACHING,
  });
  notify(alarm, alarmTopic);
  return alarm;
}

const DEAD_LETTER_REASON =
  "This queue is itself a dead-letter queue: an alarm tells of every message in it, no queue follows.";

function queueSecurity(encryptionKey?: kms.IKey): sqs.QueueProps {
  return encryptionKey === undefined
    ? { enforceSSL: true, encryption: sqs.QueueEncryption.SQS_MANAGED }
    : {
        enforceSSL: true,
        encryption: sqs.QueueEncryption.KMS,
        encryptionMasterKey: encryptionKey,
      };
}

function notify(alarm: cloudwatch.Alarm, topic?: sns.ITopic): void {
  if (topic !== undefined) alarm.addAlarmAction(new SnsAction(topic));
}

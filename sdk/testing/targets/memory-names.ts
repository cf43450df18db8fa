/** The names of the memory target: those of the embedded stack's deployment, without a network. */
import {
  activityQueue,
  type Deployment,
  type Endpoints,
  queueUrl,
} from "../../dev/embedded/deployment.ts";
import type { QueueOptions } from "../world/sqs-queue.ts";

/** Addresses in a domain that never exists. */
export const ENDPOINTS: Endpoints = {
  dynamodb: "https://dynamodb.invalid",
  queues: "https://sqs.invalid",
  lambda: "https://lambda.invalid",
};

const ACTIVITY_QUEUE_PREFIX = activityQueue("");

export function urlOfQueue(name: string): string {
  return queueUrl(ENDPOINTS.queues, name);
}

/** The logical name of a table, queue, bucket or function, as crash points use it. */
export function logicalName(physical: string): string {
  const name = physical.startsWith(ENDPOINTS.queues)
    ? (physical.split("/").at(-1) ?? physical)
    : physical;
  return name.startsWith(ACTIVITY_QUEUE_PREFIX)
    ? `activity-tasks/${name.slice(ACTIVITY_QUEUE_PREFIX.length)}`
    : name;
}

/** The queues of a deployment, whose attributes are those of SQS. */
export function queueOptions(stack: Deployment): readonly QueueOptions[] {
  return stack.queues.map(({ name, attributes }) => {
    const policy: unknown = JSON.parse(attributes["RedrivePolicy"] ?? "null");
    const deadLetter = deadLetterOf(policy);
    return {
      name,
      visibilityTimeoutMs: 1_000 * Number(attributes["VisibilityTimeout"] ?? 30),
      ...(deadLetter === undefined ? {} : { deadLetter }),
    };
  });
}

function deadLetterOf(policy: unknown): QueueOptions["deadLetter"] {
  if (typeof policy !== "object" || policy === null) return undefined;
  const arn = "deadLetterTargetArn" in policy ? String(policy.deadLetterTargetArn) : "";
  const max = "maxReceiveCount" in policy ? Number(policy.maxReceiveCount) : Number.NaN;
  return { queue: arn.split(":").at(-1) ?? "", maxReceiveCount: max };
}

/** What differs on LocalStack: the account, and props that make a stack small and quick to delete. */
import { Duration, type Environment, RemovalPolicy } from "aws-cdk-lib";
import * as lambda from "aws-cdk-lib/aws-lambda";
import * as logs from "aws-cdk-lib/aws-logs";
import type { ActivityQueueOptions, PawlProps } from "./props.ts";

/** LocalStack's own, whatever the credentials say. */
export const LOCALSTACK_ENVIRONMENT: Environment = { account: "000000000000", region: "us-east-1" };

/** A function that hangs should end within a test's patience. */
const TIMEOUT = Duration.seconds(60);
/** So should the wait for a process that died, but a busy machine must not lose a lease that lives. */
const LEASE = Duration.seconds(10);

/** @param queues names of activity queues beside `default` */
export function localStackProps(entry: string, queues: readonly string[] = []): PawlProps {
  const options: ActivityQueueOptions = { timeout: TIMEOUT };
  return {
    entry,
    removalPolicy: RemovalPolicy.DESTROY,
    pointInTimeRecovery: false,
    // Where functions run as processes or containers of this machine, most machines are this.
    architecture: lambda.Architecture.X86_64,
    logRetention: logs.RetentionDays.ONE_DAY,
    workflowTimeout: TIMEOUT,
    lease: LEASE,
    queues: Object.fromEntries(["default", ...queues].map((name) => [name, options])),
  };
}

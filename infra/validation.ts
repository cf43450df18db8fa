/** Props that CloudFormation would refuse after minutes, refused at once with what is expected. */
import { type Duration, Token } from "aws-cdk-lib";
import type { IConstruct } from "constructs";
import type { ActivityQueueOptions, PawlProps } from "./props.ts";

const TIMEOUT_SECONDS_MAX = 900;
const CONCURRENCY_MIN = 2;
const CONCURRENCY_MAX = 1000;
const BATCH_MAX = 10;
const LOCAL_CONCURRENCY_MAX = 1_000;
const QUEUE_NAME = /^[A-Za-z0-9_-]{1,64}$/;
const NAMESPACE = /^[A-Za-z0-9_.-]{1,64}$/;
const RESERVED_PREFIX = "PAWL_";

export function checkProps(scope: IConstruct, props: PawlProps): void {
  const { namespace } = props;
  if (namespace !== undefined && !Token.isUnresolved(namespace) && !NAMESPACE.test(namespace)) {
    fail(
      scope,
      `namespace ${namespace} is not possible: expected 1 to 64 letters, digits, "_", "." and "-"`,
    );
  }
  checkTimeout(scope, "workflowTimeout", props.workflowTimeout, WORKFLOW_TIMEOUT_SECONDS_MIN);
  checkRange(
    scope,
    "workflowMaxConcurrency",
    props.workflowMaxConcurrency,
    CONCURRENCY_MIN,
    CONCURRENCY_MAX,
  );
  checkRange(scope, "localConcurrency", props.localConcurrency, 1, LOCAL_CONCURRENCY_MAX);
  checkEnvironment(scope, "environment", props.environment);
}

export function checkQueueName(
  scope: IConstruct,
  name: string,
  taken: ReadonlyMap<string, unknown>,
): void {
  if (!QUEUE_NAME.test(name)) {
    fail(
      scope,
      `activity queue name ${name} is not possible: expected 1 to 64 letters, digits, "_" and "-"`,
    );
  }
  if (taken.has(name)) {
    fail(
      scope,
      `there is already an activity queue ${name}: use it with activityQueue("${name}"), or set its options in the prop queues`,
    );
  }
}

export function checkQueueOptions(
  scope: IConstruct,
  name: string,
  options: ActivityQueueOptions,
): void {
  const at = (option: string): string => `activity queue ${name}: ${option}`;
  checkTimeout(scope, at("timeout"), options.timeout);
  checkRange(scope, at("maxConcurrency"), options.maxConcurrency, CONCURRENCY_MIN, CONCURRENCY_MAX);
  checkRange(scope, at("batchSize"), options.batchSize, 1, BATCH_MAX);
  checkEnvironment(scope, at("environment"), options.environment);
}

/** Twice what a workflow task keeps back for itself, and a little: less never enters a local body. */
const WORKFLOW_TIMEOUT_SECONDS_MIN = 30;

function checkTimeout(
  scope: IConstruct,
  what: string,
  timeout: Duration | undefined,
  secondsMin: number = 1,
): void {
  if (timeout === undefined || timeout.isUnresolved()) return;
  checkRange(scope, `${what} in seconds`, timeout.toSeconds(), secondsMin, TIMEOUT_SECONDS_MAX);
}

function checkRange(
  scope: IConstruct,
  what: string,
  value: number | undefined,
  ...[min, max]: readonly [number, number]
): void {
  if (value === undefined || Token.isUnresolved(value)) return;
  if (Number.isInteger(value) && value >= min && value <= max) return;
  fail(scope, `${what} is ${value}: expected a whole number from ${min} to ${max}`);
}

function checkEnvironment(
  scope: IConstruct,
  what: string,
  environment: { readonly [name: string]: string } | undefined,
): void {
  for (const name of Object.keys(environment ?? {})) {
    if (name.startsWith(RESERVED_PREFIX)) {
      fail(scope, `${what} sets ${name}: names with ${RESERVED_PREFIX} are reserved`);
    }
    if (name === "NODE_OPTIONS") fail(scope, `${what} sets NODE_OPTIONS, which Pawl sets itself`);
  }
}

function fail(scope: IConstruct, reason: string): never {
  throw new Error(`${scope.node.path}: ${reason}`);
}

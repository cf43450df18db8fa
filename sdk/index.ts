/**
 * `pawl`: what authors import to write workflows and activities.
 *
 * Workflow code coordinates and is replayed; everything that touches the world is an activity.
 */
export type { Duration, DurationFields, DurationText } from "./core/duration.ts";
export { type ErrorCode, PawlError } from "./core/errors.ts";
export {
  ActivityCancellation,
  ActivityFailure,
  ActivityTimeout,
  ApplicationFailure,
  CancelledFailure,
} from "./core/failure.ts";
export type { Jitter } from "./core/options.ts";
export type {
  ActivityCallOptions,
  LocalActivityOptionFields,
  RateLimitOptions,
  RetryPolicyOptions,
} from "./core/parse-options.ts";
export type { WorkflowInfo } from "./core/workflow-context.ts";
export type { ActivityInfo } from "./ports/user-code.ts";
export {
  type Activity,
  type ActivityOptions,
  activity,
  LocalActivityOptions,
  localActivity,
  runActivitiesLocally,
} from "./worker/activity.ts";
export {
  abortSignal,
  activityInfo,
  heartbeat,
  heartbeatDetails,
} from "./worker/activity-calls.ts";
export {
  type DependencyOverride,
  depends,
  disposeDependencies,
  type Injected,
  overrideDependency,
  type Provided,
  type Provider,
} from "./worker/dependencies.ts";
export type { StandardSchema } from "./worker/schema.ts";
export {
  Workflow,
  type WorkflowInput,
  type WorkflowOptions,
  type WorkflowResult,
  workflow,
} from "./worker/workflow.ts";
export {
  cancelRequested,
  condition,
  defineQuery,
  defineSignal,
  now,
  type Query,
  random,
  type Signal,
  setHandler,
  sideEffect,
  sleep,
  uuid,
  waitForSignal,
  workflowInfo,
} from "./worker/workflow-calls.ts";

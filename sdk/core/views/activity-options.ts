/**
 * The options of an activity as rows, run details and exports show them: times in seconds, and the
 * marker of local execution (F-06, requirements 2.1).
 */
import type { ExecutionMode } from "../events.ts";
import { type ActivityOptionsSnapshot, DEFAULT_QUEUE } from "../options.ts";
import { fullPolicy } from "../retry.ts";
import { seconds } from "./values.ts";

export type ActivityOptionsView = Readonly<Record<string, unknown>>;

export function activityOptionsView(
  mode: ExecutionMode,
  options: ActivityOptionsSnapshot,
): ActivityOptionsView {
  const policy = fullPolicy(options.retry_policy);
  const shared = {
    max_attempts: policy.max_attempts,
    backoff: options.retry_policy?.backoff_ms?.map(seconds) ?? null,
    start_to_close_timeout: secondsOrNull(options.start_to_close_ms),
    schedule_to_close_timeout: secondsOrNull(options.schedule_to_close_ms),
    heartbeat_timeout: secondsOrNull(options.heartbeat_ms),
    non_retryable_error_types: policy.non_retryable_error_types,
  };
  if (mode === "local") {
    return {
      execution_mode: "local",
      queue_bypassed: true,
      routing: "same_process_workflow_task",
      ...shared,
    };
  }
  return {
    execution_mode: "queued",
    queue_bypassed: false,
    routing: "task_queue",
    ...shared,
    schedule_to_start_timeout: secondsOrNull(options.schedule_to_start_ms),
    queue: options.queue ?? DEFAULT_QUEUE,
  };
}

/** The normalised retry policy with the limits of its attempts, defaults filled in, in seconds (requirements 2.1). */
export function retryPolicyView(
  options: ActivityOptionsSnapshot,
): Readonly<Record<string, unknown>> {
  const policy = fullPolicy(options.retry_policy);
  return {
    snapshot_version: 1,
    max_attempts: policy.max_attempts,
    initial_interval_seconds: seconds(policy.initial_interval_ms),
    backoff_coefficient: policy.backoff_coefficient,
    maximum_interval_seconds: seconds(policy.maximum_interval_ms),
    backoff_seconds: policy.backoff_ms.map(seconds),
    jitter: policy.jitter,
    start_to_close_timeout: secondsOrNull(options.start_to_close_ms),
    schedule_to_start_timeout: secondsOrNull(options.schedule_to_start_ms),
    schedule_to_close_timeout: secondsOrNull(options.schedule_to_close_ms),
    heartbeat_timeout: secondsOrNull(options.heartbeat_ms),
    non_retryable_error_types: policy.non_retryable_error_types,
  };
}

function secondsOrNull(ms: number | undefined): number | null {
  return ms === undefined ? null : seconds(ms);
}

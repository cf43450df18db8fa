/** One invocation of the workflow-task function: its messages, run by run, and direct requests. */
import { InfrastructureError, PawlError } from "../core/errors.ts";
import type { RunKey } from "../core/events.ts";
import { LEASE_MARGIN_MS } from "../core/limits.ts";
import type { DirectAnswer, DirectRequest } from "../ports/functions.ts";
import type { RunClosing } from "../ports/runs.ts";
import { WaitingMessages } from "./alarm-watch.ts";
import { answerQuery } from "./query.ts";
import {
  type BatchContext,
  MissingRunError,
  RunTask,
  type TaskContext,
  type TaskItem,
} from "./run-task.ts";

/** Milliseconds until a run whose task failed is tried again; grows with the failures in a row. */
const FAILED_TASK_MS_FIRST = 2_000;
const FAILED_TASK_MS_MAX = 60_000;
/** Failures further apart than this are not in a row: the run was healed in between. */
const FAILED_TASK_ROW_MS = 600_000;

/**
 * Works all messages; each leaves with a verdict or undecided. Runs are worked one after the other,
 * so that a local body that kills the process takes no other run's attempt with it.
 */
export async function workMessages(
  context: TaskContext,
  items: readonly TaskItem[],
): Promise<void> {
  const { invocation, ports } = context;
  const groups = groupByRun(items);
  const waiting = new WaitingMessages();
  for (const [index, group] of groups.entries()) {
    waiting.update(groups.slice(index + 1).flat());
    // A run that would get little of the time goes back untouched: a fresh invocation has all of it. So
    // does one whose messages another invocation has by now, because a body here took its time.
    const isLate =
      index > 0 &&
      (invocation.remainingMs() < invocation.budgetMs / 2 ||
        ports.host.now() >= waiting.visibleAt - LEASE_MARGIN_MS);
    if (isLate) for (const item of group) item.verdict = { kind: "defer", ms: 0 };
    else await workRun(context, group, { waiting, isFirst: index === 0 });
  }
}

/** A direct start (R16): an ordinary task whose verdicts do nothing. */
export async function workDirectly(
  context: TaskContext,
  request: DirectRequest,
): Promise<DirectAnswer> {
  switch (request.kind) {
    case "types":
      return {
        kind: "types",
        workflow_types: context.userCode.workflowTypes,
        activity_types: context.userCode.activityTypes,
      };
    case "query":
      return await answerQuery(context, request);
    case "task": {
      const alone = { waiting: new WaitingMessages(), isFirst: true };
      const closing = await workRun(context, [{ message: request.message }], alone);
      return closing === undefined ? { kind: "task" } : { kind: "task", closing };
    }
  }
}

async function workRun(
  context: TaskContext,
  items: readonly TaskItem[],
  batch: BatchContext,
): Promise<RunClosing | undefined> {
  const first = items[0];
  if (first === undefined) return undefined;
  const { namespace, workflow_id, run_id } = first.message;
  const key: RunKey = { namespace, workflow_id, run_id };
  try {
    return await new RunTask(context, key, items, batch).work();
  } catch (error) {
    await settleFailure(context, key, items, error);
    return undefined;
  }
}

/** A failure concerns its own run only: decided messages keep their verdict, the others return. */
async function settleFailure(
  context: TaskContext,
  key: RunKey,
  items: readonly TaskItem[],
  error: unknown,
): Promise<void> {
  const { telemetry } = context.ports;
  const fields = { workflow_id: key.workflow_id, run_id: key.run_id };
  const undecided = items.filter((item) => item.verdict === undefined);
  if (error instanceof MissingRunError) {
    telemetry.warn(error.message, fields);
    for (const item of undecided) item.verdict = { kind: "delete" };
    return;
  }
  if (error instanceof PawlError) {
    telemetry.error("the workflow task failed; the run stays open", {
      ...fields,
      code: error.code,
      error: error.message,
    });
    const ms = await recordTaskFailure(context, key, error);
    for (const item of undecided) item.verdict = { kind: "defer", ms };
    return;
  }
  const infrastructure = error instanceof InfrastructureError;
  telemetry[infrastructure ? "warn" : "error"](
    "the workflow task could not finish; its messages return to the queue",
    {
      ...fields,
      error:
        error instanceof Error
          ? infrastructure
            ? error.message
            : (error.stack ?? error.message)
          : String(error),
    },
  );
}

/** Shows the failure on the run's row. Answers how long the messages wait. */
async function recordTaskFailure(
  context: TaskContext,
  key: RunKey,
  error: PawlError,
): Promise<number> {
  const { runs, host, telemetry } = context.ports;
  try {
    const row = await runs.get(key);
    const last = row?.task_failure;
    const isInARow = last !== undefined && host.now() - last.at < FAILED_TASK_ROW_MS;
    const count = isInARow ? last.count + 1 : 1;
    await runs.setTaskFailure(key, {
      code: error.code,
      message: error.message,
      at: host.now(),
      count,
    });
    return Math.min(FAILED_TASK_MS_FIRST * 2 ** Math.min(count - 1, 10), FAILED_TASK_MS_MAX);
  } catch (failure) {
    telemetry.warn("the failure of a workflow task could not be recorded", {
      run_id: key.run_id,
      error: String(failure),
    });
    return FAILED_TASK_MS_FIRST;
  }
}

function groupByRun(items: readonly TaskItem[]): readonly (readonly TaskItem[])[] {
  const groups = new Map<string, TaskItem[]>();
  for (const item of items) {
    const { namespace, workflow_id, run_id } = item.message;
    const name = JSON.stringify([namespace, workflow_id, run_id]);
    const group = groups.get(name) ?? [];
    group.push(item);
    groups.set(name, group);
  }
  return [...groups.values()];
}

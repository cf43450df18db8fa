/** User code whose running bodies are known to the clock. */
import type { ActivityRuntime, UserCode } from "../../ports/user-code.ts";
import type { InteractiveClock } from "../world/interactive-clock.ts";
import type { Process } from "../world/process.ts";
import type { Scheduler } from "../world/scheduler.ts";

/** Real milliseconds for which a body that was asked to stop still counts as running. */
const STOPPING_MS = 1_000;

export interface Watch {
  readonly process: Process;
  readonly clock: InteractiveClock;
  readonly scheduler: Scheduler;
}

/** The same user code for one process: what it returns arrives only while the process runs. */
export function watched(userCode: UserCode, watch: Watch): UserCode {
  return {
    workflowTypes: userCode.workflowTypes,
    activityTypes: userCode.activityTypes,
    workflow: (type) => userCode.workflow(type),
    activity: (type) => userCode.activity(type),
    runWorkflow: (definition, context, input) => userCode.runWorkflow(definition, context, input),
    runInWorkflow: (definition, context, call) => userCode.runInWorkflow(definition, context, call),
    runActivity: (definition, runtime, args) => {
      const end = watch.clock.beginBody();
      endWhenAborted(runtime, watch.scheduler, end);
      const body = userCode.runActivity(definition, runtime, args).finally(end);
      return watch.process.await(body);
    },
  };
}

/**
 * Past its deadline a body changes nothing any more, however long it hangs; one that was asked to
 * stop earlier gets a moment for it.
 */
function endWhenAborted(runtime: ActivityRuntime, scheduler: Scheduler, end: () => void): void {
  const aborted = (): void => {
    if (scheduler.now() >= runtime.info.deadline) end();
    else setTimeout(end, STOPPING_MS).unref();
  };
  if (runtime.signal.aborted) aborted();
  else runtime.signal.addEventListener("abort", aborted, { once: true });
}

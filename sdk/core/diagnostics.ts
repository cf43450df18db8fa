/** What a call of an activity says about the code that makes it: hints for its author, never errors. */
import type { ActivityRequest } from "./workflow-context.ts";

/** `code`: the same for every run of this code, worth saying once. `run`: concerns the run. */
export type DiagnosticSubject = "code" | "run";

export function activityDiagnostics(request: ActivityRequest): readonly string[] {
  const { activityType, mode, options, ignoredOptions = [] } = request;
  const isBounded =
    options.start_to_close_ms !== undefined || options.schedule_to_close_ms !== undefined;
  return [
    ...(ignoredOptions.length === 0
      ? []
      : [
          `activity ${activityType} runs locally: its options ${ignoredOptions.join(", ")} are ignored`,
        ]),
    // H-06: without a limit of its own, a hung attempt holds its function for as long as that may run.
    ...(isBounded
      ? []
      : [
          `${mode === "local" ? "local activity" : "activity"} ${activityType} has no startToCloseTimeout: an attempt that hangs ends only with the time of its function`,
        ]),
  ];
}

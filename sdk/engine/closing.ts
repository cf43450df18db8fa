/** How a run closed, as its log says: for the run's row and for answers. */
import type { TerminalEvent } from "../core/events.ts";
import type { RunClosing } from "../ports/runs.ts";

export function closingOf(event: TerminalEvent): RunClosing {
  switch (event.type) {
    case "WorkflowCompleted":
      return { status: "completed", closed_at: event.at, output: event.output };
    case "WorkflowFailed":
      return { status: "failed", closed_at: event.at, failure: event.failure };
    case "WorkflowCancelled":
      return { status: "cancelled", closed_at: event.at };
    case "WorkflowTerminated":
      return { status: "terminated", closed_at: event.at };
  }
}

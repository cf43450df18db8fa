/** The log's first event, from the run's row: whoever writes the first batch puts it there (R12). */
import type { WorkflowStarted } from "../core/events.ts";
import type { RunRow } from "../ports/runs.ts";

/** @param at milliseconds since the epoch: becomes the event's time */
export function startedEvent(row: RunRow, at: number): WorkflowStarted {
  return {
    type: "WorkflowStarted",
    at,
    workflow_type: row.workflow_type,
    workflow_id: row.workflow_id,
    run_id: row.run_id,
    input: row.input,
    seed: row.seed,
  };
}

/** A timeline as the API shows it: a local activity, and a queued one with a retry. */
import type { AttemptSpan, Timeline, TimelineEntry } from "../../sdk/client.ts";
import { at } from "./sample-run.ts";

function entry(
  sequence: number,
  offsetMs: number,
  type: TimelineEntry["type"],
  summary: string,
): TimelineEntry {
  return {
    id: `run-1/timeline/${sequence}`,
    workflow_run_id: "run-1",
    workflow_instance_id: "order-42",
    history_event_id: `run-1/event/${sequence}`,
    sequence,
    type,
    kind: "workflow_run",
    entry_kind: "point",
    source_kind: "workflow_run",
    source_id: "run-1",
    summary,
    recorded_at: at(offsetMs),
    command_id: null,
    task_id: null,
    workflow_sequence: null,
    activity_status: null,
  };
}

function span(
  [sequence, type, attempt]: readonly [number, string, number],
  [startedMs, closedMs]: readonly [number, number | null],
  more: Partial<AttemptSpan> = {},
): AttemptSpan {
  return {
    id: `run-1/${sequence}/${attempt}`,
    activity_execution_id: `run-1/${sequence}`,
    workflow_sequence: sequence,
    activity_type: type,
    execution_mode: "queued",
    local_activity: false,
    attempt_number: attempt,
    status: "completed",
    started_at: at(startedMs),
    closed_at: closedMs === null ? null : at(closedMs),
    duration_ms: closedMs === null ? null : closedMs - startedMs,
    retry_reason: null,
    retry_available_at: null,
    timeout_kind: null,
    task_id: null,
    ...more,
  };
}

const LOCAL = { execution_mode: "local", local_activity: true } as const;

export const TIMELINE: Timeline = {
  workflow_id: "order-42",
  run_id: "run-1",
  entries: [
    entry(1, 0, "WorkflowStarted", "workflow fulfilOrder started"),
    entry(2, 2, "ActivityScheduled", "local activity price (1) scheduled"),
    entry(3, 2, "ActivityStarted", "attempt 1 of local activity price (1) started"),
    entry(4, 670, "ActivityCompleted", "local activity price (1) completed"),
    entry(5, 670, "ActivityScheduled", "queued activity chargeCard (2) scheduled"),
    entry(
      6,
      1_400,
      "ActivityRetryScheduled",
      "attempt 1 of queued activity chargeCard (2) ended by failure, again in 1 s",
    ),
    entry(7, 4_000, "ActivityCompleted", "queued activity chargeCard (2) completed"),
  ],
  attempts: {
    local: [span([1, "price", 1], [2, 670], LOCAL)],
    queued: [
      span([2, "chargeCard", 1], [1_000, 1_400], { status: "failed", retry_reason: "failure" }),
      span([2, "chargeCard", 2], [2_400, 4_000]),
    ],
  },
};

/** The same while the second attempt runs. */
export const OPEN_TIMELINE: Timeline = {
  ...TIMELINE,
  entries: TIMELINE.entries.slice(0, -1),
  attempts: {
    local: [],
    queued: [span([2, "chargeCard", 1], [1_000, null], { status: "running" })],
  },
};

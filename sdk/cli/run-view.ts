/** One run as `pawl show` draws it: header, activities with attempts and bars, what it waits for, outcome. */
import type { ActivityView, AttemptView, Outcome, RunDetail } from "../client.ts";
import type { Colors } from "./session.ts";
import { cell, clip, failureText, jsonText, plain, statusText } from "./text.ts";
import { type Axis, bar, legend } from "./timeline.ts";
import { durationText, type TimeFormat, timeText } from "./times.ts";

export interface Look {
  readonly columns: number;
  readonly colors: Colors;
  readonly timeFormat: TimeFormat;
  /** Milliseconds since the epoch. */
  readonly nowMs: number;
}

/** Characters before a value in the header and the outcome. */
const LABEL_WIDTH = 10;
/** Characters of the activity table left of the bars, but for the names. */
const FIXED_WIDTH = 42;
const NAME_WIDTH_MAX = 28;
const BAR_WIDTH_MIN = 12;

export function runView(run: RunDetail, look: Look): readonly string[] {
  return [
    ...header(run, look),
    ...activityTable(run, look),
    ...waiting(run, look),
    ...ending(run.outcome, look),
  ];
}

function header(run: RunDetail, look: Look): readonly string[] {
  const { colors } = look;
  const endMs = run.closed_at === null ? look.nowMs : Date.parse(run.closed_at);
  const took = durationText(endMs - Date.parse(run.started_at));
  const times = [
    timeText(run.started_at, look.nowMs, look.timeFormat),
    run.closed_at === null ? `open for ${took}` : `took ${took}`,
    run.history_length === 1 ? "1 event" : `${run.history_length} events`,
  ];
  const title = `${colors.bold(plain(run.workflow_id))}  ${plain(run.workflow_type)}`;
  const asked = run.cancel_requested && run.closed_at === null ? "  (asked to cancel)" : "";
  const signals = run.signals.map(({ signal_name }) => plain(signal_name)).join(", ");
  return [
    `${title}  ${statusText(run.status, colors)}${asked}`,
    labelled("run", run.run_id, look),
    labelled("started", times.join(", "), look),
    labelled("input", jsonText(run.input, look.columns - LABEL_WIDTH), look),
    ...(signals === "" ? [] : [labelled("signals", signals, look)]),
  ];
}

function activityTable(run: RunDetail, look: Look): readonly string[] {
  if (run.activities.length === 0) return [];
  const names = run.activities.map(({ type }) => plain(type).length);
  const nameWidth = Math.min(NAME_WIDTH_MAX, Math.max("activity".length, ...names));
  const axis: Axis = {
    fromMs: Date.parse(run.started_at),
    toMs: run.closed_at === null ? look.nowMs : Date.parse(run.closed_at),
    width: Math.max(BAR_WIDTH_MIN, look.columns - FIXED_WIDTH - nameWidth),
  };
  const head = `${cell("   #", 6)}${cell("activity", nameWidth)}  ${cell("mode", 8)}${cell("status", 11)}${cell("tries", 7)}${cell("took", 8)}`;
  const span = durationText(axis.toMs - axis.fromMs);
  return [
    "",
    look.colors.dim(`${head}0${span.padStart(axis.width - 1)}`),
    ...leftOut(run, look),
    ...run.activities.flatMap((activity) => activityLines(activity, nameWidth, axis, look)),
    `      ${legend(run.activities, look.colors)}`,
  ];
}

function leftOut(run: RunDetail, look: Look): readonly string[] {
  const missing = run.activity_count - run.activities.length;
  return missing === 0 ? [] : [look.colors.dim(`      (${missing} earlier activities)`)];
}

function activityLines(
  activity: ActivityView,
  nameWidth: number,
  axis: Axis,
  look: Look,
): readonly string[] {
  const { colors } = look;
  const endMs = activity.closed_at === null ? look.nowMs : Date.parse(activity.closed_at);
  const row = [
    `${String(activity.sequence).padStart(4)}  `,
    `${cell(plain(activity.type), nameWidth)}  `,
    cell(activity.execution_mode, 8),
    `${statusText(activity.status, colors, 10)} `,
    cell(`${activity.attempt_count}/${activity.max_attempts}`, 7),
    cell(durationText(endMs - Date.parse(activity.created_at)), 8),
    bar(activity, axis, colors),
  ].join("");
  const notable = activity.attempts.length > 1 || activity.attempts.some(({ failure }) => failure);
  return [
    row.trimEnd(),
    ...(notable ? activity.attempts.map((attempt) => attemptLine(attempt, activity, look)) : []),
    ...heartbeatLine(activity, look),
  ];
}

function attemptLine(attempt: AttemptView, activity: ActivityView, look: Look): string {
  const took =
    attempt.started_at === null || attempt.closed_at === null
      ? ""
      : ` after ${durationText(Date.parse(attempt.closed_at) - Date.parse(attempt.started_at))}`;
  const kind = attempt.timeout_kind === null ? "" : ` (${attempt.timeout_kind} timeout)`;
  const isLast = attempt.attempt_number === activity.attempt_count;
  // A failed activity shows the failure at its last attempt, wherever it was recorded.
  const failure = attempt.failure ?? (isLast ? activity.failure : null);
  const why = failure === null ? "" : `: ${failureText(failure)}`;
  const reason = attempt.retry_reason ?? "failure";
  const retry = reason === "failure" ? "" : ` (${reason})`;
  const text = `${attempt.status}${took}${kind}${retry}${why}`;
  return look.colors.dim(clip(`        attempt ${attempt.attempt_number}  ${text}`, look.columns));
}

function heartbeatLine(activity: ActivityView, look: Look): readonly string[] {
  if (activity.last_heartbeat_at === null || activity.closed_at !== null) return [];
  const when = timeText(activity.last_heartbeat_at, look.nowMs, look.timeFormat);
  const details = jsonText(activity.last_heartbeat_progress, look.columns - 40);
  return [look.colors.dim(`        heartbeat ${when}: ${details}`)];
}

/** Why an open run is not further: the question its user has. */
function waiting(run: RunDetail, look: Look): readonly string[] {
  if (run.closed_at !== null) return [];
  const timers = run.timers.filter(({ status }) => status === "open");
  const open = run.activities.filter(({ closed_at }) => closed_at === null);
  const reasons = [
    ...(run.task_failure === null ? [] : [taskFailure(run.task_failure)]),
    ...open.map((activity) => openActivity(activity, look)),
    ...timers.map(
      ({ sequence, fire_at }) =>
        `timer ${sequence}, fires ${timeText(fire_at, look.nowMs, look.timeFormat)}`,
    ),
  ];
  if (reasons.length === 0) reasons.push("a signal, or its next workflow task");
  const lines = reasons.map((reason, index) =>
    labelled(index === 0 ? "waits for" : "", clip(reason, look.columns - LABEL_WIDTH), look),
  );
  return ["", ...lines];
}

function taskFailure(failure: NonNullable<RunDetail["task_failure"]>): string {
  const times = failure.count === 1 ? "" : ` (${failure.count} times)`;
  return `its workflow task, which fails${times}: ${failure.code}: ${plain(failure.message)}`;
}

function openActivity(activity: ActivityView, look: Look): string {
  const name = `activity ${activity.sequence} ${plain(activity.type)}`;
  if (activity.status === "running") return `${name}, attempt ${activity.attempt_count} is running`;
  if (activity.next_attempt_at !== null) {
    const when = timeText(activity.next_attempt_at, look.nowMs, look.timeFormat);
    return `${name}, attempt ${activity.attempt_count + 1} of ${activity.max_attempts} ${when}`;
  }
  return activity.local_activity
    ? `${name}, to be run by the workflow task`
    : `${name}, in the queue ${plain(activity.queue ?? "default")}`;
}

/** How a closed run ended; nothing for an open one. */
function ending(outcome: Outcome | null, look: Look): readonly string[] {
  if (outcome === null) return [];
  const width = look.columns - LABEL_WIDTH;
  switch (outcome.status) {
    case "completed":
      return ["", labelled("result", jsonText(outcome.result, width), look)];
    case "failed":
      return ["", ...failureLines(outcome.failure, look)];
    case "cancelled":
      return ["", labelled("ended", "cancelled", look)];
    case "terminated": {
      const why = outcome.reason === null ? "" : `: ${plain(outcome.reason)}`;
      return ["", labelled("ended", clip(`terminated${why}`, width), look)];
    }
  }
}

function failureLines(
  failure: Extract<Outcome, { readonly status: "failed" }>["failure"],
  look: Look,
): readonly string[] {
  const { activity, cause, details } = failure;
  const width = look.columns - LABEL_WIDTH;
  const attempts = activity?.attempts === 1 ? "1 attempt" : `${activity?.attempts} attempts`;
  return [
    labelled("failed", look.colors.red(clip(failureText(failure), width)), look),
    ...(activity === undefined
      ? []
      : [
          labelled(
            "in",
            `activity ${activity.sequence} ${plain(activity.activity_type)}, ${attempts}`,
            look,
          ),
        ]),
    ...(details === undefined ? [] : [labelled("details", jsonText(details, width), look)]),
    ...(cause === undefined ? [] : [labelled("cause", clip(failureText(cause), width), look)]),
  ];
}

function labelled(label: string, value: string, look: Look): string {
  return `${look.colors.dim(label.padEnd(LABEL_WIDTH))}${value}`;
}

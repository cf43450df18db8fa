/**
 * `pawl timeline` as text: the attempts of local and of queued activities as bars on one time axis,
 * then every event on a line.
 */
import type { AttemptSpan, Timeline, TimelineEntry } from "../client.ts";
import type { Look } from "./run-view.ts";
import { cell, clip, plain, statusText } from "./text.ts";
import { type Axis, spanBar } from "./timeline.ts";
import { durationText } from "./times.ts";

/** Characters of a span's line left of its bar, but for the name. */
const SPAN_WIDTH = 34;
const NAME_WIDTH_MAX = 28;
const BAR_WIDTH_MIN = 12;

export function timelineView(timeline: Timeline, look: Look): readonly string[] {
  const { local, queued } = timeline.attempts;
  const startedMs = Date.parse(timeline.entries[0]?.recorded_at ?? "");
  const axis = (nameWidth: number): Axis => ({
    fromMs: startedMs,
    toMs: endOf(timeline, look.nowMs),
    width: Math.max(BAR_WIDTH_MIN, look.columns - SPAN_WIDTH - nameWidth),
  });
  const nameWidth = Math.min(
    NAME_WIDTH_MAX,
    Math.max(0, ...[...local, ...queued].map(({ activity_type }) => plain(activity_type).length)),
  );
  const group = (title: string, spans: readonly AttemptSpan[]): readonly string[] =>
    spans.length === 0
      ? []
      : [
          look.colors.dim(title),
          ...spans.map((span) => spanLine(span, nameWidth, axis(nameWidth), look)),
          "",
        ];
  return [
    ...group("local attempts, in the workflow task", local),
    ...group("queued attempts, in workers", queued),
    ...timeline.entries.map((entry) => entryLine(entry, startedMs, look)),
  ];
}

/** The last event of a run that is over, or now while an attempt runs. */
function endOf({ entries, attempts }: Timeline, nowMs: number): number {
  const isOpen = [...attempts.local, ...attempts.queued].some(({ status }) => status === "running");
  return isOpen ? nowMs : Date.parse(entries.at(-1)?.recorded_at ?? "");
}

function spanLine(span: AttemptSpan, nameWidth: number, axis: Axis, look: Look): string {
  const took = span.duration_ms === null ? "" : durationText(span.duration_ms);
  const row = [
    `${String(span.workflow_sequence).padStart(5)}  `,
    `${cell(plain(span.activity_type), nameWidth)}  `,
    cell(`#${span.attempt_number}`, 5),
    `${statusText(span.status, look.colors, 10)} `,
    cell(took, 8),
    spanBar(span, axis, look.colors),
  ];
  return row.join("").trimEnd();
}

function entryLine(entry: TimelineEntry, startedMs: number, look: Look): string {
  const time =
    look.timeFormat === "iso"
      ? `${entry.recorded_at}  `
      : cell(`+${durationText(Date.parse(entry.recorded_at) - startedMs)}`, 10);
  const line = `${String(entry.sequence).padStart(5)}  ${time}${plain(entry.summary)}`;
  return clip(line, look.columns);
}

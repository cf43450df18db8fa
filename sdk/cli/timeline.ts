/**
 * One activity as a bar on the run's time axis. Four characters tell apart, without colour, what no
 * other tool shows: work inside the workflow task, waiting in the queue, work in a worker, and the
 * pause before a retry.
 */
import type { ActivityView, AttemptSpan, AttemptView } from "../client.ts";
import type { Colors } from "./session.ts";

const BAR = { local: "━", queued: "░", running: "█", backoff: "┄" } as const;
type Kind = keyof typeof BAR;

/** The run's time, milliseconds since the epoch, laid out on `width` characters. */
export interface Axis {
  readonly fromMs: number;
  readonly toMs: number;
  readonly width: number;
}

interface Segment {
  readonly kind: Kind;
  readonly fromMs: number;
  readonly toMs: number;
  readonly failed: boolean;
}

/** The bar, `axis.width` characters wide at most; later segments win a shared character. */
export function bar(activity: ActivityView, axis: Axis, colors: Colors): string {
  return drawn(segmentsOf(activity, axis.toMs), axis, colors);
}

/** One attempt as a bar of its own. */
export function spanBar(span: AttemptSpan, axis: Axis, colors: Colors): string {
  const fromMs = timeOf(span.started_at, axis.fromMs);
  const toMs = timeOf(span.closed_at, axis.toMs);
  const kind = span.local_activity ? "local" : "running";
  return drawn([{ kind, fromMs, toMs, failed: isBad(span) }], axis, colors);
}

function drawn(segments: readonly Segment[], axis: Axis, colors: Colors): string {
  const cells: (Segment | undefined)[] = [];
  for (const segment of segments) {
    const first = columnOf(segment.fromMs, axis);
    const last = Math.max(first, columnOf(segment.toMs, axis, "end"));
    for (let column = first; column <= last; column++) cells[column] = segment;
  }
  return Array.from(cells, (segment) =>
    segment === undefined ? " " : paint(segment, colors),
  ).join("");
}

/** The legend for the kinds of bar that these activities have. */
export function legend(activities: readonly ActivityView[], colors: Colors): string {
  const kinds = new Set(activities.flatMap((activity) => segmentsOf(activity, 0)).map(kindOf));
  const texts: Readonly<Record<Kind, string>> = {
    local: "local, in the workflow task",
    queued: "in the queue",
    running: "in a worker",
    backoff: "until the retry",
  };
  const order: readonly Kind[] = ["local", "queued", "running", "backoff"];
  return order
    .filter((kind) => kinds.has(kind))
    .map((kind) => `${paint({ kind, failed: false }, colors)} ${texts[kind]}`)
    .join("   ");
}

function kindOf(segment: Segment): Kind {
  return segment.kind;
}

/** @param nowMs where what is still open ends */
function segmentsOf(activity: ActivityView, nowMs: number): readonly Segment[] {
  const local = activity.local_activity;
  const attempts = activity.attempts.filter((attempt) => attempt.started_at !== null);
  const segments: Segment[] = [];
  let fromMs = Date.parse(activity.created_at);
  for (const [index, attempt] of attempts.entries()) {
    const startedMs = timeOf(attempt.started_at, fromMs);
    // A local activity enters no queue: before its first attempt there is nothing to draw.
    const waiting: Kind = index > 0 ? "backoff" : "queued";
    if (!(local && index === 0))
      segments.push({ kind: waiting, fromMs, toMs: startedMs, failed: false });
    const endedMs = timeOf(attempt.closed_at, nowMs);
    const kind = local ? "local" : "running";
    segments.push({ kind, fromMs: startedMs, toMs: endedMs, failed: isBad(attempt) });
    fromMs = endedMs;
  }
  const waits = activity.status === "pending" || attempts.length < activity.attempt_count;
  if (activity.closed_at === null && waits && !(local && attempts.length === 0)) {
    const kind = attempts.length > 0 ? "backoff" : "queued";
    segments.push({ kind, fromMs, toMs: nowMs, failed: false });
  }
  return segments;
}

function isBad(attempt: Pick<AttemptView, "status">): boolean {
  return attempt.status === "failed" || attempt.status === "expired";
}

function timeOf(iso: string | null, otherwiseMs: number): number {
  return iso === null ? otherwiseMs : Date.parse(iso);
}

function columnOf(timeMs: number, axis: Axis, edge: "start" | "end" = "start"): number {
  const spanMs = Math.max(1, axis.toMs - axis.fromMs);
  const position = ((timeMs - axis.fromMs) / spanMs) * axis.width;
  const column = edge === "end" ? Math.ceil(position) - 1 : Math.floor(position);
  return Math.min(axis.width - 1, Math.max(0, column));
}

function paint(segment: Pick<Segment, "kind" | "failed">, colors: Colors): string {
  const text = BAR[segment.kind];
  if (segment.failed) return colors.red(text);
  switch (segment.kind) {
    case "local":
      return colors.green(text);
    case "running":
      return colors.blue(text);
    case "queued":
      return colors.yellow(text);
    case "backoff":
      return colors.dim(text);
  }
}

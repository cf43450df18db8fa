/** One event as one line: sequence, time since the start, type, activity, mode, attempt, detail. */
import type { EventView } from "../client.ts";
import type { Look } from "./run-view.ts";
import { cell, clip, jsonText, plain } from "./text.ts";
import { durationText } from "./times.ts";

/** Characters left of the detail. */
const FIXED_WIDTH = 72;
const DETAIL_WIDTH_MIN = 20;

export function historyHead(look: Look): string {
  const names = [
    "  seq  ",
    cell("time", 10),
    cell("event", 26),
    cell("activity", 18),
    cell("mode", 7),
    cell("try", 4),
    "detail",
  ];
  return look.colors.dim(names.join(""));
}

/** @param startedMs the time of the run's first event, milliseconds since the epoch */
export function historyLine(event: EventView, startedMs: number, look: Look): string {
  const time =
    look.timeFormat === "iso"
      ? `${event.recorded_at}  `
      : cell(`+${durationText(Date.parse(event.recorded_at) - startedMs)}`, 10);
  const { payload } = event;
  const width = Math.max(DETAIL_WIDTH_MIN, look.columns - FIXED_WIDTH);
  const line = [
    `${String(event.sequence).padStart(5)}  `,
    time,
    paint(event, look)(cell(event.type, 26)),
    cell(plain(text(payload["activity_type"]) ?? ""), 17),
    " ",
    cell(text(payload["execution_mode"]) ?? "", 7),
    cell(String(payload["attempt_number"] ?? payload["retry_after_attempt"] ?? ""), 4),
    clip(detail(event, width), width),
  ];
  return line.join("").trimEnd();
}

/** What a reader wants to know of this kind of event. */
function detail(event: EventView, width: number): string {
  const { payload } = event;
  switch (event.type) {
    case "WorkflowStarted":
      return jsonText(payload["input"] ?? payload["arguments"], width);
    case "ActivityScheduled":
      return jsonText(payload["arguments"] ?? record(payload["activity"])["arguments"], width);
    case "WorkflowCompleted":
      return jsonText(payload["output"], width);
    case "ActivityCompleted":
    case "SideEffectRecorded":
      return jsonText(payload["result"], width);
    case "ActivityHeartbeatRecorded":
      return jsonText(payload["progress"], width);
    case "SignalReceived":
      return `${plain(text(payload["signal_name"]) ?? "")} ${jsonText(payload["arguments"], width)}`;
    case "TimerScheduled":
      return `timer ${String(payload["sequence"])}, ${seconds(payload["delay_seconds"])}`;
    case "TimerFired":
    case "TimerCancelled":
      return `timer ${String(payload["sequence"])}`;
    case "ActivityRetryScheduled":
      return joined(retryText(event), failure(event));
    case "ActivityTimedOut":
      return joined(text(payload["timeout_kind"]), failure(event));
    default:
      return failure(event) ?? plain(text(payload["reason"]) ?? "");
  }
}

function retryText({ payload }: EventView): string {
  const reason = text(payload["retry_reason"]) ?? "failure";
  return `${reason}, again in ${seconds(payload["retry_backoff_seconds"])}`;
}

function failure({ payload }: EventView): string | undefined {
  const nested = record(payload["failure"] ?? payload["exception"]);
  const type = text(payload["exception_type"]) ?? text(nested["type"]);
  const message = text(payload["message"]) ?? text(nested["message"]);
  if (type === undefined && message === undefined) return undefined;
  return plain([type, message].filter((part) => part !== undefined).join(": "));
}

function paint(event: EventView, look: Look): (text: string) => string {
  if (/Failed|TimedOut|Terminated/.test(event.type)) return look.colors.red;
  if (/Cancel/.test(event.type) || event.type === "ActivityRetryScheduled")
    return look.colors.yellow;
  if (/Completed/.test(event.type)) return look.colors.green;
  return (unpainted) => unpainted;
}

function joined(...parts: readonly (string | undefined)[]): string {
  return parts.filter((part) => part !== undefined && part !== "").join(": ");
}

function seconds(value: unknown): string {
  return typeof value === "number" ? durationText(value * 1_000) : "?";
}

function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  // Any object that is not an array can be read by key.
  return typeof value === "object" && value !== null ? { ...value } : {};
}

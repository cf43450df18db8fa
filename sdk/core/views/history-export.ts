/** The history export bundle (requirements 2.6, S-05): one run, complete, with a checksum. */
import type { ActivityView, EventView, FailureView } from "../api.ts";
import { type Batch, type HistoryEvent, isTerminal } from "../events.ts";
import { activityId, attemptId } from "../ids.ts";
import { retryTaskId } from "../messages.ts";
import type { Payload } from "../payload.ts";
import { activityView } from "./activities.ts";
import type { ActivityFacts } from "./activity-facts.ts";
import { canonicalJson } from "./canonical-json.ts";
import { closingOf } from "./closing.ts";
import { HistoryContext, type NumberedEvent, numberedEvents } from "./history.ts";
import { type RunFacts, runAsLogged, workflowSummary } from "./run-detail.ts";
import {
  failureView,
  isoTime,
  isoTimeOrNull,
  PAYLOAD_CODEC,
  payloadsOf,
  type ShowValue,
  seconds,
} from "./values.ts";

export const HISTORY_EXPORT_SCHEMA = "durable-workflow.v2.history-export";
export const HISTORY_EXPORT_SCHEMA_VERSION = 1;

/** Events of a bundle up to which each shows its activity nested; `activities` has them in any case. */
export const EXPORT_SNAPSHOTS_MAX = 2_000;

export interface ExportInput {
  readonly run: RunFacts;
  readonly batches: readonly Batch[];
  readonly activities: readonly ActivityFacts[];
  readonly show: ShowValue;
  /** Milliseconds since the epoch. */
  readonly exportedAt: number;
  /** SHA-256 of UTF-8 text in hexadecimal: core computes no hashes. */
  readonly sha256: (text: string) => string;
}

export interface HistoryExport {
  readonly schema: typeof HISTORY_EXPORT_SCHEMA;
  readonly schema_version: typeof HISTORY_EXPORT_SCHEMA_VERSION;
  readonly exported_at: string;
  /** Equal for exports of the same part of the same run. */
  readonly dedupe_key: string;
  /** False while the run is open: more events will follow. */
  readonly history_complete: boolean;
  readonly workflow: Readonly<Record<string, unknown>>;
  readonly payloads: Readonly<Record<string, unknown>>;
  readonly history_events: readonly ExportedEvent[];
  readonly activities: readonly Readonly<Record<string, unknown>>[];
  /** The workflow tasks that retries of local activities wait for. */
  readonly tasks: readonly Readonly<Record<string, unknown>>[];
  readonly timers: readonly Readonly<Record<string, unknown>>[];
  readonly signals: readonly Readonly<Record<string, unknown>>[];
  readonly failures: readonly Readonly<Record<string, unknown>>[];
  readonly links: Readonly<Record<string, unknown>>;
  readonly redaction: Readonly<Record<string, unknown>>;
  readonly codec_schemas: Readonly<Record<string, unknown>>;
  readonly payload_manifest: Readonly<Record<string, unknown>>;
  readonly integrity: Integrity;
}

interface ExportedEvent extends EventView {
  readonly workflow_task_id: string | null;
  readonly workflow_command_id: string | null;
}

interface Integrity {
  readonly canonicalization: "json-recursive-ksort-v1";
  readonly checksum_algorithm: "sha256";
  /** Of the canonical JSON of everything but `integrity`. */
  readonly checksum: string;
  readonly signature_algorithm: null;
  readonly signature: null;
  readonly key_id: null;
}

export function historyExport(input: ExportInput): HistoryExport {
  const run = runAsLogged(input.run, input.batches);
  const events = numberedEvents(input.batches);
  const context = new HistoryContext(run, events);
  const isLong = events.length > EXPORT_SNAPSHOTS_MAX;
  const views = events.map((event) => {
    const view = exportedEvent(context.view(event, input.show));
    return isLong ? withoutSnapshots(view) : view;
  });
  const closing = closingOf(input.batches.at(-1));
  const output = closing?.output;
  const bundle = {
    schema: HISTORY_EXPORT_SCHEMA,
    schema_version: HISTORY_EXPORT_SCHEMA_VERSION,
    exported_at: isoTime(input.exportedAt),
    dedupe_key: `${run.run_id}:${events.length}`,
    history_complete: closing !== undefined,
    workflow: { namespace: run.namespace, ...workflowSummary(run) },
    payloads: {
      codec: PAYLOAD_CODEC,
      arguments: { available: true, data: input.show(run.input) },
      output: {
        available: output !== undefined,
        codec: PAYLOAD_CODEC,
        data: output === undefined ? null : input.show(output),
      },
    },
    history_events: views,
    activities: exportedActivities(input),
    tasks: retryTasks(run.run_id, input.activities),
    timers: timers(run.run_id, events),
    signals: signals(events, input.show),
    failures: failures(run.run_id, events),
    links: { projection_source: "history", parents: [], children: [] },
    redaction: { applied: false, policy: null, paths: [] },
    codec_schemas: { [PAYLOAD_CODEC]: { media_type: "application/json", charset: "utf-8" } },
    payload_manifest: { version: 1, entries: manifest(events) },
  } as const;
  const checksum = input.sha256(canonicalJson(bundle));
  return { ...bundle, integrity: integrity(checksum) };
}

function integrity(checksum: string): Integrity {
  return {
    canonicalization: "json-recursive-ksort-v1",
    checksum_algorithm: "sha256",
    checksum,
    signature_algorithm: null,
    signature: null,
    key_id: null,
  };
}

function exportedEvent(view: EventView): ExportedEvent {
  return {
    ...view,
    workflow_task_id: textOrNull(view.payload["workflow_task_id"]),
    workflow_command_id: textOrNull(view.payload["workflow_command_id"]),
  };
}

function exportedActivities({ run, activities, show }: ExportInput): HistoryExport["activities"] {
  return activities.map((facts) => {
    const view = activityView(run.run_id, facts, show);
    return {
      ...withoutKeys(view, ["type", "class", "attempt_id", "attempts"]),
      activity_type: view.type,
      activity_class: view.class,
      payload_codec: PAYLOAD_CODEC,
      source_status: view.status,
      current_attempt_id: view.attempt_id,
      attempts: view.attempts.map((attempt) => ({
        ...attempt,
        activity_execution_id: view.id,
        workflow_task_id: view.local_activity ? attempt.lease_owner : null,
      })),
    };
  });
}

/** Under the names of the contract's workflow-task payload (requirements 2.1). */
function retryTasks(runId: string, activities: readonly ActivityFacts[]): HistoryExport["tasks"] {
  return activities.flatMap(({ retry }) => {
    if (retry?.local_activity !== true) return [];
    const { sequence, attempt_number: attempt } = retry;
    const id = activityId(runId, sequence);
    const payload = {
      workflow_wait_kind: "local_activity",
      open_wait_id: `local-activity:${id}`,
      resume_source_kind: "local_activity",
      resume_source_id: id,
      activity_execution_id: id,
      activity_type: retry.activity_type,
      workflow_sequence: sequence,
      execution_mode: "local",
      retry_after_attempt_id: attemptId(runId, sequence, attempt),
      retry_after_attempt: attempt,
      retry_backoff_seconds: seconds(retry.retry_backoff_ms),
      retry_reason: retry.retry_reason,
      timeout_kind: retry.timeout_kind ?? null,
    };
    return [
      {
        id: retryTaskId(runId, sequence, attempt),
        task_type: "workflow",
        status: "ready",
        available_at: isoTime(retry.retry_available_at),
        payload,
      },
    ];
  });
}

function withoutSnapshots(view: ExportedEvent): ExportedEvent {
  const { activity: _activity, activity_attempt: _attempt, ...payload } = view.payload;
  return { ...view, payload };
}

function withoutKeys(
  view: ActivityView,
  names: readonly string[],
): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(view).filter(([name]) => !names.includes(name)));
}

function timers(runId: string, events: readonly NumberedEvent[]): HistoryExport["timers"] {
  const ends = new Map<number, HistoryEvent>();
  for (const { event } of events)
    if (event.type === "TimerFired" || event.type === "TimerCancelled")
      ends.set(event.sequence, event);
  return events.flatMap(({ event }) => {
    if (event.type !== "TimerScheduled") return [];
    const end = ends.get(event.sequence);
    const fired = end?.type === "TimerFired";
    return [
      {
        id: activityId(runId, event.sequence),
        sequence: event.sequence,
        status: end === undefined ? "open" : fired ? "fired" : "cancelled",
        delay_seconds: seconds(event.delay_ms),
        fire_at: isoTime(event.fire_at),
        fired_at: isoTimeOrNull(fired ? end.at : undefined),
        cancelled_at: isoTimeOrNull(fired ? undefined : end?.at),
      },
    ];
  });
}

function signals(events: readonly NumberedEvent[], show: ShowValue): HistoryExport["signals"] {
  return events.flatMap(({ event }) =>
    event.type === "SignalReceived"
      ? [
          {
            id: event.signal_id,
            signal_name: event.signal_name,
            received_at: isoTime(event.at),
            arguments: show(event.arguments),
            payload_codec: PAYLOAD_CODEC,
          },
        ]
      : [],
  );
}

function failures(runId: string, events: readonly NumberedEvent[]): HistoryExport["failures"] {
  return events.flatMap(({ sequence, event }) => {
    if (!("failure" in event) || event.failure === undefined) return [];
    const view: FailureView = failureView(event.failure);
    return [
      {
        id: `${runId}/failure/${sequence}`,
        event_sequence: sequence,
        source_kind: sourceKind(event),
        source_id: isTerminal(event) ? runId : activityId(runId, event.sequence),
        ...view,
      },
    ];
  });
}

function sourceKind(event: HistoryEvent): string {
  if (isTerminal(event)) return "workflow_run";
  return event.type === "SideEffectRecorded" ? "side_effect" : "activity_execution";
}

/** The large values of the history; the bundle holds them all. */
function manifest(events: readonly NumberedEvent[]): readonly unknown[] {
  return events.flatMap(({ sequence, event }) =>
    payloadsOf(event)
      .filter(
        (payload): payload is Extract<Payload, { readonly blob: string }> => "blob" in payload,
      )
      .map(({ bytes }, index) => ({ event_sequence: sequence, index, bytes, stored: "blob" })),
  );
}

function textOrNull(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

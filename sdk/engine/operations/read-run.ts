/** What callers read of runs: lists, details, results, histories and exports. */
import {
  type HistoryResponse,
  type ListResponse,
  type ResultResponse,
  type RunDetail,
  TIMELINE_ATTEMPTS_MAX,
  type TimelineResponse,
} from "../../core/api.ts";
import { pawlError } from "../../core/errors.ts";
import { activityPayloads } from "../../core/views/activities.ts";
import { foldActivities } from "../../core/views/activity-facts.ts";
import { HistoryContext, type NumberedEvent, numberedEvents } from "../../core/views/history.ts";
import { type HistoryExport, historyExport } from "../../core/views/history-export.ts";
import { detailPayloads, runDetail, workflowSummary } from "../../core/views/run-detail.ts";
import { attemptSpans, timelineEntry } from "../../core/views/timeline.ts";
import { payloadsOf } from "../../core/views/values.ts";
import type { Ports } from "../../ports/ports.ts";
import type { RunFilter } from "../../ports/runs.ts";
import { findRun, followLog, keyOf, type RunRef } from "./find-run.ts";
import { ANSWER_VALUES_BYTES_MAX, loadValues, sizeOf } from "./stored-values.ts";
import { loadOutcome, waitForEnd, waitMs } from "./wait-for-end.ts";

/** UTF-8 bytes of the values of a run that can be exported in one answer. */
export const EXPORT_VALUES_BYTES_MAX = 5_000_000;

/** Runs by filter, newest start first. Eventually consistent. @throws PawlError invalid_cursor */
export async function list(
  ports: Ports,
  filter: Omit<RunFilter, "namespace">,
): Promise<ListResponse> {
  const page = await ports.runs.list({ ...filter, namespace: ports.namespace });
  return {
    workflows: page.runs.map(workflowSummary),
    next_cursor: page.next_cursor ?? null,
  };
}

/** One run with its activities, timers and signals (S-04, S-10). @throws PawlError as `findRun` */
export async function describe(ports: Ports, ref: RunRef): Promise<RunDetail> {
  const found = await findRun(ports, ref);
  const run = keyOf(found);
  const [batches, live] = await Promise.all([
    ports.history.readFrom(run, 1),
    ports.attempts.ofRun(run),
  ]);
  const row = await followLog(ports, found, batches.at(-1));
  const activities = foldActivities(batches, live);
  const show = await loadValues(ports, detailPayloads(row, batches, activities));
  return runDetail(row, batches, activities, show);
}

/**
 * How the run closed, waiting up to `waitSeconds` (at most 20) for it. Without `outcome` in the
 * answer the run is still open. @throws PawlError as `findRun`
 */
export async function result(
  ports: Ports,
  ref: RunRef,
  waitSeconds: number | undefined,
): Promise<ResultResponse> {
  const found = await findRun(ports, ref);
  const deadline = ports.host.now() + waitMs(waitSeconds);
  const tail = await waitForEnd(ports, keyOf(found), deadline);
  const row = await followLog(ports, found, tail);
  const outcome = await loadOutcome(ports, tail);
  return {
    workflow_id: row.workflow_id,
    run_id: row.run_id,
    status: row.status === "pending" && tail !== undefined ? "running" : row.status,
    ...(outcome === undefined ? {} : { outcome }),
  };
}

/**
 * Events behind `after`, at most `limit`; fewer when their values would not fit into one answer.
 * @throws PawlError as `findRun`
 */
export async function history(
  ports: Ports,
  ref: RunRef,
  page: { readonly after: number; readonly limit: number },
): Promise<HistoryResponse> {
  const row = await findRun(ports, ref);
  const events = numberedEvents(await ports.history.readFrom(keyOf(row), 1));
  const shown = fitting(events.slice(page.after, page.after + page.limit));
  const show = await loadValues(
    ports,
    shown.flatMap(({ event }) => payloadsOf(event)),
  );
  const context = new HistoryContext(row, events);
  const last = shown.at(-1)?.sequence;
  return {
    workflow_id: row.workflow_id,
    run_id: row.run_id,
    events: shown.map((event) => context.view(event, show)),
    next_after: last === undefined || last === events.length ? null : last,
  };
}

/**
 * Events behind `after`, at most `limit`, without their values, and the attempts of the whole run as
 * spans (S-06). @throws PawlError as `findRun`
 */
export async function timeline(
  ports: Ports,
  ref: RunRef,
  page: { readonly after: number; readonly limit: number },
): Promise<TimelineResponse> {
  const row = await findRun(ports, ref);
  const run = keyOf(row);
  const [batches, live] = await Promise.all([
    ports.history.readFrom(run, 1),
    ports.attempts.ofRun(run),
  ]);
  const events = numberedEvents(batches);
  const context = new HistoryContext(row, events);
  const shown = events.slice(page.after, page.after + page.limit);
  const last = shown.at(-1)?.sequence;
  const spans = foldActivities(batches, live).flatMap((facts) => attemptSpans(run.run_id, facts));
  const ofKind = (isLocal: boolean) =>
    spans.filter((span) => span.local_activity === isLocal).slice(-TIMELINE_ATTEMPTS_MAX);
  return {
    workflow_id: run.workflow_id,
    run_id: run.run_id,
    entries: shown.map((event) =>
      timelineEntry(
        run,
        context.view(event, () => null),
      ),
    ),
    attempts: { local: ofKind(true), queued: ofKind(false) },
    next_after: last === undefined || last === events.length ? null : last,
  };
}

/** The first events whose values fit into one answer; always at least one. */
function fitting(events: readonly NumberedEvent[]): readonly NumberedEvent[] {
  let bytes = 0;
  const tooMany = events.findIndex(({ event }, index) => {
    for (const payload of payloadsOf(event)) bytes += sizeOf(payload);
    return index > 0 && bytes > ANSWER_VALUES_BYTES_MAX;
  });
  return tooMany === -1 ? events : events.slice(0, tooMany);
}

/**
 * The whole history as one bundle with a checksum (S-05).
 * @throws PawlError response_too_large when its values do not fit into one answer
 */
export async function exportHistory(
  ports: Ports,
  ref: RunRef,
  sha256: (text: string) => string,
): Promise<HistoryExport> {
  const found = await findRun(ports, ref);
  const run = keyOf(found);
  const [batches, live] = await Promise.all([
    ports.history.readFrom(run, 1),
    ports.attempts.ofRun(run),
  ]);
  const row = await followLog(ports, found, batches.at(-1));
  const activities = foldActivities(batches, live);
  const payloads = [
    row.input,
    ...batches.flatMap((batch) => batch.events).flatMap(payloadsOf),
    ...activities.flatMap(activityPayloads),
  ];
  const bytes = [...new Set(payloads)].reduce((sum, payload) => sum + sizeOf(payload), 0);
  if (bytes > EXPORT_VALUES_BYTES_MAX) {
    const limit = String(EXPORT_VALUES_BYTES_MAX);
    throw pawlError("response_too_large", { bytes: String(bytes), limit });
  }
  const show = await loadValues(ports, payloads, EXPORT_VALUES_BYTES_MAX);
  const exportedAt = ports.host.now();
  return historyExport({ run: row, batches, activities, show, exportedAt, sha256 });
}

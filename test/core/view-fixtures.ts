/** Small logs for the views. */
import { NO_COUNTERS } from "../../sdk/core/counters.ts";
import {
  type Batch,
  type HistoryEvent,
  isTerminal,
  SCHEMA_VERSION,
} from "../../sdk/core/events.ts";
import type { Failure } from "../../sdk/core/failure.ts";
import type { ShowValue } from "../../sdk/core/views/values.ts";

export const T = Date.parse("2026-03-01T12:00:00.000Z");

export const LOCAL = {
  sequence: 1,
  activity_type: "price",
  execution_mode: "local",
  local_activity: true,
} as const;
export const QUEUED = {
  sequence: 2,
  activity_type: "charge",
  execution_mode: "queued",
  local_activity: false,
} as const;

export const CARD_DECLINED: Failure = {
  type: "CardDeclined",
  message: "the card was declined",
  category: "application",
  non_retryable: true,
  details: '{"code":51}',
  stack: "CardDeclined: at charge (/srv/app.js:1:1)",
  cause: { type: "Error", message: "51", category: "application", non_retryable: false },
};

/** The events in batches of two, as a log holds them. */
export function batchesOf(events: readonly HistoryEvent[]): readonly Batch[] {
  const batches: Batch[] = [];
  for (let index = 0; index < events.length; index += 2) {
    const some = events.slice(index, index + 2);
    batches.push({
      schema: SCHEMA_VERSION,
      sequence: index + 1,
      kind: "task",
      events: some,
      lease: null,
      turn_from: null,
      closed: some.some(isTerminal),
      nonce: `n-${index}`,
      basis: index + 1,
      pending_signals: 0,
      counters: NO_COUNTERS,
      generation: 0,
    });
  }
  return batches;
}

export const show: ShowValue = (payload) =>
  "json" in payload ? (JSON.parse(payload.json) as unknown) : `blob ${payload.blob}`;

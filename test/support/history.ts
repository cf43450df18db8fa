/** Histories in a form that a test can state: one short line per event. */
import type { EventView } from "../../sdk/core/api.ts";

interface HasHistory {
  history(): Promise<readonly EventView[]>;
}

export function eventsOf(handle: HasHistory): Promise<readonly EventView[]> {
  return handle.history();
}

/** `ActivityRetryScheduled charge 3 queued #1 failure 2s`: type, activity, sequence, mode, attempt, retry. */
export function outline(events: readonly EventView[]): readonly string[] {
  return events.map(({ type, payload }) => {
    const parts: unknown[] = [
      type,
      payload["activity_type"],
      payload["sequence"],
      payload["execution_mode"],
      payload["attempt_number"] === undefined ? undefined : `#${String(payload["attempt_number"])}`,
      payload["retry_reason"],
      payload["retry_backoff_seconds"] === undefined
        ? undefined
        : `${String(payload["retry_backoff_seconds"])}s`,
    ];
    return parts.filter((part) => part !== undefined).join(" ");
  });
}

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

const ENDS: readonly string[] = [
  "ActivityCompleted",
  "ActivityFailed",
  "ActivityTimedOut",
  "ActivityCancelled",
];

/**
 * What is wrong with the attempts of a closed run, a line each: an activity has one terminal event, at
 * most so many attempts, numbers that rise by one, and ends with its last one.
 */
export function attemptsWrong(
  events: readonly EventView[],
  attemptsMax: number,
): readonly string[] {
  const ofActivities = Map.groupBy(
    events.filter(({ type }) => type.startsWith("Activity")),
    ({ payload }) => payload["sequence"],
  );
  return [...ofActivities].flatMap(([sequence, own]) => {
    const numbers = (types: readonly string[]): readonly number[] =>
      own
        .filter(({ type }) => types.includes(type))
        .map(({ payload }) => Number(payload["attempt_number"]));
    const [started, ended] = [numbers(["ActivityStarted"]), numbers(ENDS)];
    const wrong: string[] = [];
    if (ended.length !== 1) wrong.push(`${ended.length} terminal events`);
    if (started.length > attemptsMax) wrong.push(`${started.length} attempts`);
    if (started.some((number, index) => number !== index + 1)) wrong.push(`attempts ${started}`);
    if (ended[0] !== started.length) wrong.push(`attempt ${ended[0]} ends after ${started}`);
    return wrong.map((line) => `activity ${sequence}: ${line}: ${outline(own).join(", ")}`);
  });
}

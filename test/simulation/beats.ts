/** Heartbeats of one run: what is durable, what the next attempt must be told, and what nobody may invent. */
import type { HistoryEvent, RunKey } from "../../sdk/core/events.ts";
import type { Payload } from "../../sdk/core/payload.ts";
import type { Theatre } from "./theatre.ts";

export interface BeatsOptions {
  readonly run: RunKey;
  readonly theatre: Theatre;
  readonly textOf: (payload: Payload) => string;
  /** Records a broken invariant. */
  readonly expect: (holds: boolean, invariant: string, what: () => string) => void;
}

interface AttemptName {
  readonly sequence: number;
  readonly attempt: number;
}

export class Beats {
  /** The last durable beat by activity, as JSON. */
  readonly #latest = new Map<number, string>();
  /** By attempt: the last durable beat of those before. */
  readonly #told = new Map<string, string>();
  /** By queued attempt: the last beat that its row holds. */
  readonly #inRow = new Map<string, string>();
  readonly #options: BeatsOptions;

  constructor(options: BeatsOptions) {
    this.#options = options;
  }

  /** What the body of an attempt must be told, as JSON; undefined when no attempt has beaten. */
  toldTo(attempt: AttemptName): string | undefined {
    return this.#told.get(keyOf(attempt));
  }

  /** Whether this beat of a local attempt, or a later one, is in the log. */
  isDurable(attempt: AttemptName, beat: string): boolean {
    const latest = this.#latest.get(attempt.sequence);
    return latest !== undefined && this.#numberOf(attempt, latest) >= this.#numberOf(attempt, beat);
  }

  noteRow(attempt: AttemptName, beat: string): void {
    this.#checkGiven(attempt, beat);
    this.#inRow.set(keyOf(attempt), beat);
  }

  note(event: HistoryEvent): void {
    if (event.type === "ActivityHeartbeatRecorded")
      this.#keep(attemptOf(event), this.#options.textOf(event.progress));
    if (event.type === "ActivityStarted" && event.local_activity) this.#tell(attemptOf(event));
    if (event.type !== "ActivityRetryScheduled") return;
    const attempt = attemptOf(event);
    const { last_heartbeat: last } = event;
    this.#checkRow(attempt, last === undefined ? undefined : this.#options.textOf(last));
    if (last !== undefined) this.#keep(attempt, this.#options.textOf(last));
    if (!event.local_activity) this.#tell({ ...attempt, attempt: attempt.attempt + 1 });
  }

  #keep(attempt: AttemptName, beat: string): void {
    this.#checkGiven(attempt, beat);
    this.#latest.set(attempt.sequence, beat);
  }

  #tell(attempt: AttemptName): void {
    const latest = this.#latest.get(attempt.sequence);
    if (latest !== undefined) this.#told.set(keyOf(attempt), latest);
  }

  #checkGiven(attempt: AttemptName, beat: string): void {
    this.#options.expect(
      this.#numberOf(attempt, beat) > 0,
      "I4",
      () => `a heartbeat of ${keyOf(attempt)} that its body never gave: ${beat.slice(0, 60)}`,
    );
  }

  /** A beat that a queued attempt's row holds, and that its body knows of, is not lost with the attempt. */
  #checkRow(attempt: AttemptName, recorded: string | undefined): void {
    const inRow = this.#inRow.get(keyOf(attempt));
    if (inRow === undefined) return;
    const known = Math.min(this.#numberOf(attempt, inRow), this.#gave(attempt)?.acknowledged ?? 0);
    const kept = recorded === undefined ? 0 : this.#numberOf(attempt, recorded);
    this.#options.expect(
      kept >= known,
      "X4",
      () => `${keyOf(attempt)} ends with heartbeat ${kept}, its row had ${known}`,
    );
  }

  /** From 1; 0 when the attempt's body gave no such beat. */
  #numberOf(attempt: AttemptName, beat: string): number {
    return (this.#gave(attempt)?.beats.indexOf(beat) ?? -1) + 1;
  }

  #gave(attempt: AttemptName) {
    const { theatre, run } = this.#options;
    return theatre.gave.get(`${run.run_id}/${keyOf(attempt)}`);
  }
}

function keyOf({ sequence, attempt }: AttemptName): string {
  return `${sequence}/${attempt}`;
}

function attemptOf(event: {
  readonly sequence: number;
  readonly attempt_number: number;
}): AttemptName {
  return { sequence: event.sequence, attempt: event.attempt_number };
}

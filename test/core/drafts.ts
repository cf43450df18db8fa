/** Drafts of turns: what a turn adds to a log, given the code and its history. */
import type { HistoryEvent } from "../../sdk/core/events.ts";
import type { Payload } from "../../sdk/core/payload.ts";
import type { WorkflowInstance } from "../../sdk/core/replay.ts";
import type { RunState } from "../../sdk/core/run.ts";
import { Turn } from "../../sdk/core/turn.ts";
import { fold, instanceOf, started, T, type WorkflowCode } from "../support/core.ts";

/** When turns are drafted: a second behind the history. */
export const NOW = T + 1_000;

export interface Draft {
  readonly turn: Turn;
  readonly state: RunState;
  readonly instance: WorkflowInstance;
  /** The types of the events whose values were made ready, in order. */
  readonly loaded: readonly string[];
}

export function turnOf(state: RunState, instance: WorkflowInstance, loaded: string[] = []): Turn {
  return new Turn(state, instance, {
    now: () => NOW,
    keep: keepInline,
    load: async (event) => {
      loaded.push(event.type);
    },
  });
}

/** A turn behind this history, of which the code has seen everything. */
export async function setup(
  code: WorkflowCode,
  ...history: readonly HistoryEvent[]
): Promise<Draft> {
  const events = [started(), ...history];
  const state = fold(events);
  const { instance } = instanceOf(code);
  for (const event of events) await instance.feed(event);
  const loaded: string[] = [];
  return { turn: turnOf(state, instance, loaded), state, instance, loaded };
}

/** The drafted events in short: type and position. */
export function drafted(turn: Turn): readonly string[] {
  return turn.events.map((event) =>
    "sequence" in event ? `${event.type} ${event.sequence}` : event.type,
  );
}

/** What starts the local bodies in these tests. */
export const START = {
  owner: "me",
  places: 100,
  leaseUntil: NOW + 30_000,
  deadline: () => NOW + 10_000,
  isCovered: () => true,
};

/** Keeps every value inline, as the engine does with small ones. */
async function keepInline(text: string): Promise<Payload> {
  return { json: text };
}

/** I5 at its strictest: a fresh replay of every prefix of a history stands where the first one stood. */
import type { HistoryEvent } from "../../sdk/core/events.ts";
import type { WorkflowInstance } from "../../sdk/core/replay.ts";

/** Longer histories are cut at batches only: the work grows with the square. */
const EVENTS_MAX = 100;

export interface PrefixOptions {
  readonly batches: readonly (readonly HistoryEvent[])[];
  /** A run that has been fed nothing. */
  readonly instance: () => WorkflowInstance;
}

/** What differs, or undefined. @throws what the replay throws */
export async function differingPrefix(options: PrefixOptions): Promise<string | undefined> {
  const events = options.batches.flat();
  const steps = events.length <= EVENTS_MAX ? events.map((event) => [event]) : options.batches;
  const growing = options.instance();
  let length = 0;
  for (const step of steps) {
    for (const event of step) await growing.feed(event);
    length += step.length;
    const cold = options.instance();
    for (const event of events.slice(0, length)) await cold.feed(event);
    const [expected, found] = [standOf(growing), standOf(cold)];
    if (expected !== found)
      return `a replay of the first ${length} events stands at ${found}, the growing one at ${expected}`;
  }
  return undefined;
}

/** What the code asks for and waits for. */
function standOf(instance: WorkflowInstance): string {
  const commands = instance.unrecorded().map((command) => {
    const { sequence, kind } = command;
    return kind === "activity"
      ? [sequence, command.execution_mode, command.arguments_json]
      : [sequence, kind, kind === "timer" ? command.delay_ms : ""];
  });
  return JSON.stringify([
    commands,
    instance.timersToCancel(),
    instance.awaitedSignals(),
    instance.pendingSignals(),
    instance.outcome?.kind === "threw" ? String(instance.outcome.error) : instance.outcome,
  ]);
}

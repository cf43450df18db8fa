/** What workflow code asked for, by the position of the call: the same on every replay (P-05). */
import { type PawlError, pawlError } from "./errors.ts";
import type { ExecutionMode, HistoryEvent } from "./events.ts";
import type { ActivityOptionsSnapshot } from "./options.ts";

interface CommandFields {
  /** From 1, in the order of the calls. */
  readonly sequence: number;
}

export interface ActivityCommand extends CommandFields {
  readonly kind: "activity";
  readonly activity_type: string;
  readonly execution_mode: ExecutionMode;
  /** The encoded list of arguments. */
  readonly arguments_json: string;
  readonly arguments_bytes: number;
  readonly options: ActivityOptionsSnapshot;
}

export interface TimerCommand extends CommandFields {
  readonly kind: "timer";
  readonly delay_ms: number;
}

export interface SideEffectCommand extends CommandFields {
  readonly kind: "side_effect";
  readonly produce: () => unknown;
}

export type Command = ActivityCommand | TimerCommand | SideEffectCommand;

type RecordedCommand = Extract<
  HistoryEvent,
  { readonly type: "ActivityScheduled" | "TimerScheduled" | "SideEffectRecorded" }
>;

/** A command in words, as an error message shows it. */
export function describeCommand(command: Command | undefined): string {
  switch (command?.kind) {
    case undefined:
      return "nothing";
    case "activity":
      return `${command.execution_mode} activity ${command.activity_type}`;
    case "timer":
      return "a timer";
    case "side_effect":
      return "a side effect";
  }
}

/** A recorded command in the same words. */
export function describeRecorded(event: RecordedCommand): string {
  switch (event.type) {
    case "ActivityScheduled":
      return `${event.execution_mode} activity ${event.activity_type}`;
    case "TimerScheduled":
      return "a timer";
    case "SideEffectRecorded":
      return "a side effect";
  }
}

/** True when the code asks for what the history recorded at this position (P-06, F-13). */
export function matches(command: Command | undefined, event: RecordedCommand): boolean {
  return command !== undefined && describeCommand(command) === describeRecorded(event);
}

/** The code and the log differ (P-06): the task fails, the run stays open. */
export function divergence(sequence: number, expected: string, actual: string): PawlError {
  return pawlError("nondeterminism", {
    sequence: String(sequence),
    expected,
    actual,
    position: "",
  });
}

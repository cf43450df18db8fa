/** How a run ended, read from the last batch of its log. */
import type { Outcome } from "../api.ts";
import { InvariantError } from "../errors.ts";
import { type Batch, isTerminal, type TerminalEvent } from "../events.ts";
import type { Failure } from "../failure.ts";
import type { Payload } from "../payload.ts";
import { failureView, type ShowValue } from "./values.ts";

/** The closing part of a run's row, as the log says it. */
export interface Closing {
  readonly status: "completed" | "failed" | "cancelled" | "terminated";
  readonly closed_at: number;
  readonly output?: Payload;
  readonly failure?: Failure;
}

/** The event that closed the run, or undefined while the run is open. */
export function terminalEvent(tail: Batch | undefined): TerminalEvent | undefined {
  if (tail?.closed !== true) return undefined;
  const last = tail.events.findLast(isTerminal);
  if (last === undefined) throw new InvariantError("a closed log ends with no terminal event");
  return last;
}

/** What the run's row says once the run is closed; undefined while it is open. */
export function closingOf(tail: Batch | undefined): Closing | undefined {
  const event = terminalEvent(tail);
  return event === undefined ? undefined : closingOfEvent(event);
}

export function closingOfEvent(event: TerminalEvent): Closing {
  switch (event.type) {
    case "WorkflowCompleted":
      return { status: "completed", closed_at: event.at, output: event.output };
    case "WorkflowFailed":
      return { status: "failed", closed_at: event.at, failure: event.failure };
    case "WorkflowCancelled":
      return { status: "cancelled", closed_at: event.at };
    case "WorkflowTerminated":
      return { status: "terminated", closed_at: event.at };
  }
}

/** The outcome that callers see; undefined while the run is open. */
export function outcomeOf(tail: Batch | undefined, show: ShowValue): Outcome | undefined {
  const closing = closingOf(tail);
  const event = terminalEvent(tail);
  if (closing === undefined || event === undefined) return undefined;
  const reason = event.type === "WorkflowTerminated" ? event.reason : undefined;
  return outcomeOfClosing(closing, show, reason);
}

/** The outcome of a closing; `reason` is that of a termination, which only the log knows. */
export function outcomeOfClosing(closing: Closing, show: ShowValue, reason?: string): Outcome {
  switch (closing.status) {
    case "completed":
      return {
        status: "completed",
        result: closing.output === undefined ? null : show(closing.output),
      };
    case "failed":
      if (closing.failure === undefined) throw new InvariantError("a failed run has no failure");
      return { status: "failed", failure: failureView(closing.failure) };
    case "cancelled":
      return { status: "cancelled" };
    case "terminated":
      return { status: "terminated", reason: reason ?? null };
  }
}

/**
 * Replays recorded histories against the workflow code at hand: the test that says whether a change
 * of the code is safe for runs that are under way (A4, A5).
 */
import type { EventView } from "../core/api.ts";
import { pawlError } from "../core/errors.ts";
import {
  type HistoryEvent,
  isTerminal,
  type TerminalEvent,
  type WorkflowStarted,
} from "../core/events.ts";
import { type Failure, structuralFailure, toFailure } from "../core/failure.ts";
import { encode, type Payload } from "../core/payload.ts";
import { WorkflowInstance, type WorkflowOutcome } from "../core/replay.ts";
import { canonicalJson } from "../core/views/canonical-json.ts";
import { importEvents } from "../core/views/history-import.ts";
import type { UserCode } from "../ports/user-code.ts";
import { createRegistry } from "../worker/registry.ts";

/** What `handle.export()` answers, as far as a replay reads it. */
export interface RecordedHistory {
  readonly history_events: readonly EventView[];
}

/**
 * Replays one recorded history; resolves when the code asks for exactly what was recorded and, for a
 * closed run, ends as recorded. Runs no activity.
 *
 * @param exports the exports of the entry module
 * @throws PawlError nondeterminism, with what was recorded and what the code asks for; workflow_type_unknown; schema_unknown
 */
export async function replayHistory(
  exports: Readonly<Record<string, unknown>>,
  history: RecordedHistory,
): Promise<void> {
  await replayEvents(createRegistry(exports), importEvents(history.history_events));
}

async function replayEvents(userCode: UserCode, events: readonly HistoryEvent[]): Promise<void> {
  const started = events[0];
  if (started?.type !== "WorkflowStarted")
    throw pawlError("invalid_request", { reason: "a history begins with WorkflowStarted" });
  const instance = createInstance(userCode, started);
  for (const event of events) {
    await instance.feed(event);
    if (isTerminal(event)) expectEnd(event, instance.outcome, events.length);
  }
}

function createInstance(userCode: UserCode, started: WorkflowStarted): WorkflowInstance {
  const definition = userCode.workflow(started.workflow_type);
  if (definition === undefined) {
    throw pawlError("workflow_type_unknown", {
      type: started.workflow_type,
      known: userCode.workflowTypes.join(", "),
    });
  }
  return new WorkflowInstance(started, "replay", {
    settle: () => new Promise((resolve) => setImmediate(resolve)),
    read: textOf,
    run: (context, input) => userCode.runWorkflow(definition, context, input),
    call: (context, call) => userCode.runInWorkflow(definition, context, call),
    diagnose: () => undefined,
  });
}

function expectEnd(
  recorded: TerminalEvent,
  outcome: WorkflowOutcome | undefined,
  sequence: number,
): void {
  const expected = recordedEnd(recorded);
  if (expected === undefined) return;
  const actual = actualEnd(outcome);
  if (actual !== expected)
    throw pawlError("nondeterminism", {
      sequence: String(sequence),
      expected,
      actual,
      position: "",
    });
}

/** A terminated run ends from outside, a cancelled or limited one with whatever the code did. */
function recordedEnd(event: TerminalEvent): string | undefined {
  switch (event.type) {
    case "WorkflowCompleted":
      return `the result ${canonicalJson(JSON.parse(textOf(event.output)))}`;
    case "WorkflowFailed":
      return event.failure.type === "payload_too_large" || event.failure.type.endsWith("_limit")
        ? undefined
        : failureText(event.failure);
    case "WorkflowCancelled":
    case "WorkflowTerminated":
      return undefined;
  }
}

function actualEnd(outcome: WorkflowOutcome | undefined): string {
  switch (outcome?.kind) {
    case undefined:
      return "no end yet";
    case "returned": {
      const encoded = encode(outcome.value, "the result of the workflow");
      return encoded.kind === "encoded"
        ? `the result ${canonicalJson(JSON.parse(encoded.json))}`
        : failureText(structuralFailure(encoded.error));
    }
    case "threw": {
      return failureText(toFailure(outcome.error));
    }
  }
}

function failureText({ type, message }: Failure): string {
  return `the failure ${type}: ${message}`;
}

function textOf(payload: Payload): string {
  return "json" in payload ? payload.json : "null";
}

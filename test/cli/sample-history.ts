/** The events of a run as the API shows them: local and queued work, a timer, a signal, a timeout. */
import type { EventView } from "../../sdk/client.ts";
import { at } from "./sample-run.ts";

export const RUN = { workflow_id: "order-42", run_id: "run-1" };

function events(...list: readonly (readonly [string, number, object])[]): readonly EventView[] {
  return list.map(([type, offsetMs, payload], index) => ({
    id: `run-1/event/${index + 1}`,
    sequence: index + 1,
    // The names are those of the contract; the type is too narrow for a list of texts.
    type: type as EventView["type"],
    recorded_at: at(offsetMs),
    payload: { ...payload },
  }));
}

const local = { activity_type: "validateOrder", execution_mode: "local" };
const queued = { activity_type: "chargeCard", execution_mode: "queued" };
export const HISTORY = events(
  ["WorkflowStarted", 0, { input: { order: "o-1" } }],
  ["ActivityScheduled", 2, { ...local, arguments: ["o-1"] }],
  ["ActivityStarted", 2, { ...local, attempt_number: 1 }],
  ["ActivityCompleted", 30, { ...local, attempt_number: 1, result: { ok: true } }],
  ["TimerScheduled", 31, { sequence: 2, delay_seconds: 90 }],
  ["SignalReceived", 400, { signal_name: "approve", arguments: ["ann"] }],
  ["ActivityScheduled", 700, { ...queued, arguments: [] }],
  [
    "ActivityRetryScheduled",
    1_400,
    {
      ...queued,
      attempt_number: 1,
      retry_reason: "failure",
      retry_backoff_seconds: 1,
      exception_type: "GatewayError",
      message: "no answer",
    },
  ],
  [
    "ActivityTimedOut",
    62_000,
    { ...queued, attempt_number: 2, timeout_kind: "start_to_close", message: "too slow" },
  ],
  ["WorkflowFailed", 62_001, { exception_type: "ActivityTimeout", message: "too slow" }],
);

/** What must hold once everything is quiet: nothing lost, nothing stuck, rows agree, replays agree. */
import { PARTITION_KEY, SORT_KEY, TABLES } from "../../sdk/adapters/dynamodb/layout.ts";
import type { HistoryEvent, WorkflowStarted } from "../../sdk/core/events.ts";
import { isTerminal } from "../../sdk/core/events.ts";
import { requestKey } from "../../sdk/core/messages.ts";
import { WorkflowInstance } from "../../sdk/core/replay.ts";
import type { UserCode } from "../../sdk/ports/user-code.ts";
import { immediate } from "../../sdk/testing/world/scheduler.ts";
import type { World } from "../../sdk/testing/world/world.ts";
import type { Clients } from "./clients.ts";
import type { LogBook } from "./log-book.ts";
import type { RunLog } from "./run-log.ts";
import { NAMESPACE } from "./stack.ts";
import type { Violations } from "./violations.ts";

export interface FinalOptions {
  readonly world: World;
  readonly book: LogBook;
  readonly clients: Clients;
  readonly userCode: UserCode;
  readonly violations: Violations;
  /** No process died and no body failed: then nothing may cost an attempt (H10). */
  readonly calm: boolean;
}

export async function checkAtEnd(options: FinalOptions): Promise<void> {
  checkStarts(options);
  checkAccepted(options);
  checkQueues(options);
  checkAttempts(options);
  for (const log of options.book.runs.values()) {
    checkRow(options, log);
    if (options.calm) checkAttemptsSpent(options, log);
    await checkReplay(options, log);
  }
}

/** Whether a run is closed, or waits for the outside alone. */
export function isAtRest(log: RunLog): boolean {
  const { state } = log;
  return (
    state.closed ||
    (state.lease === null && state.openActivities.size === 0 && state.openTimers.size === 0)
  );
}

function checkStarts({ world, book, clients, violations }: FinalOptions): void {
  const logged = new Set([...book.runs.values()].map((log) => log.key.workflow_id));
  const rows = world.dynamo
    .items(TABLES.workflow_runs.name)
    .filter((item) => item[SORT_KEY] === "current")
    .map((item) => String(item[PARTITION_KEY]).split("#")[1] ?? "");
  for (const workflowId of new Set([...rows, ...clients.started]))
    violations.expect(
      logged.has(workflowId),
      "I7",
      () => `${workflowId} was started and never ran`,
    );
}

/** I6: what was accepted is in the log, once (I16 sees to the twice). */
function checkAccepted({ book, clients, violations }: FinalOptions): void {
  for (const { workflowId, runId, requestId } of clients.accepted) {
    const log = book.runs.get(`${NAMESPACE}#${workflowId}#${runId}`);
    const known = log?.state.positionOf(requestKey(requestId)) !== undefined;
    violations.expect(
      known,
      "I6",
      () => `request ${requestId} of ${workflowId} was accepted and is not in the log`,
    );
  }
}

function checkQueues({ world, violations }: FinalOptions): void {
  for (const queue of world.sqs.queues()) {
    const bodies = queue.bodies();
    violations.expect(
      bodies.length === 0,
      "I9",
      () => `${bodies.length} messages stay in ${queue.options.name}: ${bodies[0]?.slice(0, 200)}`,
    );
  }
}

/** The attempt rows and the log tell the same. */
function checkAttempts({ book, violations }: FinalOptions): void {
  for (const { pk, sequence, attempt, outcome } of book.outcomes()) {
    const log = book.runs.get(pk);
    const kind =
      typeof outcome === "object" && outcome !== null && "kind" in outcome
        ? String(outcome.kind)
        : "";
    const recorded = log?.events.find((event) => concludes(event, sequence, attempt));
    const agrees = recorded === undefined || AGREEING[kind]?.includes(recorded.type) === true;
    violations.expect(
      agrees,
      "X2",
      () =>
        `${log?.options.name}: the row of ${sequence} #${attempt} says ${kind}, the log ${recorded?.type}`,
    );
  }
}

/** What an outcome may become: a cancel request and the deadline of the whole activity overrule it. */
const AGREEING: Readonly<Record<string, readonly HistoryEvent["type"][]>> = {
  completed: ["ActivityCompleted", "ActivityCancelled", "ActivityTimedOut"],
  failed: ["ActivityFailed", "ActivityRetryScheduled", "ActivityCancelled", "ActivityTimedOut"],
  timed_out: ["ActivityTimedOut", "ActivityRetryScheduled", "ActivityCancelled"],
  cancelled: ["ActivityCancelled", "ActivityTimedOut"],
};

function concludes(event: HistoryEvent, sequence: number, attempt: number): boolean {
  const ends =
    event.type === "ActivityCompleted" ||
    event.type === "ActivityFailed" ||
    event.type === "ActivityTimedOut" ||
    event.type === "ActivityCancelled" ||
    event.type === "ActivityRetryScheduled";
  return ends && event.sequence === sequence && event.attempt_number === attempt;
}

/** An answer that was lost is no crash: whoever takes it for one spends an attempt. */
function checkAttemptsSpent({ violations }: FinalOptions, log: RunLog): void {
  const spent = log.events.find(
    ({ type }) =>
      type === "ActivityRetryScheduled" || type === "ActivityFailed" || type === "ActivityTimedOut",
  );
  violations.expect(
    spent === undefined,
    "H10",
    () => `${log.options.name}: ${spent?.type} although nothing crashed`,
  );
}

/** The run's row follows its log. */
function checkRow({ world, violations }: FinalOptions, log: RunLog): void {
  const row = world.dynamo
    .items(TABLES.workflow_runs.name)
    .find((item) => item["run_id"] === log.key.run_id);
  const expected = statusOf(log);
  violations.expect(
    row?.["status"] === expected,
    "I9",
    () => `${log.options.name}: the row says ${String(row?.["status"])}, the log ${expected}`,
  );
}

function statusOf(log: RunLog): string {
  const last = log.events.at(-1);
  return last !== undefined && isTerminal(last)
    ? last.type.replace("Workflow", "").toLowerCase()
    : "running";
}

/** I5 and I7: a cold replay asks for what is recorded, at the end of every turn, and ends as recorded. */
async function checkReplay(
  { userCode, book, violations }: FinalOptions,
  log: RunLog,
): Promise<void> {
  const { name } = log.options;
  const started = log.events[0];
  if (started?.type !== "WorkflowStarted")
    return violations.report("I1", `${name}: no WorkflowStarted`);
  const instance = createInstance(userCode, book, started);
  try {
    for (const batch of log.batches) {
      for (const event of batch.events) await instance.feed(event);
      if (batch.kind !== "task" || batch.lease !== null || batch.closed) continue;
      violations.expect(
        !instance.wantsSomething(),
        "I5",
        () =>
          `${name}: after the turn that ends at ${batch.sequence} the code wants ${JSON.stringify(instance.unrecorded().map(({ sequence }) => sequence))}`,
      );
    }
  } catch (error) {
    return violations.report("I5", `${name}: ${String(error)}`);
  }
  const last = log.events.at(-1);
  if (last !== undefined && isTerminal(last)) return checkEnd(violations, log, instance);
  violations.expect(isAtRest(log), "I7", () => `${name} is stuck: ${describeRest(log)}`);
  violations.expect(
    !instance.wantsSomething(),
    "I7",
    () => `${name} is stuck: its code wants something that nobody records`,
  );
}

function checkEnd(violations: Violations, log: RunLog, instance: WorkflowInstance): void {
  const last = log.events.at(-1);
  const { outcome } = instance;
  if (last?.type === "WorkflowCompleted") {
    const value = outcome?.kind === "returned" ? JSON.stringify(outcome.value) : undefined;
    violations.expect(
      value === log.options.textOf(last.output),
      "I5",
      () => `${log.options.name}: the replay ends with ${value ?? "nothing"}`,
    );
  }
  if (last?.type === "WorkflowFailed" || last?.type === "WorkflowCancelled")
    violations.expect(
      outcome?.kind === "threw",
      "I5",
      () => `${log.options.name}: the replay does not fail`,
    );
}

function describeRest({ state }: RunLog): string {
  const activities = [...state.openActivities.values()].map(
    (one) =>
      `${one.local_activity ? "local" : "queued"} ${one.sequence} #${one.attempt} ${one.phase}`,
  );
  const timers = [...state.openTimers.keys()].map((sequence) => `timer ${sequence}`);
  return [state.lease === null ? "no lease" : "a lease", ...activities, ...timers].join(", ");
}

function createInstance(
  userCode: UserCode,
  book: LogBook,
  started: WorkflowStarted,
): WorkflowInstance {
  const definition = userCode.workflow(started.workflow_type);
  if (definition === undefined) throw new Error(`no workflow ${started.workflow_type}`);
  return new WorkflowInstance(started, NAMESPACE, {
    settle: immediate,
    read: (payload) => book.textOf(payload),
    run: (context, input) => userCode.runWorkflow(definition, context, input),
    call: (context, call) => userCode.runInWorkflow(definition, context, call),
    diagnose: () => undefined,
  });
}

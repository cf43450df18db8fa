/** What must hold once everything is quiet: nothing lost, nothing stuck, rows agree, replays agree. */
import {
  PARTITION_KEY,
  RUNS_BY_CHECK,
  SORT_KEY,
  TABLES,
} from "../../sdk/adapters/dynamodb/layout.ts";
import type { Batch, HistoryEvent, WorkflowStarted } from "../../sdk/core/events.ts";
import { isTerminal } from "../../sdk/core/events.ts";
import { requestKey } from "../../sdk/core/messages.ts";
import { WorkflowInstance } from "../../sdk/core/replay.ts";
import type { UserCode } from "../../sdk/ports/user-code.ts";
import { immediate } from "../../sdk/testing/world/scheduler.ts";
import type { World } from "../../sdk/testing/world/world.ts";
import { orphans } from "./blobs.ts";
import type { Clients } from "./clients.ts";
import { checkCounted } from "./counted.ts";
import { type FaultGate, NAMESPACE } from "./gate.ts";
import type { LogBook } from "./log-book.ts";
import { differingPrefix } from "./prefixes.ts";
import type { RunLog } from "./run-log.ts";
import type { Violations } from "./violations.ts";

export interface FinalOptions {
  readonly world: World;
  readonly book: LogBook;
  readonly clients: Clients;
  readonly userCode: UserCode;
  readonly violations: Violations;
  /** No process died and no body failed: then nothing may cost an attempt (H10). */
  readonly calm: boolean;
  /** No fault at all: then work is bounded by what it comes to (I20), and no attempt is lost. */
  readonly undisturbed: boolean;
  readonly gate: Pick<FaultGate, "workOperations" | "lostAppends">;
  /** Without a sweeper nobody finds a start whose message never left. */
  readonly sweeps: boolean;
  /** The messages that stayed in the queues: before the questions, during which the sweeper may look again. */
  readonly left: ReadonlyMap<string, readonly string[]>;
  /** What each run answered to a query at the end, by run id. */
  readonly answers: ReadonlyMap<string, unknown>;
  /** The query's argument. */
  readonly word: string;
  /** Replays every prefix of every history from the start. */
  readonly everyPrefix: boolean;
}

export async function checkAtEnd(options: FinalOptions): Promise<void> {
  if (options.undisturbed) checkFrugality(options);
  checkStarts(options);
  checkAccepted(options);
  checkQueues(options);
  checkAttempts(options);
  await checkCounted(options);
  for (const log of options.book.runs.values()) {
    checkRow(options, log);
    checkOrder(options, log);
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

function checkStarts({ world, book, clients, violations, sweeps }: FinalOptions): void {
  const logged = new Set([...book.runs.values()].map((log) => log.key.workflow_id));
  const rows = world.dynamo
    .items(TABLES.workflow_runs.name)
    .filter((item) => item[SORT_KEY] === "current")
    .map((item) => String(item[PARTITION_KEY]).split("#")[1] ?? "");
  for (const workflowId of new Set([...(sweeps ? rows : []), ...clients.started]))
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

/** I16: what was accepted before something else was sent stands before it. */
function checkOrder({ clients, violations }: FinalOptions, log: RunLog): void {
  const placed = clients.accepted
    .filter(({ runId }) => runId === log.key.run_id)
    .map((request) => ({ ...request, place: placeOf(log, request.requestId) }));
  for (const earlier of placed)
    for (const later of placed)
      violations.expect(
        earlier.answeredAt >= later.sentAt || earlier.place <= later.place,
        "I16",
        () =>
          `${log.options.name}: ${earlier.requestId} was accepted before ${later.requestId} was sent, and stands behind it`,
      );
}

function placeOf(log: RunLog, id: string): number {
  return log.events.findIndex(
    (event) =>
      ("signal_id" in event && event.signal_id === id) ||
      ("request_id" in event && event.request_id === id),
  );
}

/** The messages in all queues, by queue. */
export function messagesLeft(world: World): ReadonlyMap<string, readonly string[]> {
  return new Map(world.sqs.queues().map((queue) => [queue.options.name, queue.bodies()]));
}

function checkQueues({ left, violations }: FinalOptions): void {
  for (const [name, bodies] of left)
    violations.expect(
      bodies.length === 0,
      "I9",
      () => `${bodies.length} messages stay in ${name}: ${bodies[0]?.slice(0, 200)}`,
    );
}

/** The attempt rows and the log tell the same; an outcome that the log misses had nobody to go to. */
function checkAttempts({ book, violations }: FinalOptions): void {
  for (const { pk, sequence, attempt, outcome } of book.outcomes()) {
    const log = book.runs.get(pk);
    const recorded = log?.events.find((event) => concludes(event, sequence, attempt));
    const agrees =
      recorded === undefined
        ? log?.closed === true || log?.state.openActivities.has(sequence) === false
        : agreesWith(outcome, recorded);
    violations.expect(
      agrees,
      "X2",
      () =>
        `${log?.options.name}: the row of ${sequence} #${attempt} says ${JSON.stringify(outcome).slice(0, 200)}, the log ${recorded?.type}`,
    );
  }
}

/** What an outcome becomes: a cancel request overrules it, nothing else. */
function agreesWith(outcome: unknown, recorded: HistoryEvent): boolean {
  if (typeof outcome !== "object" || outcome === null || !("kind" in outcome)) return false;
  if (recorded.type === "ActivityCancelled") return true;
  const same = (name: string, value: unknown): boolean =>
    name in outcome &&
    JSON.stringify(Object.entries(outcome).find(([key]) => key === name)?.[1]) ===
      JSON.stringify(value);
  switch (recorded.type) {
    case "ActivityCompleted":
      return outcome.kind === "completed" && same("result", recorded.result);
    case "ActivityFailed":
      return outcome.kind === "failed";
    case "ActivityTimedOut":
      return outcome.kind === "timed_out" && same("timeout_kind", recorded.timeout_kind);
    case "ActivityRetryScheduled":
      return recorded.retry_reason === "failure"
        ? outcome.kind === "failed" && same("failure", recorded.failure)
        : outcome.kind === "timed_out" && same("timeout_kind", recorded.timeout_kind);
    default:
      return false;
  }
}

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

/** Most operations per event and per run, and unused blobs per lost append: measured, and some room. */
const OPERATIONS_PER_EVENT = 3;
const OPERATIONS_PER_RUN = 15;
const ORPHANS_PER_LOSS = 4;

/** I20 and I9: without faults nothing is done in vain. */
function checkFrugality({ book, world, clients, violations, gate }: FinalOptions): void {
  const logs = [...book.runs.values()];
  const events = logs.reduce((sum, log) => sum + log.events.length, 0);
  const { workOperations, lostAppends } = gate;
  violations.expect(
    workOperations <= OPERATIONS_PER_EVENT * events + OPERATIONS_PER_RUN * logs.length,
    "I20",
    () => `${workOperations} operations for ${events} events of ${logs.length} runs`,
  );
  // Large arguments and answers of queries are in no history, nor is the input of a start that
  // another one overtook between its look and its write.
  const count = (answer: string): number => clients.answers.get(answer) ?? 0;
  const overtaken = count("start 409") + count("start 200");
  const unused = orphans(world);
  violations.expect(
    unused.length <= 2 * count("query 200") + overtaken + ORPHANS_PER_LOSS * lostAppends,
    "I9",
    () => `nothing points at ${unused.length} blobs, after ${lostAppends} lost appends`,
  );
  for (const log of logs)
    for (const event of log.events)
      violations.expect(
        !(event.type === "ActivityRetryScheduled" && event.retry_reason === "cold_replay"),
        "H10",
        () => `${log.options.name}: an attempt is lost although nothing crashed`,
      );
}

/** The run's row follows its log. */
function checkRow({ world, violations, sweeps }: FinalOptions, log: RunLog): void {
  const row = world.dynamo
    .items(TABLES.workflow_runs.name)
    .find((item) => item["run_id"] === log.key.run_id);
  const expected = statusOf(log);
  // A row leaves "pending" with its start message, which may never have left.
  const isUnstarted = !sweeps && expected === "running" && row?.["status"] === "pending";
  violations.expect(
    row?.["status"] === expected || isUnstarted,
    "I9",
    () => `${log.options.name}: the row says ${String(row?.["status"])}, the log ${expected}`,
  );
  violations.expect(
    !log.closed || row?.[RUNS_BY_CHECK.sortKey] === undefined,
    "I9",
    () => `${log.options.name}: the sweeper will look at a closed run`,
  );
}

function statusOf(log: RunLog): string {
  const last = log.events.at(-1);
  return last !== undefined && isTerminal(last)
    ? last.type.replace("Workflow", "").toLowerCase()
    : "running";
}

/** I5 and I7: a cold replay asks for what is recorded, at the end of every turn, and ends as recorded. */
async function checkReplay(options: FinalOptions, log: RunLog): Promise<void> {
  const { userCode, book, violations, everyPrefix } = options;
  const { name } = log.options;
  const started = log.events[0];
  if (started?.type !== "WorkflowStarted")
    return violations.report("I1", `${name}: no WorkflowStarted`);
  const instance = createInstance(userCode, book, started);
  try {
    for (const batch of log.batches) {
      for (const event of batch.events) await instance.feed(event);
      checkStand(violations, log, { batch, instance });
    }
    if (everyPrefix) {
      const differing = await differingPrefix({
        batches: log.batches.map(({ events }) => events),
        instance: () => createInstance(userCode, book, started),
      });
      violations.expect(differing === undefined, "I5", () => `${name}: ${differing}`);
    }
  } catch (error) {
    return violations.report("I5", `${name}: ${String(error)}`);
  }
  checkAnswer(options, log, instance);
  const last = log.events.at(-1);
  if (last !== undefined && isTerminal(last)) return checkEnd(violations, log, instance);
  violations.expect(isAtRest(log), "I7", () => `${name} is stuck: ${describeRest(log)}`);
  violations.expect(
    !instance.wantsSomething(),
    "I7",
    () => `${name} is stuck: its code wants something that nobody records`,
  );
}

/** Where a replay stands behind a batch: its header says the same. */
function checkStand(
  violations: Violations,
  log: RunLog,
  { batch, instance }: { readonly batch: Batch; readonly instance: WorkflowInstance },
): void {
  if (batch.kind !== "task" || batch.closed) return;
  const { name } = log.options;
  violations.expect(
    batch.pending_signals === instance.pendingSignals(),
    "I5",
    () => `${name}: batch ${batch.sequence} counts ${batch.pending_signals} signals that wait`,
  );
  violations.expect(
    batch.lease !== null || !instance.wantsSomething(),
    "I5",
    () =>
      `${name}: after the turn that ends at ${batch.sequence} the code wants ${JSON.stringify(instance.unrecorded().map(({ sequence }) => sequence))}`,
  );
}

/** A query is answered from a replay, on open and on closed runs (A10, G4). */
function checkAnswer(
  { answers, word, userCode, violations }: FinalOptions,
  log: RunLog,
  instance: WorkflowInstance,
): void {
  const { run_id: runId } = log.key;
  if (!answers.has(runId)) return;
  const definition = userCode.workflow(instance.info.workflowType);
  const handler = instance.queryHandlers.get("progress");
  if (definition === undefined || handler === undefined) return;
  const expected = JSON.stringify(
    userCode.runInWorkflow(definition, instance, () => handler(word)),
  );
  const answer = JSON.stringify(answers.get(runId));
  violations.expect(
    answer === expected,
    "A10",
    () =>
      `${log.options.name} answers ${answer?.slice(0, 200)}, its replay ${expected.slice(0, 200)}`,
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

/**
 * Starting a run (design section 3, R12, R16): the row first, then the start message. Whatever
 * happens in between, a repeat of the request or the sweeper sends the message again.
 */
import type {
  DuplicatePolicy,
  IdReusePolicy,
  Outcome,
  StartRequest,
  StartResponse,
} from "../../core/api.ts";
import { InfrastructureError, pawlError } from "../../core/errors.ts";
import { type RunKey, SCHEMA_VERSION } from "../../core/events.ts";
import { PENDING_START_MS } from "../../core/limits.ts";
import type { WorkflowTaskMessage } from "../../core/messages.ts";
import { outcomeOfClosing } from "../../core/views/closing.ts";
import type { DirectAnswer } from "../../ports/functions.ts";
import type { Ports } from "../../ports/ports.ts";
import type { RunRow, RunStatus } from "../../ports/runs.ts";
import { checkId, followLog, isOpen, keyOf } from "./find-run.ts";
import type { RegisteredTypes } from "./registered-types.ts";
import {
  type CheckedValue,
  checkValue,
  loadValues,
  staysInline,
  storeValue,
} from "./stored-values.ts";
import { loadOutcome, waitForEnd, waitMs } from "./wait-for-end.ts";

/** Milliseconds by which the safety net of a direct start is late: longer than a usual first turn. */
export const DIRECT_START_DELAY_MS = 5_000;
/** Times that the current row may change hands while one start looks at it. */
const PLACE_ROUNDS_MAX = 5;

/** A start with its ids chosen. */
interface CheckedStart {
  readonly workflow_type: string;
  readonly workflow_id: string;
  readonly request_id: string;
  readonly input: CheckedValue;
  readonly duplicate: DuplicatePolicy;
  readonly reuse: IdReusePolicy;
}

/** The run that a start led to; `started` is false when the run existed before. */
interface Placement {
  readonly row: RunRow;
  readonly started: boolean;
}

/**
 * Starts a run, or finds the one that the request or its policies mean.
 *
 * With `wait` the workflow-task function is invoked directly, so that a run of local activities is
 * answered by one invocation; its start message was sent before and is the safety net.
 * @throws PawlError invalid_id, payload_*, workflow_type_unknown, workflow_already_started
 */
export async function start(
  ports: Ports,
  types: RegisteredTypes,
  request: StartRequest,
): Promise<StartResponse> {
  const checked = checkStart(ports, request);
  await types.require(checked.workflow_type);
  const placement = await place(ports, checked);
  const dueMs = waitMs(request.wait);
  const deadline = ports.host.now() + dueMs;
  const unstarted = placement.started && placement.row.status === "pending";
  const outcome = unstarted
    ? await launch(ports, placement.row, dueMs > 0 ? deadline : undefined)
    : undefined;
  if (outcome !== undefined || dueMs === 0) return respond(placement, outcome);
  const tail = await waitForEnd(ports, keyOf(placement.row), deadline);
  return respond(placement, await loadOutcome(ports, tail));
}

/** The start message of a run: the same body and id from the API, a repeat and the sweeper (R16). */
export function startMessage(run: RunKey): WorkflowTaskMessage {
  return {
    schema: SCHEMA_VERSION,
    type: "workflow_task",
    message_id: `${run.run_id}/start`,
    ...keyOf(run),
    announces: { kind: "start" },
    from: 0,
  };
}

function checkStart(ports: Ports, request: StartRequest): CheckedStart {
  // Without a workflow id of its own, a repeat of the request must find the first one's run.
  const request_id = request.request_id ?? ports.host.newId();
  const workflow_id = request.workflow_id ?? request_id;
  checkId("the workflow type", request.workflow_type);
  checkId("the request id", request_id);
  checkId("the workflow id", workflow_id);
  return {
    workflow_type: request.workflow_type,
    workflow_id,
    request_id,
    input: checkValue(request.input, `the input of workflow ${request.workflow_type}`),
    duplicate: request.duplicate_policy ?? "reject_duplicate",
    reuse: request.id_reuse_policy ?? "allow_duplicate",
  };
}

async function place(ports: Ports, wanted: CheckedStart): Promise<Placement> {
  if (!staysInline(wanted.input)) {
    // A start that is refused, or repeated, must not leave a large input behind.
    const current = await ports.runs.getCurrent(ports.namespace, wanted.workflow_id);
    const verdict = current === undefined ? undefined : await judge(ports, wanted, current);
    if (verdict?.kind === "found") return verdict.placement;
  }
  const row = await newRow(ports, wanted);
  let answer = await ports.runs.create(row);
  for (let round = 0; round < PLACE_ROUNDS_MAX; round++) {
    if (answer.kind === "created") return { row, started: true };
    const verdict = await judge(ports, wanted, answer.row);
    if (verdict.kind === "found") return verdict.placement;
    answer = await ports.runs.replace(row, verdict.current);
  }
  throw new InfrastructureError("the current run of a workflow id kept changing", {
    maybeApplied: false,
  });
}

type Verdict =
  | { readonly kind: "found"; readonly placement: Placement }
  | { readonly kind: "replaceable"; readonly current: RunRow };

/** What a start means where its workflow id has a run. @throws PawlError workflow_already_started */
async function judge(ports: Ports, wanted: CheckedStart, row: RunRow): Promise<Verdict> {
  if (row.request_id === wanted.request_id)
    return { kind: "found", placement: { row, started: true } };
  const current = await currentAsLogged(ports, row);
  if (isOpen(current)) {
    if (wanted.duplicate === "reject_duplicate") throw alreadyStarted(current);
    return { kind: "found", placement: { row: current, started: false } };
  }
  if (!mayReuse(wanted.reuse, current.status)) throw alreadyStarted(current);
  return { kind: "replaceable", current };
}

async function newRow(ports: Ports, wanted: CheckedStart): Promise<RunRow> {
  const now = ports.host.now();
  const run: RunKey = {
    namespace: ports.namespace,
    workflow_id: wanted.workflow_id,
    run_id: ports.host.newId(),
  };
  return {
    ...run,
    workflow_type: wanted.workflow_type,
    status: "pending",
    input: await storeValue(ports, run, wanted.input),
    seed: ports.host.newId(),
    request_id: wanted.request_id,
    started_at: now,
    check_at: now + PENDING_START_MS,
    check_every_ms: PENDING_START_MS,
  };
}

async function currentAsLogged(ports: Ports, row: RunRow): Promise<RunRow> {
  if (!isOpen(row)) return row;
  return followLog(ports, row, await ports.history.readTail(keyOf(row)));
}

function mayReuse(policy: IdReusePolicy, status: RunStatus): boolean {
  switch (policy) {
    case "allow_duplicate":
      return true;
    case "allow_duplicate_failed_only":
      return status !== "completed";
    case "reject_duplicate":
      return false;
  }
}

function alreadyStarted({ workflow_id, run_id, status }: RunRow): Error {
  return pawlError("workflow_already_started", { workflow_id, run_id, status });
}

/** Sends the start message; until `deadline`, when given, also runs the first task directly. */
async function launch(
  ports: Ports,
  row: RunRow,
  deadline: number | undefined,
): Promise<Outcome | undefined> {
  const message = startMessage(row);
  const delayMs = deadline === undefined ? 0 : DIRECT_START_DELAY_MS;
  await ports.queue.send([{ message, delayMs }]);
  if (deadline === undefined) return undefined;
  const answer = await invokeUntil(ports, message, deadline);
  const closing = answer?.kind === "task" ? answer.closing : undefined;
  // Only the log knows why a run was terminated: that one is read from its tail.
  if (closing === undefined || closing.status === "terminated") return undefined;
  const show = await loadValues(ports, closing.output === undefined ? [] : [closing.output]);
  return outcomeOfClosing(closing, show);
}

/** The direct task's answer is advisory: without one the log's tail tells. */
async function invokeUntil(
  ports: Ports,
  message: WorkflowTaskMessage,
  deadline: number,
): Promise<DirectAnswer | undefined> {
  const answered = new AbortController();
  const answer = ports.workflowFunction
    .invoke({ kind: "task", message })
    .catch((error: unknown) => {
      if (!(error instanceof InfrastructureError)) throw error;
      ports.telemetry.warn("a direct start was not answered", { reason: error.name });
      return undefined;
    });
  const over = ports.host
    .sleep(Math.max(0, deadline - ports.host.now()), answered.signal)
    .then(() => undefined);
  try {
    return await Promise.race([answer, over]);
  } finally {
    answered.abort();
  }
}

function respond({ row, started }: Placement, outcome: Outcome | undefined): StartResponse {
  return {
    workflow_id: row.workflow_id,
    run_id: row.run_id,
    workflow_type: row.workflow_type,
    status: outcome?.status ?? row.status,
    started,
    ...(outcome === undefined ? {} : { outcome }),
  };
}

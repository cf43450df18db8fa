/**
 * Signals, cancel and terminate requests (R8, R20): the message with the event in it first, then the
 * append, then the answer. Accepted means in the log; keys make message and append one event.
 */
import type { AcceptedResponse, SignalRequest, StopRequest } from "../../core/api.ts";
import { inboundBatch, nextSequence, tailOf } from "../../core/batch.ts";
import { InfrastructureError, pawlError } from "../../core/errors.ts";
import { type Batch, type HistoryEvent, SCHEMA_VERSION } from "../../core/events.ts";
import { PENDING_SIGNALS_MAX } from "../../core/limits.ts";
import { type RequestEvent, requestId, requestKey } from "../../core/messages.ts";
import { closingOf } from "../../core/views/closing.ts";
import type { Ports } from "../../ports/ports.ts";
import type { RunRow } from "../../ports/runs.ts";
import { startedEvent } from "../started-event.ts";
import { checkId, findRun, followLog, keyOf, type RunRef } from "./find-run.ts";
import { checkValue, storeValue } from "./stored-values.ts";

/** Appends of one request; each lost race means that another event got in. */
const APPENDS_MAX = 20;
/** Milliseconds of jitter before another append, so that the lease's owner goes first. */
const JITTER_MS_FIRST = 10;
const JITTER_MS_MAX = 400;

interface Request {
  readonly row: RunRow;
  readonly id: string;
  /** The caller chose the id, so an earlier request may have used it (R20). */
  readonly idGiven: boolean;
  /** Makes the event; large values are stored here, once it is certain that the event is wanted. */
  readonly event: () => Promise<RequestEvent>;
}

/** @throws PawlError invalid_id, payload_*, workflow_not_found, run_not_found, workflow_closed */
export async function signal(
  ports: Ports,
  ref: RunRef,
  name: string,
  request: SignalRequest,
): Promise<AcceptedResponse> {
  checkId("the signal name", name);
  const args = checkValue(request.args ?? [], `the list of arguments of signal ${name}`);
  const { id, idGiven } = requestIdOf(ports, request.signal_id, "the signal id");
  const row = await findRun(ports, ref);
  const event = async (): Promise<RequestEvent> => ({
    type: "SignalReceived",
    at: ports.host.now(),
    signal_id: id,
    signal_name: name,
    arguments: await storeValue(ports, keyOf(row), args),
  });
  return deliver(ports, { row, id, idGiven, event });
}

/** Asks the run to cancel (J-06). @throws PawlError as {@link signal} */
export async function cancel(
  ports: Ports,
  ref: RunRef,
  request: StopRequest,
): Promise<AcceptedResponse> {
  return stop(ports, ref, request, "CancelRequested");
}

/** Closes the run at once (E9). @throws PawlError as {@link signal} */
export async function terminate(
  ports: Ports,
  ref: RunRef,
  request: StopRequest,
): Promise<AcceptedResponse> {
  return stop(ports, ref, request, "WorkflowTerminated");
}

async function stop(
  ports: Ports,
  ref: RunRef,
  request: StopRequest,
  type: "CancelRequested" | "WorkflowTerminated",
): Promise<AcceptedResponse> {
  const { id, idGiven } = requestIdOf(ports, request.request_id, "the request id");
  const row = await findRun(ports, ref);
  const reason = request.reason === undefined ? {} : { reason: request.reason };
  const event = async (): Promise<RequestEvent> => ({
    type,
    at: ports.host.now(),
    request_id: id,
    ...reason,
  });
  return deliver(ports, { row, id, idGiven, event });
}

function requestIdOf(
  ports: Ports,
  given: string | undefined,
  what: string,
): { readonly id: string; readonly idGiven: boolean } {
  if (given === undefined) return { id: ports.host.newId(), idGiven: false };
  checkId(what, given);
  return { id: given, idGiven: true };
}

/** R8 and R20, step by step. */
async function deliver(ports: Ports, request: Request): Promise<AcceptedResponse> {
  const { row, id, idGiven } = request;
  const run = keyOf(row);
  const accepted: AcceptedResponse = {
    workflow_id: row.workflow_id,
    run_id: row.run_id,
    accepted: true,
    id,
  };
  const seen = await ports.history.readTail(run);
  // A fresh id cannot be in a closed log; a given one may be there from a request that got no answer.
  if (seen?.closed === true && !idGiven) throw await closedError(ports, row, seen);
  const next = nextSequence(seen);
  const from = idGiven ? await ports.guards.guard(run, id, next) : next;
  const since = from < next ? await ports.history.readFrom(run, from) : [];
  if (holds(since, id)) return accepted;
  const tail = since.at(-1) ?? seen;
  if (tail?.closed === true) throw await closedError(ports, row, tail);

  const event = await request.event();
  const pending = tail?.pending_signals ?? 0;
  if (event.type === "SignalReceived" && pending >= PENDING_SIGNALS_MAX)
    throw pawlError("signals_pending_limit", {
      run_id: row.run_id,
      pending: String(pending),
      limit: String(PENDING_SIGNALS_MAX),
    });
  await ports.queue.send([
    {
      message: {
        schema: SCHEMA_VERSION,
        type: "workflow_task",
        message_id: `${row.run_id}/${requestKey(id)}`,
        ...run,
        announces: { kind: "request", event },
        from,
      },
      delayMs: 0,
    },
  ]);
  await appendRequest(ports, row, event, tail);
  return accepted;
}

/** Appends the event unless it is there already; the workflow task may be quicker. */
async function appendRequest(
  ports: Ports,
  row: RunRow,
  event: RequestEvent,
  seen: Batch | undefined,
): Promise<void> {
  const run = keyOf(row);
  const nonce = ports.host.newId();
  let tail = seen;
  for (let append = 1; append <= APPENDS_MAX; append++) {
    if (tail?.closed === true) throw await closedError(ports, row, tail);
    const events: HistoryEvent[] = [
      ...(tail === undefined ? [startedEvent(row, event.at)] : []),
      event,
    ];
    const batch = inboundBatch(tailOf(tail), events, nonce);
    if ((await appendOnce(ports, row, batch)) === "appended") {
      await followLog(ports, row, batch);
      return;
    }
    await ports.host.sleep(jitterMs(append, ports.host.random()));
    const since = await ports.history.readFrom(run, nextSequence(tail));
    if (holds(since, requestId(event))) {
      await followLog(ports, row, since.at(-1));
      return;
    }
    tail = since.at(-1) ?? tail;
  }
  throw new InfrastructureError("the log was too busy for a request", { maybeApplied: true });
}

/** Without an answer the append may have been applied: the log is read again, and tells. */
async function appendOnce(ports: Ports, row: RunRow, batch: Batch): Promise<"appended" | "lost"> {
  try {
    return await ports.history.append(keyOf(row), batch);
  } catch (error) {
    if (!(error instanceof InfrastructureError)) throw error;
    ports.telemetry.warn("an append was not answered", { run_id: row.run_id });
    return "lost";
  }
}

function holds(batches: readonly Batch[], id: string): boolean {
  return batches.some((batch) =>
    batch.events.some((event) => isRequest(event) && requestId(event) === id),
  );
}

function isRequest(event: HistoryEvent): event is RequestEvent {
  return (
    event.type === "SignalReceived" ||
    event.type === "CancelRequested" ||
    event.type === "WorkflowTerminated"
  );
}

async function closedError(ports: Ports, row: RunRow, tail: Batch): Promise<Error> {
  await followLog(ports, row, tail);
  const status = closingOf(tail)?.status ?? row.status;
  return pawlError("workflow_closed", {
    run_id: row.run_id,
    workflow_id: row.workflow_id,
    status,
  });
}

function jitterMs(append: number, random: number): number {
  return random * Math.min(JITTER_MS_FIRST * 2 ** append, JITTER_MS_MAX);
}

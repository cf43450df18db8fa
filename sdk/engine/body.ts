/**
 * Runs one activity body to its end: its value, its error, its deadline, its silence or a cancel.
 * The same for local and queued attempts; how the end is recorded is the caller's matter.
 */
import { PawlError, pawlError } from "../core/errors.ts";
import type { RunKey, TimeoutKind } from "../core/events.ts";
import { CancelledFailure, type Failure, structuralFailure, toFailure } from "../core/failure.ts";
import { activityId } from "../core/ids.ts";
import { INVOCATION_RESERVE_MS } from "../core/limits.ts";
import type { AttemptEnd } from "../core/messages.ts";
import type { ActivityOptionsSnapshot } from "../core/options.ts";
import { decode, encode, type Payload } from "../core/payload.ts";
import type { Host, Invocation } from "../ports/host.ts";
import type { ActivityInfo, ActivityRuntime, UserCode } from "../ports/user-code.ts";
import type { Heartbeats } from "./heartbeats.ts";

export interface Deadline {
  readonly at: number;
  /** The limit that ends the attempt first. */
  readonly kind: TimeoutKind;
}

export interface Body {
  readonly info: ActivityInfo;
  readonly deadline: Deadline;
  readonly argumentsJson: string;
  /** Details of the previous attempt's last heartbeat. */
  readonly heartbeatJson: string | undefined;
  /** The silence that ends the attempt; undefined when heartbeats are not enforced. */
  readonly heartbeatMs: number | undefined;
  readonly controller: AbortController;
  readonly beats: Heartbeats;
}

export interface BodyPorts {
  readonly host: Host;
  readonly userCode: UserCode;
  keep(json: string, bytes: number): Promise<Payload>;
}

/** When an attempt that starts now ends at the latest: its limit, the whole activity's, the function's (H-06). */
export function deadlineOf(
  activity: {
    readonly options: ActivityOptionsSnapshot;
    readonly schedule_to_close_deadline_at?: number;
  },
  now: number,
  invocation: Invocation,
): Deadline {
  const budget = now + invocation.remainingMs() - INVOCATION_RESERVE_MS;
  const attempt = Math.min(
    budget,
    now + (activity.options.start_to_close_ms ?? Number.POSITIVE_INFINITY),
  );
  const whole = activity.schedule_to_close_deadline_at ?? Number.POSITIVE_INFINITY;
  return whole < attempt
    ? { at: whole, kind: "schedule_to_close" }
    : { at: attempt, kind: "start_to_close" };
}

/** What a body may know of its attempt. */
export function infoOf(
  run: RunKey,
  attempt: Omit<
    ActivityInfo,
    "activityId" | "idempotencyKey" | "namespace" | "workflowId" | "runId"
  > & { readonly sequence: number },
): ActivityInfo {
  const { sequence, ...fields } = attempt;
  const id = activityId(run.run_id, sequence);
  return {
    ...fields,
    activityId: id,
    // The same for every attempt (B-14).
    idempotencyKey: id,
    namespace: run.namespace,
    workflowId: run.workflow_id,
    runId: run.run_id,
  };
}

/** Given a reason, an abort makes no DOMException with a stack of its own: it is one for every body. */
const FINISHED = "the body has ended";

/** Ends with the body, its deadline, its silence, or an error that escaped it, whatever comes first. */
export async function runBody(ports: BodyPorts, body: Body): Promise<AttemptEnd> {
  const { host } = ports;
  if (host.now() >= body.deadline.at)
    return { kind: "timed_out", timeout_kind: body.deadline.kind };
  const finished = new AbortController();
  const failed = Promise.withResolvers<AttemptEnd>();
  const runtime: ActivityRuntime = {
    info: body.info,
    signal: body.controller.signal,
    heartbeatDetails: body.heartbeatJson === undefined ? undefined : decode(body.heartbeatJson),
    heartbeat: (details) => body.beats.beat(details),
    isOver: () => body.beats.isOver,
    fail: (error) => failed.resolve({ kind: "failed", failure: failureOf(error) }),
  };
  const end = await Promise.race([
    call(ports, body, runtime),
    overdue(host, body, finished.signal),
    failed.promise,
  ]);
  finished.abort(FINISHED);
  body.beats.close();
  // The deadline wins over a value that is late because the event loop was blocked (design section 4).
  const late = host.now() >= body.deadline.at && end.kind !== "timed_out";
  return late ? { kind: "timed_out", timeout_kind: body.deadline.kind } : end;
}

async function call(ports: BodyPorts, body: Body, runtime: ActivityRuntime): Promise<AttemptEnd> {
  const { activityType: type, isLocal } = body.info;
  const definition = ports.userCode.activity(type);
  if (definition === undefined) {
    const error = pawlError("activity_type_unknown", {
      type,
      known: ports.userCode.activityTypes.join(", "),
    });
    // During a deployment the worker that knows the type may come a moment later: retried when queued (C12).
    return { kind: "failed", failure: { ...structuralFailure(error), non_retryable: isLocal } };
  }
  const decoded = decode(body.argumentsJson);
  let value: unknown;
  try {
    value = await ports.userCode.runActivity(
      definition,
      runtime,
      Array.isArray(decoded) ? decoded : [decoded],
    );
  } catch (error) {
    const { signal } = body.controller;
    if (signal.aborted && error === signal.reason) return { kind: "cancelled" };
    return { kind: "failed", failure: failureOf(error) };
  }
  const encoded = encode(value, `the result of activity ${type}`);
  if (encoded.kind === "refused")
    return { kind: "failed", failure: structuralFailure(encoded.error) };
  return { kind: "completed", result: await ports.keep(encoded.json, encoded.bytes) };
}

function failureOf(error: unknown): Failure {
  return error instanceof PawlError ? structuralFailure(error) : toFailure(error);
}

/** Resolves at the deadline or after too long a silence, and tells the body to stop; else never. */
async function overdue(host: Host, body: Body, finished: AbortSignal): Promise<AttemptEnd> {
  for (;;) {
    const silentAt =
      body.heartbeatMs === undefined
        ? Number.POSITIVE_INFINITY
        : body.beats.lastSign + body.heartbeatMs;
    const until = Math.min(body.deadline.at, silentAt);
    await host.sleep(Math.max(0, until - host.now()), finished);
    if (finished.aborted) return await new Promise<never>(() => undefined);
    const isOver = host.now() >= body.deadline.at;
    const isSilent =
      body.heartbeatMs !== undefined && host.now() >= body.beats.lastSign + body.heartbeatMs;
    if (!isOver && !isSilent) continue;
    const kind = isOver ? body.deadline.kind : "heartbeat";
    body.controller.abort(new CancelledFailure(`the attempt exceeded its ${kind} timeout`));
    return { kind: "timed_out", timeout_kind: kind };
  }
}

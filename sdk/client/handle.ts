/** A handle: everything that can be asked of, and told to, one workflow. */

import { uuidv7 } from "uuidv7";
import type {
  AcceptedResponse,
  EventView,
  HistoryResponse,
  Outcome,
  QueryResponse,
  RebuildResponse,
  ResultResponse,
  RunDetail,
  TimelineEntry,
  TimelineResponse,
} from "../core/api.ts";
import { idProblem } from "../core/ids.ts";
import { RESULT_WAIT_MS_MAX } from "../core/limits.ts";
import type { HistoryExport } from "../core/views/history-export.ts";
import {
  ResultTimeoutError,
  WorkflowCancelledError,
  WorkflowFailedError,
  WorkflowTerminatedError,
} from "./client-errors.ts";
import type { QueryLike, SignalLike } from "./definitions.ts";
import { sendable } from "./sendable.ts";
import type { Transport } from "./transport.ts";

/** Events on one page of the history. */
const HISTORY_PAGE = 500;
/** Milliseconds between two questions when the API answers "still open" without waiting. */
const POLL_MS_FIRST = 50;
const POLL_MS_MAX = 1_000;

/** A signal with an id of the caller's: equal ids are one signal, whoever sends them (R20). */
export interface SignalCall<Args extends readonly unknown[] = readonly unknown[]> {
  readonly signal: SignalLike<Args> | string;
  readonly id: string;
}

/** A whole timeline: every page's entries, and the attempts as the last page had them. */
export type Timeline = Omit<TimelineResponse, "next_after">;

/** A history export: the bundle of requirements 2.6. */
export type { HistoryExport };

export interface HandleFields {
  readonly workflowId: string;
  /** Absent: whichever run is the current one when asked. */
  readonly runId: string | undefined;
  /** Known when the run closed while its start was waiting. */
  readonly outcome?: Outcome | undefined;
  /** False when `start` found a run that existed before. */
  readonly started?: boolean;
}

export class WorkflowHandle<Result = unknown> {
  /** The workflow's id. */
  readonly id: string;
  /** The run that this handle means; undefined: the current one. */
  readonly runId: string | undefined;
  /** False when `start` found a run that existed before; true for handles not made by `start`. */
  readonly started: boolean;
  readonly #transport: Transport;
  readonly #outcome: Outcome | undefined;

  constructor(transport: Transport, fields: HandleFields) {
    this.#transport = transport;
    this.id = fields.workflowId;
    this.runId = fields.runId;
    this.started = fields.started ?? true;
    this.#outcome = fields.outcome;
  }

  /**
   * Waits for the run to close and returns its result.
   * @param options.timeout seconds; default: no limit
   * @throws WorkflowFailedError, WorkflowCancelledError, WorkflowTerminatedError: how it closed
   * @throws ResultTimeoutError when it is open after `timeout`; ApiError, ConnectionError
   */
  async result(options: { readonly timeout?: number } = {}): Promise<Result> {
    if (this.#outcome !== undefined) return this.#settle(this.#outcome, this.runId ?? "");
    const { clock } = this.#transport;
    let runId = this.runId;
    const deadline =
      options.timeout === undefined ? undefined : clock.now() + options.timeout * 1_000;
    for (let pollMs = POLL_MS_FIRST; ; pollMs = Math.min(pollMs * 2, POLL_MS_MAX)) {
      const askedAt = clock.now();
      const waitSeconds = waitFor(deadline, askedAt);
      const answer = await this.#get<ResultResponse>("/result", { wait: waitSeconds }, runId);
      runId = answer.run_id;
      if (answer.outcome !== undefined) return this.#settle(answer.outcome, answer.run_id);
      const now = clock.now();
      if (deadline !== undefined && now >= deadline)
        throw new ResultTimeoutError(this.id, options.timeout ?? 0);
      // An API that answers before `wait` is over must not be asked in a hot loop.
      if (now - askedAt < POLL_MS_MAX)
        await clock.sleep(Math.min(pollMs, (deadline ?? Number.POSITIVE_INFINITY) - now));
    }
  }

  /** The run in detail: status, activities with attempts, timers, signals. */
  describe(): Promise<RunDetail> {
    return this.#get("");
  }

  /** Every event of the run, in order. */
  async history(): Promise<readonly EventView[]> {
    const events: EventView[] = [];
    let runId = this.runId;
    for (let after: number | undefined = 0; after !== undefined; ) {
      const query = { after, limit: HISTORY_PAGE };
      const page: HistoryResponse = await this.#get("/history", query, runId);
      runId = page.run_id;
      events.push(...page.events);
      after = page.next_after ?? undefined;
    }
    return events;
  }

  /**
   * One page of the history.
   * @param options.after the sequence number after which it begins; default 0
   * @param options.limit events, at most; default 500
   */
  historyPage(
    options: { readonly after?: number; readonly limit?: number } = {},
  ): Promise<HistoryResponse> {
    const { after = 0, limit = HISTORY_PAGE } = options;
    return this.#get("/history", { after, limit });
  }

  /**
   * What happened when: every event on one line, and the attempts of local and queued activities as
   * spans of time (S-06).
   */
  async timeline(): Promise<Timeline> {
    const entries: TimelineEntry[] = [];
    let runId = this.runId;
    for (let after = 0; ; ) {
      const query = { after, limit: HISTORY_PAGE };
      const page: TimelineResponse = await this.#get("/timeline", query, runId);
      runId = page.run_id;
      entries.push(...page.entries);
      if (page.next_after === null) {
        const { workflow_id, run_id, attempts } = page;
        return { workflow_id, run_id, entries, attempts };
      }
      after = page.next_after;
    }
  }

  /** The run as one self-contained bundle (S-05). */
  async export(): Promise<HistoryExport> {
    const runId = this.runId ?? (await this.describe()).run_id;
    return this.#transport.call({
      method: "GET",
      path: `${runPath(this.id, runId)}/history/export`,
    });
  }

  /**
   * Sends a signal; resolves when it is in the run's log. A repeat after a lost answer is the same
   * signal. To fix its id yourself, pass `{ signal, id }` in place of the definition.
   */
  async signal<Args extends readonly unknown[]>(
    signal: SignalLike<Args> | SignalCall<Args> | string,
    ...args: Args
  ): Promise<void> {
    const { signal: target, id } =
      typeof signal === "object" && "signal" in signal ? signal : { signal, id: uuidv7() };
    const name = typeof target === "string" ? target : target.name;
    await this.#post<AcceptedResponse>(`/signal/${segment("signal", name)}`, {
      args: sendable(args, `the list of arguments of signal ${name}`),
      signal_id: id,
    });
  }

  /** Asks the workflow's code; changes nothing and is answered from its state. */
  async query<Answer = unknown, Args extends readonly unknown[] = readonly unknown[]>(
    query: QueryLike<Args, Answer> | string,
    ...args: Args
  ): Promise<Answer> {
    const name = typeof query === "string" ? query : query.name;
    const path = `/query/${segment("query", name)}`;
    const answer = await this.#post<QueryResponse>(path, {
      args: sendable(args, `the list of arguments of query ${name}`),
    });
    // The type is the definition's promise about what its handler returns.
    return answer.result as Answer;
  }

  /** Asks the run to cancel; its code decides when it ends. Resolves when the request is in the log. */
  async cancel(reason?: string): Promise<void> {
    await this.#post<AcceptedResponse>("/cancel", stopRequest(reason));
  }

  /** Writes the rows of the run's activities again, from its log. */
  rebuild(): Promise<RebuildResponse> {
    return this.#post("/rebuild", {});
  }

  /** Ends the run at once; its code has no say. */
  async terminate(reason?: string): Promise<void> {
    await this.#post<AcceptedResponse>("/terminate", stopRequest(reason));
  }

  #settle(outcome: Outcome, runId: string): Result {
    switch (outcome.status) {
      case "completed":
        // The type is the definition's promise about what its function returns.
        return outcome.result as Result;
      case "failed":
        throw new WorkflowFailedError(this.id, runId, outcome.failure);
      case "cancelled":
        throw new WorkflowCancelledError(this.id, runId);
      case "terminated":
        throw new WorkflowTerminatedError(this.id, runId, outcome.reason);
    }
  }

  /** @param runId the run that an earlier answer named: a restart in between must not mix two runs */
  async #get<Answer>(
    path: string,
    query: Readonly<Record<string, number>> = {},
    runId: string | undefined = this.runId,
  ): Promise<Answer> {
    return this.#transport.call({
      method: "GET",
      path: runPath(this.id, runId) + path,
      query,
    });
  }

  async #post<Answer>(path: string, body: unknown): Promise<Answer> {
    return this.#transport.call({
      method: "POST",
      path: runPath(this.id, this.runId) + path,
      body,
    });
  }
}

function runPath(workflowId: string, runId: string | undefined): string {
  const workflow = `/api/workflows/${segment("workflow id", workflowId)}`;
  return runId === undefined ? workflow : `${workflow}/runs/${segment("run id", runId)}`;
}

/** One part of a path. What is no id would mean another path, or none. @throws PawlError invalid_id */
function segment(what: string, value: string): string {
  const problem = idProblem(`the ${what}`, value);
  if (problem !== undefined) throw problem;
  return encodeURIComponent(value);
}

function stopRequest(reason: string | undefined): object {
  return { request_id: uuidv7(), ...(reason === undefined ? {} : { reason }) };
}

/** Whole seconds to let the API wait. */
function waitFor(deadline: number | undefined, now: number): number {
  const remainingMs = deadline === undefined ? RESULT_WAIT_MS_MAX : Math.max(0, deadline - now);
  return Math.ceil(Math.min(RESULT_WAIT_MS_MAX, remainingMs) / 1_000);
}

/**
 * The client of the HTTP API. Nothing here knows AWS: signing is injected, so a browser bundle of
 * this file holds no AWS package; `sdk/client.ts` adds the default signing of Node.
 */
import { uuidv7 } from "uuidv7";
import type {
  DuplicatePolicy,
  IdReusePolicy,
  ListResponse,
  MetricsResponse,
  StartRequest,
  StartResponse,
  WorkflowStatus,
  WorkflowSummary,
} from "../core/api.ts";
import { type WorkflowLike, workflowType } from "./definitions.ts";
import { WorkflowHandle } from "./handle.ts";
import { sendable } from "./sendable.ts";
import {
  type ClientClock,
  type Fetch,
  REQUEST_ATTEMPTS_MAX,
  type Sign,
  systemClock,
  Transport,
} from "./transport.ts";

/** Where the embedded stack listens unless it is told otherwise. */
export const DEFAULT_BASE_URL = "http://127.0.0.1:7400";

export interface BaseClientOptions {
  /** The API's address, its stage included. Default: `PAWL_API_URL`, else {@link DEFAULT_BASE_URL}. */
  readonly baseUrl?: string | undefined;
  /** Default: the global `fetch`. */
  readonly fetch?: Fetch;
  /** Makes the headers of each request; default: none are added. */
  readonly sign?: Sign | undefined;
  /** Attempts of one request in all when no answer comes or the service is unavailable. Default 5. */
  readonly attemptsMax?: number;
  /** For tests: the time by which the client waits. */
  readonly clock?: ClientClock;
}

export interface StartOptions<Input> {
  /** Default: a fresh id. */
  readonly id?: string;
  /** Any JSON; default null. */
  readonly input?: Input;
  /** Seconds, 0 to 20, for which the start waits for the result; default 0. */
  readonly wait?: number;
  /** While a run of this id is open. Default `reject_duplicate`. */
  readonly duplicatePolicy?: DuplicatePolicy;
  /** When the last run of this id is closed. Default `allow_duplicate`. */
  readonly idReusePolicy?: IdReusePolicy;
  /** Equal for repeats of one start, which then find the first one's run. Default: a fresh id. */
  readonly requestId?: string;
}

/** `input` may be left out only where the workflow takes none. */
export type StartArguments<Input> = undefined extends Input
  ? [options?: StartOptions<Input>]
  : [options: StartOptions<Input> & { readonly input: Input }];

export interface ListOptions {
  readonly status?: WorkflowStatus;
  readonly type?: string;
  /** A date, or an ISO 8601 text. */
  readonly startedAfter?: Date | string;
  readonly startedBefore?: Date | string;
  /** Runs on one page, 1 to 100. */
  readonly limit?: number;
  /** `next_cursor` of the page before, unchanged. */
  readonly cursor?: string;
}

/** What the cluster says about itself (requirements 2.5). */
export type ClusterInfo = Readonly<Record<string, unknown>>;

export class BaseClient {
  readonly #transport: Transport;

  constructor(options: BaseClientOptions = {}) {
    this.#transport = new Transport({
      baseUrl: options.baseUrl ?? environment("PAWL_API_URL") ?? DEFAULT_BASE_URL,
      fetch: options.fetch ?? ((url, init) => globalThis.fetch(url, init)),
      sign: options.sign,
      clock: options.clock ?? systemClock,
      attemptsMax: options.attemptsMax ?? REQUEST_ATTEMPTS_MAX,
    });
  }

  /** The API's address. */
  get baseUrl(): string {
    return this.#transport.baseUrl;
  }

  /**
   * Starts a workflow and returns a handle of its run. A lost answer is asked for again with the
   * same request id, so one call starts at most one run.
   * @throws ApiError workflow_already_started and the other codes of the start, ConnectionError
   * @throws PawlError workflow_unnamed for a definition without the `name` option, payload_* for an
   *   input that JSON would change
   */
  start<Input, Result>(
    workflow: WorkflowLike<Input, Result>,
    ...options: StartArguments<Input>
  ): Promise<WorkflowHandle<Result>>;
  start<Result = unknown>(
    type: string,
    options?: StartOptions<unknown>,
  ): Promise<WorkflowHandle<Result>>;
  async start(
    workflow: WorkflowLike | string,
    options: StartOptions<unknown> = {},
  ): Promise<WorkflowHandle> {
    const body = startRequest(workflowType(workflow), options);
    const answer = await this.#transport.call<StartResponse>({
      method: "POST",
      path: "/api/workflows",
      body,
    });
    return new WorkflowHandle(this.#transport, {
      workflowId: answer.workflow_id,
      runId: answer.run_id,
      outcome: answer.outcome,
      started: answer.started,
    });
  }

  /** A handle of a workflow that runs already; without `runId` its current run. Asks nothing. */
  handle<Input, Result>(
    workflow: WorkflowLike<Input, Result>,
    id: string,
    runId?: string,
  ): WorkflowHandle<Result>;
  handle<Result = unknown>(id: string, runId?: string): WorkflowHandle<Result>;
  handle(first: WorkflowLike | string, second: string | undefined, third?: string): WorkflowHandle {
    const [workflowId, runId] = typeof first === "string" ? [first, second] : [second, third];
    return new WorkflowHandle(this.#transport, { workflowId: workflowId ?? "", runId });
  }

  /** One page of runs, the newest first. */
  list(options: ListOptions = {}): Promise<ListResponse> {
    return this.#transport.call({
      method: "GET",
      path: "/api/workflows",
      query: {
        status: options.status,
        workflow_type: options.type,
        started_after: isoTime(options.startedAfter),
        started_before: isoTime(options.startedBefore),
        limit: options.limit,
        cursor: options.cursor,
      },
    });
  }

  /** Every run, page after page, the newest first. */
  async *listAll(options: ListOptions = {}): AsyncGenerator<WorkflowSummary, void, void> {
    let cursor = options.cursor;
    for (;;) {
      const page = await this.list({ ...options, ...(cursor === undefined ? {} : { cursor }) });
      yield* page.workflows;
      if (page.next_cursor === null) return;
      cursor = page.next_cursor;
    }
  }

  /** What the cluster says about itself: version, capabilities, limits (T-01). */
  clusterInfo(): Promise<ClusterInfo> {
    return this.#transport.call({ method: "GET", path: "/api/cluster/info" });
  }

  /** Sums over all runs: how many are open, and what became of their activities (S-07). */
  metrics(): Promise<MetricsResponse> {
    return this.#transport.call({ method: "GET", path: "/api/system/metrics" });
  }

  /** Answers when the API is up. It is the one route that needs no credentials. */
  health(): Promise<Readonly<Record<string, unknown>>> {
    return this.#transport.call({ method: "GET", path: "/api/health" });
  }
}

function startRequest(type: string, options: StartOptions<unknown>): StartRequest {
  return {
    workflow_type: type,
    request_id: options.requestId ?? uuidv7(),
    ...(options.id === undefined ? {} : { workflow_id: options.id }),
    ...(options.input === undefined
      ? {}
      : { input: sendable(options.input, `the input of workflow ${type}`) }),
    ...(options.wait === undefined ? {} : { wait: options.wait }),
    ...(options.duplicatePolicy === undefined ? {} : { duplicate_policy: options.duplicatePolicy }),
    ...(options.idReusePolicy === undefined ? {} : { id_reuse_policy: options.idReusePolicy }),
  };
}

function isoTime(time: Date | string | undefined): string | undefined {
  return time instanceof Date ? time.toISOString() : time;
}

/** A variable of the environment, where there is one: a browser has none. */
export function environment(name: string): string | undefined {
  const value = typeof process === "undefined" ? undefined : process.env[name];
  return value === "" ? undefined : value;
}

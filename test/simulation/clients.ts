/** Callers of the API: starts, signals, cancels, terminations, queries, reads; some repeat, some give up. */
import type { RunKey } from "../../sdk/core/events.ts";
import { gatewayFetch } from "../../sdk/testing/world/api-gateway.ts";
import type { World } from "../../sdk/testing/world/world.ts";
import type { Program } from "./grammar.ts";
import { SIGNALS } from "./program.ts";
import type { Rng } from "./rng.ts";
import type { Trace } from "./trace.ts";
import type { Violations } from "./violations.ts";

/** A request that the API answered with success: its event must be in the log. */
export interface Accepted {
  readonly workflowId: string;
  readonly runId: string;
  readonly requestId: string;
  /** When a request with this id was first sent, and this one was answered. */
  readonly sentAt: number;
  readonly answeredAt: number;
}

export interface Start {
  readonly workflowId: string;
  readonly program: Program;
  readonly wait: number;
  /** Another request for the same workflow id, with these policies. */
  readonly again?: Readonly<Record<string, string>>;
}

export interface ClientOptions {
  readonly world: World;
  readonly rng: Rng;
  readonly trace: Trace;
  readonly violations: Violations;
  /** No new requests after this virtual time, milliseconds since the epoch. */
  readonly until: number;
  /** Callers come back after hours. */
  readonly patient: boolean;
}

/** These callers wait however long it takes. */
const NEVER = new AbortController();
const REPEATS_MAX = 3;
const LARGE_CHARACTERS = 9_000;
/** When the workflow id is taken, or was. */
const POLICIES = [
  {},
  { duplicate_policy: "return_existing_active" },
  { id_reuse_policy: "allow_duplicate_failed_only" },
  { id_reuse_policy: "reject_duplicate" },
] as const;

export class Clients {
  readonly accepted: Accepted[] = [];
  /** Workflows whose start was answered with success, to whom started it. */
  readonly started: Set<string> = new Set();
  readonly answers: Map<string, number> = new Map();
  /** When the first request with an id was sent, by workflow and id. */
  readonly #sentAt = new Map<string, number>();
  readonly #options: ClientOptions;
  readonly #fetch: ReturnType<typeof gatewayFetch>;

  constructor(options: ClientOptions) {
    this.#options = options;
    const { world } = options;
    this.#fetch = gatewayFetch(
      (event) => world.lambda.invoke("api", event),
      () => world.scheduler.now(),
    );
  }

  /** Plans everything that callers do with one workflow. */
  plan(start: Start, withinMs: number): void {
    const { rng, world } = this.#options;
    const at = (delayMs: number, call: () => Promise<void>): void => {
      world.scheduler.at(delayMs, () => void call());
    };
    const beginMs = rng.int(0, Math.min(2_000, withinMs));
    at(beginMs, () => this.start(start));
    if (rng.chance(0.2)) at(beginMs + rng.int(0, 500), () => this.start(start));
    const actions = rng.int(0, 4);
    for (let index = 0; index < actions; index++) {
      const delayMs = rng.chance(0.2) ? rng.int(0, 300) : rng.int(300, withinMs);
      at(beginMs + delayMs, () => this.#act(start.workflowId, `q${rng.int(0, 2)}-${index % 3}`));
    }
    if (rng.chance(0.15)) {
      const cancelMs = beginMs + rng.int(200, withinMs);
      at(cancelMs, () => this.#stop(start.workflowId, "cancel", "c1"));
      if (rng.chance(0.2))
        at(cancelMs + rng.int(0, 9_000), () => this.#stop(start.workflowId, "cancel", "c2"));
    }
    if (rng.chance(0.06))
      at(beginMs + rng.int(200, withinMs), () => this.#stop(start.workflowId, "terminate", "x1"));
    for (const readMs of [withinMs, 2 * withinMs])
      if (rng.chance(0.15)) at(beginMs + rng.int(200, readMs), () => this.#read(start.workflowId));
    // The same workflow id once more: refused while the run is open, another run when it is closed.
    for (const [index, chance] of [0.15, 0.05].entries())
      if (rng.chance(chance))
        at(beginMs + rng.int(2_000, withinMs), () =>
          this.start({ ...start, again: { ...rng.pick(POLICIES), request_id: `again${index}` } }),
        );
    if (this.#options.patient) this.#planLate(start, at);
  }

  /** What callers do hours later. */
  #planLate({ workflowId }: Start, at: (delayMs: number, call: () => Promise<void>) => void): void {
    const { rng, world, until } = this.#options;
    const restMs = until - world.scheduler.now();
    for (let index = rng.int(0, 3); index > 0; index--)
      at(rng.int(60_000, restMs), () => this.#act(workflowId, `late-${index}`));
    if (rng.chance(0.1))
      at(rng.int(60_000, restMs), () => this.#stop(workflowId, "cancel", "late"));
    if (rng.chance(0.2)) at(rng.int(60_000, restMs), () => this.#read(workflowId));
  }

  /** The same few calls every time, for exhaustive faults: a start and two early signals. */
  planFixed(start: Start): void {
    const { world } = this.#options;
    world.scheduler.at(0, () => void this.start(start));
    for (const [index, name] of (["red", "red"] as const).entries())
      world.scheduler.at(
        60 + 400 * index,
        () => void this.signal(start.workflowId, name, `s${index}`),
      );
  }

  async start({ workflowId, program, wait, again }: Start): Promise<void> {
    const { root, ballast } = program;
    const answer = await this.#request("start", "POST", "/api/workflows", {
      workflow_type: "program",
      workflow_id: workflowId,
      request_id: `start-${workflowId}`,
      input: ballast === undefined ? { root } : { root, ballast },
      ...(wait === 0 ? {} : { wait }),
      ...again,
    });
    // Who merely found a run has not sent its start message: the one who placed it may have died.
    if (answer !== undefined && answer.status < 300 && answer.body["started"] === true)
      this.started.add(workflowId);
  }

  async signal(
    workflowId: string,
    name: string,
    id: string | undefined,
    word = `${name}!`,
  ): Promise<void> {
    const path = `/api/workflows/${workflowId}/signal/${name}`;
    const body = { args: [word], ...(id === undefined ? {} : { signal_id: id }) };
    this.#noteSent(workflowId, id);
    this.#note(workflowId, await this.#request("signal", "POST", path, body));
  }

  async #act(workflowId: string, id: string): Promise<void> {
    const { rng } = this.#options;
    const name = rng.pick(SIGNALS);
    const word = rng.chance(0.03) ? name.padEnd(LARGE_CHARACTERS, "!") : undefined;
    await this.signal(workflowId, name, rng.chance(0.7) ? id : undefined, word);
  }

  async #stop(workflowId: string, verb: "cancel" | "terminate", id: string): Promise<void> {
    const path = `/api/workflows/${workflowId}/${verb}`;
    const body = { request_id: id, reason: "enough" };
    this.#noteSent(workflowId, id);
    this.#note(workflowId, await this.#request(verb, "POST", path, body));
  }

  async #read(workflowId: string): Promise<void> {
    const { rng } = this.#options;
    const path = `/api/workflows/${workflowId}`;
    switch (rng.int(0, 5)) {
      case 0:
      case 1: {
        const word = rng.chance(0.1) ? "?".repeat(LARGE_CHARACTERS) : "?";
        await this.#request("query", "POST", `${path}/query/progress`, { args: [word] });
        return;
      }
      case 2:
        await this.#request("describe", "GET", path);
        return;
      case 3:
        await this.#request("history", "GET", `${path}/history`);
        return;
      case 4:
        await this.#request("result", "GET", `${path}/result?wait=${rng.int(0, 5)}`);
        return;
      default:
        await this.#request("list", "GET", "/api/workflows");
    }
  }

  /** Asks one run the query of all programs; answers what it says, once nothing fails any more. */
  async ask({ workflow_id: id, run_id: runId }: RunKey, word: string): Promise<unknown> {
    const path = `/api/workflows/${id}/runs/${runId}/query/progress`;
    const answer = await this.#request("query", "POST", path, { args: [word] });
    return answer?.body["result"];
  }

  #noteSent(workflowId: string, id: string | undefined): void {
    const name = `${workflowId} ${id}`;
    if (id !== undefined && !this.#sentAt.has(name))
      this.#sentAt.set(name, this.#options.world.scheduler.now());
  }

  #note(workflowId: string, answer: Answer | undefined): void {
    if (answer === undefined || answer.status >= 300) return;
    const { run_id: runId, id } = answer.body;
    if (typeof runId !== "string" || typeof id !== "string") return;
    // An id of the API's own is as old as the request that was answered.
    const sentAt = this.#sentAt.get(`${workflowId} ${id}`) ?? answer.sentAt;
    const answeredAt = this.#options.world.scheduler.now();
    this.accepted.push({ workflowId, runId, requestId: id, sentAt, answeredAt });
  }

  /** Repeats what got no answer, as an impatient caller does, or gives up. */
  async #request(
    verb: string,
    method: "GET" | "POST",
    path: string,
    body?: object,
  ): Promise<Answer | undefined> {
    const { world, rng, trace, violations, until } = this.#options;
    const patient = rng.chance(0.6);
    for (let repeat = 0; ; repeat++) {
      const answer = await this.#once(method, path, body);
      trace.add(
        `CLIENT ${verb} ${path} ${answer.status} ${String(answer.body["code"] ?? answer.body["status"] ?? "")}`,
      );
      this.answers.set(
        `${verb} ${answer.status}`,
        (this.answers.get(`${verb} ${answer.status}`) ?? 0) + 1,
      );
      violations.expect(
        answer.status !== 500,
        "API",
        () => `${verb} was answered with 500: ${JSON.stringify(answer.body)}`,
      );
      const repeats = answer.status >= 500 || (answer.status === 404 && verb === "signal");
      if (!repeats || !patient || repeat >= REPEATS_MAX || world.scheduler.now() > until)
        return answer;
      await world.scheduler.sleep(rng.int(200, 3_000));
    }
  }

  async #once(method: "GET" | "POST", path: string, body: object | undefined): Promise<Answer> {
    const init = {
      method,
      headers: { "content-type": "application/json" },
      signal: NEVER.signal,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    };
    const sentAt = this.#options.world.scheduler.now();
    const response = await this.#fetch(`http://localhost${path}`, init);
    const parsed: unknown = JSON.parse((await response.text()) || "{}");
    return {
      sentAt,
      status: response.status,
      body: typeof parsed === "object" && parsed !== null ? { ...parsed } : {},
    };
  }
}

interface Answer {
  readonly sentAt: number;
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

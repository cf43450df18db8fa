/**
 * One request of the HTTP API: URL, signature, retries, and errors by name. Decides what may be
 * repeated: no answer, 502, 503, 504 and a throttled request of the gateway. That is safe for every
 * route, because each request that changes something carries an id which a repeat keeps.
 */
import { pawlError } from "../core/errors.ts";
import { ApiError, ConnectionError } from "./client-errors.ts";

/** What a signer sees: the request as it will be sent. */
export interface OutgoingRequest {
  readonly method: "GET" | "POST";
  readonly url: URL;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Returns the headers to send instead of `request.headers`; called again for every attempt. */
export type Sign = (request: OutgoingRequest) => Promise<Readonly<Record<string, string>>>;

/** The part of `fetch` that the client uses, so that a router's own function fits as well. */
export type Fetch = (url: string, init: FetchInit) => Promise<Response> | Response;
export interface FetchInit {
  readonly method: string;
  readonly headers: Record<string, string>;
  readonly body?: string;
  readonly signal: AbortSignal;
}

/** Time as the client sees it. */
export interface ClientClock {
  /** Milliseconds since any fixed point. */
  now(): number;
  sleep(delayMs: number): Promise<void>;
}

export const systemClock: ClientClock = {
  now: () => Date.now(),
  sleep: (delayMs) => new Promise((resolve) => setTimeout(resolve, delayMs)),
};

/** Attempts of one request in all. */
export const REQUEST_ATTEMPTS_MAX = 5;
/** Milliseconds before the second attempt; doubles up to the maximum. */
const BACKOFF_MS_FIRST = 200;
const BACKOFF_MS_MAX = 3_000;
/** Milliseconds that one attempt may take: API Gateway answers after 29 s at the latest. */
const ATTEMPT_MS_MAX = 35_000;
const STATUSES_TO_REPEAT: ReadonlySet<number> = new Set([502, 503, 504]);

export interface TransportOptions {
  readonly baseUrl: string;
  readonly fetch: Fetch;
  readonly sign: Sign | undefined;
  readonly clock: ClientClock;
  readonly attemptsMax: number;
}

export interface Call {
  readonly method: "GET" | "POST";
  /** Begins with `/api/`; its parts are encoded already. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly body?: unknown;
}

export class Transport {
  readonly #options: TransportOptions;

  constructor(options: TransportOptions) {
    this.#options = options;
  }

  get clock(): ClientClock {
    return this.#options.clock;
  }

  get baseUrl(): string {
    return this.#options.baseUrl;
  }

  /**
   * Sends one request and returns its answer's JSON, of which the caller names the type: the API's
   * contract (`sdk/core/api.ts`) is trusted, not checked again.
   * @throws ApiError when the API refuses, ConnectionError when no answer came
   */
  async call<Answer>(call: Call): Promise<Answer> {
    const request = this.#outgoing(call);
    for (let attempt = 1; ; attempt++) {
      const answer = await this.#attempt(request);
      if (answer.ok) return answer.json as Answer;
      if (!answer.repeatable || attempt >= this.#options.attemptsMax) throw answer.error;
      await this.clock.sleep(backoffMs(attempt));
    }
  }

  #outgoing(call: Call): OutgoingRequest {
    const url = urlOf(this.#options.baseUrl, call);
    const headers = { accept: "application/json", host: url.host };
    if (call.body === undefined) return { method: call.method, url, headers };
    return {
      method: call.method,
      url,
      headers: { ...headers, "content-type": "application/json" },
      body: JSON.stringify(call.body),
    };
  }

  async #attempt(request: OutgoingRequest): Promise<Attempt> {
    const signed = await (this.#options.sign?.(request) ?? request.headers);
    // fetch sets the host itself and refuses to be told; it is in the signature all the same.
    const { host: _host, ...headers } = signed;
    let response: Response;
    let body: string;
    try {
      response = await this.#options.fetch(request.url.href, {
        method: request.method,
        headers,
        ...(request.body === undefined ? {} : { body: request.body }),
        signal: AbortSignal.timeout(ATTEMPT_MS_MAX),
      });
      body = await response.text();
    } catch (cause) {
      const error = new ConnectionError(this.#options.baseUrl, cause);
      return { ok: false, repeatable: true, error };
    }
    return readAnswer(response, body, this.#options.baseUrl);
  }
}

type Attempt =
  | { readonly ok: true; readonly json: unknown }
  | {
      readonly ok: false;
      readonly repeatable: boolean;
      readonly error: ApiError | ConnectionError;
    };

function readAnswer(response: Response, body: string, baseUrl: string): Attempt {
  const json = parse(body);
  if (response.ok && json !== undefined) return { ok: true, json };
  const error = apiError(response, json, baseUrl);
  // A 429 with a code of Pawl's is a limit of the run; without one the gateway throttles.
  const throttled = response.status === 429 && error.code === "unexpected_answer";
  return {
    ok: false,
    repeatable: STATUSES_TO_REPEAT.has(response.status) || throttled,
    error,
  };
}

function apiError(response: Response, json: unknown, baseUrl: string): ApiError {
  const body = isRecord(json) ? json : {};
  const requestId = text(body["request_id"]) ?? response.headers.get("x-amzn-requestid") ?? "";
  const code = text(body["code"]);
  const message = text(body["message"]);
  if (code !== undefined && message !== undefined) {
    const details = isRecord(body["details"]) ? body["details"] : {};
    const hint = text(body["hint"]) ?? "";
    return new ApiError({ code, message, hint, status: response.status, requestId, details });
  }
  const denied = response.status === 401 || response.status === 403;
  const entry = pawlError(denied ? "not_authorized" : "unexpected_answer", {
    url: baseUrl,
    status: String(response.status),
    reason: message ?? text(body["Message"]) ?? "the body is not JSON of this API",
  });
  return new ApiError({
    code: entry.code,
    message: entry.message,
    hint: entry.hint,
    status: response.status,
    requestId,
  });
}

/** With jitter, so that many clients do not come back at the same moment. */
function backoffMs(attempt: number): number {
  const ceiling = Math.min(BACKOFF_MS_MAX, BACKOFF_MS_FIRST * 2 ** (attempt - 1));
  return Math.round(ceiling / 2 + (Math.random() * ceiling) / 2);
}

function urlOf(baseUrl: string, call: Call): URL {
  const url = new URL(baseUrl.replace(/\/+$/, "") + call.path);
  for (const [name, value] of Object.entries(call.query ?? {}))
    if (value !== undefined) url.searchParams.set(name, String(value));
  return url;
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

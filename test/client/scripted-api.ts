/**
 * The far end of the wire: answers each request of the client from a script, in order, and keeps
 * what was sent. Time moves only when the client sleeps or an answer says that it took time.
 */
import type { ClientClock, Fetch } from "../../sdk/client.ts";

export interface Sent {
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
}

/** One scripted answer: a status and JSON, raw text, or a broken connection. */
export type Answer =
  | { readonly status: number; readonly json: unknown; readonly takesMs?: number }
  | { readonly status: number; readonly text: string }
  | { readonly broken: string };

export class ScriptedApi {
  readonly sent: Sent[] = [];
  readonly slept: number[] = [];
  readonly #answers: Answer[];
  #nowMs = 0;

  /** The last answer repeats. */
  constructor(...answers: readonly Answer[]) {
    this.#answers = [...answers];
  }

  readonly clock: ClientClock = {
    now: () => this.#nowMs,
    sleep: async (delayMs) => {
      this.slept.push(delayMs);
      this.#nowMs += delayMs;
    },
  };

  readonly fetch: Fetch = async (href, init) => {
    const url = new URL(href);
    this.sent.push({
      method: init.method,
      path: url.pathname,
      query: Object.fromEntries(url.searchParams),
      headers: init.headers,
      body: init.body === undefined ? undefined : JSON.parse(init.body),
    });
    const answer = this.#answers.length > 1 ? this.#answers.shift() : this.#answers[0];
    if (answer === undefined) throw new Error(`no answer is scripted for ${init.method} ${href}`);
    if ("broken" in answer)
      throw new TypeError("fetch failed", { cause: new Error(answer.broken) });
    if ("text" in answer) return new Response(answer.text, { status: answer.status });
    this.#nowMs += answer.takesMs ?? 0;
    return Response.json(answer.json, { status: answer.status });
  };
}

export function ok(json: unknown, takesMs: number = 0): Answer {
  return { status: 200, json, takesMs };
}

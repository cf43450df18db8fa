/** What the bad-input suites share: one platform, a run that must not notice, and how a refusal looks. */
import { expect } from "vitest";
import type { Client, WorkflowHandle } from "../../sdk/client.ts";
import { ERRORS, type ErrorCode } from "../../sdk/core/errors.ts";
import { type RawRequest, replayHistory, type TestPlatform } from "../../sdk/testing/index.ts";
import type { EndToEndTarget } from "./end-to-end.suite.ts";
import * as worker from "./worker.ts";

export const START = "/api/workflows";
const BODY_ERRORS: readonly ErrorCode[] = [
  "invalid_json",
  "invalid_request",
  "request_too_large",
  "payload_too_deep",
];

export class BadInputSetting {
  readonly target: EndToEndTarget;
  readonly finished: WorkflowHandle[] = [];
  #open: { readonly platform: TestPlatform; readonly witness: WorkflowHandle } | undefined;

  constructor(target: EndToEndTarget) {
    this.target = target;
  }

  async open(): Promise<void> {
    const platform = await this.target.create();
    this.#open = { platform, witness: await platform.client.start("approval") };
  }

  /** A4: whatever was refused, what was recorded replays. */
  async close(): Promise<void> {
    for (const handle of this.finished)
      await replayHistory(worker, { history_events: await handle.history() });
    await this.platform.close();
  }

  get platform(): TestPlatform {
    return this.#opened().platform;
  }

  get client(): Client {
    return this.platform.client;
  }

  /** Open since before anything bad came. */
  get witness(): WorkflowHandle {
    return this.#opened().witness;
  }

  async run(type: string, input: unknown): Promise<unknown> {
    const handle = await this.client.start(type, { input });
    this.finished.push(handle);
    return await handle.result();
  }

  /** Sends a request and expects this refusal, in its whole form (S10). */
  async refused(code: ErrorCode, path: string, request?: RawRequest): Promise<string> {
    const response = await this.platform.fetch(path, request);
    const text = await response.text();
    const shown = `${request?.method ?? "GET"} ${path.slice(0, 80)}: ${text.slice(0, 200)}`;
    if (this.#isGatewayRefusal(code, response.status, text)) return text;
    expect({ status: response.status, code: codeIn(text) }, shown).toEqual({
      status: ERRORS[code].status,
      code,
    });
    const body: unknown = JSON.parse(text);
    expect(body, shown).toEqual({
      code,
      message: expect.stringMatching(/./),
      hint: expect.stringMatching(/./),
      request_id: expect.stringMatching(/./),
    });
    expect(text).not.toMatch(/\bat .*\.[jt]s:\d|dynamodb|sqs\.|arn:/i);
    return text;
  }

  /**
   * A real gateway validates bodies by the route's model before any function sees them. AWS answers
   * in the form that the deployment gives it (test/infra), LocalStack always with these words.
   */
  #isGatewayRefusal(code: ErrorCode, status: number, text: string): boolean {
    if (this.target.name !== "localstack" || !BODY_ERRORS.includes(code)) return false;
    return status === 400 && /^\{"message": ?"Invalid request body"\}$/.test(text);
  }

  #opened() {
    if (this.#open === undefined) throw new Error("the setting was not opened");
    return this.#open;
  }
}

export function post(body: string, headers: Readonly<Record<string, string>> = {}): RawRequest {
  return { method: "POST", body, headers: { "content-type": "application/json", ...headers } };
}

export function json(value: unknown): RawRequest {
  return post(JSON.stringify(value));
}

function codeIn(text: string): unknown {
  try {
    return JSON.parse(text).code;
  } catch {
    return "an answer that is not JSON";
  }
}

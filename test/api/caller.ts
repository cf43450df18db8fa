/** Calls the api function as API Gateway does, over the real operations and adapters. */
import { expect } from "vitest";
import { createApiHandler } from "../../functions/api.ts";
import { ERRORS } from "../../sdk/core/errors.ts";
import { ApiWorld } from "../operations/world.ts";
import { CONTEXT, gatewayEvent, type Requested } from "./gateway-event.ts";

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
  readonly body: AnswerBody;
}

/** What the tests read of the bodies; each knows which one its route answers. */
interface AnswerBody extends Readonly<Record<string, unknown>> {
  readonly code: string;
  readonly workflow_id: string;
  readonly run_id: string;
  readonly workflows: readonly unknown[];
  readonly signals: readonly unknown[];
  readonly history_events: readonly unknown[];
  readonly platform_protocol_specs: {
    readonly specs: {
      readonly local_activity_runtime: { readonly spec_url: string; readonly spec_id: string };
    };
  };
}

export interface ApiCaller {
  readonly world: ApiWorld;
  call(method: string, path: string, request?: Requested): Promise<Answer>;
  /** Starts a workflow of the registered type; the run's id. */
  startOrder(workflowId: string): Promise<string>;
}

export function apiCaller(): ApiCaller {
  const world = new ApiWorld();
  const handler = createApiHandler(world.ports);
  const call = async (method: string, path: string, request: Requested = {}): Promise<Answer> => {
    const answer = await handler(gatewayEvent(method, path, request), CONTEXT);
    return {
      status: answer.statusCode,
      headers: answer.headers ?? {},
      text: answer.body,
      body: JSON.parse(answer.body),
    };
  };
  return {
    world,
    call,
    async startOrder(workflow_id) {
      const body = { workflow_type: "order", workflow_id };
      return (await call("POST", "/api/workflows", { body })).body.run_id;
    },
  };
}

/** An answer that refuses with this code, whose message holds `reason`. */
export function refusal(code: keyof typeof ERRORS, reason: string) {
  return {
    status: ERRORS[code].status,
    body: {
      code,
      message: expect.stringContaining(reason),
      hint: expect.any(String),
      request_id: CONTEXT.awsRequestId,
    },
  };
}

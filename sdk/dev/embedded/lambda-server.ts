/** Lambda's Invoke on a loopback port: how a function calls another one through the AWS SDK. */

import type { IncomingMessage } from "node:http";
import { type Answer, type HttpServer, jsonAnswer, readBody, serve } from "./http.ts";
import type { InvocationResult } from "./wire.ts";

/** Lambda's limit for a synchronous event, bytes. */
const EVENT_BYTES_MAX = 6_291_556;

/** `invoke` answers undefined for a function that does not exist. */
export function startLambdaServer(
  invoke: (name: string, event: unknown) => Promise<InvocationResult> | undefined,
): Promise<HttpServer> {
  return serve(0, (request) => answer(request, invoke));
}

async function answer(
  request: IncomingMessage,
  invoke: (name: string, event: unknown) => Promise<InvocationResult> | undefined,
): Promise<Answer> {
  const body = await readBody(request, EVENT_BYTES_MAX);
  const name = functionName(request.url ?? "");
  if (request.method !== "POST" || name === undefined)
    return refusal(404, "ResourceNotFoundException", "there is only Invoke here");
  if (body === undefined) return refusal(413, "RequestTooLargeException", "the event is too large");
  let event: unknown;
  try {
    event = body.length === 0 ? {} : JSON.parse(body.toString("utf8"));
  } catch {
    return refusal(400, "InvalidRequestContentException", "the event is not JSON");
  }
  const invocation = invoke(name, event);
  if (invocation === undefined)
    return refusal(404, "ResourceNotFoundException", `Function not found: ${name}`);
  if (request.headers["x-amz-invocation-type"] === "Event")
    return { status: 202, headers: {}, body: "" };
  const result = await invocation;
  if (result.kind === "failed")
    return jsonAnswer(200, result.error, { "x-amz-function-error": "Unhandled" });
  return { status: 200, headers: { "content-type": "application/json" }, body: result.payload };
}

/** The name in /2015-03-31/functions/{name or ARN}/invocations. */
function functionName(url: string): string | undefined {
  const encoded = /^\/2015-03-31\/functions\/([^/?]+)\/invocations/.exec(url)?.[1];
  return encoded === undefined ? undefined : decodeURIComponent(encoded).split(":").at(-1);
}

function refusal(status: number, type: string, message: string): Answer {
  return jsonAnswer(status, { Type: "User", message }, { "x-amzn-errortype": type });
}

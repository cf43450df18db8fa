/** API Gateway's REST API (v1, Lambda proxy integration) as a `fetch`, without a network. */

import type { APIGatewayProxyEvent } from "aws-lambda";
import type { Fetch, FetchInit } from "../../client/transport.ts";
import { unsignedIdentity } from "../../dev/unsigned-identity.ts";
import type { InvocationResult } from "./lambda.ts";

const REQUEST_BYTES_MAX = 10_485_760;

/** @param invoke runs the api function with a proxy event */
export function gatewayFetch(
  invoke: (event: APIGatewayProxyEvent) => Promise<InvocationResult>,
  now: () => number,
): Fetch {
  return async (url, init) => {
    if (Buffer.byteLength(init.body ?? "") > REQUEST_BYTES_MAX)
      return answer(413, { message: "Request Too Long" });
    return responseOf(await invoke(proxyEvent(new URL(url), init, now())));
  };
}

function responseOf(result: InvocationResult): Response {
  if (result.kind === "failed") {
    return result.ending === "timeout"
      ? answer(504, { message: "Endpoint request timed out" })
      : answer(502, { message: "Internal server error" });
  }
  const { payload } = result;
  const isAnswer = typeof payload === "object" && payload !== null && "statusCode" in payload;
  if (!isAnswer || typeof payload.statusCode !== "number")
    return answer(502, { message: "Internal server error" });
  const body = "body" in payload && typeof payload.body === "string" ? payload.body : "";
  const isBase64 = "isBase64Encoded" in payload && payload.isBase64Encoded === true;
  const headers = new Headers();
  if ("headers" in payload && typeof payload.headers === "object" && payload.headers !== null)
    for (const [name, value] of Object.entries(payload.headers)) headers.set(name, String(value));
  return new Response(isBase64 ? Buffer.from(body, "base64") : body, {
    status: payload.statusCode,
    headers,
  });
}

function answer(status: number, body: object): Response {
  return new Response(JSON.stringify(body), {
    status,
    headers: { "content-type": "application/json" },
  });
}

function proxyEvent(url: URL, init: FetchInit, now: number): APIGatewayProxyEvent {
  const names = [...new Set(url.searchParams.keys())];
  const headers = Object.entries({ host: url.host, ...init.headers });
  return {
    resource: "/{proxy+}",
    path: url.pathname,
    httpMethod: init.method,
    headers: Object.fromEntries(headers),
    multiValueHeaders: Object.fromEntries(headers.map(([name, value]) => [name, [value]])),
    queryStringParameters:
      names.length === 0
        ? null
        : Object.fromEntries(names.map((name) => [name, url.searchParams.getAll(name).at(-1)])),
    multiValueQueryStringParameters:
      names.length === 0
        ? null
        : Object.fromEntries(names.map((name) => [name, url.searchParams.getAll(name)])),
    pathParameters: { proxy: url.pathname.slice(1) },
    stageVariables: null,
    requestContext: requestContext(url, init.method, now),
    body: init.body ?? null,
    isBase64Encoded: false,
  };
}

function requestContext(
  url: URL,
  httpMethod: string,
  now: number,
): APIGatewayProxyEvent["requestContext"] {
  return {
    accountId: "000000000000",
    apiId: "memory",
    authorizer: null,
    domainName: url.host,
    httpMethod,
    identity: unsignedIdentity("127.0.0.1"),
    path: url.pathname,
    protocol: "HTTP/1.1",
    requestId: `gateway-${now}`,
    requestTime: new Date(now).toUTCString(),
    requestTimeEpoch: now,
    resourceId: "proxy",
    resourcePath: "/{proxy+}",
    stage: "memory",
  };
}

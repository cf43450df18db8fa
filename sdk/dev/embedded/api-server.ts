/** API Gateway's REST API (v1, Lambda proxy integration) on a loopback port. */

import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { APIGatewayProxyEvent } from "aws-lambda";
import * as v from "valibot";
import { unsignedIdentity } from "../unsigned-identity.ts";
import { ACCOUNT } from "./deployment.ts";
import { type Answer, type HttpServer, jsonAnswer, readBody, serve } from "./http.ts";
import type { InvocationResult } from "./wire.ts";

/** API Gateway's limit for a request, bytes. */
const REQUEST_BYTES_MAX = 10_485_760;

const header = v.union([v.string(), v.number(), v.boolean()]);
const proxyAnswer = v.object({
  statusCode: v.number(),
  headers: v.nullish(v.record(v.string(), header)),
  multiValueHeaders: v.nullish(v.record(v.string(), v.array(header))),
  body: v.nullish(v.string()),
  isBase64Encoded: v.nullish(v.boolean()),
});

export function startApiServer(
  port: number,
  invoke: (event: APIGatewayProxyEvent) => Promise<InvocationResult>,
): Promise<HttpServer> {
  return serve(port, async (request) => {
    // A web page of another origin must not reach the API through the developer's browser.
    if (!isLocal(request)) return jsonAnswer(403, { message: "Forbidden" });
    const body = await readBody(request, REQUEST_BYTES_MAX);
    if (body === undefined) return jsonAnswer(413, { message: "Request Too Long" });
    return httpAnswer(await invoke(proxyEvent(request, body)));
  });
}

/** True when neither the host (DNS rebinding) nor the origin (another site) is foreign. */
function isLocal({ headers }: IncomingMessage): boolean {
  const origin = headers.origin;
  if (!isLoopback(`http://${headers.host ?? ""}`)) return false;
  return origin === undefined || isLoopback(origin);
}

function isLoopback(url: string): boolean {
  return (
    URL.canParse(url) &&
    /^(localhost|127\.0\.0\.1|\[::1\])$|\.localhost$/.test(new URL(url).hostname)
  );
}

function proxyEvent(request: IncomingMessage, body: Buffer): APIGatewayProxyEvent {
  const [path = "/", search = ""] = splitOnce(request.url ?? "/", "?");
  const query = new URLSearchParams(search);
  const multiValueQuery = Object.fromEntries(
    [...new Set(query.keys())].map((name) => [name, query.getAll(name)]),
  );
  const multiValueHeaders = headersOf(request);
  const httpMethod = request.method ?? "GET";
  return {
    resource: "/{proxy+}",
    path,
    httpMethod,
    headers: mapValues(multiValueHeaders, (values) => values.at(-1) ?? ""),
    multiValueHeaders,
    queryStringParameters: search === "" ? null : mapValues(multiValueQuery, lastOf),
    multiValueQueryStringParameters: search === "" ? null : multiValueQuery,
    pathParameters: { proxy: path.slice(1) },
    stageVariables: null,
    requestContext: requestContext(request, path, httpMethod),
    body: body.length === 0 ? null : body.toString("utf8"),
    isBase64Encoded: false,
  };
}

function requestContext(
  request: IncomingMessage,
  path: string,
  httpMethod: string,
): APIGatewayProxyEvent["requestContext"] {
  const now = new Date();
  return {
    accountId: ACCOUNT,
    apiId: "embedded",
    authorizer: null,
    domainName: request.headers.host ?? "127.0.0.1",
    httpMethod,
    identity: unsignedIdentity(
      request.socket.remoteAddress ?? "127.0.0.1",
      request.headers["user-agent"],
    ),
    path,
    protocol: "HTTP/1.1",
    requestId: randomUUID(),
    requestTime: now.toUTCString(),
    requestTimeEpoch: now.getTime(),
    resourceId: "proxy",
    resourcePath: "/{proxy+}",
    stage: "embedded",
  };
}

function httpAnswer(result: InvocationResult): Answer {
  if (result.kind === "failed") {
    return result.error.errorType === "Sandbox.Timedout"
      ? jsonAnswer(504, { message: "Endpoint request timed out" })
      : jsonAnswer(502, { message: "Internal server error" });
  }
  const parsed = v.safeParse(proxyAnswer, JSON.parse(result.payload));
  if (!parsed.success) return jsonAnswer(502, { message: "Internal server error" });
  const { statusCode, headers, multiValueHeaders, body, isBase64Encoded } = parsed.output;
  return {
    status: statusCode,
    headers: {
      ...mapValues(headers ?? {}, String),
      ...mapValues(multiValueHeaders ?? {}, (values) => values.map(String)),
    },
    body: Buffer.from(body ?? "", isBase64Encoded === true ? "base64" : "utf8"),
  };
}

function headersOf(request: IncomingMessage): Record<string, string[]> {
  const headers: Record<string, string[]> = {};
  for (let index = 0; index + 1 < request.rawHeaders.length; index += 2) {
    const [name = "", value = ""] = request.rawHeaders.slice(index, index + 2);
    headers[name] = [...(headers[name] ?? []), value];
  }
  return headers;
}

function mapValues<From, To>(
  record: Readonly<Record<string, From>>,
  change: (value: From) => To,
): Record<string, To> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, change(value)]));
}

function lastOf(values: readonly string[]): string {
  return values.at(-1) ?? "";
}

function splitOnce(text: string, separator: string): readonly [string, string] {
  const index = text.indexOf(separator);
  return index < 0 ? [text, ""] : [text.slice(0, index), text.slice(index + 1)];
}

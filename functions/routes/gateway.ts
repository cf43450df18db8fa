/**
 * API Gateway's proxy events (REST API, payload 1.0) as requests. Only method, path, query and body
 * are passed on: who calls was decided by the gateway, and no header changes what a route does.
 */
import type { APIGatewayProxyEvent } from "aws-lambda";

/** The host has no meaning here; a URL needs one. */
const ORIGIN = "https://api";

export function requestOf(event: APIGatewayProxyEvent): Request {
  const query = queryOf(event).toString();
  const url = `${ORIGIN}${event.path}${query === "" ? "" : `?${query}`}`;
  const method = event.httpMethod;
  // A Request of these methods cannot be built with a body, and it would mean nothing.
  if (event.body === null || method === "GET" || method === "HEAD")
    return new Request(url, { method });
  const body = Buffer.from(event.body, event.isBase64Encoded ? "base64" : "utf8");
  return new Request(url, { method, body, headers: { "content-length": String(body.length) } });
}

/** The gateway has decoded names and values. */
function queryOf(event: APIGatewayProxyEvent): URLSearchParams {
  const query = new URLSearchParams();
  const every = event.multiValueQueryStringParameters;
  for (const [name, values] of Object.entries(every ?? {}))
    for (const value of values ?? []) query.append(name, value);
  if (every !== null && every !== undefined) return query;
  for (const [name, value] of Object.entries(event.queryStringParameters ?? {}))
    query.append(name, value ?? "");
  return query;
}

/** API Gateway's proxy events (REST API) as the service sends them: the path stays encoded. */

import type { APIGatewayProxyEvent, Context } from "aws-lambda";
import { unsignedIdentity } from "../../sdk/dev/unsigned-identity.ts";

export interface Requested {
  readonly query?: Readonly<Record<string, string | readonly string[]>>;
  /** Text as it is; anything else as JSON. */
  readonly body?: unknown;
  readonly isBase64Encoded?: boolean;
  readonly headers?: Readonly<Record<string, string>>;
}

export function gatewayEvent(
  method: string,
  path: string,
  { query = {}, body, isBase64Encoded = false, headers = {} }: Requested = {},
): APIGatewayProxyEvent {
  const lists = Object.entries(query).map(([name, value]) => [name, [value].flat()] as const);
  const has = lists.length > 0;
  return {
    resource: "/{proxy+}",
    path,
    httpMethod: method,
    headers: { ...headers },
    multiValueHeaders: Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name, [value]]),
    ),
    queryStringParameters: has
      ? Object.fromEntries(lists.map(([name, values]) => [name, values.at(-1)]))
      : null,
    multiValueQueryStringParameters: has
      ? Object.fromEntries(lists.map(([name, values]) => [name, [...values]]))
      : null,
    pathParameters: null,
    stageVariables: null,
    body: body === undefined ? null : typeof body === "string" ? body : JSON.stringify(body),
    isBase64Encoded,
    requestContext: {
      accountId: "000000000000",
      apiId: "api",
      authorizer: null,
      protocol: "HTTP/1.1",
      httpMethod: method,
      identity: unsignedIdentity("127.0.0.1"),
      path: `/prod${path}`,
      stage: "prod",
      requestId: "gateway-request",
      requestTimeEpoch: 0,
      resourceId: "r",
      resourcePath: "/{proxy+}",
    },
  };
}

export const CONTEXT: Context = {
  awsRequestId: "request-7",
  callbackWaitsForEmptyEventLoop: false,
  functionName: "api",
  functionVersion: "1",
  invokedFunctionArn: "arn:aws:lambda:us-east-1:000000000000:function:api",
  memoryLimitInMB: "512",
  logGroupName: "g",
  logStreamName: "s",
  getRemainingTimeInMillis: () => 29_000,
  done: () => {},
  fail: () => {},
  succeed: () => {},
};

/** The api function: API Gateway's proxy events to the routes, one composition per process. */
import { createHash } from "node:crypto";
import type { APIGatewayProxyEvent, APIGatewayProxyResult, Context } from "aws-lambda";
import { pawlError } from "../sdk/core/errors.ts";
import { createOperations } from "../sdk/engine/operations/operations.ts";
import type { Ports } from "../sdk/ports/ports.ts";
import { portsFromEnvironment } from "./compose.ts";
import { refuse } from "./routes/answer.ts";
import { createApp } from "./routes/app.ts";
import { requestOf } from "./routes/gateway.ts";

export type ApiHandler = (
  event: APIGatewayProxyEvent,
  context: Context,
) => Promise<APIGatewayProxyResult>;

/** UTF-8 bytes of an answer as Lambda sends it: 6 MB with the body escaped into JSON once more. */
const ANSWER_BYTES_MAX = 6_200_000;

/** The API over the given ports; the embedded stack, the tests and Lambda all call this one. */
export function createApiHandler(ports: Ports): ApiHandler {
  const app = createApp(createOperations(ports, sha256), ports.telemetry);
  return async (event, context) => {
    const response = await app.fetch(requestOf(event), { lambdaContext: context });
    const headers = Object.fromEntries(response.headers);
    const answer = { statusCode: response.status, headers, body: await response.text() };
    const bytes = Buffer.byteLength(JSON.stringify(answer));
    if (bytes <= ANSWER_BYTES_MAX) return answer;
    const limit = String(ANSWER_BYTES_MAX);
    const error = pawlError("response_too_large", { bytes: String(bytes), limit });
    const refusal = refuse(error, context.awsRequestId, ports.telemetry);
    return { ...answer, statusCode: refusal.status, body: JSON.stringify(refusal.body) };
  };
}

/** Lambda's entry point; ports are built with the first request, so that a failure is logged as one. */
let served: ApiHandler | undefined;
export const handler: ApiHandler = (event, context) => {
  served ??= createApiHandler(portsFromEnvironment());
  return served(event, context);
};

function sha256(text: string): string {
  return createHash("sha256").update(text, "utf8").digest("hex");
}

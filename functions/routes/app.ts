/** The HTTP API over the operations: routes, limits, errors, and nothing that decides about runs. */
import { bodyLimit } from "hono/body-limit";
import { Hono } from "hono/quick";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { getPath } from "hono/utils/url";
import { pawlError } from "../../sdk/core/errors.ts";
import { REQUEST_BYTES_MAX } from "../../sdk/core/limits.ts";
import type { Operations } from "../../sdk/engine/operations/operations.ts";
import type { Telemetry } from "../../sdk/ports/telemetry.ts";
import { refuse } from "./answer.ts";
import { addClusterRoutes } from "./cluster-routes.ts";
import { addRunRoutes } from "./run-routes.ts";
import { addWorkflowRoutes } from "./workflow-routes.ts";

/** What the handler passes on of an invocation. */
interface Bindings {
  readonly lambdaContext?: { readonly awsRequestId: string };
}
export type ApiApp = Hono<{ Bindings: Bindings }>;

const PATH_ECHO_LENGTH_MAX = 200;

export function createApp(operations: Operations, telemetry: Telemetry): ApiApp {
  const app: ApiApp = new Hono({ getPath: (request) => withoutPrefix(getPath(request)) });
  app.use(async (context, next) => {
    await next();
    context.header("cache-control", "no-store");
    context.header("x-content-type-options", "nosniff");
  });
  app.use(
    bodyLimit({
      maxSize: REQUEST_BYTES_MAX,
      onError: (context) => {
        const bytes = context.req.header("content-length") ?? `more than ${REQUEST_BYTES_MAX}`;
        throw pawlError("request_too_large", { bytes, limit: String(REQUEST_BYTES_MAX) });
      },
    }),
  );
  addClusterRoutes(app, operations);
  addWorkflowRoutes(app, operations);
  addRunRoutes(app, operations);
  app.notFound((context) => {
    const path = context.req.path.slice(0, PATH_ECHO_LENGTH_MAX);
    throw pawlError("route_not_found", { method: context.req.method, path });
  });
  app.onError((error, context) => {
    const requestId = context.env.lambdaContext?.awsRequestId ?? "";
    const { status, body } = refuse(error, requestId, telemetry);
    // The catalogue's statuses all carry a body.
    return context.json(body, status as ContentfulStatusCode);
  });
  return app;
}

/** A stage or the base path of a custom domain may stand before the route. */
export function withoutPrefix(path: string): string {
  return path.replace(/^\/[^/]+(?=\/api\/)/, "");
}

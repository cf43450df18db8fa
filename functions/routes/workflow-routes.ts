/** Starting workflows and listing them. */
import type { StartResponse } from "../../sdk/core/api.ts";
import type { Operations } from "../../sdk/engine/operations/operations.ts";
import type { ApiApp } from "./app.ts";
import { readBody, readQuery } from "./request.ts";
import { listParameters, startBody } from "./schemas.ts";

export function addWorkflowRoutes(app: ApiApp, operations: Operations): void {
  app.post("/api/workflows", async (context) => {
    const body = await readBody(context, startBody);
    const answer = await operations.start(body);
    return context.json(answer, startStatus(answer, body.wait ?? 0));
  });
  app.get("/api/workflows", async (context) =>
    context.json(await operations.list(readQuery(context, listParameters))),
  );
}

function startStatus(answer: StartResponse, waitSeconds: number): 200 | 201 | 202 {
  if (answer.outcome !== undefined) return 200;
  if (waitSeconds > 0) return 202;
  return answer.started ? 201 : 200;
}

/** What the cluster says about itself: health, manifest, published schemas (T-01 to T-03). */

import {
  LOCAL_ACTIVITY_SPEC_PATH,
  SPECS_CATALOG,
  SPECS_CATALOG_PATH,
} from "../../sdk/core/contract.ts";
import localActivityRuntime from "../../sdk/core/local-activity-runtime.schema.json" with {
  type: "json",
};
import type { Operations } from "../../sdk/engine/operations/operations.ts";
import type { ApiApp } from "./app.ts";
import { readQuery } from "./request.ts";
import { noParameters } from "./schemas.ts";

export function addClusterRoutes(app: ApiApp, operations: Operations): void {
  // Says only that the function answers: the route may be open to everybody (S4).
  app.get("/api/health", (context) => context.json({ status: "ok" }));
  app.get("/api/cluster/info", (context) => context.json(operations.clusterInfo()));
  app.get("/api/system/metrics", async (context) => {
    readQuery(context, noParameters);
    return context.json(await operations.metrics());
  });
  app.get(SPECS_CATALOG_PATH, (context) => context.json(SPECS_CATALOG));
  app.get(LOCAL_ACTIVITY_SPEC_PATH, (context) => context.json(localActivityRuntime));
}

/** The routes of one run, each for a workflow's current run and for a run by its id. */
import type { Operations } from "../../sdk/engine/operations/operations.ts";
import type { ApiApp } from "./app.ts";
import { readBody, readQuery, runRef } from "./request.ts";
import {
  historyParameters,
  noFields,
  noParameters,
  queryBody,
  resultParameters,
  signalBody,
  stopBody,
} from "./schemas.ts";

const PATHS = ["/api/workflows/:id", "/api/workflows/:id/runs/:run_id"] as const;

export function addRunRoutes(app: ApiApp, operations: Operations): void {
  for (const path of PATHS) {
    addReads(app, operations, path);
    addRequests(app, operations, path);
  }
}

function addReads(app: ApiApp, operations: Operations, path: string): void {
  app.get(path, async (context) => {
    readQuery(context, noParameters);
    return context.json(await operations.describe(runRef(context)));
  });
  app.get(`${path}/history`, async (context) => {
    const page = readQuery(context, historyParameters);
    return context.json(await operations.history(runRef(context), page));
  });
  app.get(`${path}/history/export`, async (context) => {
    readQuery(context, noParameters);
    return context.json(await operations.exportHistory(runRef(context)));
  });
  app.get(`${path}/timeline`, async (context) => {
    const page = readQuery(context, historyParameters);
    return context.json(await operations.timeline(runRef(context), page));
  });
  app.get(`${path}/result`, async (context) => {
    const { wait } = readQuery(context, resultParameters);
    const answer = await operations.result(runRef(context), wait);
    return context.json(answer, answer.outcome === undefined ? 202 : 200);
  });
  app.post(`${path}/query/:name`, async (context) => {
    const body = await readBody(context, queryBody);
    const name = context.req.param("name") ?? "";
    return context.json(await operations.query(runRef(context), name, body));
  });
}

function addRequests(app: ApiApp, operations: Operations, path: string): void {
  app.post(`${path}/signal/:name`, async (context) => {
    const body = await readBody(context, signalBody);
    const name = context.req.param("name") ?? "";
    return context.json(await operations.signal(runRef(context), name, body), 202);
  });
  app.post(`${path}/cancel`, async (context) => {
    const body = await readBody(context, stopBody);
    return context.json(await operations.cancel(runRef(context), body), 202);
  });
  app.post(`${path}/rebuild`, async (context) => {
    await readBody(context, noFields);
    return context.json(await operations.rebuild(runRef(context)));
  });
  app.post(`${path}/terminate`, async (context) => {
    const body = await readBody(context, stopBody);
    return context.json(await operations.terminate(runRef(context), body), 202);
  });
}

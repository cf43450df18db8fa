/** Every verb of the API behind one interface: the router knows this and nothing below it. */
import type {
  AcceptedResponse,
  HistoryResponse,
  ListResponse,
  MetricsResponse,
  QueryRequest,
  QueryResponse,
  RebuildResponse,
  ResultResponse,
  RunDetail,
  SignalRequest,
  StartRequest,
  StartResponse,
  StopRequest,
  TimelineResponse,
} from "../../core/api.ts";
import { type ClusterInfo, clusterInfo } from "../../core/contract.ts";
import type { HistoryExport } from "../../core/views/history-export.ts";
import type { Ports } from "../../ports/ports.ts";
import type { RunFilter } from "../../ports/runs.ts";
import { cancel, signal, terminate } from "./deliver.ts";
import type { RunRef } from "./find-run.ts";
import { metrics } from "./metrics.ts";
import { query } from "./query.ts";
import { describe, exportHistory, history, list, result, timeline } from "./read-run.ts";
import { rebuild } from "./rebuild.ts";
import { RegisteredTypes } from "./registered-types.ts";
import { start } from "./start.ts";

export interface Operations {
  start(request: StartRequest): Promise<StartResponse>;
  list(filter: Omit<RunFilter, "namespace">): Promise<ListResponse>;
  describe(ref: RunRef): Promise<RunDetail>;
  /** `waitSeconds`: at most 20. */
  result(ref: RunRef, waitSeconds: number | undefined): Promise<ResultResponse>;
  history(
    ref: RunRef,
    page: { readonly after: number; readonly limit: number },
  ): Promise<HistoryResponse>;
  timeline(
    ref: RunRef,
    page: { readonly after: number; readonly limit: number },
  ): Promise<TimelineResponse>;
  exportHistory(ref: RunRef): Promise<HistoryExport>;
  signal(ref: RunRef, name: string, request: SignalRequest): Promise<AcceptedResponse>;
  query(ref: RunRef, name: string, request: QueryRequest): Promise<QueryResponse>;
  cancel(ref: RunRef, request: StopRequest): Promise<AcceptedResponse>;
  terminate(ref: RunRef, request: StopRequest): Promise<AcceptedResponse>;
  rebuild(ref: RunRef): Promise<RebuildResponse>;
  metrics(): Promise<MetricsResponse>;
  clusterInfo(): ClusterInfo;
}

/** @param sha256 the hash of UTF-8 text in hexadecimal, for the checksum of exports */
export function createOperations(ports: Ports, sha256: (text: string) => string): Operations {
  const types = new RegisteredTypes(ports);
  return {
    start: (request) => start(ports, types, request),
    list: (filter) => list(ports, filter),
    describe: (ref) => describe(ports, ref),
    result: (ref, waitSeconds) => result(ports, ref, waitSeconds),
    history: (ref, page) => history(ports, ref, page),
    timeline: (ref, page) => timeline(ports, ref, page),
    exportHistory: (ref) => exportHistory(ports, ref, sha256),
    signal: (ref, name, request) => signal(ports, ref, name, request),
    query: (ref, name, request) => query(ports, ref, name, request),
    cancel: (ref, request) => cancel(ports, ref, request),
    terminate: (ref, request) => terminate(ports, ref, request),
    rebuild: (ref) => rebuild(ports, ref),
    metrics: () => metrics(ports),
    clusterInfo: () => clusterInfo({ version: ports.version, namespace: ports.namespace }),
  };
}

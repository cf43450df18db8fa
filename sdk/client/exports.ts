/** What both entries of the client export: that of Node (`sdk/client.ts`) and that of browsers. */
export type {
  ActivityView,
  AttemptSpan,
  AttemptView,
  DuplicatePolicy,
  EventView,
  FailureView,
  HistoryResponse,
  IdReusePolicy,
  ListResponse,
  MetricsResponse,
  Outcome,
  RebuildResponse,
  RunDetail,
  TimelineEntry,
  WorkflowStatus,
  WorkflowSummary,
} from "../core/api.ts";
export type { ClusterInfo, ListOptions, StartOptions } from "./client.ts";
export {
  ApiError,
  ConnectionError,
  ResultTimeoutError,
  WorkflowCancelledError,
  WorkflowFailedError,
  WorkflowTerminatedError,
} from "./client-errors.ts";
export type { QueryLike, SignalLike, WorkflowLike } from "./definitions.ts";
export { type HistoryExport, type SignalCall, type Timeline, WorkflowHandle } from "./handle.ts";
export type { ClientClock, Fetch, FetchInit, OutgoingRequest, Sign } from "./transport.ts";

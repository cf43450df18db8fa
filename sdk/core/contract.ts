/**
 * What the cluster says about itself (T-01 to T-05): the manifest of GET /api/cluster/info. Every
 * value is what this version does; what it cannot do is `false`, not left out.
 */
import {
  HISTORY_EVENTS_MAX,
  HISTORY_PAGE_DEFAULT,
  HISTORY_PAGE_MAX,
  ID_LENGTH_MAX,
  JSON_DEPTH_MAX,
  LEASE_MS,
  LIST_PAGE_MAX,
  LOCAL_BODIES_MAX,
  PAYLOAD_BYTES_MAX,
  PENDING_ACTIVITIES_MAX,
  PENDING_SIGNALS_MAX,
  REQUEST_BYTES_MAX,
  RESULT_WAIT_MS_MAX,
} from "./limits.ts";
import { HISTORY_EXPORT_SCHEMA, HISTORY_EXPORT_SCHEMA_VERSION } from "./views/history-export.ts";
import { PAYLOAD_CODEC } from "./views/values.ts";

/** The id of the JSON schema of local activities; the file is `local-activity-runtime.schema.json`. */
export const LOCAL_ACTIVITY_SPEC_ID = "durable-workflow.v2.local-activity-runtime";
/** Where the catalog of published schemas is served. */
export const SPECS_CATALOG_PATH = "/api/specs";
export const LOCAL_ACTIVITY_SPEC_PATH = "/api/specs/local-activity-runtime.schema.json";

/** The events of every activity, local and queued alike (S-02, F-12). */
export const ACTIVITY_EVENTS = [
  "ActivityScheduled",
  "ActivityStarted",
  "ActivityHeartbeatRecorded",
  "ActivityRetryScheduled",
  "ActivityCompleted",
  "ActivityFailed",
  "ActivityTimedOut",
  "ActivityCancelled",
] as const;

/** The local-activity runtime manifest, with the keys of requirements 2.1. */
export const LOCAL_ACTIVITIES = {
  schema: "durable-workflow.v2.local-activity.contract",
  version: 1,
  api: {
    functions: ["localActivity", "executeLocalActivity", "runActivitiesLocally"],
    workflow_facade: ["Workflow.localActivity", "Workflow.executeLocalActivity"],
    options: "LocalActivityOptions",
  },
  execution: {
    mode: "local",
    same_process: true,
    ordinary_activity_task_created: false,
    history_events: ACTIVITY_EVENTS,
    history_marker: { execution_mode: "local", local_activity: true },
  },
  heartbeating: {
    lease: "workflow_task",
    automatic_points: ["before_attempt_start", "after_activity_heartbeat"],
    long_running_requirement:
      "activity_code_calls_heartbeat_before_the_workflow_task_lease_can_expire",
  },
  cancellation: {
    preemption: "cooperative",
    observed_at: ["heartbeat", "timeout_enforcement", "attempt_completion"],
    terminal_event: "ActivityCancelled",
  },
  shutdown: {
    graceful:
      "worker_stops_claiming_new_workflow_tasks_and_allows_in_process_attempt_to_finish_or_heartbeat",
    crash: "workflow_task_lease_expires_and_task_repair_reclaims_the_workflow_task",
    cold_replay:
      "committed_terminal_event_is_replayed_or_started_attempt_without_terminal_event_schedules_local_retry",
  },
  routing: {
    admission: "activity_class_must_resolve_in_the_workflow_worker_process",
    queue_bypassed: true,
    rejected_options: ["connection", "queue", "worker_session", "schedule_to_start_timeout"],
  },
  retry: {
    new_attempt_when: [
      "a local attempt starts",
      "a retry workflow task replays after backoff",
      "cold replay finds a previously started local attempt without a terminal event",
    ],
    backoff: "durable_workflow_task_available_at",
    cold_replay_reason: "cold_replay",
  },
  timeouts: {
    start_to_close_timeout: "one_local_attempt",
    schedule_to_close_timeout: "entire_local_execution_including_retries",
    heartbeat_timeout: "gap_between_recorded_local_activity_heartbeats",
    enforcement: "cooperative_at_heartbeat_attempt_start_and_attempt_completion_boundaries",
  },
  visibility: {
    activity_execution_marker: "activity_options.execution_mode",
    history_marker: "payload.execution_mode",
    metrics_marker: "activities.local_*",
    history_export: "same_activity_event_payloads_with_execution_mode_local",
  },
} as const;

const CAPABILITIES = {
  workflow_tasks: true,
  activity_tasks: true,
  local_activities: true,
  timers: true,
  side_effects: true,
  signals: true,
  queries: true,
  cancellation: true,
  termination: true,
  history_export: true,
  timelines: true,
  operator_metrics: true,
  row_rebuild: true,
  payload_offloading: true,
  payload_codecs: [PAYLOAD_CODEC],
  updates: false,
  schedules: false,
  continue_as_new: false,
  child_workflows: false,
  worker_sessions: false,
  search_attributes: false,
  memo: false,
  payload_codec_envelope: false,
  response_compression: [],
} as const;

const LIMITS = {
  max_payload_bytes: PAYLOAD_BYTES_MAX,
  max_request_bytes: REQUEST_BYTES_MAX,
  max_json_depth: JSON_DEPTH_MAX,
  max_operation_name_length: ID_LENGTH_MAX,
  max_pending_activities: PENDING_ACTIVITIES_MAX,
  max_local_bodies_per_task: LOCAL_BODIES_MAX,
  max_result_wait_seconds: RESULT_WAIT_MS_MAX / 1_000,
  max_list_page: LIST_PAGE_MAX,
} as const;

export const STRUCTURAL_LIMITS = {
  /** Activities and timers of one run share one limit. */
  pending_activity_count: PENDING_ACTIVITIES_MAX,
  pending_timer_count: PENDING_ACTIVITIES_MAX,
  pending_signal_count: PENDING_SIGNALS_MAX,
  payload_size_bytes: PAYLOAD_BYTES_MAX,
  history_event_count: HISTORY_EVENTS_MAX,
} as const;

/** The catalog that lists every published schema (T-03), at {@link SPECS_CATALOG_PATH}. */
export const SPECS_CATALOG = {
  schema: "durable-workflow.v2.platform-protocol-specs.catalog",
  version: 1,
  catalog_url: SPECS_CATALOG_PATH,
  authority_url: "/api/cluster/info",
  formats: { json_schema: "https://json-schema.org/draft/2020-12/schema" },
  owner_repos: ["pawl"],
  status_levels: {
    published: "served by this deployment, and what it does is tested against it",
  },
  evolution_rules: {
    additive_within_a_version:
      "optional members may be added; a change that refuses what was valid before is a new version",
  },
  specs: {
    local_activity_runtime: {
      spec_id: LOCAL_ACTIVITY_SPEC_ID,
      description: "the manifest, options, history marker and visibility of local activities",
      format: "json_schema",
      status: "published",
      surface_family: "worker_protocol",
      authority_manifest: "worker_protocol.server_capabilities.local_activities",
      owner_repo: "pawl",
      object_families: [
        "local_activities",
        "local_activity",
        "activity_options",
        "history_marker",
        "history_event",
        "workflow_task",
        "activity_execution",
        "activity_attempt",
        "visibility",
      ],
      evolution_rule: "additive_within_a_version",
      breaking_change_release: "major",
      discovery_endpoint: "/api/cluster/info",
      spec_url: LOCAL_ACTIVITY_SPEC_PATH,
    },
  },
} as const;

/** Who works, and how it is laid out: functions of one account, which register nowhere. */
const TOPOLOGY = {
  shape: "serverless_functions",
  roles: ["api", "workflow-task", "activity-task", "sweeper"],
  history_store: "dynamodb",
  queues: "sqs",
  payload_store: "s3",
  regions: 1,
} as const;

/** How replay is compared with the history (P-06). */
const REPLAY_VERIFICATION = {
  compared: ["command_kind", "execution_mode", "activity_type"],
  not_compared: ["arguments"],
  on_difference: "the_workflow_task_fails_and_the_run_stays_open",
  error_code: "nondeterminism",
} as const;

/** Contracts of the platform that this version has no part in. */
const ABSENT_CONTRACTS = {
  coordination_health: null,
  surface_stability_contract: null,
  platform_conformance_suite: null,
  sdk_neutrality_contract: null,
  auth_composition_contract: null,
  bridge_adapter_outcome_contract: null,
} as const;

/** What stands behind `GET /api/cluster/info` (requirements 2.5). */
export interface ClusterInfo {
  readonly server_id: string;
  readonly version: string;
  readonly default_namespace: string;
  readonly supported_sdk_versions: Readonly<Record<string, string>>;
  readonly worker_fleet: Readonly<Record<string, unknown>>;
  readonly topology: typeof TOPOLOGY;
  readonly client_compatibility: Readonly<Record<string, unknown>>;
  readonly replay_verification_contract: typeof REPLAY_VERIFICATION;
  readonly coordination_health: null;
  readonly surface_stability_contract: null;
  readonly platform_conformance_suite: null;
  readonly sdk_neutrality_contract: null;
  readonly auth_composition_contract: null;
  readonly bridge_adapter_outcome_contract: null;
  readonly capabilities: typeof CAPABILITIES;
  readonly limits: typeof LIMITS;
  readonly structural_limits: typeof STRUCTURAL_LIMITS;
  readonly task_repair: Readonly<Record<string, unknown>>;
  readonly history_export: { readonly schema: string; readonly schema_version: number };
  readonly control_plane: Readonly<Record<string, unknown>>;
  readonly worker_protocol: {
    readonly version: string;
    readonly server_capabilities: {
      readonly local_activities: typeof LOCAL_ACTIVITIES;
      readonly worker_sessions: false;
    };
    readonly history_pagination: { readonly default: number; readonly max: number };
  };
  readonly platform_protocol_specs: typeof SPECS_CATALOG;
}

/** GET /api/cluster/info. */
export function clusterInfo(cluster: {
  readonly version: string;
  readonly namespace: string;
}): ClusterInfo {
  return {
    server_id: `pawl/${cluster.namespace}`,
    version: cluster.version,
    default_namespace: cluster.namespace,
    // The client and the deployment are one package: equal versions are what is tested.
    supported_sdk_versions: { typescript: cluster.version },
    worker_fleet: { kind: "aws_lambda", registration: false },
    topology: TOPOLOGY,
    client_compatibility: { tested: cluster.version, unknown_fields: "refused_by_name" },
    replay_verification_contract: REPLAY_VERIFICATION,
    ...ABSENT_CONTRACTS,
    capabilities: CAPABILITIES,
    limits: LIMITS,
    structural_limits: STRUCTURAL_LIMITS,
    task_repair: { workflow_task_lease_seconds: LEASE_MS / 1_000 },
    history_export: {
      schema: HISTORY_EXPORT_SCHEMA,
      schema_version: HISTORY_EXPORT_SCHEMA_VERSION,
    },
    control_plane: { version: "1", request_errors: ["code", "message", "hint", "request_id"] },
    worker_protocol: {
      version: "1.0",
      server_capabilities: { local_activities: LOCAL_ACTIVITIES, worker_sessions: false },
      history_pagination: { default: HISTORY_PAGE_DEFAULT, max: HISTORY_PAGE_MAX },
    },
    platform_protocol_specs: SPECS_CATALOG,
  };
}

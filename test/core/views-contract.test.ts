import { describe, expect, test } from "vitest";
import {
  ACTIVITY_EVENTS,
  clusterInfo,
  LOCAL_ACTIVITIES,
  LOCAL_ACTIVITY_SPEC_ID,
} from "../../sdk/core/contract.ts";
import type { HistoryEventType } from "../../sdk/core/events.ts";
import schema from "../../sdk/core/local-activity-runtime.schema.json" with { type: "json" };
import { activityOptionsView } from "../../sdk/core/views/activity-options.ts";
import { HistoryContext, numberedEvents } from "../../sdk/core/views/history.ts";
import { EVERY_EVENT } from "../contract/fixtures.ts";
import { problems } from "../support/local-schema.ts";
import { batchesOf, LOCAL, show } from "./view-fixtures.ts";

describe("cluster info", () => {
  const info = clusterInfo({ version: "1.2.3", namespace: "shop" });

  test("the manifest stands at worker_protocol.server_capabilities and satisfies its schema (T-01, T-02)", () => {
    const manifest = info.worker_protocol.server_capabilities.local_activities;
    expect(problems({ local_activities: manifest })).toEqual([]);
    expect(manifest).toMatchObject({
      execution: { same_process: true, ordinary_activity_task_created: false },
    });
  });

  test("the catalog lists the schema with the id and address under which it is served (T-03)", () => {
    expect(schema.$id).toBe(LOCAL_ACTIVITY_SPEC_ID);
    expect(info.platform_protocol_specs.specs.local_activity_runtime).toMatchObject({
      spec_id: schema.$id,
      spec_url: "/api/specs/local-activity-runtime.schema.json",
    });
  });

  test("every key of the contract is there; what has no content here is null (requirements 2.5)", () => {
    expect(Object.keys(info)).toEqual(
      expect.arrayContaining([
        "server_id",
        "version",
        "default_namespace",
        "supported_sdk_versions",
        "capabilities",
        "worker_fleet",
        "task_repair",
        "limits",
        "structural_limits",
        "topology",
        "coordination_health",
        "client_compatibility",
        "surface_stability_contract",
        "platform_protocol_specs",
        "platform_conformance_suite",
        "sdk_neutrality_contract",
        "auth_composition_contract",
        "control_plane",
        "worker_protocol",
        "bridge_adapter_outcome_contract",
        "replay_verification_contract",
      ]),
    );
    expect(info.supported_sdk_versions).toEqual({ typescript: "1.2.3" });
    expect(Object.keys(info.platform_protocol_specs)).toEqual(
      expect.arrayContaining([
        "schema",
        "version",
        "formats",
        "status_levels",
        "evolution_rules",
        "specs",
      ]),
    );
    const [entry] = Object.values(info.platform_protocol_specs.specs);
    expect(Object.keys(info.platform_protocol_specs.status_levels)).toContain(entry?.status);
    expect(Object.keys(info.platform_protocol_specs.evolution_rules)).toContain(
      entry?.evolution_rule,
    );
    expect(schema["x-durable-workflow-object-families"]).toEqual(entry?.object_families);
    expect(Object.keys(schema.properties).sort()).toEqual(
      [...(entry?.object_families ?? [])].sort(),
    );
  });

  test("what this version cannot do is said to be false, not left out", () => {
    expect(info.capabilities).toMatchObject({
      signals: true,
      queries: true,
      updates: false,
      schedules: false,
      child_workflows: false,
      continue_as_new: false,
      worker_sessions: false,
    });
    expect(info).toMatchObject({ version: "1.2.3", default_namespace: "shop" });
    expect(info.limits.max_payload_bytes).toBe(2_097_152);
  });
});

describe("the published schema (T-04)", () => {
  test("it accepts the options snapshot of a local activity, and refuses routing options in it", () => {
    const snapshot = activityOptionsView("local", {
      retry_policy: { max_attempts: 3, backoff_ms: [0, 1_500], non_retryable_error_types: ["E"] },
      start_to_close_ms: 500,
    });
    expect(problems({ local_activity: snapshot, activity_options: snapshot })).toEqual([]);
    expect(problems({ local_activity: activityOptionsView("local", {}) })).toEqual([]);
    const accepted = LOCAL_ACTIVITIES.routing.rejected_options.filter(
      (option) => problems({ local_activity: { ...snapshot, [option]: 1 } }).length === 0,
    );
    expect(accepted).toEqual([]);
  });

  test("it accepts the options of a queued activity as such, and never as those of a local one", () => {
    const snapshot = activityOptionsView("queued", { queue: "slow" });
    expect(problems({ activity_options: snapshot })).toEqual([]);
    expect(problems({ local_activity: snapshot })).not.toEqual([]);
    expect(problems({ activity_options: { ...snapshot, execution_mode: "local" } })).not.toEqual(
      [],
    );
  });

  test("it accepts the marker on every event of a local activity", () => {
    const run = { namespace: "n", workflow_id: "w", run_id: "r" };
    for (const type of ACTIVITY_EVENTS) {
      const known: HistoryEventType = type;
      const scheduled = { ...EVERY_EVENT.ActivityScheduled, ...LOCAL };
      const numbered = numberedEvents(batchesOf([scheduled, { ...EVERY_EVENT[known], ...LOCAL }]));
      const event = numbered.at(known === "ActivityScheduled" ? 0 : -1);
      if (event === undefined) throw new Error(type);
      const { payload } = new HistoryContext(run, numbered).view(event, show);
      const { execution_mode, local_activity } = payload;
      const marker = { execution_mode, local_activity };
      expect({ type, problems: problems({ history_marker: marker }) }).toEqual({
        type,
        problems: [],
      });
    }
    expect(
      problems({ history_marker: { execution_mode: "queued", local_activity: false } }),
    ).not.toEqual([]);
  });

  test("it refuses a manifest that promises something else", () => {
    const execution = { ...LOCAL_ACTIVITIES.execution, ordinary_activity_task_created: true };
    expect(problems({ local_activities: { ...LOCAL_ACTIVITIES, execution } })).not.toEqual([]);
  });
});

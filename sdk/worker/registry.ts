/**
 * The registry of one entry module: which workflows and activities there are, under which names, and
 * how the engine calls them (design section 2).
 *
 * A name is the `name` option, else the export's name, else the function's own (B-05). An export
 * named `default` gives no name. One definition exported several times is one entry: it takes the
 * export that is named like its function, else the first in the order of the letters, which is the
 * order in which a module lists its exports.
 */
import { pawlError } from "../core/errors.ts";
import type { WorkflowContext } from "../core/workflow-context.ts";
import type {
  ActivityDefinition,
  ActivityRuntime,
  UserCode,
  WorkflowDefinition,
} from "../ports/user-code.ts";
import { callActivity } from "./activity.ts";
import {
  type ActivityRecord,
  knownName,
  nameRegistered,
  recordOf,
  type WorkflowRecord,
} from "./definition.ts";
import { installGuard } from "./guard.ts";
import { validatedNow } from "./schema.ts";
import { runInScope, type WorkflowScope } from "./scope.ts";

export interface RegistryOptions {
  /** False leaves the process as it is: no workflow is guarded. Default true. */
  readonly guard?: boolean;
}

type DefinitionRecord = ActivityRecord | WorkflowRecord;

interface Found<R extends DefinitionRecord> {
  readonly record: R;
  readonly exportNames: string[];
}

interface Entry<R extends DefinitionRecord> {
  readonly record: R;
  readonly exportName: string;
}

/**
 * Reads the exports of an entry module; what is neither a workflow nor an activity is passed over.
 * @throws PawlError registry_unnamed, registry_duplicate, registry_empty when there is no workflow
 */
export function createRegistry(
  exports: Readonly<Record<string, unknown>>,
  options: RegistryOptions = {},
): UserCode {
  const workflows = new Map<object, Found<WorkflowRecord>>();
  const activities = new Map<object, Found<ActivityRecord>>();
  for (const [exportName, value] of Object.entries(exports)) {
    const record = recordOf(value);
    if (record?.kind === "workflow") collect(workflows, record, exportName);
    else if (record?.kind === "activity") collect(activities, record, exportName);
  }
  if (workflows.size === 0) throw pawlError("registry_empty");
  if (options.guard !== false) installGuard();
  return new Registry(entriesByName(workflows), entriesByName(activities));
}

class Registry implements UserCode {
  readonly workflowTypes: readonly string[];
  readonly activityTypes: readonly string[];
  readonly #workflows: ReadonlyMap<string, Entry<WorkflowRecord>>;
  readonly #activities: ReadonlyMap<string, Entry<ActivityRecord>>;
  readonly #activityNames: ReadonlyMap<object, string>;

  constructor(
    workflows: ReadonlyMap<string, Entry<WorkflowRecord>>,
    activities: ReadonlyMap<string, Entry<ActivityRecord>>,
  ) {
    this.#workflows = workflows;
    this.#activities = activities;
    this.#activityNames = new Map(
      [...activities].map(([name, { record }]) => [record.identity, name]),
    );
    this.workflowTypes = [...workflows.keys()].sort();
    this.activityTypes = [...activities.keys()].sort();
  }

  workflow(type: string): WorkflowDefinition | undefined {
    const entry = this.#workflows.get(type);
    return entry && { kind: "workflow", name: type, guard: entry.record.guard };
  }

  activity(type: string): ActivityDefinition | undefined {
    const entry = this.#activities.get(type);
    return entry && { kind: "activity", name: type, options: entry.record.queued };
  }

  async runWorkflow(
    definition: WorkflowDefinition,
    context: WorkflowContext,
    input: unknown,
  ): Promise<unknown> {
    const { name } = definition;
    const record = this.#workflows.get(name)?.record;
    if (record === undefined)
      throw pawlError("workflow_type_unknown", {
        type: name,
        known: this.workflowTypes.join(", "),
      });
    return await runInScope(this.#scope(definition, context), async () => {
      const given =
        record.input === undefined
          ? input
          : validatedNow(record.input, input, `the input of workflow ${name}`);
      // Started without an input: a default value of the parameter applies.
      const absent = given === null && record.call.length === 0;
      const result = await (absent ? record.call() : record.call(given));
      if (record.output === undefined) return result;
      return validatedNow(record.output, result, `the result of workflow ${name}`);
    });
  }

  runInWorkflow<T>(definition: WorkflowDefinition, context: WorkflowContext, call: () => T): T {
    return runInScope(this.#scope(definition, context), call);
  }

  async runActivity(
    definition: ActivityDefinition,
    runtime: ActivityRuntime,
    args: readonly unknown[],
  ): Promise<unknown> {
    const record = this.#activities.get(definition.name)?.record;
    if (record === undefined)
      throw pawlError("activity_type_unknown", {
        type: definition.name,
        known: this.activityTypes.join(", "),
      });
    return await runInScope({ kind: "activity", runtime }, () => callActivity(record, args));
  }

  #scope(definition: WorkflowDefinition, context: WorkflowContext): WorkflowScope {
    return {
      kind: "workflow",
      context,
      guard: definition.guard,
      activityType: this.#activityType,
      local: false,
    };
  }

  readonly #activityType = (activity: ActivityRecord): string => {
    const name = this.#activityNames.get(activity.identity) ?? knownName(activity);
    if (name !== undefined) return name;
    throw pawlError("registry_unnamed", { export: "(none)", kind: "activity" });
  };
}

function collect<R extends DefinitionRecord>(
  found: Map<object, Found<R>>,
  record: R,
  exportName: string,
): void {
  const known = found.get(record.identity);
  if (known === undefined) found.set(record.identity, { record, exportNames: [exportName] });
  else known.exportNames.push(exportName);
}

function entriesByName<R extends DefinitionRecord>(
  found: ReadonlyMap<object, Found<R>>,
): Map<string, Entry<R>> {
  const entries = new Map<string, Entry<R>>();
  for (const { record, exportNames } of found.values()) {
    const exportName = preferredExport(record, exportNames);
    const name = record.nameOption ?? (exportName === "default" ? record.functionName : exportName);
    if (name === undefined)
      throw pawlError("registry_unnamed", { export: exportName, kind: record.kind });
    const first = entries.get(name);
    if (first !== undefined)
      throw pawlError("registry_duplicate", {
        kind: record.kind,
        name,
        first: first.exportName,
        second: exportName,
      });
    entries.set(name, { record, exportName });
  }
  for (const [name, { record }] of entries) nameRegistered(record, name);
  return entries;
}

function preferredExport(record: DefinitionRecord, exportNames: readonly string[]): string {
  const named = exportNames.filter((name) => name !== "default").sort();
  const own = named.find((name) => name === record.functionName);
  return own ?? named[0] ?? "default";
}

/**
 * Runs a workflow on the production replay instance and registry, with a log in memory: activities
 * run at once, the clock moves only to fire timers. What the engine adds (leases, retries, stores) is
 * not here.
 */
import { setImmediate as settled } from "node:timers/promises";
import type { Command } from "../../sdk/core/commands.ts";
import type { HistoryEvent } from "../../sdk/core/events.ts";
import { toFailure } from "../../sdk/core/failure.ts";
import type { Payload } from "../../sdk/core/payload.ts";
import { WorkflowInstance, type WorkflowOutcome } from "../../sdk/core/replay.ts";
import type { ActivityRuntime, UserCode } from "../../sdk/ports/user-code.ts";
import { createRegistry } from "../../sdk/worker/registry.ts";

export const STARTED_AT = Date.UTC(2030, 0, 1);

export interface StartedRun {
  readonly history: readonly HistoryEvent[];
  readonly diagnostics: readonly string[];
  readonly instance: WorkflowInstance;
  outcome(): WorkflowOutcome | undefined;
  signal(name: string, ...args: readonly unknown[]): Promise<void>;
  query(name: string, ...args: readonly unknown[]): unknown;
  cancel(): Promise<void>;
  /** Moves the clock to the next timer and fires it; false when there is none. */
  fireTimer(): Promise<boolean>;
  /** Moves the clock from timer to timer until the workflow ends or waits for something else. */
  fireTimers(): Promise<void>;
}

export interface RunOptions {
  readonly input?: unknown;
  /** The runtime that activities get. */
  readonly runtime?: Partial<ActivityRuntime>;
  /** History to replay before anything new happens. */
  readonly history?: readonly HistoryEvent[];
}

/** Starts the workflow of this type and runs it as far as it gets without time or signals. */
export async function startRun(
  exports: Readonly<Record<string, unknown>>,
  type: string,
  options: RunOptions = {},
): Promise<StartedRun> {
  const run = new Run(createRegistry(exports), type, options);
  await run.begin();
  return run;
}

/** The result of a workflow that ends; throws what it threw. */
export async function resultOf(
  exports: Readonly<Record<string, unknown>>,
  type: string,
  options: RunOptions = {},
): Promise<unknown> {
  const run = await startRun(exports, type, options);
  await run.fireTimers();
  const outcome = run.outcome();
  if (outcome === undefined) throw new Error("the workflow has not ended");
  if (outcome.kind === "threw") throw outcome.error;
  return outcome.value;
}

class Run implements StartedRun {
  readonly history: HistoryEvent[] = [];
  readonly diagnostics: string[] = [];
  readonly instance: WorkflowInstance;
  readonly #userCode: UserCode;
  readonly #options: RunOptions;
  readonly #type: string;
  readonly #openTimers = new Map<number, number>();
  #now = STARTED_AT;

  constructor(userCode: UserCode, type: string, options: RunOptions) {
    this.#userCode = userCode;
    this.#options = options;
    this.#type = type;
    const definition = userCode.workflow(type);
    if (definition === undefined) throw new Error(`no workflow ${type}`);
    this.instance = new WorkflowInstance(this.#started(), "test", {
      settle: async () => {
        await settled();
      },
      read: jsonOf,
      run: (context, input) => userCode.runWorkflow(definition, context, input),
      call: (context, call) => userCode.runInWorkflow(definition, context, call),
      diagnose: (message) => this.diagnostics.push(message),
    });
  }

  outcome(): WorkflowOutcome | undefined {
    return this.instance.outcome;
  }

  async begin(): Promise<void> {
    const recorded = this.#options.history ?? [this.#started()];
    for (const event of recorded) await this.#feed(event);
    await this.#work();
  }

  async signal(name: string, ...args: readonly unknown[]): Promise<void> {
    await this.#feed({
      type: "SignalReceived",
      at: this.#now,
      signal_id: String(this.history.length),
      signal_name: name,
      arguments: payloadOf(args),
    });
    await this.#work();
  }

  query(name: string, ...args: readonly unknown[]): unknown {
    const handler = this.instance.queryHandlers.get(name);
    const definition = this.#userCode.workflow(this.#type);
    if (handler === undefined || definition === undefined) throw new Error(`no query ${name}`);
    return this.#userCode.runInWorkflow(definition, this.instance, () => handler(...args));
  }

  async cancel(): Promise<void> {
    await this.#feed({ type: "CancelRequested", at: this.#now, request_id: "cancel" });
    await this.#work();
  }

  async fireTimer(): Promise<boolean> {
    const [next] = [...this.#openTimers].sort(([, a], [, b]) => a - b);
    if (next === undefined) return false;
    const [sequence, fireAt] = next;
    this.#openTimers.delete(sequence);
    this.#now = Math.max(this.#now, fireAt);
    await this.#feed({ type: "TimerFired", at: this.#now, sequence });
    await this.#work();
    return true;
  }

  async fireTimers(): Promise<void> {
    while (this.outcome() === undefined && (await this.fireTimer()));
  }

  #started(): HistoryEvent & { readonly type: "WorkflowStarted" } {
    return {
      type: "WorkflowStarted",
      at: STARTED_AT,
      workflow_type: this.#type,
      workflow_id: "w",
      run_id: "r",
      input: payloadOf(this.#options.input),
      seed: "seed",
    };
  }

  async #feed(event: HistoryEvent): Promise<void> {
    this.history.push(event);
    await this.instance.feed(event);
  }

  async #work(): Promise<void> {
    while (this.instance.wantsSomething()) {
      if (this.outcome() !== undefined) return;
      const commands = this.instance.unrecorded();
      for (const command of commands) await this.#record(command);
      for (const sequence of this.instance.timersToCancel()) {
        this.#openTimers.delete(sequence);
        await this.#feed({ type: "TimerCancelled", at: this.#now, sequence });
      }
      for (const command of commands) if (command.kind === "activity") await this.#perform(command);
    }
  }

  async #record(command: Command): Promise<void> {
    const { sequence } = command;
    switch (command.kind) {
      case "activity":
        return await this.#feed({
          type: "ActivityScheduled",
          at: this.#now,
          ...fieldsOf(command),
          arguments: { json: command.arguments_json },
          options: command.options,
        });
      case "timer": {
        const fireAt = this.#now + command.delay_ms;
        this.#openTimers.set(sequence, fireAt);
        return await this.#feed({
          type: "TimerScheduled",
          at: this.#now,
          sequence,
          delay_ms: command.delay_ms,
          fire_at: fireAt,
        });
      }
      case "side_effect":
        return await this.#feed({
          type: "SideEffectRecorded",
          at: this.#now,
          sequence,
          result: payloadOf(command.produce()),
        });
    }
  }

  async #perform(command: Extract<Command, { readonly kind: "activity" }>): Promise<void> {
    const attempt = { at: this.#now, ...fieldsOf(command), attempt_number: 1 };
    try {
      const definition = this.#userCode.activity(command.activity_type);
      if (definition === undefined) throw new Error(`no activity ${command.activity_type}`);
      const args: readonly unknown[] = JSON.parse(command.arguments_json);
      const runtime = testRuntime(this.#options.runtime);
      const result = await this.#userCode.runActivity(definition, runtime, args);
      await this.#feed({ type: "ActivityCompleted", ...attempt, result: payloadOf(result) });
    } catch (error) {
      await this.#feed({ type: "ActivityFailed", ...attempt, failure: toFailure(error) });
    }
  }
}

/** What an attempt offers to its body, with the parts that a test cares about. */
export function testRuntime(parts: Partial<ActivityRuntime> = {}): ActivityRuntime {
  return {
    info: {
      activityId: "r/1",
      activityType: "activity",
      attempt: 1,
      isLocal: false,
      namespace: "test",
      workflowId: "w",
      runId: "r",
      workflowType: "workflow",
      idempotencyKey: "r/1",
      options: {},
      scheduledAt: STARTED_AT,
      startedAt: STARTED_AT,
      deadline: STARTED_AT + 60_000,
    },
    signal: new AbortController().signal,
    heartbeatDetails: undefined,
    isOver: () => false,
    fail: () => undefined,
    heartbeat: () => Promise.resolve(),
    ...parts,
  };
}

function fieldsOf(command: Extract<Command, { readonly kind: "activity" }>) {
  return {
    sequence: command.sequence,
    activity_type: command.activity_type,
    execution_mode: command.execution_mode,
    local_activity: command.execution_mode === "local",
  };
}

function payloadOf(value: unknown): Payload {
  return { json: JSON.stringify(value ?? null) };
}

function jsonOf(payload: Payload): string {
  if ("json" in payload) return payload.json;
  throw new Error("no blobs here");
}

/** All runs' reference logs, filled from the committed writes; checks of deletions and attempt rows. */

import { countersOf } from "../../sdk/adapters/dynamodb/counts.ts";
import {
  PARTITION_KEY,
  RUNS_BY_CHECK,
  SORT_KEY,
  TABLES,
} from "../../sdk/adapters/dynamodb/layout.ts";
import { parseMessage } from "../../sdk/adapters/wire.ts";
import { deliver } from "../../sdk/core/deliver.ts";
import type { Batch, HistoryEvent, Lease } from "../../sdk/core/events.ts";
import { type Announcement, eventKey, outcomeKey } from "../../sdk/core/messages.ts";
import type { Payload } from "../../sdk/core/payload.ts";
import type { Message } from "../../sdk/ports/queue.ts";
import type { ActivityInfo } from "../../sdk/ports/user-code.ts";
import type { Item } from "../../sdk/testing/world/item.ts";
import type { World } from "../../sdk/testing/world/world.ts";
import { blobsOf } from "./blobs.ts";
import type { Writer } from "./leases.ts";
import { RunLog } from "./run-log.ts";
import { ACTIVITY_QUEUE, BUCKET, EPOCH_MS, WORKFLOW_QUEUE } from "./stack.ts";
import type { Reference, Theatre } from "./theatre.ts";
import type { Trace } from "./trace.ts";
import type { Violations } from "./violations.ts";

export interface LogBookOptions {
  readonly world: World;
  readonly theatre: Theatre;
  readonly trace: Trace;
  readonly violations: Violations;
  /** Who writes just now. */
  readonly writer: () => Writer;
  /** The ids of messages that are gone although nobody deleted them: SQS without redelivery. */
  readonly vanished: ReadonlySet<string>;
  /** When a message was first handed to a function, by the reference clock. */
  readonly receivedAt: (messageId: string) => number;
  /** False when only the sweeper finds what a lost message should have woken. */
  readonly redelivers: boolean;
}

type Deadline = Extract<Announcement, { readonly kind: "deadline" }>;

export class LogBook {
  readonly runs: Map<string, RunLog> = new Map();
  readonly #options: LogBookOptions;
  /** The current run by workflow. */
  readonly #current = new Map<string, string>();

  constructor(options: LogBookOptions) {
    this.#options = options;
    const { dynamo, sqs } = options.world;
    const inner = dynamo.onWrite;
    dynamo.onWrite = (table, item) => {
      inner(table, item);
      if (item === undefined) return;
      this.#checkBlobs(item);
      if (table === TABLES.history_events.name) this.#onBatch(item);
      if (table === TABLES.activity_attempts.name) this.#onAttempt(item);
      if (table === TABLES.workflow_runs.name) this.#onRun(item);
    };
    options.theatre.referenceOf = (info) => this.#referenceOf(info);
    options.theatre.isDurable = (info, beat) =>
      // Nobody goes on from an attempt that is over, whatever its body is told.
      this.#referenceOf(info).problem !== undefined ||
      this.#logOfInfo(info)?.closed === true ||
      this.#logOfInfo(info)?.beats.isDurable(attemptOf(info), beat) === true;
    for (const name of [WORKFLOW_QUEUE, ACTIVITY_QUEUE])
      sqs.queue(name).onDelete = (body) => this.#onDelete(body);
  }

  #logOfInfo({ namespace, workflowId, runId }: ActivityInfo): RunLog | undefined {
    return this.logOf({ namespace, workflow_id: workflowId, run_id: runId });
  }

  /** A local body is entered while the log shows its attempt as started, and never later (R14). */
  #referenceOf(info: ActivityInfo): Reference {
    const log = this.#logOfInfo(info);
    const beat = log?.beats.toldTo(attemptOf(info));
    const activity = log?.state.openActivities.get(attemptOf(info).sequence);
    const isOpen = activity?.phase === "started" && activity.attempt === info.attempt;
    return {
      beat,
      problem: isOpen || !info.isLocal ? undefined : "its attempt is over in the log",
    };
  }

  /** A queued attempt's row: its claim, its heartbeat, its outcome. */
  #onAttempt(item: Item): void {
    const log = this.runs.get(String(item[PARTITION_KEY]));
    if (log === undefined || item["execution_mode"] !== "queued") return;
    log.rows.note(item, this.#options.writer(), (sequence) => log.announced(sequence));
    const { heartbeat, attempt_number: attempt } = item;
    if (typeof heartbeat !== "string") return;
    // Written by the adapter a moment ago.
    const text = this.textOf(JSON.parse(heartbeat) as Payload);
    const sequence = Number.parseInt(String(item[SORT_KEY]), 10);
    log.beats.noteRow({ sequence, attempt: Number(attempt) }, text);
  }

  /** A workflow id has one open run at most: another one becomes current behind the end of the last. */
  #onRun(item: Item): void {
    if (item[SORT_KEY] !== "current") return;
    const id = String(item[PARTITION_KEY]);
    const runId = String(item["run_id"]);
    const before = this.#current.get(id);
    this.#current.set(id, runId);
    if (before === undefined || before === runId) return;
    if (this.runs.get(`${id}#${before}`)?.closed !== true)
      this.#options.violations.report("X5", `${id} has a second run while ${before} is open`);
  }

  /** A blob is durable before anything points at it. */
  #checkBlobs(item: Item): void {
    const { world, violations } = this.#options;
    for (const key of blobsOf(item))
      if (world.s3.text(BUCKET, key) === undefined)
        violations.report(
          "I9",
          `${String(item[PARTITION_KEY])} points at the blob ${key}, which is not there`,
        );
  }

  #onBatch(item: Item): void {
    const { trace, writer, violations } = this.#options;
    const pk = String(item[PARTITION_KEY]);
    const batch = this.#batchOf(item);
    const log = this.runs.get(pk) ?? this.#open(pk);
    const lease =
      batch.lease === null
        ? "-"
        : `L${batch.lease.alarm.slice(-12)}~${batch.lease.until - EPOCH_MS}`;
    trace.add(
      `  LOG ${log.options.name} @${batch.sequence} ${batch.kind} ${batch.events.map(show).join(" ")} ${lease}${batch.closed ? " CLOSED" : ""}`,
    );
    if (log.batches.some(({ sequence }) => sequence === batch.sequence))
      violations.report("I1", `${log.options.name}: batch ${batch.sequence} is overwritten`);
    else log.add(batch, Number(item["n_events"]), writer());
  }

  #open(pk: string): RunLog {
    const [namespace = "", workflowId = "", runId = ""] = pk.split("#");
    const { world, theatre, violations } = this.#options;
    const log = new RunLog({
      run: { namespace, workflow_id: workflowId, run_id: runId },
      name: workflowId,
      now: () => world.scheduler.now(),
      theatre,
      violations,
      textOf: (payload) => this.textOf(payload),
    });
    this.runs.set(pk, log);
    return log;
  }

  textOf(payload: Payload): string {
    if ("json" in payload) return payload.json;
    return this.#options.world.s3.text(BUCKET, payload.blob) ?? "(no such blob)";
  }

  #batchOf(item: Item): Batch {
    const { events, sk, schema, kind, lease, turn_from, closed, nonce, basis, generation } = item;
    const { pending_signals } = item;
    const pointer = String(item["events_blob"]);
    const text = typeof events === "string" ? events : this.textOf({ blob: pointer, bytes: 0 });
    const parsed: unknown = JSON.parse(text);
    // Written by the adapter a moment ago; the adapter itself reads it back with all its checks.
    const header = {
      schema,
      kind,
      turn_from,
      closed,
      nonce,
      basis,
      counters: countersOf(item["counters"], `batch ${String(sk)}`),
      pending_signals,
      generation,
    } as unknown as Batch;
    return {
      ...header,
      sequence: Number(sk),
      lease: lease as Lease | null,
      events: parsed as readonly HistoryEvent[],
    };
  }

  /** I21: no message is deleted before its event is in the log or void. */
  #onDelete(body: string): void {
    const { trace, violations } = this.#options;
    const message = parseMessage(body);
    if (message === undefined) return;
    const log = this.logOf(message);
    const name = `${message.workflow_id} ${message.message_id.slice(37)}`;
    trace.add(`  DELETED ${name}`);
    const reason = log === undefined ? "its run has no log" : this.#needed(log, message);
    if (reason !== undefined) violations.report("I21", `${name} is deleted although ${reason}`);
    if (log !== undefined && !log.closed) this.#checkAlarm(log, message);
  }

  logOf(message: Pick<Message, "namespace" | "workflow_id" | "run_id">): RunLog | undefined {
    return this.runs.get(`${message.namespace}#${message.workflow_id}#${message.run_id}`);
  }

  #needed(log: RunLog, message: Message): string | undefined {
    const { state } = log;
    if (state.closed) return undefined;
    if (message.type === "activity_task") {
      const activity = state.openActivities.get(message.sequence);
      if (activity === undefined || activity.attempt !== message.attempt) return undefined;
      const report = `${message.run_id}/${outcomeKey(message.sequence, message.attempt)}`;
      return this.#isPending(message, report)
        ? undefined
        : "its outcome is neither reported nor in the log";
    }
    const { announces } = message;
    if (announces.kind === "check" || state.positionOf(eventKey(announces)) !== undefined)
      return undefined;
    if (
      announces.kind !== "start" &&
      deliver(state, announces, state.lastAt, message.run_id) === "void"
    )
      return undefined;
    if (announces.kind === "deadline" && this.#workerWasFaster(log, message, announces))
      return undefined;
    return this.#isPending(message, message.message_id)
      ? undefined
      : "its event is neither in the log nor void";
  }

  /**
   * A deadline is void once a worker was faster: it had begun the first attempt, or had concluded an
   * attempt that was the current one at some moment since the deadline's message was first received.
   */
  #workerWasFaster(log: RunLog, message: Message, deadline: Deadline): boolean {
    const { sequence, timeout_kind: kind } = deadline;
    if (kind === "schedule_to_start") return log.rows.wasStarted(sequence);
    return log.rows.wasConcluded(sequence, log.announced(sequence), {
      since: this.#options.receivedAt(message.message_id),
      endOf: (attempt) => log.leftAt(sequence, attempt),
    });
  }

  /** I14: an open run that waits for more than the outside has something that will wake it. */
  #checkAlarm(log: RunLog, deleted: Message): void {
    const { state } = log;
    if (!this.#options.redelivers) return this.#checkWatched(log, deleted);
    const alarm = state.lease?.alarm;
    if (alarm !== undefined && !this.#isPending(deleted, alarm))
      this.#options.violations.report(
        "R5",
        `${log.options.name}: the open turn's alarm ${alarm.slice(37)} is gone after ${deleted.message_id.slice(37)}`,
      );
    const waits =
      state.turnFrom !== null || state.openActivities.size > 0 || state.openTimers.size > 0;
    if (waits && !this.#isPending(deleted, undefined))
      this.#options.violations.report(
        "I14",
        `${log.options.name}: nothing wakes the run after ${deleted.message_id.slice(37)} went`,
      );
  }

  /** The same without redelivery: the sweeper will look at the run. */
  #checkWatched(log: RunLog, deleted: Message): void {
    const row = this.#options.world.dynamo
      .items(TABLES.workflow_runs.name)
      .find((item) => item["run_id"] === log.key.run_id);
    if (row?.[RUNS_BY_CHECK.sortKey] === undefined)
      this.#options.violations.report(
        "I14",
        `${log.options.name}: no look at the run is planned after ${deleted.message_id.slice(37)} went`,
      );
  }

  /** Whether a message of the run, or this one, is in a queue or in the table of timers. */
  #isPending(run: Pick<Message, "run_id">, messageId: string | undefined): boolean {
    const { sqs, dynamo } = this.#options.world;
    if (messageId !== undefined && this.#options.vanished.has(messageId)) return true;
    const bodies = [
      ...sqs.queues().flatMap((queue) => queue.bodies()),
      ...dynamo.items(TABLES.timers.name).map((item) => String(item["message"])),
    ];
    const wanted = messageId ?? `${run.run_id}/`;
    return bodies.some((body) => {
      const id = body.includes(run.run_id) ? (parseMessage(body)?.message_id ?? "") : "";
      return messageId === undefined ? id.startsWith(wanted) : id === wanted;
    });
  }

  /** The attempt rows that have an outcome: those of queued activities. */
  outcomes(): readonly {
    readonly pk: string;
    readonly sequence: number;
    readonly attempt: number;
    readonly outcome: unknown;
  }[] {
    return this.#options.world.dynamo.items(TABLES.activity_attempts.name).flatMap((item) => {
      const { outcome, attempt_number: attempt } = item;
      if (typeof outcome !== "string") return [];
      const sequence = Number.parseInt(String(item[SORT_KEY]), 10);
      const parsed: unknown = JSON.parse(outcome);
      return [
        { pk: String(item[PARTITION_KEY]), sequence, attempt: Number(attempt), outcome: parsed },
      ];
    });
  }
}

function attemptOf({ activityId, attempt }: ActivityInfo) {
  return { sequence: Number(activityId.split("/").at(-1)), attempt };
}

function show(event: HistoryEvent): string {
  const attempt = "attempt_number" in event ? `.${event.attempt_number}` : "";
  const sequence = "sequence" in event ? `${event.sequence}${attempt}` : "";
  const id = "signal_id" in event ? event.signal_id : "request_id" in event ? event.request_id : "";
  return `${event.type.replace("Activity", "A").replace("Workflow", "W")}${sequence}${id}`;
}

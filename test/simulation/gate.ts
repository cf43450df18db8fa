/** The gate that every I/O passes: latency, refusals, lost answers, crashes and zombies. */
import { RUNS_BY_CHECK, TABLES } from "../../sdk/adapters/dynamodb/layout.ts";
import { serviceError } from "../../sdk/testing/world/aws-errors.ts";
import { type Gate, type Operation, timeoutError } from "../../sdk/testing/world/gate.ts";
import type { Process } from "../../sdk/testing/world/process.ts";
import type { World } from "../../sdk/testing/world/world.ts";
import type { FaultPlan } from "./faults.ts";
import { foreignKey } from "./tenancy.ts";
import type { Trace } from "./trace.ts";
import type { Violations } from "./violations.ts";

/** One crash at one operation, for exhaustive runs. */
export interface PlannedFault {
  /** The operation's number, from 1. */
  readonly operation: number;
  readonly when: "before" | "after" | "applied";
  readonly zombie: boolean;
}

/** The only namespace of a deployment. */
export const NAMESPACE = "default";

export interface GateOptions {
  readonly plan: FaultPlan;
  readonly trace: Trace;
  readonly violations: Violations;
  readonly planned: readonly PlannedFault[];
  readonly world: () => World;
  /** Virtual milliseconds since the seed's start. */
  readonly elapsedMs: () => number;
  /** Whether a process answers a query just now. */
  readonly isAsked: (process: Process) => boolean;
  /** Operations above which something loops. */
  readonly operationsMax: number;
}

/** Errors that mean that the code under test broke a limit or the grammar of a service (I19). */
const REFUSALS: ReadonlySet<string> = new Set([
  "ValidationException",
  "UnsupportedByFake",
  "InvalidMessageContents",
  "TooManyEntriesInBatchRequest",
  "BatchEntryIdsNotDistinct",
  "BatchRequestTooLong",
  "EmptyBatchRequest",
  "InvalidBatchEntryId",
  "QueueDoesNotExist",
  "ResourceNotFoundException",
  "RequestTooLargeException",
  "KeyTooLongError",
]);

const APPEND = `PutItem ${TABLES.history_events.name}`;
const REFUSED = "ConditionalCheckFailedException";
const READS: ReadonlySet<string> = new Set(["GetItem", "Query", "GetObject"]);

export class FaultGate {
  operations = 0;
  /** Operations of the functions that work messages. */
  workOperations = 0;
  /** Batches whose sequence another one had taken. */
  lostAppends = 0;
  readonly succeeded: Map<string, number> = new Map();
  /** Receipt handles whose visibility somebody has set. */
  readonly deferred: Set<string> = new Set();
  /** Who writes just now, for the checks of committed writes. */
  writer: Process | undefined;
  /** All is over but the questions at the end, which planned faults are not about. */
  hasEnded = false;
  readonly #options: GateOptions;

  constructor(options: GateOptions) {
    this.#options = options;
  }

  readonly gate: Gate = async (operation, apply) => {
    if (operation.process === undefined) return this.#platform(operation, apply);
    return this.#service(operation, operation.process, apply);
  };

  /** The event source deletes a message: late, or never. */
  async #platform<T>(operation: Operation, apply: () => T | Promise<T>): Promise<T> {
    const { plan, trace } = this.#options;
    await this.#wait(plan.strikes("slow") ? plan.int(500, 5_000) : plan.int(1, 10));
    if (plan.strikes("lostDelete")) {
      trace.add(`LOST ${operation.call}`);
      // The mapping believes that it has deleted the message; nothing reads its answer.
      return undefined as T;
    }
    trace.add(operation.call);
    return apply();
  }

  async #service<T>(
    operation: Operation,
    process: Process,
    apply: () => T | Promise<T>,
  ): Promise<T> {
    const { plan, trace, violations, operationsMax } = this.#options;
    const number = ++this.operations;
    if (process.functionName.endsWith("-task")) this.workOperations += 1;
    this.#checkConduct(operation, process);
    if (number > operationsMax)
      violations.report("I20", `more than ${operationsMax} operations: ${operation.call}`);
    if (this.#isPlanned(number, "before") || plan.strikes("crashBefore")) {
      this.#crash(process, `before ${operation.call}`);
      await process.proceed();
    }
    const slow = plan.strikes("slow") ? plan.int(500, 5_000) : 0;
    const slowRequest = slow > 0 && plan.int(0, 1) === 0;
    await this.#wait(plan.int(1, 6) + (slowRequest ? slow : 0));
    const outcome = await this.#perform(operation, apply);
    trace.add(`${process.id} #${number} ${operation.call} ${outcome.note}`);
    const unanswered =
      this.#isPlanned(number, "applied") || (outcome.applied && plan.strikes("appliedUnanswered"));
    await this.#wait(plan.int(1, 6) + (slowRequest ? 0 : slow));
    if (this.#isPlanned(number, "after") || (outcome.applied && plan.strikes("crashAfter")))
      this.#crash(process, `after ${operation.call}`);
    if (unanswered) {
      trace.add(`${process.id} #${number} UNANSWERED ${operation.call}`);
      throw timeoutError(operation.call);
    }
    if (outcome.kind === "threw") throw outcome.error;
    this.succeeded.set(operation.call, (this.succeeded.get(operation.call) ?? 0) + 1);
    if (operation.action === "ChangeMessageVisibility")
      this.deferred.add(String(operation.input["ReceiptHandle"]));
    return outcome.value;
  }

  /** I18, and a query that writes: it may keep a large answer as a blob, nothing else (A10). */
  #checkConduct(operation: Operation, process: Process): void {
    const { violations, isAsked } = this.#options;
    const foreign = foreignKey(operation, NAMESPACE);
    violations.expect(
      foreign === undefined,
      "I18",
      () => `${operation.call} touches ${foreign?.slice(0, 200)}`,
    );
    violations.expect(
      !isAsked(process) || READS.has(operation.action) || operation.action === "PutObject",
      "A10",
      () => `${process.id} answers a query with ${operation.call}`,
    );
  }

  async #perform<T>(operation: Operation, apply: () => T | Promise<T>): Promise<Outcome<T>> {
    const { plan } = this.#options;
    if (plan.isOut(operation.service, this.#options.elapsedMs()))
      return refused(throttled(operation));
    if (plan.strikes("throttled")) return refused(throttled(operation));
    if (plan.strikes("notApplied")) return refused(timeoutError(operation.call));
    const outcome = await this.#apply(operation, () => this.#disturbed(operation, apply));
    // The client's own second try finds what its first one did.
    if (operation.service !== "lambda" && plan.strikes("clientRetried"))
      return { ...(await this.#apply(operation, apply)), note: "TWICE" };
    return outcome;
  }

  async #apply<T>(operation: Operation, apply: () => T | Promise<T>): Promise<Outcome<T>> {
    try {
      const answer = this.#writing(operation.process, apply);
      return { kind: "returned", value: await answer, applied: true, note: "" };
    } catch (error) {
      const name = error instanceof Error ? error.name : String(error);
      if (name === REFUSED && operation.call === APPEND) this.lostAppends += 1;
      if (REFUSALS.has(name))
        this.#options.violations.report("I19", `${operation.call}: ${String(error)}`);
      return { kind: "threw", error, applied: true, note: name };
    }
  }

  /** The stores perform at once, so that the writer is known while the checks of the write run. */
  #writing<T>(writer: Process | undefined, apply: () => T): T {
    this.writer = writer;
    try {
      return apply();
    } finally {
      this.writer = undefined;
    }
  }

  /** The same operation, answered as the service may answer it too. */
  #disturbed<T>(operation: Operation, apply: () => T | Promise<T>): T | Promise<T> {
    const { plan, world } = this.#options;
    const { action, input, service } = operation;
    if (action === "Query" && input["IndexName"] === undefined && plan.strikes("smallPages")) {
      const limit = Math.min(Number(input["Limit"] ?? 5), plan.int(1, 5));
      // The same command with a smaller page has an answer of the same kind.
      return world().dynamo.perform({ action: "Query", input: { ...input, Limit: limit } }) as T;
    }
    if (
      action === "Query" &&
      plan.settings.blindSweeper &&
      input["IndexName"] === RUNS_BY_CHECK.name
    )
      return pendingOnly(world(), input) as T;
    if (action === "BatchWriteItem" && plan.strikes("unprocessed"))
      return partOfBatch(world(), input) as T;
    if (service === "sqs" && action === "SendMessageBatch" && plan.strikes("sendPartlyFailed"))
      return partOfSends(world(), operation.resource, input) as T;
    return apply();
  }

  #crash(process: Process, where: string): void {
    const { plan, trace, world, planned } = this.#options;
    if (process.state === "gone") return;
    const zombie =
      planned.length > 0 ? planned.some((fault) => fault.zombie) : plan.strikes("zombie");
    trace.add(`CRASH ${process.id} ${where}${zombie ? " (zombie)" : ""}`);
    world().lambda.kill(process);
    if (!zombie) return;
    const afterMs = plan.pick([plan.int(10, 500), plan.int(500, 10_000), plan.int(10_000, 60_000)]);
    world().scheduler.at(afterMs, () => {
      trace.add(`ZOMBIE ${process.id}`);
      process.revive();
    });
  }

  #isPlanned(number: number, when: PlannedFault["when"]): boolean {
    if (this.hasEnded) return false;
    return this.#options.planned.some((fault) => fault.operation === number && fault.when === when);
  }

  #wait(ms: number): Promise<void> {
    return this.#options.world().scheduler.sleep(ms);
  }
}

type Outcome<T> =
  | { readonly kind: "returned"; readonly value: T; readonly applied: true; readonly note: string }
  | {
      readonly kind: "threw";
      readonly error: unknown;
      readonly applied: boolean;
      readonly note: string;
    };

function refused<T>(error: Error): Outcome<T> {
  return { kind: "threw", error, applied: false, note: error.name };
}

function throttled(operation: Operation): Error {
  const name = {
    dynamodb: "ProvisionedThroughputExceededException",
    sqs: "RequestThrottled",
    s3: "SlowDown",
    lambda: "TooManyRequestsException",
  }[operation.service];
  return serviceError(name, "simulated");
}

type Input = Readonly<Record<string, unknown>>;

/** The sweeper sees starts that were never sent, and no open run: one layer less. */
function pendingOnly(world: World, input: Input): object {
  const answer = world.dynamo.perform({ action: "Query", input });
  return { ...answer, Items: (answer.Items ?? []).filter((item) => item["status"] === "pending") };
}

/** Every other request of a batch is left unprocessed. */
function partOfBatch(world: World, input: Input): object {
  const done: Record<string, unknown[]> = {};
  const left: Record<string, unknown[]> = {};
  for (const [table, requests] of Object.entries(input["RequestItems"] ?? {}))
    if (Array.isArray(requests))
      for (const [index, request] of requests.entries())
        ((index % 2 === 0 ? done : left)[table] ??= []).push(request);
  world.dynamo.perform({ action: "BatchWriteItem", input: { ...input, RequestItems: done } });
  return { $metadata: {}, UnprocessedItems: left };
}

function partOfSends(world: World, queue: string, input: Input): object {
  const entries: readonly unknown[] = Array.isArray(input["Entries"]) ? input["Entries"] : [];
  const sent = entries.filter((_entry, index) => index % 2 === 1);
  const failed = entries.filter((_entry, index) => index % 2 === 0);
  const action = "SendMessageBatch";
  const answer =
    sent.length === 0
      ? {}
      : world.sqs.perform({ action, queue, input: { ...input, Entries: sent } });
  return {
    ...answer,
    Failed: failed.map((entry) => ({
      Id: String(typeof entry === "object" && entry !== null && "Id" in entry ? entry.Id : ""),
      Code: "InternalError",
      Message: "simulated",
      SenderFault: false,
    })),
  };
}

/** One seed: faults for two virtual minutes, then none, then quiet, then the checks. */
import { loadLambda } from "../../sdk/adapters/lambda/functions.ts";
import { loadS3 } from "../../sdk/adapters/s3/blobs.ts";
import type { HistoryEvent } from "../../sdk/core/events.ts";
import { QUEUE_DELAY_MS_MAX } from "../../sdk/core/limits.ts";
import type { UserCode } from "../../sdk/ports/user-code.ts";
import { Scheduler } from "../../sdk/testing/world/scheduler.ts";
import { createRegistry } from "../../sdk/worker/registry.ts";
import { Clients } from "./clients.ts";
import * as entry from "./entry.ts";
import { type Fault, FaultPlan, type Incident, type Profile } from "./faults.ts";
import { checkAtEnd, isAtRest, messagesLeft } from "./final-checks.ts";
import type { PlannedFault } from "./gate.ts";
import { type Program, randomProgram } from "./grammar.ts";
import { LogBook } from "./log-book.ts";
import { Rng } from "./rng.ts";
import { EPOCH_MS, Stack } from "./stack.ts";
import { openStage, Theatre } from "./theatre.ts";
import { Trace } from "./trace.ts";
import { type Violation, Violations } from "./violations.ts";

/** What callers do, they do within so many virtual milliseconds of a seed that has no long waits. */
const CLIENTS_WITHIN_MS = 60_000;
/** Within it a pass of the sweeper finds a start that was never sent. */
const SWEEP_MS = 70_000;
const HOUR_MS = 3_600_000;
/** What every run is asked with at the end: more than stays inside a message. */
const WORD: string = "!".repeat(9_000);
const ANSWERS_WITHIN_MS = 120_000;
const OPERATIONS_MAX = 40_000;

export interface SimulationOptions {
  readonly seed: number;
  readonly profile: Profile | "none";
  readonly print?: (line: string) => void;
  /** Runs this program alone, with two signals, instead of what the seed says. */
  readonly program?: Program;
  readonly planned?: readonly PlannedFault[];
}

export interface SimulationResult {
  readonly seed: number;
  readonly violations: readonly Violation[];
  readonly hash: string;
  readonly operations: number;
  readonly virtualMs: number;
  readonly fired: ReadonlyMap<Fault | Incident, number>;
  readonly succeeded: ReadonlyMap<string, number>;
  readonly events: ReadonlyMap<string, number>;
  /** What is told apart within events: "retry timeout local". */
  readonly kinds: ReadonlyMap<string, number>;
  /** Nodes of programs that came to their end, each counted once per run. */
  readonly nodes: ReadonlyMap<string, number>;
  readonly answers: ReadonlyMap<string, number>;
  readonly programs: readonly string[];
}

let registry: UserCode | undefined;

/** Loads what handlers would load lazily: module loading takes real time. */
export async function prepare(): Promise<UserCode> {
  await Promise.all([loadLambda(), loadS3()]);
  registry ??= createRegistry(entry);
  return registry;
}

export async function simulate(options: SimulationOptions): Promise<SimulationResult> {
  const userCode = await prepare();
  const seed = `${options.profile}/${options.seed}`;
  const scheduler = new Scheduler(EPOCH_MS);
  const elapsedMs = (): number => scheduler.now() - EPOCH_MS;
  let stopped = false;
  const trace = new Trace(elapsedMs, options.print);
  const violations = new Violations(elapsedMs, ({ invariant, what }) => {
    trace.add(`VIOLATION ${invariant} ${what}`);
    stopped = true;
  });
  const plan = new FaultPlan(seed, options.profile);
  const theatre = new Theatre({
    seed,
    scheduler,
    plan,
    trace,
    violations,
    skewOf: (process) => stack.skewOf(process),
    isAsked: (process) => stack.asked.has(process),
  });
  openStage(theatre);
  const planned = options.planned ?? [];
  // A pair of lost answers costs nothing; a longer silence may cost an attempt.
  const isShort = planned.length <= 2 && planned.every(({ when }) => when === "applied");
  const calm = options.profile === "none" && isShort;
  const stack = new Stack({
    seed,
    scheduler,
    plan,
    trace,
    violations,
    userCode,
    planned,
    operationsMax: OPERATIONS_MAX,
  });
  const { world, gate } = stack;
  const book = new LogBook({
    world,
    theatre,
    trace,
    violations,
    writer: () => ({ process: gate.writer, skewMs: stack.skewOf(gate.writer) }),
    receivedAt: (messageId) => stack.receivedAt.get(messageId) ?? 0,
    vanished: stack.vanished,
    redelivers: plan.settings.redelivers,
  });
  const rng = new Rng(`${seed}/work`);
  const { phases } = plan;
  const clients = new Clients({
    world,
    rng,
    trace,
    violations,
    until: EPOCH_MS + phases.faultsMs,
    patient: plan.settings.patient,
  });
  const programs = planClients(options, plan, rng, clients);

  scheduler.at(phases.faultsMs, () => {
    plan.active = false;
    trace.add("HEAL");
  });
  const isQuiet = (): boolean =>
    world.lambda.busy().length === 0 &&
    world.sqs.queues().every((queue) => queue.bodies().length === 0) &&
    [...book.runs.values()].every(isAtRest);
  const look = (): void => {
    // One pass of the sweeper belongs to the rest: it finds starts whose message never left. A host
    // whose clock was an hour ahead has put its look off by an hour.
    const restMs = plan.clocksDiffer ? HOUR_MS + SWEEP_MS : SWEEP_MS;
    if (elapsedMs() > phases.faultsMs + restMs && isQuiet()) stopped = true;
    else scheduler.at(phases.lookEveryMs, look);
  };
  scheduler.at(phases.faultsMs, look);
  const until = EPOCH_MS + phases.faultsMs + phases.quietWithinMs;
  await scheduler.run({ until, stop: () => stopped });
  const { operations } = gate;
  gate.hasEnded = true;
  const left = messagesLeft(world);
  const isSampled = plan.settings.sampled && violations.found.length === 0;
  const answers = isSampled
    ? await askAll({ scheduler, book, clients, theatre, violations })
    : new Map();
  theatre.ran.clear();
  if (violations.found.length === 0)
    await checkAtEnd({
      world,
      book,
      clients,
      userCode,
      violations,
      calm,
      undisturbed: plan.settings.undisturbed,
      gate,
      sweeps: plan.settings.sweeps,
      left,
      answers,
      word: WORD,
      everyPrefix: isSampled,
    });
  const { events, kinds } = countEvents(book);
  return {
    seed: options.seed,
    violations: violations.found,
    hash: trace.hash,
    operations,
    virtualMs: elapsedMs(),
    fired: plan.fired,
    succeeded: gate.succeeded,
    events,
    kinds,
    nodes: theatre.ran,
    answers: clients.answers,
    programs,
  };
}

function planClients(
  options: SimulationOptions,
  { settings }: FaultPlan,
  rng: Rng,
  clients: Clients,
): readonly string[] {
  if (options.program !== undefined) {
    clients.planFixed({ workflowId: "w0", program: options.program, wait: 0 });
    return [options.program.name];
  }
  const programs: string[] = [];
  const runs = options.profile === "storm" ? 2 : 3;
  for (let index = 0; index < runs; index++) {
    const program = randomProgram(rng, settings.patient);
    programs.push(program.name);
    clients.plan(
      { workflowId: `w${index}`, program, wait: rng.chance(0.3) ? rng.int(1, 20) : 0 },
      CLIENTS_WITHIN_MS,
    );
  }
  return programs;
}

/** Asks every run once nothing fails any more: answers come from replays, and leave no trace (A10). */
async function askAll({
  scheduler,
  book,
  clients,
  theatre,
  violations,
}: {
  readonly scheduler: Scheduler;
  readonly book: LogBook;
  readonly clients: Clients;
  readonly theatre: Theatre;
  readonly violations: Violations;
}): Promise<ReadonlyMap<string, unknown>> {
  const answers = new Map<string, unknown>();
  const logs = [...book.runs.values()];
  const lengths = logs.map((log) => log.events.length).join();
  const { size } = theatre.entered;
  for (const { key } of logs)
    void clients.ask(key, WORD).then((answer) => answers.set(key.run_id, answer));
  await scheduler.run({
    until: scheduler.now() + ANSWERS_WITHIN_MS,
    stop: () => answers.size === logs.length,
  });
  violations.expect(
    answers.size === logs.length && theatre.entered.size === size,
    "A10",
    () => `${answers.size} of ${logs.length} queries were answered`,
  );
  violations.expect(
    lengths === logs.map((log) => log.events.length).join(),
    "A10",
    () => "a query has left a trace in a history",
  );
  return answers;
}

function countEvents(book: LogBook) {
  const events = new Map<string, number>();
  const kinds = new Map<string, number>();
  const count = (counts: Map<string, number>, name: string): void => {
    counts.set(name, (counts.get(name) ?? 0) + 1);
  };
  for (const log of book.runs.values())
    for (const event of log.events) {
      count(events, event.type);
      for (const kind of kindsOf(event)) count(kinds, kind);
    }
  return { events, kinds };
}

/** What anti-vacuity asks for beyond an event's type. */
function kindsOf(event: HistoryEvent): readonly string[] {
  const mode = "execution_mode" in event ? ` ${event.execution_mode}` : "";
  switch (event.type) {
    case "ActivityRetryScheduled":
      return [
        `retry ${event.retry_reason}${mode}`,
        ...(event.timeout_kind === undefined ? [] : [`timeout ${event.timeout_kind}${mode}`]),
        ...(event.retry_backoff_ms > QUEUE_DELAY_MS_MAX ? [`long retry${mode}`] : []),
        ...(event.last_heartbeat === undefined ? [] : [`heartbeat kept${mode}`]),
      ];
    case "ActivityTimedOut":
      return [`timeout ${event.timeout_kind}${mode}`];
    case "ActivityFailed":
      return [`failed ${event.failure.type}${mode}`];
    case "ActivityCompleted":
    case "ActivityCancelled":
      return [`${event.type}${mode}`];
    case "TimerFired":
    case "TimerCancelled":
      return [];
    case "TimerScheduled":
      return event.delay_ms > QUEUE_DELAY_MS_MAX ? ["long timer"] : [];
    case "SideEffectRecorded":
      return [event.failure === undefined ? "side effect" : "side effect that throws"];
    default:
      return [];
  }
}

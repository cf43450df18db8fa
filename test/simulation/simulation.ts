/** One seed: faults for two virtual minutes, then none, then quiet, then the checks. */
import { loadLambda } from "../../sdk/adapters/lambda/functions.ts";
import { loadS3 } from "../../sdk/adapters/s3/blobs.ts";
import type { UserCode } from "../../sdk/ports/user-code.ts";
import { Scheduler } from "../../sdk/testing/world/scheduler.ts";
import { createRegistry } from "../../sdk/worker/registry.ts";
import { Clients } from "./clients.ts";
import * as entry from "./entry.ts";
import { FAULT_PHASE_MS, type Fault, FaultPlan, type Profile } from "./faults.ts";
import { checkAtEnd, isAtRest } from "./final-checks.ts";
import type { PlannedFault } from "./gate.ts";
import { type Program, randomProgram } from "./grammar.ts";
import { LogBook } from "./log-book.ts";
import { Rng } from "./rng.ts";
import { EPOCH_MS, Stack } from "./stack.ts";
import { openStage, Theatre } from "./theatre.ts";
import { Trace } from "./trace.ts";
import { type Violation, Violations } from "./violations.ts";

/** Virtual milliseconds after the fault phase in which everything must come to rest. */
const QUIET_WITHIN_MS = 500_000;
/** How often the world is looked at for rest. */
const LOOK_EVERY_MS = 5_000;
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
  readonly fired: ReadonlyMap<Fault, number>;
  readonly succeeded: ReadonlyMap<string, number>;
  readonly events: ReadonlyMap<string, number>;
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
  const theatre = new Theatre({ seed, scheduler, plan, trace, violations });
  openStage(theatre);
  const planned = options.planned ?? [];
  const calm = options.profile === "none" && planned.every(({ when }) => when === "applied");
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
  });
  const rng = new Rng(`${seed}/work`);
  const clients = new Clients({ world, rng, trace, violations, until: EPOCH_MS + FAULT_PHASE_MS });
  const programs = planClients(options, rng, clients);

  const phaseMs = options.profile === "none" ? 1_000 : FAULT_PHASE_MS;
  scheduler.at(phaseMs, () => {
    plan.active = false;
    trace.add("HEAL");
  });
  const isQuiet = (): boolean =>
    world.lambda.busy().length === 0 &&
    world.sqs.queues().every((queue) => queue.bodies().length === 0) &&
    [...book.runs.values()].every(isAtRest);
  const look = (): void => {
    // One pass of the sweeper belongs to the rest: it finds starts whose message never left.
    if (elapsedMs() > phaseMs + 70_000 && isQuiet()) stopped = true;
    else scheduler.at(LOOK_EVERY_MS, look);
  };
  scheduler.at(phaseMs, look);
  await scheduler.run({ until: EPOCH_MS + phaseMs + QUIET_WITHIN_MS, stop: () => stopped });
  if (violations.found.length === 0)
    await checkAtEnd({ world, book, clients, userCode, violations, calm });
  const events = new Map<string, number>();
  for (const log of book.runs.values())
    for (const { type } of log.events) events.set(type, (events.get(type) ?? 0) + 1);
  return {
    seed: options.seed,
    violations: violations.found,
    hash: trace.hash,
    operations: gate.operations,
    virtualMs: elapsedMs(),
    fired: plan.fired,
    succeeded: gate.succeeded,
    events,
    answers: clients.answers,
    programs,
  };
}

function planClients(options: SimulationOptions, rng: Rng, clients: Clients): readonly string[] {
  if (options.program !== undefined) {
    clients.planFixed({ workflowId: "w0", program: options.program, wait: 0 });
    return [options.program.name];
  }
  const programs: string[] = [];
  const runs = options.profile === "storm" ? 2 : 3;
  for (let index = 0; index < runs; index++) {
    const program = randomProgram(rng);
    programs.push(program.name);
    clients.plan(
      { workflowId: `w${index}`, program, wait: rng.chance(0.3) ? rng.int(1, 20) : 0 },
      60_000,
    );
  }
  return programs;
}

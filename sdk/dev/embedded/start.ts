/**
 * The embedded stack: DynamoDB, SQS, S3, Lambda and API Gateway on one machine, from npm packages
 * only. The functions are the same bundles, with the same events, as on AWS.
 */
import { createWriteStream } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { pawlError } from "../../core/errors.ts";
import type { Counts, CrashHandle, CrashPoint, FunctionName } from "../../core/test-points.ts";
import type { Bundle } from "../bundle.ts";
import { type Bundler, createBundler } from "./bundler.ts";
import { deployment, type Endpoints } from "./deployment.ts";
import { openFolder, type StateFolder } from "./folder.ts";
import type { Log } from "./log.ts";
import { Stack } from "./stack.ts";

export interface EmbeddedOptions {
  /** The entry module: its exports are the workflows and activities. */
  readonly entry: string;
  /** The folder that keeps the state, such as ".pawl". Default: a temporary one that goes with the stack. */
  readonly dataDir?: string;
  /** True forgets what `dataDir` holds. */
  readonly reset?: boolean;
  /** The port of the API on 127.0.0.1; default: a free one. */
  readonly port?: number;
  /** Names of activity queues besides "default". */
  readonly queues?: readonly string[];
  /** True builds crash points and counters in: for tests. */
  readonly crashPoints?: boolean;
  /** Variables that user code finds in its environment, besides those that a function has on AWS. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Gets every line that the stack and its functions print. With a `dataDir`, log.jsonl has them too. */
  readonly onLog?: Log;
  /** Milliseconds between two runs of the sweeper; default 60,000. */
  readonly sweepEveryMs?: number;
  /** Milliseconds after which a function's process is killed, where it is not as on AWS. */
  readonly timeouts?: Readonly<Partial<Record<FunctionName, number>>>;
  /** Milliseconds for which a received message is hidden, where not as on AWS: tests of crashes wait less. */
  readonly visibilityMs?: number;
  /** Messages in one invocation of the workflow-task function, where not 10: with 1 a crash stops one run only. */
  readonly workflowBatchSizeMax?: number;
  /** Milliseconds of a workflow task's lease, where not the default of 30,000. */
  readonly leaseMs?: number;
}

export interface EmbeddedStack {
  readonly apiUrl: string;
  /** The emulators' addresses, for tests and tools that look behind the API. */
  readonly endpoints: Endpoints;
  /** The user's files in the functions: what to watch. */
  inputs(): readonly string[];
  /**
   * Bundles the entry module again and replaces the functions' processes; invocations that run finish
   * with the old code. @throws PawlError bundle_failed, function_failed; the old code stays then
   */
  reload(): Promise<void>;
  /** Runs the sweeper now. */
  sweep(): Promise<void>;
  /** @throws PawlError target_unsupported without `crashPoints` */
  counts(): Counts;
  /** Arms a crash point. @throws PawlError target_unsupported without `crashPoints` */
  crash(point: CrashPoint): CrashHandle;
  /** The functions' processes, for tests that kill them. */
  processes(): readonly RunningProcess[];
  /** Ends everything at once, as a power cut would; a folder's state stays. */
  stop(): Promise<void>;
}

export interface RunningProcess {
  readonly function: FunctionName;
  readonly pid: number;
  /** True while it serves an invocation. */
  readonly busy: boolean;
}

/**
 * Starts the stack and resolves when its API answers, after about a second.
 * @throws PawlError entry_not_found, bundle_failed, function_failed, folder_in_use, dynamodb_missing
 */
export function startEmbedded(options: EmbeddedOptions): Promise<EmbeddedStack> {
  return startStack(options, (root) => createBundler({ ...options, root }));
}

/** Starts a stack with a bundler of one's own: tests of the stack itself bring their handlers. */
export async function startStack(
  options: EmbeddedOptions,
  bundlerIn: (root: string) => Bundler,
): Promise<EmbeddedStack> {
  const deployed = deployment(options.queues ?? [], options.timeouts ?? {}, options);
  const folder = await openFolder(options.dataDir, options.reset ?? false);
  const log = logOf(options, folder);
  const stack = new Stack({ deployed, folder, log: log.write, options });
  const code = new CodeFolder(join(folder.path, "functions"), bundlerIn);
  const stop = async (): Promise<void> => {
    await code.dispose();
    await stack.stop();
    await log.close();
  };
  try {
    const { files } = await stack.open(code.next());
    const failure = await stack.start(files);
    if (failure !== undefined) throw failure;
  } catch (error) {
    await stop();
    throw error;
  }
  let reloading = Promise.resolve();
  return {
    apiUrl: stack.apiUrl,
    endpoints: stack.endpoints,
    inputs: () => code.inputs,
    reload() {
      reloading = reloading.catch(() => undefined).then(() => reload(stack, code));
      return reloading;
    },
    sweep: () => stack.sweep(),
    counts: () => instrumented(options, "counting calls", () => stack.points.counts()),
    crash: (point) => instrumented(options, "a crash point", () => stack.points.arm(point)),
    processes: () => stack.processes(),
    stop,
  };
}

async function reload(stack: Stack, code: CodeFolder): Promise<void> {
  const { files } = await code.next();
  const failure = await stack.replaceCode(files);
  if (failure !== undefined) throw failure;
  await code.removeOld();
}

/** The bundles of one stack: a folder for each reload, so that no process loads half of a new one. */
class CodeFolder {
  readonly #root: string;
  readonly #bundler: Bundler;
  #generation = 0;
  inputs: readonly string[] = [];

  constructor(root: string, bundlerIn: (root: string) => Bundler) {
    this.#root = root;
    this.#bundler = bundlerIn(root);
  }

  async next(): Promise<Bundle> {
    if (this.#generation === 0) await rm(this.#root, { recursive: true, force: true });
    this.#generation += 1;
    const bundle = await this.#bundler.bundle(String(this.#generation));
    this.inputs = bundle.inputs;
    return bundle;
  }

  /** Processes that still run the last code have loaded it; what came before serves nobody. */
  async removeOld(): Promise<void> {
    const old = join(this.#root, String(this.#generation - 2));
    await rm(old, { recursive: true, force: true });
  }

  dispose(): Promise<void> {
    return this.#bundler.dispose();
  }
}

function instrumented<T>(options: EmbeddedOptions, what: string, call: () => T): T {
  if (options.crashPoints === true) return call();
  throw pawlError("target_unsupported", {
    what,
    target: "embedded",
    instead: "start the stack with crashPoints: true",
  });
}

function logOf(options: EmbeddedOptions, folder: StateFolder) {
  const file = folder.persistent
    ? createWriteStream(join(folder.path, "log.jsonl"), { flags: "w" })
    : undefined;
  const write: Log = (line) => {
    options.onLog?.(line);
    if (file?.writable === true) file.write(`${JSON.stringify(line)}\n`);
  };
  return {
    write,
    close: () => new Promise<void>((resolve) => (file ? file.end(resolve) : resolve())),
  };
}

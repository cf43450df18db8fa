/** The test platform as tests see it: one interface, whatever runs behind it. */
import type { Client } from "../client.ts";
import type { Duration } from "../core/duration.ts";
import type { WorkflowTaskMessage } from "../core/messages.ts";
import type { Counts, CrashHandle, CrashPoint } from "../core/test-points.ts";

/**
 * Where a test runs. `memory`: the handlers over fakes of AWS in this process, with a virtual clock.
 * `embedded`: the local stack, with real processes that really die. `localstack`: a deployed stack.
 */
export type TargetName = "memory" | "embedded" | "localstack";

export interface TestPlatformOptions {
  readonly target: TargetName;
  /** Path or file URL of the entry module: its exports are the workflows and activities. */
  readonly entry?: string;
  /** Workflows by export name; `memory` only, instead of or besides `entry`. */
  readonly workflows?: Readonly<Record<string, unknown>>;
  /** Activities by export name; `memory` only. */
  readonly activities?: Readonly<Record<string, unknown>>;
  /** Names of activity queues besides "default". */
  readonly queues?: readonly string[];
  /** `localstack` only: the API of a stack that is deployed already. Default: `entry` is deployed. */
  readonly apiUrl?: string;
  /** `localstack` only: gets a line for each step of installing, starting and deploying. */
  readonly onProgress?: (line: string) => void;
  /** Gets every log line of the functions; not on `localstack`. */
  readonly onLog?: (line: object) => void;
}

/** A request as it is sent; without a method it is GET. */
export interface RawRequest {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface TestPlatform extends AsyncDisposable {
  readonly target: TargetName;
  readonly client: Client;
  /**
   * Sends one request to the HTTP API as it is and answers what came back, whatever its status: for
   * what the typed client does not send. Nothing is repeated.
   * @param path begins with `/api/`; its parts are encoded already
   */
  fetch(path: string, request?: RawRequest): Promise<Response>;
  /**
   * Moves the platform's clock forward and resolves when everything that became due has run; a
   * number is seconds. User bodies that run get a quarter of a second to finish first.
   *
   * Without it time stands still on `memory`, except while a request of the client waits (then it
   * jumps to the next thing that happens) and while a user body runs (then it flows).
   * @throws PawlError target_unsupported on targets that run in real time
   */
  advance(duration: Duration): Promise<void>;
  /**
   * Arms one crash point, see {@link CrashPoint}.
   * @throws PawlError target_unsupported on `localstack`
   */
  crash(point: CrashPoint): CrashHandle;
  /**
   * What the functions did since the start; `difference(before, after)` tells what happened between.
   * @throws PawlError target_unsupported on `localstack`
   */
  counts(): Counts;
  /** Puts a copy of a workflow-task message into its queue, as SQS may do at any time. */
  deliver(message: WorkflowTaskMessage): Promise<void>;
  /** Ends everything; what was running is abandoned. */
  close(): Promise<void>;
}

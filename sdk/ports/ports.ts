import type { Attempts, Projection } from "./attempts.ts";
import type { Blobs } from "./blobs.ts";
import type { Counting } from "./counting.ts";
import type { DeadLetters } from "./dead-letters.ts";
import type { WorkflowFunction } from "./functions.ts";
import type { History } from "./history.ts";
import type { Host } from "./host.ts";
import type { Queue } from "./queue.ts";
import type { RequestGuards, Runs } from "./runs.ts";
import type { Telemetry } from "./telemetry.ts";
import type { Timers } from "./timers.ts";

/** The outside world as the engine sees it; built in functions/compose.ts and nowhere else. */
export interface Ports {
  /** The namespace of every key that this process writes (S: from the deployment, never from a body). */
  readonly namespace: string;
  readonly version: string;
  /** Milliseconds of a workflow task's lease: how soon after its end a crash is noticed. */
  readonly leaseMs: number;
  /** Local activity bodies that one workflow task runs at the same time (B20). */
  readonly localConcurrency: number;
  /** The present start of a stack whose processes end together; undefined elsewhere. */
  readonly boot: string | undefined;
  readonly history: History;
  readonly runs: Runs;
  readonly counting: Counting;
  readonly guards: RequestGuards;
  readonly attempts: Attempts;
  readonly projection: Projection;
  readonly timers: Timers;
  readonly queue: Queue;
  readonly deadLetters: DeadLetters;
  readonly blobs: Blobs;
  readonly workflowFunction: WorkflowFunction;
  readonly host: Host;
  readonly telemetry: Telemetry;
}

/**
 * A memory platform for one test, with its services and code open to disturbance. When the test is
 * over, the history of every closed run is replayed (A4) and the platform is closed.
 */
import { onTestFinished } from "vitest";
import type { WorkflowHandle } from "../../sdk/client.ts";
import { replayHistory } from "../../sdk/testing/index.ts";
import { type MemoryStack, startMemoryStack } from "../../sdk/testing/targets/memory.ts";
import type { FakeQueue } from "../../sdk/testing/world/sqs-queue.ts";

type Exports = Readonly<Record<string, unknown>>;

/** One log line or metric of a function. */
export interface Line {
  readonly level?: string;
  readonly message?: string;
  readonly function?: string;
  readonly [field: string]: unknown;
}

export interface Stack extends MemoryStack {
  readonly lines: readonly Line[];
  start(type: string, input?: unknown, id?: string): Promise<WorkflowHandle>;
  advance(duration: number | `${number}${"s" | "m" | "h" | "d"}`): Promise<void>;
  queue(name: string): FakeQueue;
}

export async function startStack(
  exports: Exports,
  options: { readonly queues?: readonly string[] } = {},
): Promise<Stack> {
  const lines: Line[] = [];
  const stack = await startMemoryStack({
    ...options,
    target: "memory",
    workflows: exports,
    onLog: (line) => lines.push({ ...line }),
  });
  const { platform, world } = stack;
  let deployed = exports;
  const started: WorkflowHandle[] = [];
  onTestFinished(async () => {
    for (const handle of started) {
      const { status } = await handle.describe();
      if (status === "pending" || status === "running") continue;
      await replayHistory(deployed, { history_events: await handle.history() });
    }
    await platform.close();
  });
  return {
    ...stack,
    lines,
    deploy(next) {
      deployed = next;
      stack.deploy(next);
    },
    async start(type, input = null, id) {
      const handle = await platform.client.start(type, {
        input,
        ...(id === undefined ? {} : { id }),
      });
      started.push(handle);
      return handle;
    },
    advance: (duration) => platform.advance(duration),
    queue: (name) => world.sqs.queue(name),
  };
}

/** Milliseconds since the epoch of each event of this type. */
export function times(
  events: readonly { readonly type: string; readonly recorded_at: string }[],
  type: string,
): readonly number[] {
  return events
    .filter((event) => event.type === type)
    .map((event) => Date.parse(event.recorded_at));
}

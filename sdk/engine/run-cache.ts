/**
 * Suspended runs of a warm process, the least recently used one leaves first. A hit saves every
 * read; a stale one is found by the append itself, and nothing is acknowledged on its word (R3).
 */
import type { RunKey } from "../core/events.ts";
import type { LoadedRun } from "./loaded-run.ts";

export class RunCache {
  private readonly runs = new Map<string, LoadedRun>();
  private readonly sizeMax: number;

  constructor(sizeMax: number) {
    this.sizeMax = sizeMax;
  }

  /** Takes a run out: two handlers never share an instance. */
  take(key: RunKey): LoadedRun | undefined {
    const name = nameOf(key);
    const run = this.runs.get(name);
    this.runs.delete(name);
    return run;
  }

  /** Puts a run in that is fully replayed, committed and waits for its next event. */
  put(run: LoadedRun): void {
    run.suspend();
    this.runs.set(nameOf(run.key), run);
    const oldest = this.runs.keys().next();
    if (this.runs.size > this.sizeMax && oldest.done !== true) this.runs.delete(oldest.value);
  }
}

function nameOf(key: RunKey): string {
  return JSON.stringify([key.namespace, key.workflow_id, key.run_id]);
}

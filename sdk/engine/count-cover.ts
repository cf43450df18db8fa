/**
 * Sees to it that what a run counts reaches the totals (ADR 0015): a message is deleted only while the
 * run's row is marked to be counted, for as long as the totals may be behind its log. A start and a
 * closing mark the row anyway; a run that goes on later pays one write in five minutes.
 */
import { NO_COUNTERS, type RunCounters, sameCounters } from "../core/counters.ts";
import type { Batch, RunKey } from "../core/events.ts";
import { COUNT_MS, LEASE_MARGIN_MS } from "../core/limits.ts";
import { type Announcement, eventKey } from "../core/messages.ts";
import type { RunState } from "../core/run.ts";
import type { Ports } from "../ports/ports.ts";
import { persistently } from "./persistence.ts";

export class CountCover {
  private readonly ports: Pick<Ports, "counting" | "host">;
  private readonly run: RunKey;
  private counters: RunCounters = NO_COUNTERS;
  /** The last batch that changed what the run counts. */
  private changedIn = 0;
  /** Until when the row is marked for certain: by its start, or by this process. */
  private markedUntil = 0;

  constructor(ports: Pick<Ports, "counting" | "host">, run: RunKey) {
    this.ports = ports;
    this.run = run;
  }

  /** The log is read again from its start. */
  restart(): void {
    this.counters = NO_COUNTERS;
    this.changedIn = 0;
  }

  note(batch: Batch): void {
    const [first] = batch.events;
    // A start marks its row, and no mark goes while the log was written to within that time.
    if (first?.type === "WorkflowStarted") this.noteMark(first.at + COUNT_MS);
    if (!sameCounters(batch.counters, this.counters)) this.changedIn = batch.sequence;
    this.counters = batch.counters;
  }

  /** Before a message goes: what it led to is marked. A closing marks the row by itself. */
  async cover(state: RunState, announces: Announcement): Promise<void> {
    const { host, counting } = this.ports;
    const isMarked = host.now() < this.markedUntil - LEASE_MARGIN_MS;
    if (state.closed || isMarked || this.changedIn < firstBatchOf(state, announces)) return;
    const until = host.now() + COUNT_MS;
    await persistently(host, () => counting.mark(this.run, until));
    this.noteMark(until);
  }

  private noteMark(until: number): void {
    this.markedUntil = Math.max(this.markedUntil, until);
  }
}

/** From which batch on the log may hold what a message led to. */
function firstBatchOf(state: RunState, announces: Announcement): number {
  const from =
    announces.kind === "check"
      ? state.lastTurn()?.from
      : state.positionOf(eventKey(announces))?.batch;
  return from ?? state.next;
}

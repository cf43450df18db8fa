/**
 * Which local bodies a turn may enter, until when they run, and what they are given: the arguments
 * and heartbeat that the log holds, not what the code would pass today.
 */

import type { ActivityState } from "../core/activity-state.ts";
import type { RunKey } from "../core/events.ts";
import { INVOCATION_RESERVE_MS } from "../core/limits.ts";
import type { RunState } from "../core/run.ts";
import type { LocalStart } from "../core/turn.ts";
import type { Host, Invocation } from "../ports/host.ts";
import { type Deadline, deadlineOf, infoOf } from "./body.ts";
import type { BodyStart } from "./local-bodies.ts";
import type { PayloadVault } from "./payload-vault.ts";

/** Milliseconds that a body without a start-to-close limit should at least have before it is entered. */
const BODY_MS_MIN = 10_000;
/** The part of an invocation's time that is left when it has done little yet. */
const LITTLE_USED = 0.9;

export class BodyEntry {
  private readonly host: Host;
  private readonly invocation: Invocation;
  private isFresh: boolean;

  /** @param isFirst whether this run is the first that the invocation works */
  constructor(host: Host, invocation: Invocation, isFirst: boolean) {
    this.host = host;
    this.invocation = invocation;
    this.isFresh = isFirst;
  }

  /**
   * Whether the rest of the invocation covers an attempt (B21). What none covers from beginning to end
   * starts in one that has done little yet.
   */
  isCovered(activity: ActivityState): boolean {
    const { start_to_close_ms: attempt = BODY_MS_MIN } = activity.options;
    const whole = activity.schedule_to_close_deadline_at ?? Number.POSITIVE_INFINITY;
    const wanted = Math.min(attempt, whole - this.host.now());
    const most = this.invocation.budgetMs - INVOCATION_RESERVE_MS;
    const rest = this.invocation.remainingMs() - INVOCATION_RESERVE_MS;
    return rest >= (wanted <= most ? wanted : most * LITTLE_USED) || (this.isFresh && rest > 0);
  }

  /** A body has been entered, or another run was worked before: a fresh invocation has more time. */
  noteUsed(): void {
    this.isFresh = false;
  }

  deadlineOf(activity: ActivityState): Deadline {
    return deadlineOf(activity, this.host.now(), this.invocation);
  }

  /** Has what the bodies of these starts are given at hand, before their starts are committed. */
  async prepare(
    starts: readonly LocalStart[],
    state: RunState,
    vault: PayloadVault,
  ): Promise<void> {
    for (const { sequence } of starts) {
      const activity = state.openActivities.get(sequence);
      if (activity === undefined) continue;
      const { arguments: args, last_heartbeat: heartbeat } = activity;
      if ("blob" in args) await vault.fetch(args.blob);
      if (heartbeat !== undefined && "blob" in heartbeat) await vault.fetch(heartbeat.blob);
    }
  }

  /** What the body of a committed start is given; undefined when the attempt is over already. */
  bodyOf(
    run: RunKey,
    start: LocalStart,
    state: RunState,
    vault: PayloadVault,
  ): BodyStart | undefined {
    const activity = state.openActivities.get(start.sequence);
    if (activity === undefined) return undefined;
    const { last_heartbeat: heartbeat } = activity;
    const limit = this.deadlineOf(activity);
    // What the log promised is what the body gets.
    const deadline = { ...limit, at: activity.close_deadline_at ?? limit.at };
    return {
      sequence: start.sequence,
      info: infoOf(run, {
        sequence: start.sequence,
        activityType: activity.activity_type,
        attempt: start.attempt,
        isLocal: true,
        workflowType: state.started?.workflow_type ?? "",
        options: activity.options,
        scheduledAt: activity.scheduled_at,
        startedAt: activity.started_at ?? activity.scheduled_at,
        deadline: deadline.at,
      }),
      deadline,
      argumentsJson: vault.read(activity.arguments),
      heartbeatJson: heartbeat === undefined ? undefined : vault.read(heartbeat),
      heartbeatMs: activity.options.heartbeat_ms,
    };
  }
}

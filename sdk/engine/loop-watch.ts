/**
 * Names the activities that ran while the event loop was blocked (B-17): nothing else of the process
 * went on then, no heartbeat, no deadline, no other activity. Each activity is named once per process.
 */
import { LOOP_BLOCKED_WARN_MS } from "../core/limits.ts";
import type { Host } from "../ports/host.ts";
import type { Telemetry } from "../ports/telemetry.ts";
import type { UserCode } from "../ports/user-code.ts";
import { isFirst } from "./said.ts";

export class LoopWatch {
  private readonly ports: { readonly host: Host; readonly telemetry: Telemetry };
  /** What is said once is said once about this code. */
  private readonly userCode: UserCode;
  private readonly running = new Map<string, number>();
  private stop: (() => void) | undefined;

  constructor(ports: { readonly host: Host; readonly telemetry: Telemetry }, userCode: UserCode) {
    this.ports = ports;
    this.userCode = userCode;
  }

  /** Watches from here on; the returned function is called once when the body has ended. */
  enter(activityType: string): () => void {
    this.stop ??= this.ports.host.watchLoop((ms) => this.onBlocked(ms));
    this.running.set(activityType, (this.running.get(activityType) ?? 0) + 1);
    return () => this.leave(activityType);
  }

  private leave(activityType: string): void {
    const isLast = [...this.running.values()].reduce((sum, count) => sum + count, 0) === 1;
    // It may have ended behind what it blocked, before a timer could tell.
    if (isLast) {
      this.stop?.();
      this.stop = undefined;
    }
    const left = (this.running.get(activityType) ?? 1) - 1;
    if (left === 0) this.running.delete(activityType);
    else this.running.set(activityType, left);
  }

  private onBlocked(ms: number): void {
    if (ms < LOOP_BLOCKED_WARN_MS) return;
    const types = [...this.running.keys()].sort();
    const news = types.filter((type) => isFirst(this.userCode, `blocked by ${type}`));
    if (news.length === 0) return;
    this.ports.telemetry.warn(
      "the event loop was blocked while activities ran: await what takes long, or move it into a process of its own",
      { activity_types: types.join(", "), blocked_ms: ms },
    );
  }
}

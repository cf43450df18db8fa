/**
 * Keeps messages close behind the lease of a turn that runs bodies, so that a process that a body
 * takes down is noticed in seconds and not at the end of the queue's visibility.
 *
 * The alarm becomes visible at the end of the lease (R5). So do the messages of runs that this
 * invocation has received and not begun: they must not wait for a body of another run (B13, B17).
 */
import type { Lease } from "../core/events.ts";
import { LEASE_MARGIN_MS } from "../core/limits.ts";
import type { Ports } from "../ports/ports.ts";
import type { Received } from "../ports/queue.ts";

/** The messages of one invocation whose runs have not been begun. */
export class WaitingMessages {
  private messages: readonly Received[] = [];
  private visible = Number.POSITIVE_INFINITY;

  /** What is still waiting once the next run is begun. */
  update(messages: readonly Received[]): void {
    this.messages = messages;
  }

  /** When they become visible to other invocations; infinity when that is the queue's matter. */
  get visibleAt(): number {
    return this.visible;
  }

  /** Those to be made visible at this time; none when that was done before. */
  release(at: number): readonly Received[] {
    if (this.visible !== Number.POSITIVE_INFINITY || this.messages.length === 0) return [];
    this.visible = at;
    return this.messages;
  }
}

export class AlarmWatch {
  private readonly ports: Pick<Ports, "host" | "queue" | "leaseMs">;
  private readonly waiting: WaitingMessages;
  /** The lease's end that the alarm's visibility was set by. */
  private setTo = 0;

  constructor(ports: Pick<Ports, "host" | "queue" | "leaseMs">, waiting: WaitingMessages) {
    this.ports = ports;
    this.waiting = waiting;
  }

  /**
   * Told of every lease. Nothing to do until the lease has grown by half: an alarm that is visible
   * before the lease's end goes back to the queue.
   */
  async cover(own: readonly Received[], lease: Lease): Promise<void> {
    if (lease.until - this.setTo < this.ports.leaseMs / 2) return;
    this.setTo = lease.until;
    const at = lease.until + LEASE_MARGIN_MS;
    const ms = at - this.ports.host.now();
    const alarm = own.filter(({ message }) => message.message_id === lease.alarm);
    const behind = [...alarm, ...this.waiting.release(at)].filter(
      ({ handle }) => handle !== undefined,
    );
    await Promise.all(behind.map((received) => this.ports.queue.defer(received, ms)));
  }
}

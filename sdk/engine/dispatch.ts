/** Sends what a committed batch announced. Safe to run twice: ids and keys do not change. */
import { cancelledAttempts, type Dispatch, openDispatches } from "../core/dispatch.ts";
import type { RunKey } from "../core/events.ts";
import { QUEUE_DELAY_MS_MAX } from "../core/limits.ts";
import type { RunState } from "../core/run.ts";
import type { Ports } from "../ports/ports.ts";
import type { Outgoing } from "../ports/queue.ts";
import { persistently } from "./persistence.ts";

/** Within 15 minutes by the queue's own delay, later ones through the timer table (design section 2). */
export async function send(
  ports: Pick<Ports, "queue" | "timers" | "host" | "namespace">,
  dispatches: readonly Dispatch[],
): Promise<void> {
  if (dispatches.length === 0) return;
  const now = ports.host.now();
  const soon: Outgoing[] = [];
  const late: Promise<void>[] = [];
  for (const { message, due } of dispatches) {
    const delayMs = Math.max(0, (due ?? now) - now);
    if (delayMs <= QUEUE_DELAY_MS_MAX) soon.push({ message, delayMs });
    else
      late.push(
        ports.timers.put({
          id: message.message_id,
          namespace: message.namespace,
          due: now + delayMs,
          nonce: ports.host.newId(),
          message,
        }),
      );
  }
  await Promise.all(late);
  if (soon.length > 0) await ports.queue.send(soon);
}

/**
 * Carries out what batches from `from` to `to` announced and nobody has answered: sends what is open,
 * and concludes what was cancelled, so that a late claim is refused (E1) and a running body learns
 * of it at its next heartbeat (J-05).
 */
export async function announce(
  ports: Ports,
  run: RunKey,
  state: RunState,
  range: { readonly from: number; readonly to: number },
): Promise<void> {
  const { host, attempts } = ports;
  const dispatches = openDispatches(run, state, range.from, range.to);
  if (dispatches.length > 0) await persistently(host, () => send(ports, dispatches));
  for (const { sequence, attempt } of cancelledAttempts(state, range.from, range.to)) {
    const nonce = host.newId();
    const key = { ...run, sequence, attempt };
    await persistently(host, () => attempts.conclude(key, { kind: "cancelled" }, nonce));
  }
}

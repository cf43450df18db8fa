/** Sends what a committed batch announced. Safe to run twice: ids and keys do not change. */
import type { Dispatch } from "../core/dispatch.ts";
import { QUEUE_DELAY_MS_MAX } from "../core/limits.ts";
import type { Ports } from "../ports/ports.ts";
import type { Outgoing } from "../ports/queue.ts";

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
          message,
        }),
      );
  }
  await Promise.all(late);
  if (soon.length > 0) await ports.queue.send(soon);
}

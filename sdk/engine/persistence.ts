/** Tries a call again that the service below did not answer. Safe because every write is conditional. */
import { InfrastructureError } from "../core/errors.ts";
import type { Host } from "../ports/host.ts";

const TRIES_MAX = 6;
const FIRST_PAUSE_MS = 20;

/** @param giveUpAt milliseconds since the epoch after which no further try begins */
export async function persistently<T>(
  host: Host,
  call: () => Promise<T>,
  giveUpAt: number = Number.POSITIVE_INFINITY,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await call();
    } catch (error) {
      const pauseMs = FIRST_PAUSE_MS * 2 ** (attempt - 1) * (0.5 + host.random());
      const spent = attempt >= TRIES_MAX || host.now() + pauseMs >= giveUpAt;
      if (!(error instanceof InfrastructureError) || spent) throw error;
      await host.sleep(pauseMs);
    }
  }
}

/** The real clock, randomness and waiting of a Node.js process: a Lambda sandbox or any other host. */
import { uuidv7 } from "uuidv7";
import type { Host } from "../../ports/host.ts";

export function nodeHost(): Host {
  return {
    now: () => Date.now(),
    newId: () => uuidv7(),
    random: () => Math.random(),
    sleep,
    // Every microtask that is ready runs before the next turn of the event loop.
    settle: () => new Promise((resolve) => setImmediate(resolve)),
  };
}

/**
 * The timer keeps the process alive: whoever awaits a sleep has work to do after it. Who does not
 * wait any more aborts it, and then neither a timer nor a listener stays behind.
 */
function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) {
      resolve();
      return;
    }
    const end = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, Math.max(0, Math.min(ms, TIMEOUT_MS_MAX)));
    signal?.addEventListener("abort", end);
  });
}

/** Milliseconds beyond which Node.js fires a timer at once. */
const TIMEOUT_MS_MAX = 2_147_483_647;

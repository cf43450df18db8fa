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
    watchLoop,
  };
}

/** Milliseconds between two looks at the event loop: what blocks it for less is nobody's concern. */
const LOOK_MS = 100;

/** A timer that comes late says for how long the loop was blocked; so does a watch that ends late. */
function watchLoop(onBlocked: (ms: number) => void): () => void {
  let due = performance.now() + LOOK_MS;
  const look = (): void => {
    const lateMs = performance.now() - due;
    due = performance.now() + LOOK_MS;
    if (lateMs > 0) onBlocked(Math.round(lateMs));
  };
  const timer = setInterval(look, LOOK_MS).unref();
  return () => {
    clearInterval(timer);
    look();
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

/** Everything a command touches outside of its own memory. Tests give their own. */
import type { ClientClock, Fetch } from "../client.ts";

/** Where text goes. */
interface TextOutput {
  write(text: string): void;
  readonly isTerminal: boolean;
  /** Characters of a line. */
  readonly columns: number;
}

export interface Io {
  /** Data only. */
  readonly stdout: TextOutput;
  /** Progress, hints and errors. */
  readonly stderr: TextOutput;
  readonly readStdin: () => Promise<string>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The folder the command runs in. */
  readonly cwd: string;
  readonly fetch: Fetch;
  /** `now` is milliseconds since the epoch. */
  readonly clock: ClientClock;
  /** Aborts when the user presses Ctrl-C or the process is asked to end. */
  readonly interrupted: AbortSignal;
}

/** Columns when the output is no terminal and says nothing. */
const COLUMNS_DEFAULT = 100;

/** The process's own streams, environment and clock. */
export function processIo(): Io {
  const interrupt = new AbortController();
  const onSignal = (): void => {
    // A second Ctrl-C ends the process at once, as without this handler.
    process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
    interrupt.abort();
  };
  return {
    stdout: outputOf(process.stdout),
    stderr: outputOf(process.stderr),
    readStdin: async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of process.stdin) chunks.push(Buffer.from(chunk));
      return Buffer.concat(chunks).toString("utf8");
    },
    env: process.env,
    cwd: process.cwd(),
    fetch: (url, init) => globalThis.fetch(url, init),
    clock: {
      now: () => Date.now(),
      sleep: (delayMs) => sleepUntilAborted(delayMs, interrupt.signal),
    },
    get interrupted() {
      // Only commands that ask handle the signals; all others end at once.
      if (process.listenerCount("SIGINT") === 0)
        process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
      return interrupt.signal;
    },
  };
}

function outputOf(stream: NodeJS.WriteStream): TextOutput {
  return {
    write: (text) => stream.write(text),
    isTerminal: stream.isTTY === true,
    columns: stream.columns ?? COLUMNS_DEFAULT,
  };
}

function sleepUntilAborted(delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(end, delayMs);
    function end(): void {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    }
    signal.addEventListener("abort", end);
    if (signal.aborted) end();
  });
}

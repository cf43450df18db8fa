/** Works jobs in several processes, because one seed after the other uses one core. */
import { type ChildProcess, fork } from "node:child_process";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import type { Job } from "./jobs.ts";
import { emptyTally, mergeTally, type Tally } from "./tally.ts";

const WORKER = fileURLToPath(new URL("./worker.ts", import.meta.url));
export const CREW_SIZE = Math.max(1, Math.min(8, availableParallelism()));

export interface CrewOptions {
  /** Default: one process per core. */
  readonly size?: number;
  /** Told after every job. */
  readonly onProgress?: (tally: Tally) => void;
  /** Ends the campaign before all jobs are done. */
  readonly enough?: (tally: Tally) => boolean;
  /** The worker's file, for a patched copy of the sources. */
  readonly worker?: string;
}

/** Works all jobs, in any order, and adds up what they came to. @throws when a worker dies */
export async function workTogether(
  jobs: readonly Job[],
  options: CrewOptions = {},
): Promise<Tally> {
  const tally = emptyTally();
  const open = [...jobs];
  const done = (part: Tally): Job | undefined => {
    mergeTally(tally, part);
    options.onProgress?.(tally);
    return options.enough?.(tally) === true ? undefined : open.shift();
  };
  const size = Math.min(options.size ?? CREW_SIZE, jobs.length);
  const members = Array.from({ length: size }, () =>
    member(options.worker ?? WORKER, open.shift(), done),
  );
  await Promise.all(members);
  return tally;
}

function member(
  worker: string,
  first: Job | undefined,
  done: (part: Tally) => Job | undefined,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = fork(worker, [], { execArgv: ["--disable-warning=ExperimentalWarning"] });
    let job = first;
    child.on("message", (part) => {
      // Only our own worker writes to this channel.
      job = done(part as Tally);
      if (job === undefined) end(child);
      else child.send(job);
    });
    child.on("exit", (code) => {
      if (job === undefined) resolve();
      else reject(new Error(`a simulation process ended with ${code} in ${JSON.stringify(job)}`));
    });
    if (job === undefined) end(child);
    else child.send(job);
  });
}

function end(child: ChildProcess): void {
  if (child.connected) child.disconnect();
}

/** Ranges of at most `size` numbers. */
export function inChunks(
  from: number,
  count: number,
  size: number,
): readonly { readonly from: number; readonly count: number }[] {
  return Array.from({ length: Math.ceil(count / size) }, (_, index) => ({
    from: from + index * size,
    count: Math.min(size, count - index * size),
  }));
}

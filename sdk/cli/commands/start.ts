/** `pawl start` and `pawl run`. */
import type { DuplicatePolicy, IdReusePolicy, WorkflowHandle } from "../../client.ts";
import { EXIT, type ExitCode, shellWord } from "../exit.ts";
import { durationMs, readInput } from "../input.ts";
import type { Session } from "../session.ts";
import { plain } from "../text.ts";
import { durationText } from "../times.ts";

export interface StartFlags {
  readonly id?: string;
  readonly input?: string;
  readonly duplicatePolicy?: DuplicatePolicy;
  readonly idReusePolicy?: IdReusePolicy;
  readonly requestId?: string;
}
export interface RunFlags extends StartFlags {
  readonly timeout?: string;
}

/** Seconds for which the start itself waits for the result. */
const WAIT_SECONDS = 20;

/** Starts and returns: the ids are the data. */
export async function startWorkflow(
  session: Session,
  type: string,
  flags: StartFlags,
): Promise<ExitCode> {
  const handle = await start(session, type, flags, 0);
  if (session.isText) {
    session.line(`${plain(handle.id)}  ${handle.runId ?? ""}`);
    session.note(`next: pawl show ${shellWord(handle.id)}`);
  } else {
    session.json({ workflow_id: handle.id, run_id: handle.runId, started: handle.started });
  }
  return EXIT.ok;
}

/** Starts, waits, and prints the result alone, so that it can be piped. */
export async function runWorkflow(
  session: Session,
  type: string,
  flags: RunFlags,
): Promise<ExitCode> {
  const { clock } = session.io;
  const timeoutMs = flags.timeout === undefined ? undefined : durationMs(flags.timeout);
  const startedMs = clock.now();
  const waitMs = Math.min(timeoutMs ?? WAIT_SECONDS * 1_000, WAIT_SECONDS * 1_000);
  const handle = await start(session, type, flags, Math.ceil(waitMs / 1_000));
  const remaining =
    timeoutMs === undefined
      ? {}
      : { timeout: Math.max(0, timeoutMs - (clock.now() - startedMs)) / 1_000 };
  const result = await handle.result(remaining);
  session.note(`completed in ${durationText(clock.now() - startedMs)}`);
  session.json(result);
  return EXIT.ok;
}

async function start(
  session: Session,
  type: string,
  flags: StartFlags,
  wait: number,
): Promise<WorkflowHandle> {
  const input = await readInput(flags.input, session.io);
  const handle = await session.client.start(type, {
    ...(flags.id === undefined ? {} : { id: flags.id }),
    ...(input === undefined ? {} : { input }),
    ...(wait === 0 ? {} : { wait }),
    ...(flags.duplicatePolicy === undefined ? {} : { duplicatePolicy: flags.duplicatePolicy }),
    ...(flags.idReusePolicy === undefined ? {} : { idReusePolicy: flags.idReusePolicy }),
    ...(flags.requestId === undefined ? {} : { requestId: flags.requestId }),
  });
  const verb = handle.started ? "started" : "found";
  session.note(`${verb} ${plain(handle.id)} (run ${handle.runId ?? "?"})`);
  return handle;
}

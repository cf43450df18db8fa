/** `pawl signal`, `query`, `cancel`, `terminate` and `rebuild`: tell a workflow something, or ask it. */
import { EXIT, type ExitCode } from "../exit.ts";
import { readArguments } from "../input.ts";
import { withWorkflow } from "../resolve.ts";
import type { Session } from "../session.ts";
import { plain } from "../text.ts";
import type { RunFlag } from "./inspect.ts";

export interface SignalFlags extends RunFlag {
  readonly signalId?: string;
}
export interface StopFlags extends RunFlag {
  readonly reason?: string;
}

/** What a signal or query is sent to, and with. */
export interface Message {
  readonly id: string;
  readonly name: string;
  readonly args: readonly string[];
}

export async function sendSignal(
  session: Session,
  message: Message,
  flags: SignalFlags,
): Promise<ExitCode> {
  const args = await readArguments(message.args, session.io);
  const target = { id: message.id, runId: flags.run };
  await withWorkflow(session, target, async (handle) => {
    const signal =
      flags.signalId === undefined ? message.name : { signal: message.name, id: flags.signalId };
    await handle.signal(signal, ...args);
    accepted(session, handle.id, `signal ${plain(message.name)}`);
  });
  return EXIT.ok;
}

export async function askQuery(
  session: Session,
  message: Message,
  flags: RunFlag,
): Promise<ExitCode> {
  const args = await readArguments(message.args, session.io);
  const target = { id: message.id, runId: flags.run };
  const answer = await withWorkflow(session, target, (handle) =>
    handle.query(message.name, ...args),
  );
  session.json(answer);
  return EXIT.ok;
}

export async function stopWorkflow(
  session: Session,
  stop: { readonly id: string; readonly how: "cancel" | "terminate" },
  flags: StopFlags,
): Promise<ExitCode> {
  await withWorkflow(session, { id: stop.id, runId: flags.run }, async (handle) => {
    if (stop.how === "cancel") await handle.cancel(flags.reason);
    else await handle.terminate(flags.reason);
    accepted(session, handle.id, stop.how);
  });
  return EXIT.ok;
}

/** Writes the rows of a run again, from its log. */
export async function rebuildRun(session: Session, id: string, flags: RunFlag): Promise<ExitCode> {
  const target = { id, runId: flags.run };
  const rebuilt = await withWorkflow(session, target, (handle) => handle.rebuild());
  if (!session.isText) {
    session.json(rebuilt);
    return EXIT.ok;
  }
  const { activity_executions: executions, activity_attempts: attempts } = rebuilt;
  const counts = `events: ${rebuilt.history_length}, local activities: ${executions}, attempts: ${attempts}`;
  session.note(`${plain(rebuilt.workflow_id)}: rows written again from the log (${counts})`);
  return EXIT.ok;
}

/** It is in the run's log; what the workflow makes of it comes later. */
function accepted(session: Session, id: string, what: string): void {
  if (session.isText) session.note(`${plain(id)}: ${what} is in the log`);
  else session.json({ workflow_id: id, accepted: true });
}

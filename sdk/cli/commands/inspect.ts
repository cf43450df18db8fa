/** `pawl show`, `pawl timeline` and `pawl history`: one run, to read. */
import type { EventView, WorkflowHandle } from "../../client.ts";
import { EXIT, type ExitCode } from "../exit.ts";
import { historyHead, historyLine } from "../history-view.ts";
import { withWorkflow } from "../resolve.ts";
import { type Look, runView } from "../run-view.ts";
import type { Session } from "../session.ts";
import { timelineView } from "../timeline-view.ts";

export interface RunFlag {
  readonly run?: string;
}
export interface HistoryFlags extends RunFlag {
  readonly follow?: boolean;
  readonly export?: boolean;
}

const FOLLOW_EVERY_MS = 1_000;
const TERMINAL_EVENTS: ReadonlySet<string> = new Set([
  "WorkflowCompleted",
  "WorkflowFailed",
  "WorkflowCancelled",
  "WorkflowTerminated",
]);

export async function showRun(session: Session, id: string, flags: RunFlag): Promise<ExitCode> {
  const run = await withWorkflow(session, { id, runId: flags.run }, (handle) => handle.describe());
  if (session.isText) for (const line of runView(run, lookOf(session))) session.line(line);
  else session.json(run);
  return EXIT.ok;
}

export async function showTimeline(
  session: Session,
  id: string,
  flags: RunFlag,
): Promise<ExitCode> {
  const target = { id, runId: flags.run };
  const timeline = await withWorkflow(session, target, (handle) => handle.timeline());
  if (session.isText)
    for (const line of timelineView(timeline, lookOf(session))) session.line(line);
  else session.json(timeline);
  return EXIT.ok;
}

export async function showHistory(
  session: Session,
  id: string,
  flags: HistoryFlags,
): Promise<ExitCode> {
  await withWorkflow(session, { id, runId: flags.run }, async (handle) => {
    if (flags.export === true) session.json(await handle.export());
    else if (flags.follow === true) await follow(session, handle);
    else print(session, await handle.history());
  });
  return EXIT.ok;
}

/** Prints events as they come, until the run is closed. */
async function follow(session: Session, handle: WorkflowHandle): Promise<void> {
  const { interrupted, clock } = session.io;
  const printer = new HistoryPrinter(session);
  let current = handle;
  for (let after = 0; !interrupted.aborted; ) {
    const page = await current.historyPage({ after });
    // One run: a new one of the same id must not continue this one's history.
    current = session.client.handle(page.workflow_id, page.run_id);
    for (const event of page.events) printer.print(event);
    after = page.events.at(-1)?.sequence ?? after;
    if (page.events.some(({ type }) => TERMINAL_EVENTS.has(type))) return;
    if (page.next_after === null) await clock.sleep(FOLLOW_EVERY_MS);
  }
}

function print(session: Session, events: readonly EventView[]): void {
  if (session.output === "json") {
    session.json(events);
    return;
  }
  const printer = new HistoryPrinter(session);
  for (const event of events) printer.print(event);
}

/** A stream of events: lines for people, and otherwise one JSON value for each. */
class HistoryPrinter {
  readonly #session: Session;
  readonly #look: Look;
  #startedMs: number | undefined;

  constructor(session: Session) {
    this.#session = session;
    this.#look = lookOf(session);
  }

  print(event: EventView): void {
    if (!this.#session.isText) {
      this.#session.io.stdout.write(`${JSON.stringify(event)}\n`);
      return;
    }
    if (this.#startedMs === undefined) {
      this.#startedMs = Date.parse(event.recorded_at);
      this.#session.line(historyHead(this.#look));
    }
    this.#session.line(historyLine(event, this.#startedMs, this.#look));
  }
}

function lookOf(session: Session): Look {
  return {
    columns: session.io.stdout.columns,
    colors: session.colors,
    timeFormat: session.timeFormat,
    nowMs: session.io.clock.now(),
  };
}

/** `pawl ls`: runs, the newest first. */
import Table from "cli-table3";
import type { ListOptions, ListResponse, WorkflowStatus, WorkflowSummary } from "../../client.ts";
import { EXIT, type ExitCode, shellWord, UsageError } from "../exit.ts";
import { count, durationMs, statuses } from "../input.ts";
import type { Session } from "../session.ts";
import { clip, plain, statusText } from "../text.ts";
import { durationText, timeText } from "../times.ts";

export interface ListFlags {
  readonly status?: string;
  readonly type?: string;
  readonly since?: string;
  readonly limit: string;
  readonly cursor?: string;
  readonly watch?: boolean;
}

const LIMIT_MAX = 100;
const WATCH_EVERY_MS = 2_000;
/** Characters of a line that are not the id or the type. */
const FIXED_WIDTH = 42;
const WIDTH_MIN = 12;

export async function listWorkflows(session: Session, flags: ListFlags): Promise<ExitCode> {
  const ask = question(session, flags);
  if (flags.watch === true) return watch(session, ask);
  const page = await ask();
  if (session.output === "json") session.json(page);
  else if (session.output === "jsonl") session.jsonList(page.workflows);
  else printTable(session, page.workflows);
  if (page.next_cursor !== null)
    session.note(`more: pawl ls --cursor ${shellWord(page.next_cursor)}`);
  return EXIT.ok;
}

function question(session: Session, flags: ListFlags): () => Promise<ListResponse> {
  const wanted = flags.status === undefined ? [] : statuses(flags.status);
  if (wanted.length > 1 && flags.cursor !== undefined)
    throw new UsageError("--cursor goes with one status at most", "--status with a single status");
  const sinceMs = flags.since === undefined ? undefined : durationMs(flags.since);
  const limit = count("--limit", flags.limit, 1, LIMIT_MAX);
  return () => {
    const options: ListOptions = {
      limit,
      ...(flags.type === undefined ? {} : { type: flags.type }),
      ...(flags.cursor === undefined ? {} : { cursor: flags.cursor }),
      ...(sinceMs === undefined
        ? {}
        : { startedAfter: new Date(session.io.clock.now() - sinceMs) }),
    };
    const [status] = wanted;
    if (wanted.length > 1) return listSeveral(session, wanted, options, limit);
    return session.client.list(status === undefined ? options : { ...options, status });
  };
}

/** The API filters by one status: several are several lists, merged. They have no common cursor. */
async function listSeveral(
  session: Session,
  wanted: readonly WorkflowStatus[],
  options: ListOptions,
  limit: number,
): Promise<ListResponse> {
  const pages = await Promise.all(
    wanted.map((status) => session.client.list({ ...options, status })),
  );
  const runs = pages.flatMap(({ workflows }) => workflows);
  runs.sort((one, other) => other.started_at.localeCompare(one.started_at));
  return { workflows: runs.slice(0, limit), next_cursor: null };
}

/** On a terminal the list is redrawn; elsewhere each run is printed when it is new or has changed. */
async function watch(session: Session, ask: () => Promise<ListResponse>): Promise<ExitCode> {
  const { interrupted, clock, stdout } = session.io;
  const seen = new Map<string, string>();
  while (!interrupted.aborted) {
    const { workflows } = await ask();
    if (session.isText && stdout.isTerminal) {
      stdout.write("\u001b[H\u001b[2J");
      printTable(session, workflows);
    } else {
      printChanged(session, workflows, seen);
    }
    await clock.sleep(WATCH_EVERY_MS);
  }
  return EXIT.ok;
}

function printChanged(
  session: Session,
  workflows: readonly WorkflowSummary[],
  seen: Map<string, string>,
): void {
  for (const run of workflows.toReversed()) {
    if (seen.get(run.run_id) === run.status) continue;
    seen.set(run.run_id, run.status);
    // A stream has no closing bracket: one line for each, with `json` as well.
    if (session.isText) session.line(rowOf(session, run).join("  "));
    else session.io.stdout.write(`${JSON.stringify(run)}\n`);
  }
}

function printTable(session: Session, workflows: readonly WorkflowSummary[]): void {
  if (workflows.length === 0) {
    session.note("no workflows; start one with: pawl start <type> -i '{}'");
    return;
  }
  const { dim } = session.colors;
  const table = new Table({
    chars: NO_LINES,
    style: { "padding-left": 0, "padding-right": 2, head: [], border: [], compact: true },
    head: ["id", "type", "status", "started", "took"].map((title) => dim(title)),
  });
  for (const run of workflows) table.push(rowOf(session, run));
  for (const line of table.toString().split("\n")) session.line(line.trimEnd());
}

function rowOf(session: Session, run: WorkflowSummary): string[] {
  const nowMs = session.io.clock.now();
  const free = Math.max(2 * WIDTH_MIN, session.io.stdout.columns - FIXED_WIDTH);
  const endMs = run.closed_at === null ? nowMs : Date.parse(run.closed_at);
  const typeWidth = Math.floor(free / 3);
  return [
    // An id is there to be copied: whole wherever the output is no terminal.
    session.io.stdout.isTerminal
      ? clip(plain(run.workflow_id), free - typeWidth)
      : plain(run.workflow_id),
    clip(plain(run.workflow_type), typeWidth),
    statusText(run.status, session.colors),
    timeText(run.started_at, nowMs, session.timeFormat),
    durationText(endMs - Date.parse(run.started_at)),
  ];
}

const NO_LINES = {
  top: "",
  "top-mid": "",
  "top-left": "",
  "top-right": "",
  bottom: "",
  "bottom-mid": "",
  "bottom-left": "",
  "bottom-right": "",
  left: "",
  "left-mid": "",
  mid: "",
  "mid-mid": "",
  right: "",
  "right-mid": "",
  middle: "",
};

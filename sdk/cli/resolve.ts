/** Ids as users type them: whole, or as the beginning of exactly one. */
import type { WorkflowSummary } from "../client.ts";
import { ApiError, type WorkflowHandle } from "../client.ts";
import { shellWord, UsageError } from "./exit.ts";
import type { Session } from "./session.ts";

/** Runs that are looked through for a prefix. */
const SEARCHED_MAX = 1_000;
const PAGE = 100;
const SHOWN_MAX = 5;

/**
 * Does `work` with the workflow of this id; when there is none, with the only one whose id begins
 * so. A whole id always wins, so an id that is another's beginning stays reachable.
 * @throws UsageError when several ids begin so, or when more runs exist than are looked through
 */
export async function withWorkflow<Result>(
  session: Session,
  target: { readonly id: string; readonly runId?: string | undefined },
  work: (handle: WorkflowHandle) => Promise<Result>,
): Promise<Result> {
  try {
    return await work(session.client.handle(target.id, target.runId));
  } catch (error) {
    if (!(error instanceof ApiError) || error.code !== "workflow_not_found") throw error;
    // `pawl ls` cuts long ids on a terminal; what it shows can be pasted.
    const found = await findByPrefix(session, target.id.replace(/…$/, ""));
    if (found === undefined) throw error;
    session.note(`${target.id}: ${found}`);
    return work(session.client.handle(found, target.runId));
  }
}

async function findByPrefix(session: Session, prefix: string): Promise<string | undefined> {
  const ids = new Set<string>();
  let searched = 0;
  for await (const run of session.client.listAll({ limit: PAGE })) {
    if (matches(run, prefix)) ids.add(run.workflow_id);
    if (++searched >= SEARCHED_MAX) {
      const message = `there is no workflow ${prefix}, and too many to look for one that begins so`;
      throw new UsageError(message, "the whole id");
    }
  }
  if (ids.size <= 1) return [...ids][0];
  const shown = [...ids].slice(0, SHOWN_MAX).map(shellWord).join(", ");
  const rest = ids.size > SHOWN_MAX ? ` and ${ids.size - SHOWN_MAX} more` : "";
  throw new UsageError(
    `${ids.size} workflows begin with ${prefix}: ${shown}${rest}`,
    "more letters of the id",
  );
}

function matches(run: WorkflowSummary, prefix: string): boolean {
  return run.workflow_id.startsWith(prefix);
}

/** Which run a request means, and whether it is still open: the log decides, the row follows. */
import { InfrastructureError, pawlError } from "../../core/errors.ts";
import type { Batch, RunKey } from "../../core/events.ts";
import { idProblem } from "../../core/ids.ts";
import { closingOf } from "../../core/views/closing.ts";
import type { Ports } from "../../ports/ports.ts";
import type { RunRow } from "../../ports/runs.ts";

/** A workflow's current run, or one of its runs. */
export interface RunRef {
  readonly workflow_id: string;
  readonly run_id?: string;
}

export function keyOf(row: RunKey): RunKey {
  return { namespace: row.namespace, workflow_id: row.workflow_id, run_id: row.run_id };
}

/** @throws PawlError invalid_id */
export function checkId(what: string, value: string): void {
  const problem = idProblem(what, value);
  if (problem !== undefined) throw problem;
}

/** The run's row. @throws PawlError invalid_id, workflow_not_found, run_not_found */
export async function findRun(ports: Ports, ref: RunRef): Promise<RunRow> {
  checkId("the workflow id", ref.workflow_id);
  if (ref.run_id === undefined) {
    const current = await ports.runs.getCurrent(ports.namespace, ref.workflow_id);
    if (current === undefined)
      throw pawlError("workflow_not_found", { workflow_id: ref.workflow_id });
    return current;
  }
  checkId("the run id", ref.run_id);
  const run = { namespace: ports.namespace, workflow_id: ref.workflow_id, run_id: ref.run_id };
  const row = await ports.runs.get(run);
  if (row === undefined)
    throw pawlError("run_not_found", { workflow_id: ref.workflow_id, run_id: ref.run_id });
  return row;
}

export function isOpen(row: RunRow): boolean {
  return row.status === "pending" || row.status === "running";
}

/**
 * The row as the log has it: a row that still says open although the log is closed is repaired. The
 * repair may fail; whoever looks next does it again.
 */
export async function followLog(
  ports: Ports,
  row: RunRow,
  tail: Batch | undefined,
): Promise<RunRow> {
  if (!isOpen(row)) return row;
  const closing = closingOf(tail);
  if (closing === undefined || tail === undefined) return row;
  const counted = { ...closing, counters: tail.counters };
  await tolerate(ports, "the row of a closed run was not repaired", () =>
    ports.runs.markClosed(keyOf(row), counted),
  );
  return { ...row, ...counted };
}

/** Runs a write that somebody else repeats if it fails. */
export async function tolerate(
  ports: Ports,
  message: string,
  write: () => Promise<void>,
): Promise<void> {
  try {
    await write();
  } catch (error) {
    if (!(error instanceof InfrastructureError)) throw error;
    ports.telemetry.warn(message, { reason: error.name });
  }
}

/** What the log can say again: a run's rows and counters, written as if they had never been (S-09). */
import type { RebuildResponse } from "../../core/api.ts";
import { nextSequence } from "../../core/batch.ts";
import { InfrastructureError } from "../../core/errors.ts";
import { RunState } from "../../core/run.ts";
import { ActivityFold } from "../../core/views/activity-facts.ts";
import { attemptRows, executionRow } from "../../core/views/activity-rows.ts";
import type { Ports } from "../../ports/ports.ts";
import { findRun, followLog, keyOf, type RunRef } from "./find-run.ts";

/** Rounds of one request; each further one means that the run went on meanwhile. */
const ROUNDS_MAX = 5;

/**
 * Writes the rows of a run's local activities, its own row's end, and what it counts, from its log
 * alone. Safe to repeat and on open runs: what a task writes at the same time is read again, and
 * written again.
 * @throws PawlError as `findRun`
 */
export async function rebuild(ports: Ports, ref: RunRef): Promise<RebuildResponse> {
  const found = await findRun(ports, ref);
  const run = keyOf(found);
  for (let round = 1; round <= ROUNDS_MAX; round++) {
    const batches = await ports.history.readFrom(run, 1);
    const tail = batches.at(-1);
    await followLog(ports, found, tail);
    const fold = new ActivityFold();
    for (const event of batches.flatMap(({ events }) => events))
      if (!("local_activity" in event) || event.local_activity) fold.fold(event);
    const facts = [...fold.activities.values()];
    const executions = facts.map((activity) => executionRow(run, activity));
    const attempts = facts.flatMap((activity) => attemptRows(run, activity));
    await ports.projection.write(executions, attempts);
    const state = new RunState();
    for (const batch of batches) state.apply(batch);
    await ports.counting.restore(run, state.counters);
    const after = await ports.history.readTail(run);
    if (nextSequence(after) !== nextSequence(tail)) continue;
    return {
      workflow_id: run.workflow_id,
      run_id: run.run_id,
      history_length: nextSequence(tail) - 1,
      activity_executions: executions.length,
      activity_attempts: attempts.length,
    };
  }
  throw new InfrastructureError("the run went on while its rows were rebuilt", {
    maybeApplied: true,
  });
}

/**
 * Operator metrics counted again, from the log of every run: the full scan that they must equal. Of a
 * queued attempt that nobody recorded, because its run ended before its outcome came, only the claim knows.
 */
import type { Client, MetricsResponse, RunDetail } from "../../sdk/client.ts";

type Recount = Pick<MetricsResponse, "runs" | "activities">;
type Activity = RunDetail["activities"][number];

export async function recount(client: Client): Promise<Recount> {
  const runs: RunDetail[] = [];
  const activities: Activity[] = [];
  for await (const { workflow_id, run_id } of client.listAll()) {
    const handle = client.handle(workflow_id, run_id);
    const [run, events] = [await handle.describe(), await handle.history()];
    runs.push(run);
    const started = events.filter(({ type }) => type === "ActivityStarted");
    for (const { attempts, ...one } of run.activities) {
      const ids = started.map(({ payload }) => payload["activity_attempt_id"]);
      const inLog = attempts.filter(({ id, status }) => ids.includes(id) || status === "running");
      activities.push({ ...one, attempts: inLog });
    }
  }
  const local = activities.filter((one) => one.local_activity);
  const queued = activities.filter((one) => !one.local_activity);
  const status = (one: RunDetail["status"]) => runs.filter((run) => run.status === one).length;
  const counted = { local: countOf(local), queued: countOf(queued) };
  const both = (name: keyof ReturnType<typeof countOf>) =>
    counted.local[name] + counted.queued[name];
  return {
    runs: {
      total: runs.length,
      pending: status("pending"),
      running: status("running"),
      completed: status("completed"),
      failed: status("failed"),
      cancelled: status("cancelled"),
      terminated: status("terminated"),
    },
    activities: {
      total: both("total"),
      open: both("pending") + both("running"),
      pending: both("pending"),
      running: both("running"),
      retrying: activities.filter(isRetrying).length,
      attempts: both("attempts"),
      failed_attempts: both("failed"),
      max_attempt_count: Math.max(0, ...activities.map(recordedAttempts)),
      local: counted.local.total,
      local_open: counted.local.pending + counted.local.running,
      local_pending: counted.local.pending,
      local_running: counted.local.running,
      local_attempts: counted.local.attempts,
      local_failed_attempts: counted.local.failed,
      queued: counted.queued.total,
      queued_open: counted.queued.pending + counted.queued.running,
      queued_pending: counted.queued.pending,
      queued_running: counted.queued.running,
      queued_attempts: counted.queued.attempts,
      queued_failed_attempts: counted.queued.failed,
    },
  };
}

/** The names of what the metrics say otherwise than a recount. */
export function differing(metrics: Recount, counted: Recount): readonly string[] {
  return (["runs", "activities"] as const).flatMap((group) => {
    const [said, is] = [Object.entries(metrics[group]), new Map(Object.entries(counted[group]))];
    return said.filter(([name, value]) => is.get(name) !== value).map(([name]) => name);
  });
}

function countOf(activities: readonly Activity[]) {
  return {
    total: activities.length,
    pending: activities.filter(({ status }) => status === "pending").length,
    running: activities.filter(({ status }) => status === "running").length,
    attempts: activities.reduce((sum, one) => sum + recordedAttempts(one), 0),
    failed: activities
      .flatMap(({ attempts }) => attempts)
      .filter(({ status }) => status === "failed" || status === "expired").length,
  };
}

/** The log records the start of a queued attempt beside its outcome. */
function recordedAttempts({ attempts, local_activity: isLocal }: Activity): number {
  return attempts.filter(({ status }) => isLocal || status !== "running").length;
}

function isRetrying({ status, attempts, next_attempt_at: next }: Activity): boolean {
  const isOpen = status === "pending" || status === "running";
  return isOpen && (next !== null || attempts.length > 1);
}

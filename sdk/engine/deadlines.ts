/**
 * A deadline of a queued activity as the attempt row sees it. The row decides who was first: a worker
 * that started or finished in time, or the deadline, which then refuses a late claim and outcome.
 */
import type { RunKey, TimeoutKind } from "../core/events.ts";
import { type Announcement, DEADLINE_ATTEMPT } from "../core/messages.ts";
import type { RunState } from "../core/run.ts";
import type { AttemptKey, AttemptRow } from "../ports/attempts.ts";
import type { Ports } from "../ports/ports.ts";
import { persistently } from "./persistence.ts";

type DeadlineAnnouncement = Extract<Announcement, { readonly kind: "deadline" }>;

/** Owns the row of an attempt that nobody started in time. */
const OWNER = "deadline";

/** "void": a worker was faster, and its own message says how the attempt goes on. */
export async function enforceDeadline(
  ports: Ports,
  run: RunKey,
  state: RunState,
  announces: DeadlineAnnouncement,
): Promise<"due" | "void"> {
  const activity = state.openActivities.get(announces.sequence);
  if (activity === undefined || activity.local_activity) return "void";
  const key: AttemptKey = { ...run, sequence: activity.sequence, attempt: activity.attempt };
  switch (announces.timeout_kind) {
    case "schedule_to_start":
      if (activity.attempt !== DEADLINE_ATTEMPT) return "void";
      return await claimUnstarted(ports, key, activity.activity_type);
    case "schedule_to_close":
      return await concludeLate(ports, key, "schedule_to_close");
  }
}

/** Claim and outcome in one write: nobody finds a claim that is over and reports another timeout. */
async function claimUnstarted(
  ports: Ports,
  key: AttemptKey,
  activityType: string,
): Promise<"due" | "void"> {
  const now = ports.host.now();
  const row: AttemptRow = {
    ...key,
    activity_type: activityType,
    owner: OWNER,
    worker: OWNER,
    started_at: now,
    until: now,
    outcome: { kind: "timed_out", timeout_kind: "schedule_to_start" },
  };
  const claim = await persistently(ports.host, () => ports.attempts.claim(row));
  return claim.kind === "claimed" || claim.row.owner === OWNER ? "due" : "void";
}

async function concludeLate(
  ports: Ports,
  key: AttemptKey,
  kind: TimeoutKind,
): Promise<"due" | "void"> {
  const nonce = ports.host.newId();
  const outcome = await persistently(ports.host, () =>
    ports.attempts.conclude(key, { kind: "timed_out", timeout_kind: kind }, nonce),
  );
  return outcome.kind === "timed_out" && outcome.timeout_kind === kind ? "due" : "void";
}

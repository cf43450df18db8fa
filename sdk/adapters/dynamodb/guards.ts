/** Guards of client-given request ids (R20): items beside the run's row, removed by time to live. */
import { invariant } from "../../core/errors.ts";
import { GUARD_RETENTION_MS } from "../../core/limits.ts";
import type { RequestGuards } from "../../ports/runs.ts";
import { key } from "./layout.ts";
import { ABSENT, putItem, type Table } from "./table.ts";

/** @param now the clock of the time to live only: an expired guard that is still there still counts */
export function dynamoGuards(table: Table, now: () => number): RequestGuards {
  return {
    async guard(run, requestId, from) {
      const item = {
        pk: key(run.namespace, run.workflow_id),
        sk: key("guard", run.run_id, requestId),
        from,
        expires_at: Math.ceil((now() + GUARD_RETENTION_MS) / 1_000),
      };
      // The first guard of an id holds: what it says, "nothing before `from`", stays true for ever.
      const written = await putItem(table, item, ABSENT);
      if (written.kind === "written") return from;
      // Removed between the refusal and the read: as good as ours.
      if (written.item === undefined) return from;
      const standing = written.item["from"];
      invariant(typeof standing === "number", `a guard of run ${run.run_id} is damaged`);
      return standing;
    },
  };
}

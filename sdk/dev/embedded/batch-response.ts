/** Lambda's rules for the answer of a function to a batch of SQS messages (ReportBatchItemFailures). */

export interface BatchOutcome {
  /** Ids of messages that are deleted; the rest comes back after its visibility timeout. */
  readonly succeeded: readonly string[];
  /** Why the whole batch counts as failed although the function answered. */
  readonly malformed?: string;
}

/**
 * Reads a function's answer. No list (null, an empty answer, an empty or missing `batchItemFailures`)
 * is success of the whole batch; an identifier that is missing, empty or not of this batch is failure
 * of the whole batch, because Lambda cannot know what the function meant.
 */
export function batchOutcome(response: unknown, ids: readonly string[]): BatchOutcome {
  const failures = property(response, "batchItemFailures");
  if (failures === undefined || failures === null) return { succeeded: ids };
  if (!Array.isArray(failures)) return malformed("batchItemFailures is not a list");
  const failed = new Set<string>();
  for (const failure of failures) {
    const id = property(failure, "itemIdentifier");
    if (typeof id !== "string" || id === "") return malformed("an item has no itemIdentifier");
    if (!ids.includes(id)) return malformed(`itemIdentifier ${id} is not of this batch`);
    failed.add(id);
  }
  return { succeeded: ids.filter((id) => !failed.has(id)) };
}

function malformed(reason: string): BatchOutcome {
  return { succeeded: [], malformed: reason };
}

function property(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null
    ? Object.getOwnPropertyDescriptor(value, name)?.value
    : undefined;
}

/** A case that has been run, and one that did not go as its file says. */

import type { WorkflowHandle } from "../../sdk/client.ts";
import type { EventView, RunDetail } from "../../sdk/core/api.ts";
import type { Counts } from "../../sdk/testing/index.ts";
import type { Case } from "./load.ts";
import type { Journal } from "./stage.ts";

/** What a case left behind. */
export interface Finished {
  readonly handle: WorkflowHandle;
  readonly detail: RunDetail;
  readonly events: readonly EventView[];
  readonly journal: Journal | null;
  /** Counted before the start. */
  readonly before: Counts | undefined;
}

/** The case did not go as its file says; the message names file and line. */
export class CaseFailure extends Error {
  override readonly name = "CaseFailure";

  constructor(one: Case, text: string, line?: number) {
    const [file = ""] = one.place.split(":");
    super(`${one.name} (${line === undefined ? one.place : `${file}:${line}`})\n${text}`);
  }
}

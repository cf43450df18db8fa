/**
 * Writes that need not be waited for before the next commit, but before the invocation ends: rows and
 * the visibility of messages. One that fails is no failure of the run.
 */
import type { Telemetry } from "../ports/telemetry.ts";

export class Aside {
  private readonly telemetry: Telemetry;
  private readonly runId: string;
  private readonly writes = new Set<Promise<void>>();

  constructor(telemetry: Telemetry, runId: string) {
    this.telemetry = telemetry;
    this.runId = runId;
  }

  /** The returned promise never rejects. */
  add(write: Promise<void>): Promise<void> {
    const noted = write
      .catch((error: unknown) => {
        this.telemetry.warn(
          "a write beside the commit failed; it is not needed for the run to go on",
          { run_id: this.runId, error: error instanceof Error ? error.message : String(error) },
        );
      })
      .finally(() => this.writes.delete(noted));
    this.writes.add(noted);
    return noted;
  }

  async settled(): Promise<void> {
    await Promise.all(this.writes);
  }
}

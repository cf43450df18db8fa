/** Log lines as values, for tests that look at them; nothing is printed. */
import type { Fields, Telemetry } from "../../ports/telemetry.ts";
import type { Scheduler } from "../world/scheduler.ts";

export function telemetryTo(
  functionName: string,
  scheduler: Scheduler,
  onLog: ((line: object) => void) | undefined,
): Telemetry {
  const log =
    (level: string) =>
    (message: string, fields: Fields = {}): void =>
      onLog?.({ at: scheduler.now(), function: functionName, level, message, ...fields });
  return {
    debug: log("debug"),
    info: log("info"),
    warn: log("warn"),
    error: log("error"),
    count: (name, value, dimensions = {}) =>
      onLog?.({ at: scheduler.now(), function: functionName, metric: name, value, ...dimensions }),
  };
}

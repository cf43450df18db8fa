/** A Telemetry that keeps what it is told. */
import type { Fields, Telemetry } from "../../sdk/ports/telemetry.ts";

export interface Recorded {
  readonly level: string;
  readonly message: string;
  readonly fields: Fields;
}

export function recordingTelemetry(): {
  readonly telemetry: Telemetry;
  readonly lines: readonly Recorded[];
} {
  const lines: Recorded[] = [];
  const at =
    (level: string) =>
    (message: string, fields: Fields = {}): void => {
      lines.push({ level, message, fields });
    };
  return {
    lines,
    telemetry: {
      debug: at("debug"),
      info: at("info"),
      warn: at("warn"),
      error: at("error"),
      count: (name, value, dimensions = {}) => at("count")(name, { value, ...dimensions }),
    },
  };
}

/** Logs and counters. Ids, sizes and codes only: payloads never enter a log line (S8). */
export interface Telemetry {
  debug(message: string, fields?: Fields): void;
  info(message: string, fields?: Fields): void;
  warn(message: string, fields?: Fields): void;
  error(message: string, fields?: Fields): void;
  /** Adds to a counter with the metric names of the contract. */
  count(name: string, value: number, dimensions?: Readonly<Record<string, string>>): void;
}
export type Fields = Readonly<Record<string, string | number | boolean | undefined>>;

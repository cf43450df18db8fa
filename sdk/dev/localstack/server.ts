/** What the two ways of starting a server have in common. */
import type { CacheFolder } from "./cache.ts";
import type { Machine } from "./machine.ts";
import type { ExtraEnvironment } from "./server-environment.ts";
import type { StartedServer } from "./state-file.ts";

export interface StartRequest {
  readonly machine: Machine;
  readonly cache: CacheFolder;
  readonly port: number;
  readonly env: ExtraEnvironment;
  readonly onProgress: (line: string) => void;
  /** Called as soon as something runs that would have to be stopped. */
  readonly onStarted: (server: StartedServer) => Promise<void>;
}

export type StartOutcome =
  | { readonly kind: "up"; readonly server: StartedServer }
  | { readonly kind: "failed"; readonly reason: string; readonly hint: string };

export function endpointOf(port: number): string {
  return `http://127.0.0.1:${port}`;
}

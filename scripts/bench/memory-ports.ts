/**
 * The engine's ports over plain maps, with the same latency for every call: what is left of a run's
 * time is the engine's own. Nothing here checks anything; the contract tests do that for the fakes.
 */
import { setTimeout as delay } from "node:timers/promises";
import { nodeHost } from "../../sdk/adapters/lambda/host.ts";
import type { Batch, RunKey } from "../../sdk/core/events.ts";
import { LEASE_MS, LOCAL_BODIES_MAX } from "../../sdk/core/limits.ts";
import type { Ports } from "../../sdk/ports/ports.ts";
import type { RunRow } from "../../sdk/ports/runs.ts";

export interface MemoryStore {
  readonly ports: Ports;
  readonly logs: Map<string, Batch[]>;
  readonly rows: Map<string, RunRow>;
  readonly blobs: Map<string, string>;
  /** Sets how long every call takes, milliseconds; 0 is one microtask. */
  setLatency(ms: number): void;
}

export function memoryStore(): MemoryStore {
  const logs = new Map<string, Batch[]>();
  const rows = new Map<string, RunRow>();
  const blobs = new Map<string, string>();
  let latencyMs = 0;
  const called = async (): Promise<void> => {
    if (latencyMs > 0) await delay(latencyMs);
  };
  const logOf = ({ run_id }: RunKey): Batch[] => {
    const log = logs.get(run_id) ?? [];
    logs.set(run_id, log);
    return log;
  };
  return {
    logs,
    rows,
    blobs,
    setLatency: (ms) => {
      latencyMs = ms;
    },
    ports: {
      namespace: "bench",
      version: "0",
      leaseMs: LEASE_MS,
      localConcurrency: LOCAL_BODIES_MAX,
      boot: undefined,
      host: nodeHost(),
      history: {
        async append(run, batch) {
          await called();
          const log = logOf(run);
          const last = log.at(-1);
          const next = last === undefined ? 1 : last.sequence + last.events.length;
          if (batch.sequence !== next) return "lost";
          log.push(batch);
          return "appended";
        },
        async readFrom(run, sequence) {
          await called();
          return logOf(run).filter((batch) => batch.sequence >= sequence);
        },
        async readTail(run) {
          await called();
          return logOf(run).at(-1);
        },
      },
      ...otherPorts(called, rows, blobs),
    },
  };
}

type ServicePorts = Omit<
  Ports,
  "namespace" | "version" | "leaseMs" | "localConcurrency" | "boot" | "host" | "history"
>;

/** What runs of local activities touch little or not at all. */
function otherPorts(
  called: () => Promise<void>,
  rows: Map<string, RunRow>,
  blobs: Map<string, string>,
): ServicePorts {
  const refuse = (): never => {
    throw new Error("the benchmark's ports do not have this call");
  };
  const silent = (): void => undefined;
  const complain = (message: string, fields: object = {}): never => {
    throw new Error(`${message} ${JSON.stringify(fields)}`);
  };
  return {
    runs: {
      get: async (run) => rows.get(run.run_id),
      markRunning: called,
      markClosed: called,
      setTaskFailure: called,
      create: refuse,
      replace: refuse,
      getCurrent: refuse,
      moveCheck: refuse,
      dueChecks: refuse,
      list: refuse,
    },
    counting: {
      mark: refuse,
      marked: refuse,
      share: refuse,
      restore: refuse,
      totals: refuse,
      writeTotals: refuse,
      apply: refuse,
      settle: refuse,
      runningAttempts: refuse,
    },
    guards: { guard: refuse },
    attempts: {
      claim: refuse,
      conclude: refuse,
      expire: refuse,
      heartbeat: refuse,
      get: refuse,
      ofRun: refuse,
    },
    projection: { write: called },
    timers: { put: refuse, due: refuse, remove: refuse },
    queue: { send: called, defer: called },
    deadLetters: { receive: refuse, redrive: refuse },
    blobs: {
      put: async (key, text) => void blobs.set(key, text),
      get: async (key) => blobs.get(key) ?? refuse(),
    },
    workflowFunction: { invoke: refuse },
    telemetry: { debug: silent, info: silent, warn: silent, error: complain, count: silent },
  };
}

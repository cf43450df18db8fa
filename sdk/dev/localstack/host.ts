/**
 * Finds or starts a LocalStack, in a fixed order: a given endpoint, the instance that an earlier start
 * left running, Docker, a process without Docker.
 *
 * What fails is said (a progress line, or the error that names every way), never skipped silently.
 */
import { createServer } from "node:net";
import { join } from "node:path";
import { type CacheFolder, cacheFolder } from "./cache.ts";
import { containerRuns, startInDocker, stopContainer } from "./docker-server.ts";
import { type ReadHealth, readHealth } from "./health.ts";
import { withLock } from "./lock.ts";
import { type Machine, thisMachine } from "./machine.ts";
import { defaultPort, pins } from "./pins.ts";
import { groupMembers, stopGroup } from "./process-group.ts";
import { startProcess } from "./process-server.ts";
import { endpointOf, type StartOutcome, type StartRequest } from "./server.ts";
import type { ExtraEnvironment } from "./server-environment.ts";
import {
  type InstanceState,
  readState,
  removeState,
  type StartedServer,
  writeState,
} from "./state-file.ts";
import { type FailedWay, LocalStackUnavailableError } from "./unavailable.ts";

export { LocalStackUnavailableError } from "./unavailable.ts";

export interface LocalStackInstance {
  readonly endpoint: string;
  readonly how: "endpoint" | "reused" | "docker" | "process";
  /** Of the server, which is also the id of its process group; only without Docker. */
  readonly pid?: number;
  /** Ends what this call started. A given endpoint and a reused instance are left alone. */
  stop(): Promise<void>;
}

export interface StartLocalStackOptions {
  readonly port?: number;
  /** Use the instance that an earlier call left running on this port. Default: true. */
  readonly reuse?: boolean;
  /** Default: lines on standard error. */
  readonly onProgress?: (line: string) => void;
  /** More settings for LocalStack, such as DYNAMODB_ERROR_PROBABILITY. */
  readonly env?: ExtraEnvironment;
}

/** What tests replace: everything that would start or ask something. */
export interface HostWays {
  readonly machine: Machine;
  readonly readHealth: ReadHealth;
  readonly isRunning: (server: StartedServer, cache: CacheFolder) => Promise<boolean>;
  readonly isPortFree: (port: number) => Promise<boolean>;
  readonly stop: (server: StartedServer, cache: CacheFolder) => Promise<void>;
  readonly startInDocker: (request: StartRequest) => Promise<StartOutcome>;
  readonly startProcess: (request: StartRequest) => Promise<StartOutcome>;
}

export function startLocalStack(options: StartLocalStackOptions): Promise<LocalStackInstance> {
  return startWith(options, waysOf(thisMachine()));
}

/** Stops the instance that an earlier call left running on a port; false when there is none. */
export async function stopLocalStack(options: { readonly port?: number }): Promise<boolean> {
  const ways = waysOf(thisMachine());
  const cache = cacheFolder(ways.machine);
  const port = options.port ?? defaultPort;
  return withLock(lockOf(cache, port), ignoreWait, async () => {
    const state = await readState(cache, port);
    if (state === undefined) return false;
    const running = await ways.isRunning(state.server, cache);
    await ways.stop(state.server, cache);
    await removeState(cache, port);
    return running;
  });
}

export async function startWith(
  options: StartLocalStackOptions,
  ways: HostWays,
): Promise<LocalStackInstance> {
  const onProgress = options.onProgress ?? ((line) => process.stderr.write(`${line}\n`));
  const given = ways.machine.env["PAWL_LOCALSTACK_ENDPOINT"];
  if (given) return useEndpoint(given, ways, onProgress);

  const cache = cacheFolder(ways.machine);
  const port = options.port ?? defaultPort;
  const onWait = (pid: number) =>
    onProgress(`waiting for process ${pid}, which starts LocalStack on port ${port}`);
  return withLock(lockOf(cache, port), onWait, async () => {
    const left = await findLeftRunning(options, ways, cache);
    if (left !== undefined) return left;
    const request: StartRequest = {
      machine: ways.machine,
      cache,
      port,
      env: options.env ?? {},
      onProgress,
      onStarted: (server) => writeState(cache, stateOf(request, server, false)),
    };
    return startNew(request, ways);
  });
}

async function useEndpoint(
  given: string,
  ways: HostWays,
  onProgress: (line: string) => void,
): Promise<LocalStackInstance> {
  const health = await ways.readHealth(given);
  if (health.kind === "down") {
    // Asked for by name: starting another one instead would be a surprise.
    throw new LocalStackUnavailableError([
      {
        way: "the endpoint in PAWL_LOCALSTACK_ENDPOINT",
        reason: health.reason,
        hint: "start LocalStack there, or unset PAWL_LOCALSTACK_ENDPOINT to have one started",
      },
    ]);
  }
  if (health.version !== pins.localstack) {
    onProgress(`${given} is LocalStack ${health.version}; Pawl is tested with ${pins.localstack}`);
  }
  return { endpoint: given.replace(/\/+$/, ""), how: "endpoint", stop: async () => {} };
}

async function findLeftRunning(
  options: StartLocalStackOptions,
  ways: HostWays,
  cache: CacheFolder,
): Promise<LocalStackInstance | undefined> {
  const port = options.port ?? defaultPort;
  const state = await readState(cache, port);
  if (state !== undefined && state.ready && (await ways.isRunning(state.server, cache))) {
    return reuse(state, options, ways);
  }
  if (state !== undefined) {
    // A server that died may have left its JVM, a start that was interrupted its server.
    await ways.stop(state.server, cache);
    await removeState(cache, port);
  }
  if (await ways.isPortFree(port)) return undefined;
  const health = await ways.readHealth(endpointOf(port));
  const isLocalStack = health.kind === "up";
  throw new LocalStackUnavailableError([
    {
      way: `a new instance on port ${port}`,
      reason: isLocalStack
        ? `a LocalStack ${health.version} that Pawl did not start answers there`
        : "another program listens there",
      hint: isLocalStack
        ? `set PAWL_LOCALSTACK_ENDPOINT=${endpointOf(port)} to use it, or choose another port`
        : "end that program, or choose another port",
    },
  ]);
}

async function reuse(
  state: InstanceState,
  options: StartLocalStackOptions,
  ways: HostWays,
): Promise<LocalStackInstance> {
  const endpoint = endpointOf(state.port);
  const way = `the instance that runs on port ${state.port}`;
  const hint = "stop it, or choose another port";
  if (options.reuse === false) {
    throw new LocalStackUnavailableError([{ way, reason: "a new one was asked for", hint }]);
  }
  if (!sameEnvironment(state.env, options.env ?? {})) {
    const reason = "it was started with another extra environment";
    throw new LocalStackUnavailableError([{ way, reason, hint }]);
  }
  const health = await ways.readHealth(endpoint);
  if (health.kind === "down") {
    throw new LocalStackUnavailableError([{ way, reason: health.reason, hint }]);
  }
  return { endpoint, how: "reused", ...pidOf(state.server), stop: async () => {} };
}

async function startNew(request: StartRequest, ways: HostWays): Promise<LocalStackInstance> {
  const { cache, port, onProgress } = request;
  const failedWays: FailedWay[] = [
    { way: "a given endpoint", reason: "PAWL_LOCALSTACK_ENDPOINT is not set" },
  ];
  const starters = [
    { how: "docker", way: "Docker", start: ways.startInDocker },
    { how: "process", way: "without Docker", start: ways.startProcess },
  ] as const;
  for (const { how, way, start } of starters) {
    const outcome = await start(request);
    if (outcome.kind === "up") {
      const { server } = outcome;
      await writeState(cache, stateOf(request, server, true));
      // Under the lock, so that no other start takes what is about to end.
      const stop = once(() =>
        withLock(lockOf(cache, port), ignoreWait, async () => {
          await ways.stop(server, cache);
          await removeState(cache, port);
        }),
      );
      return { endpoint: endpointOf(port), how, ...pidOf(server), stop };
    }
    await removeState(cache, port);
    failedWays.push({ way, reason: outcome.reason, hint: outcome.hint });
    onProgress(`LocalStack: ${way}: ${outcome.reason}`);
  }
  throw new LocalStackUnavailableError(failedWays);
}

function waysOf(machine: Machine): HostWays {
  return {
    machine,
    readHealth,
    isRunning: async (server, cache) => {
      if (server.kind === "docker") return containerRuns(machine, server.container);
      const members = await groupMembers(server.pid);
      return members.some(({ pid, command }) => pid === server.pid && command.includes(cache.path));
    },
    isPortFree,
    stop: (server, cache) =>
      server.kind === "docker"
        ? stopContainer(machine, server.container)
        : stopGroup(server.pid, cache.path),
    startInDocker,
    startProcess,
  };
}

export function isPortFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
      .once("error", () => resolve(false))
      .listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}

function lockOf(cache: CacheFolder, port: number): string {
  return join(cache.instances, `${port}.lock`);
}

function ignoreWait(): void {}

function stateOf(request: StartRequest, server: StartedServer, ready: boolean): InstanceState {
  return { port: request.port, server, ready, env: request.env };
}

function pidOf(server: StartedServer): { readonly pid?: number } {
  return server.kind === "process" ? { pid: server.pid } : {};
}

function sameEnvironment(one: ExtraEnvironment, other: ExtraEnvironment): boolean {
  const names = Object.keys(one);
  const sameCount = names.length === Object.keys(other).length;
  return sameCount && names.every((name) => one[name] === other[name]);
}

function once(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  return () => {
    running ??= work();
    return running;
  };
}

/** LocalStack without Docker: a Python process of its own group that outlives the one that started it. */
import { spawn } from "node:child_process";
import { mkdir, open, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { waitUntilUp } from "./health.ts";
import { prepare } from "./installation.ts";
import { pins } from "./pins.ts";
import { stopGroup } from "./process-group.ts";
import { endpointOf, type StartOutcome, type StartRequest } from "./server.ts";
import { processEnvironment } from "./server-environment.ts";

// About two seconds on an idle machine; the first start also compiles Python's modules.
const upMsMax = 120_000;
const logLines = 15;

export async function startProcess(request: StartRequest): Promise<StartOutcome> {
  const { machine, cache, port, onProgress } = request;
  if (machine.platform === "win32") {
    return failed("it runs on Linux and macOS only", "use Docker, or a Linux environment (WSL)");
  }
  const prepared = await prepare({ machine, cache, onProgress });
  if (prepared.kind === "failed") return prepared;

  onProgress(`starting LocalStack ${pins.localstack} without Docker on port ${port}`);
  const folder = join(cache.instances, String(port));
  await rm(folder, { recursive: true, force: true });
  await mkdir(join(folder, "tmp"), { recursive: true });
  const env = processEnvironment({
    port,
    instanceFolder: folder,
    dynamodbLocal: cache.dynamodbLocal,
    java: prepared.java,
    node: process.execPath,
    machineEnv: machine.env,
    extra: request.env,
  });
  return launch(request, env, join(folder, "localstack.log"));
}

async function launch(
  request: StartRequest,
  env: Readonly<Record<string, string>>,
  logFile: string,
): Promise<StartOutcome> {
  const { cache, port } = request;
  const log = await open(logFile, "a");
  const child = spawn(cache.python, ["-m", "localstack.runtime.main"], {
    // A group of its own: it is stopped as a whole, and a Ctrl-C at the terminal does not reach it.
    detached: true,
    env,
    cwd: cache.path,
    stdio: ["ignore", log.fd, log.fd],
  });
  let ended: string | undefined;
  child.on("error", (error) => {
    ended = error.message;
  });
  child.on("exit", (code, signal) => {
    ended = `it ended with ${signal ?? `exit status ${code}`}`;
  });
  child.unref();
  await log.close();

  const { pid } = child;
  if (pid === undefined)
    return failed(`${cache.python} could not be started`, reinstall(cache.path));
  await request.onStarted({ kind: "process", pid });
  if (await waitUntilUp(endpointOf(port), upMsMax, () => ended === undefined)) {
    return { kind: "up", server: { kind: "process", pid } };
  }
  await stopGroup(pid, cache.path);
  const why = ended ?? `it did not answer within ${upMsMax / 1000} s`;
  return failed(`${why}; the end of ${logFile}:\n${await tail(logFile)}`, reinstall(cache.path));
}

async function tail(file: string): Promise<string> {
  return (await readFile(file, "utf8")).trimEnd().split("\n").slice(-logLines).join("\n");
}

function reinstall(cachePath: string): string {
  return `read the log, then delete ${cachePath} to install again`;
}

function failed(reason: string, hint: string): StartOutcome {
  return { kind: "failed", reason, hint };
}

/** The DynamoDB of the embedded stack: the first emulator that this machine has, as a child process. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { connect, createServer } from "node:net";
import { dirname, join, parse } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { pawlError } from "../../core/errors.ts";

export interface DynamoDb {
  readonly endpoint: string;
  readonly pid: number;
  stop(): Promise<void>;
}

interface Emulator {
  readonly command: string;
  /** The arguments for a port, and a file or folder to keep the data in. */
  arguments(port: number, dataPath: string | undefined): readonly string[];
}

/** The jar of DynamoDB Local, for machines that have Java and no other emulator. */
const JAR_VARIABLE = "PAWL_DYNAMODB_LOCAL_JAR";
const pollMs = 5;
// DynamoDB Local's JVM takes some seconds on a busy machine.
const startMsMax = 30_000;
const startsMax = 3;

/**
 * Starts the emulator. `dataPath` keeps the data (without an extension: each emulator adds its own);
 * without it the data goes with the process.
 * @throws PawlError dynamodb_missing when no emulator is installed
 */
export async function startDynamoDb(dataPath: string | undefined): Promise<DynamoDb> {
  const emulator = findEmulator();
  if (emulator === undefined)
    throw pawlError("dynamodb_missing", { platform: `${process.platform}-${process.arch}` });
  for (let start = 1; ; start += 1) {
    const port = await freePort();
    const child = spawn(emulator.command, emulator.arguments(port, dataPath), {
      stdio: ["ignore", "ignore", "pipe"],
    });
    const failure = await started(child, port);
    if (failure === undefined && child.pid !== undefined)
      return { endpoint: `http://127.0.0.1:${port}`, pid: child.pid, stop: () => stop(child) };
    await stop(child);
    // Another program may have taken the port in between: once more with another one.
    if (start === startsMax)
      throw pawlError("dynamodb_failed", {
        command: emulator.command,
        reason: failure ?? "it has no process id",
      });
  }
}

function findEmulator(): Emulator | undefined {
  return dynoxide() ?? dynalite() ?? dynamoDbLocal();
}

function dynoxide(): Emulator | undefined {
  const name = process.platform === "win32" ? "dynoxide.exe" : "dynoxide";
  const command =
    process.env["DYNOXIDE_BIN"] ??
    fileOfPackage(`@dynoxide/${process.platform}-${process.arch}`, name) ??
    executable("dynoxide");
  if (command === undefined) return undefined;
  return {
    command,
    arguments: (port, dataPath) => [
      "--host",
      "127.0.0.1",
      "--port",
      String(port),
      ...(dataPath === undefined ? [] : ["--db-path", `${dataPath}.sqlite`]),
    ],
  };
}

function dynalite(): Emulator | undefined {
  const script = fileOfPackage("dynalite", "cli.js");
  if (script === undefined) return undefined;
  return {
    command: process.execPath,
    arguments: (port, dataPath) => [
      script,
      "--host",
      "127.0.0.1",
      "--port",
      String(port),
      "--createTableMs",
      "0",
      ...(dataPath === undefined ? [] : ["--path", `${dataPath}.leveldb`]),
    ],
  };
}

function dynamoDbLocal(): Emulator | undefined {
  const jar = process.env[JAR_VARIABLE];
  if (jar === undefined || !existsSync(jar)) return undefined;
  const java = process.env["JAVA_HOME"];
  return {
    command: java === undefined ? "java" : join(java, "bin", "java"),
    arguments: (port, dataPath) => [
      `-Djava.library.path=${join(dirname(jar), "DynamoDBLocal_lib")}`,
      "-jar",
      jar,
      "-port",
      String(port),
      "-sharedDb",
      ...(dataPath === undefined ? ["-inMemory"] : ["-dbPath", dirname(dataPath)]),
    ],
  };
}

/** A file of an installed package: one of Pawl's own dependencies, or one of the user's project. */
function fileOfPackage(name: string, file: string): string | undefined {
  for (const from of [import.meta.url, join(process.cwd(), "package.json")]) {
    try {
      const path = join(dirname(createRequire(from).resolve(`${name}/package.json`)), file);
      if (existsSync(path)) return path;
    } catch {
      // not installed there
    }
  }
  return undefined;
}

function executable(name: string): string | undefined {
  for (let folder = process.cwd(); ; folder = dirname(folder)) {
    const path = join(folder, "node_modules", ".bin", name);
    if (existsSync(path)) return path;
    if (folder === parse(folder).root) return undefined;
  }
}

/** Waits until the port answers; the reason when the process ends before. */
async function started(child: ChildProcess, port: number): Promise<string | undefined> {
  let ended: string | undefined;
  let errors = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    errors = `${errors}${text}`.slice(-500);
  });
  child.once("error", (error) => {
    ended = error.message;
  });
  child.once("exit", (code, signal) => {
    ended ??= `it ended with ${signal ?? `exit code ${code}`}: ${errors.trim()}`;
  });
  for (let waitedMs = 0; waitedMs < startMsMax; waitedMs += pollMs) {
    if (await accepts(port)) return undefined;
    if (ended !== undefined) return ended;
    await delay(pollMs);
  }
  return `it did not listen on port ${port} within ${startMsMax} ms`;
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1" });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => {
        if (typeof address === "object" && address !== null) resolve(address.port);
        else reject(new Error("a listening server has no port"));
      });
    });
  });
}

// SQLite survives SIGKILL, so the emulator needs no farewell.
async function stop(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  child.kill("SIGKILL");
  await exited;
}

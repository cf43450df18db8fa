/**
 * The cached installation of the way without Docker: a Python environment with LocalStack, Pawl's plugin
 * in it, and DynamoDB Local.
 *
 * Each part has a stamp, written last, of what it was made from: an interrupted or outdated part is made
 * again, and the second start only reads three stamps.
 */
import { createHash } from "node:crypto";
import { cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type CacheFolder, pythonProject } from "./cache.ts";
import { type CommandOptions, type CommandResult, failureOf } from "./command.ts";
import { withLock } from "./lock.ts";
import type { Machine } from "./machine.ts";
import { pins } from "./pins.ts";
import { findJava, findMaven, findPython, type Tool } from "./tool.ts";

type Prepared = { readonly kind: "ready"; readonly java: string } | Failed;

interface Failed {
  readonly kind: "failed";
  readonly reason: string;
  readonly hint: string;
}

type Installed = { readonly kind: "installed" } | Failed;

type PartName = "packages" | "plugin" | "dynamodbLocal";

interface Installer {
  readonly machine: Machine;
  readonly cache: CacheFolder;
  readonly onProgress: (line: string) => void;
}

interface Part {
  readonly name: PartName;
  readonly stamp: string;
  readonly key: string;
  readonly install: (installer: Installer) => Promise<Installed>;
}

const done: Installed = { kind: "installed" };
const installMsMax = 15 * 60_000;
const heartbeatMs = 10_000;

/** The parts that are missing or outdated, in the order in which they are made. */
export async function missingParts(cache: CacheFolder): Promise<readonly PartName[]> {
  return (await outdated(await partsOf(cache))).map(({ name }) => name);
}

/** Ready to be launched, after installing what is missing; every missing tool is named before anything is fetched. */
export async function prepare(installer: Installer): Promise<Prepared> {
  const { machine, cache, onProgress } = installer;
  const parts = await partsOf(cache);
  const runs = await interpreterRuns(installer);
  const missing = (await outdated(parts)).map(({ name }) => name);
  const nothing = { kind: "unneeded" } as const;
  const [java, python, maven] = await Promise.all([
    findJava(machine),
    missing.includes("packages") || !runs ? findPython(machine) : nothing,
    missing.includes("dynamodbLocal") ? findMaven(machine) : nothing,
  ]);
  const absent = [python, java, maven].filter((search) => search.kind === "missing");
  if (java.kind === "missing" || absent.length > 0) {
    const reason = absent.map((search) => search.reason).join("; ");
    return { kind: "failed", reason, hint: absent.map((search) => search.hint).join(", and ") };
  }
  const ready: Prepared = { kind: "ready", java: java.tool.command };
  if (missing.length === 0 && runs) return ready;

  const lock = join(cache.path, "install.lock");
  const onWait = (pid: number) =>
    onProgress(`waiting for the installation by process ${pid} (${lock})`);
  const installed = await withLock(lock, onWait, () => install(installer, parts));
  return installed.kind === "failed" ? installed : ready;
}

async function install(installer: Installer, parts: readonly Part[]): Promise<Installed> {
  // A Python that was removed from the machine takes its environments with it.
  if (!(await interpreterRuns(installer))) await rm(installer.cache.venv, removal);
  // Asked again: whoever held the lock before may have installed them.
  for (const part of await outdated(parts)) {
    const result = await part.install(installer);
    if (result.kind === "failed") return result;
    await writeFile(part.stamp, part.key);
  }
  return done;
}

const removal = { recursive: true, force: true } as const;

async function partsOf(cache: CacheFolder): Promise<readonly Part[]> {
  const [constraints, pom, plugin] = await Promise.all([
    hashOf([join(pythonProject, "constraints.txt")]),
    hashOf([join(pythonProject, "dynamodb-local-pom.xml")]),
    hashOf(await pluginFiles()),
  ]);
  const packages = `${pins.localstack} ${pins.python} ${constraints}`;
  return [
    {
      name: "packages",
      stamp: join(cache.venv, ".packages"),
      key: packages,
      install: installPackages,
    },
    { name: "plugin", stamp: join(cache.venv, ".plugin"), key: plugin, install: installPlugin },
    {
      name: "dynamodbLocal",
      stamp: join(cache.dynamodbLocal, ".jars"),
      key: pom,
      install: installDynamoDbLocal,
    },
  ];
}

async function pluginFiles(): Promise<readonly string[]> {
  const sources = join(pythonProject, "pawl_localstack");
  const names = (await readdir(sources)).filter((name) => /\.(py|mjs)$/.test(name));
  return [
    join(pythonProject, "pyproject.toml"),
    ...names.sort().map((name) => join(sources, name)),
  ];
}

async function hashOf(files: readonly string[]): Promise<string> {
  const hash = createHash("sha256");
  for (const file of files) hash.update(await readFile(file));
  return hash.digest("hex");
}

async function outdated(parts: readonly Part[]): Promise<readonly Part[]> {
  const stamps = await Promise.all(parts.map(({ stamp }) => readOrNothing(stamp)));
  return parts.filter(({ key }, index) => stamps[index] !== key);
}

async function readOrNothing(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch {
    return undefined;
  }
}

async function interpreterRuns({ machine, cache }: Installer): Promise<boolean> {
  return (await machine.run(cache.python, ["-c", ""])).status === 0;
}

async function installPackages(installer: Installer): Promise<Installed> {
  const { cache, onProgress } = installer;
  const python = await usablePython(installer);
  if ("kind" in python) return python;
  onProgress(
    `installing LocalStack ${pins.localstack} into ${cache.path} with Python ${python.version}: once, about two minutes, 560 MB`,
  );
  await rm(cache.venv, removal);
  await mkdir(cache.path, { recursive: true });
  const venv = await runLong(installer, python.command, ["-m", "venv", cache.venv]);
  if (venv.status !== 0) return failed("the Python environment could not be created", venv);
  const pip = await runLong(installer, cache.python, [
    "-m",
    "pip",
    "install",
    "--disable-pip-version-check",
    "--progress-bar",
    "off",
    `localstack-core[runtime]==${pins.localstack}`,
    "setuptools",
    "--constraint",
    join(pythonProject, "constraints.txt"),
  ]);
  if (pip.status !== 0) return failed("pip could not install LocalStack", pip);
  return done;
}

async function usablePython(installer: Installer): Promise<Tool | Failed> {
  const { machine, onProgress } = installer;
  const first = await findPython(machine);
  if (first.kind === "found") return first.tool;
  if (first.kind === "missing") return { ...first, kind: "failed" };
  onProgress(`installing Python ${pins.python} with uv`);
  const uv = await runLong(installer, "uv", ["python", "install", pins.python]);
  const second = uv.status === 0 ? await findPython(machine) : first;
  if (second.kind === "found") return second.tool;
  return failed(`uv could not install Python ${pins.python}`, uv);
}

async function installPlugin(installer: Installer): Promise<Installed> {
  const { cache } = installer;
  // Built from a copy: a build writes beside its sources, and those may be in a read-only node_modules.
  const copy = join(cache.path, "plugin-build");
  await rm(copy, removal);
  await cp(pythonProject, copy, { recursive: true });
  const pip = await runLong(installer, cache.python, [
    "-m",
    "pip",
    "install",
    "--disable-pip-version-check",
    "--force-reinstall",
    "--no-deps",
    "--no-index",
    "--no-build-isolation",
    copy,
  ]);
  await rm(copy, removal);
  if (pip.status !== 0) return failed("Pawl's LocalStack plugin could not be installed", pip);
  return done;
}

async function installDynamoDbLocal(installer: Installer): Promise<Installed> {
  const { cache, machine, onProgress } = installer;
  const maven = await findMaven(machine);
  if (maven.kind === "missing") return { ...maven, kind: "failed" };
  onProgress(`fetching DynamoDB Local ${pins.dynamodbLocal} with Maven: once, 51 MB`);
  await rm(cache.dynamodbLocal, removal);
  const mvn = await runLong(installer, maven.tool.command, [
    "-B",
    "-f",
    join(pythonProject, "dynamodb-local-pom.xml"),
    "dependency:copy-dependencies",
    `-DoutputDirectory=${cache.dynamodbLocal}`,
  ]);
  if (mvn.status !== 0) return failed("Maven could not fetch DynamoDB Local", mvn);
  return done;
}

// The variables of another Python environment would redirect pip; the rest (proxies, mirrors) stays.
async function runLong(
  { machine, onProgress }: Installer,
  command: string,
  args: readonly string[],
): Promise<CommandResult> {
  let last = "";
  let seconds = 0;
  const heartbeat = setInterval(() => {
    seconds += heartbeatMs / 1000;
    onProgress(`  ... ${seconds} s: ${last.slice(0, 100)}`);
  }, heartbeatMs);
  const options: CommandOptions = {
    timeoutMs: installMsMax,
    env: { ...machine.env, PYTHONHOME: undefined, PYTHONPATH: undefined, VIRTUAL_ENV: undefined },
    onLine: (line) => {
      last = line;
    },
  };
  try {
    return await machine.run(command, args, options);
  } finally {
    clearInterval(heartbeat);
  }
}

function failed(what: string, result: CommandResult): Failed {
  return {
    kind: "failed",
    reason: `${what} (${failureOf(result)})`,
    hint: "check that the package indexes of pip and Maven can be reached, then start again",
  };
}

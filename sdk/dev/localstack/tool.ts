/** Finds the tools of the way without Docker. A candidate counts only after it has run. */
import { join } from "node:path";
import { type CommandResult, failureOf } from "./command.ts";
import type { Machine } from "./machine.ts";
import { pins } from "./pins.ts";

export interface Tool {
  readonly command: string;
  readonly version: string;
}

type ToolSearch =
  | { readonly kind: "found"; readonly tool: Tool }
  | { readonly kind: "missing"; readonly reason: string; readonly hint: string };

/** Python alone can be fetched by another tool: by uv. */
export type PythonSearch = ToolSearch | { readonly kind: "installable"; readonly by: "uv" };

type Judgement = { readonly tool: Tool } | { readonly reason: string };

interface Candidate {
  readonly command: string;
  readonly args: readonly string[];
}

// Debian ships an interpreter without venv and ensurepip: such a one is of no use here.
const pythonProbe = [
  "-c",
  "import sys, venv, ensurepip; print('%d.%d.%d' % sys.version_info[:3]); print(sys.executable)",
];

export async function findPython(machine: Machine): Promise<PythonSearch> {
  const versions = join(machine.homeFolder, ".pyenv", "versions");
  const ofPyenv = (await machine.list(versions))
    .filter((name) => name === pins.python || name.startsWith(`${pins.python}.`))
    .map((name) => join(versions, name, "bin", `python${pins.python}`));
  const given = machine.env["PYTHON313"];
  const commands = [...(given ? [given] : []), `python${pins.python}`, ...ofPyenv];
  const candidates = commands.map((command) => ({ command, args: pythonProbe }));

  const found = await firstWorking(machine, candidates, judgePython);
  if ("tool" in found) return { kind: "found", tool: found.tool };
  const ofUv = await findWithUv(machine);
  if (ofUv !== undefined) return ofUv;
  return {
    kind: "missing",
    reason: `no working Python ${pins.python} (${found.reasons.join("; ")}; uv: not found)`,
    hint: `install Python ${pins.python} (for example with pyenv or uv), or set PYTHON313 to its path`,
  };
}

async function findWithUv(machine: Machine): Promise<PythonSearch | undefined> {
  const uv = await machine.run("uv", ["--version"]);
  if (uv.status !== 0) return undefined;
  const found = await machine.run("uv", ["python", "find", pins.python]);
  if (found.status !== 0) return { kind: "installable", by: "uv" };
  const command = found.stdout.trim();
  const judged = judgePython(command, await machine.run(command, pythonProbe));
  return "tool" in judged ? { kind: "found", ...judged } : { kind: "installable", by: "uv" };
}

function judgePython(command: string, result: CommandResult): Judgement {
  if (result.status !== 0) return { reason: `${command}: ${failureOf(result)}` };
  const [version = "", executable = ""] = result.stdout.trim().split("\n");
  if (!version.startsWith(`${pins.python}.`)) {
    return { reason: `${command}: is Python ${version || "unknown"}` };
  }
  return { tool: { command: executable || command, version } };
}

export async function findJava(machine: Machine): Promise<ToolSearch> {
  const home = machine.env["JAVA_HOME"];
  const commands = [...(home ? [join(home, "bin", "java")] : []), "java"];
  const candidates = commands.map((command) => ({ command, args: ["-version"] }));

  const found = await firstWorking(machine, candidates, judgeJava);
  if ("tool" in found) return { kind: "found", tool: found.tool };
  return {
    kind: "missing",
    reason: `no Java ${pins.javaMajorMin} or newer (${found.reasons.join("; ")})`,
    hint: `install a Java runtime, version ${pins.javaMajorMin} or newer, or set JAVA_HOME`,
  };
}

function judgeJava(command: string, result: CommandResult): Judgement {
  if (result.status !== 0) return { reason: `${command}: ${failureOf(result)}` };
  // openjdk version "17.0.15"; before 9 it was "1.8.0_292". Java writes it to stderr.
  const version = /version "([^"]+)"/.exec(result.stderr + result.stdout)?.[1] ?? "";
  const major = Number.parseInt(version, 10);
  if (!(major >= pins.javaMajorMin))
    return { reason: `${command}: is Java ${version || "unknown"}` };
  return { tool: { command, version } };
}

/** Needed once, to fetch DynamoDB Local. */
export async function findMaven(machine: Machine): Promise<ToolSearch> {
  const result = await machine.run("mvn", ["-B", "-v"]);
  const version = /Apache Maven (\S+)/.exec(result.stdout)?.[1];
  if (result.status === 0 && version !== undefined) {
    return { kind: "found", tool: { command: "mvn", version } };
  }
  return {
    kind: "missing",
    reason: `no working Maven (mvn: ${failureOf(result)})`,
    hint: "install Maven (only the first start needs it, to fetch DynamoDB Local)",
  };
}

async function firstWorking(
  machine: Machine,
  candidates: readonly Candidate[],
  judge: (command: string, result: CommandResult) => Judgement,
): Promise<{ readonly tool: Tool } | { readonly reasons: readonly string[] }> {
  const reasons: string[] = [];
  for (const { command, args } of candidates) {
    const judged = judge(command, await machine.run(command, args));
    if ("tool" in judged) return judged;
    reasons.push(judged.reason);
  }
  return { reasons };
}

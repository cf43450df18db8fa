/** What this machine can run of LocalStack, and why not, as data. Changes nothing: installs, pulls, starts nothing. */
import { cacheFolder } from "./cache.ts";
import { probeDocker } from "./docker-server.ts";
import { readHealth } from "./health.ts";
import { isPortFree } from "./host.ts";
import { missingParts } from "./installation.ts";
import { type Machine, thisMachine } from "./machine.ts";
import { defaultPort, pins } from "./pins.ts";
import { endpointOf } from "./server.ts";
import { findJava, findMaven, findPython, type PythonSearch } from "./tool.ts";

export interface Diagnosis {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
  readonly hint?: string;
}

export function diagnoseLocalStack(): Promise<readonly Diagnosis[]> {
  return diagnose(thisMachine());
}

export function diagnose(machine: Machine): Promise<readonly Diagnosis[]> {
  return Promise.all([
    diagnoseEndpoint(machine),
    diagnoseDocker(machine),
    findPython(machine).then((search) => ofTool(`python ${pins.python}`, search)),
    findJava(machine).then((search) => ofTool("java", search)),
    findMaven(machine).then((search) => ofTool("maven", search)),
    diagnoseInstallation(machine),
    diagnosePort(),
  ]);
}

async function diagnoseEndpoint(machine: Machine): Promise<Diagnosis> {
  const name = "endpoint";
  const given = machine.env["PAWL_LOCALSTACK_ENDPOINT"];
  if (!given)
    return { name, ok: true, detail: "PAWL_LOCALSTACK_ENDPOINT is not set: one is started" };
  const health = await readHealth(given);
  if (health.kind === "up")
    return { name, ok: true, detail: `${given}: LocalStack ${health.version}` };
  const hint = "start LocalStack there, or unset PAWL_LOCALSTACK_ENDPOINT";
  return { name, ok: false, detail: health.reason, hint };
}

async function diagnoseDocker(machine: Machine): Promise<Diagnosis> {
  const name = "docker";
  const probe = await probeDocker(machine);
  if (probe.kind === "unusable") return { name, ok: false, detail: probe.reason, hint: probe.hint };
  return { name, ok: true, detail: `the daemon answers: ${probe.version}` };
}

function ofTool(name: string, search: PythonSearch): Diagnosis {
  switch (search.kind) {
    case "found":
      return { name, ok: true, detail: `${search.tool.version} (${search.tool.command})` };
    case "installable":
      return {
        name,
        ok: true,
        detail: `not here; ${search.by} will install it at the first start`,
      };
    case "missing":
      return { name, ok: false, detail: search.reason, hint: search.hint };
  }
}

async function diagnoseInstallation(machine: Machine): Promise<Diagnosis> {
  const name = "cached installation";
  const cache = cacheFolder(machine);
  const missing = await missingParts(cache);
  if (missing.length === 0) return { name, ok: true, detail: cache.path };
  const detail = `${cache.path}: missing or outdated: ${missing.join(", ")}`;
  return {
    name,
    ok: false,
    detail,
    hint: "the first start without Docker installs it, in about two minutes",
  };
}

async function diagnosePort(): Promise<Diagnosis> {
  const name = `port ${defaultPort}`;
  if (await isPortFree(defaultPort)) return { name, ok: true, detail: "free" };
  const health = await readHealth(endpointOf(defaultPort));
  if (health.kind === "up") {
    return { name, ok: true, detail: `LocalStack ${health.version} answers there` };
  }
  const hint = "end the program that listens there, or choose another port";
  return { name, ok: false, detail: "used by another program", hint };
}

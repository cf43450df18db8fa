/** LocalStack in Docker, from the pinned image. Docker counts only when its daemon answers. */
import { failureOf } from "./command.ts";
import { waitUntilUp } from "./health.ts";
import type { Machine } from "./machine.ts";
import { pins } from "./pins.ts";
import { endpointOf, type StartOutcome, type StartRequest } from "./server.ts";
import { dockerEnvironment } from "./server-environment.ts";

type DockerProbe =
  | { readonly kind: "answers"; readonly version: string; readonly socket: string }
  | { readonly kind: "unusable"; readonly reason: string; readonly hint: string };

const usualSocket = "/var/run/docker.sock";
const pullMsMax = 10 * 60_000;
const upMsMax = 90_000;
const logLines = 15;

export async function probeDocker(machine: Machine): Promise<DockerProbe> {
  const hint = "start Docker";
  const version = await machine.run("docker", ["version", "--format", "{{.Server.Version}}"]);
  if (version.status === "missing") {
    return { kind: "unusable", reason: "the docker command was not found", hint: "install Docker" };
  }
  if (version.status !== 0) {
    return { kind: "unusable", reason: `its daemon does not answer (${failureOf(version)})`, hint };
  }
  const host = await daemonAddress(machine);
  if (!host.startsWith("unix://")) {
    const reason = `its daemon is at ${host}, and LocalStack needs a local docker socket for its functions`;
    return { kind: "unusable", reason, hint: "use a Docker daemon on this machine" };
  }
  // Docker on macOS lives in a virtual machine, in which the socket is always at the usual place.
  const socket = machine.platform === "linux" ? host.slice("unix://".length) : usualSocket;
  return { kind: "answers", version: version.stdout.trim(), socket };
}

async function daemonAddress(machine: Machine): Promise<string> {
  const given = machine.env["DOCKER_HOST"];
  if (given) return given;
  const context = await machine.run("docker", [
    "context",
    "inspect",
    "--format",
    "{{.Endpoints.docker.Host}}",
  ]);
  return (context.status === 0 && context.stdout.trim()) || `unix://${usualSocket}`;
}

export async function startInDocker(request: StartRequest): Promise<StartOutcome> {
  const { machine, port, onProgress } = request;
  const probe = await probeDocker(machine);
  if (probe.kind === "unusable") return { ...probe, kind: "failed" };
  const image = await ensureImage(request);
  if (image !== undefined) return image;

  onProgress(`starting ${pins.image} in Docker ${probe.version} on port ${port}`);
  const environment = dockerEnvironment(port, machine.env, request.env);
  // Names only: the values go through the environment, so no token appears in a process list.
  const flags = Object.keys(environment).flatMap((name) => ["--env", name]);
  const run = await machine.run(
    "docker",
    [
      "run",
      "--detach",
      "--publish",
      `127.0.0.1:${port}:${port}`,
      "--volume",
      `${probe.socket}:${usualSocket}`,
      ...flags,
      pins.image,
    ],
    { env: { ...machine.env, ...environment }, timeoutMs: upMsMax },
  );
  const container = run.stdout.trim();
  if (run.status !== 0) {
    const reason = `the container could not be started (${failureOf(run)})`;
    return {
      kind: "failed",
      reason,
      hint: "repair Docker, or stop it to use LocalStack without it",
    };
  }
  await request.onStarted({ kind: "docker", container });
  if (await waitUntilUp(endpointOf(port), upMsMax, () => true)) {
    return { kind: "up", server: { kind: "docker", container } };
  }
  const logs = await machine.run("docker", ["logs", "--tail", String(logLines), container]);
  await stopContainer(machine, container);
  const reason = `the container did not answer within ${upMsMax / 1000} s:\n${logs.stdout}${logs.stderr}`;
  return { kind: "failed", reason, hint: "repair Docker, or stop it to use LocalStack without it" };
}

/** Undefined when the image is there. */
async function ensureImage({
  machine,
  onProgress,
}: StartRequest): Promise<StartOutcome | undefined> {
  const present = await machine.run("docker", [
    "image",
    "inspect",
    "--format",
    "{{.Id}}",
    pins.image,
  ]);
  if (present.status === 0) return undefined;
  onProgress(`pulling ${pins.image}: once`);
  const pull = await machine.run("docker", ["pull", "--quiet", pins.image], {
    timeoutMs: pullMsMax,
  });
  if (pull.status === 0) return undefined;
  const reason = `the image ${pins.image} is not here and could not be pulled (${failureOf(pull)})`;
  return { kind: "failed", reason, hint: `make \`docker pull ${pins.image}\` work` };
}

export async function containerRuns(machine: Machine, container: string): Promise<boolean> {
  const state = await machine.run("docker", [
    "container",
    "inspect",
    "--format",
    "{{.State.Running}}",
    container,
  ]);
  return state.status === 0 && state.stdout.trim() === "true";
}

/** LocalStack removes the containers of its functions when it is stopped in order. */
export async function stopContainer(machine: Machine, container: string): Promise<void> {
  await machine.run("docker", ["stop", "-t", "10", container], { timeoutMs: 30_000 });
  await machine.run("docker", ["rm", "--force", "--volumes", container], { timeoutMs: 30_000 });
}

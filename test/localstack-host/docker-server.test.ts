import { expect, test } from "vitest";
import { cacheFolder } from "../../sdk/dev/localstack/cache.ts";
import { probeDocker, startInDocker } from "../../sdk/dev/localstack/docker-server.ts";
import type { StartRequest } from "../../sdk/dev/localstack/server.ts";
import { type Answers, fakeMachine } from "./fake-machine.ts";

const answers = { "docker version": { stdout: "28.2.2\n" } };
const noDaemon = { status: 1, stderr: "Cannot connect to the Docker daemon at unix:///x" };

function setup(given: Answers, env: Record<string, string> = {}) {
  const machine = fakeMachine(given, { env });
  const lines: string[] = [];
  const started: unknown[] = [];
  const request: StartRequest = {
    machine,
    cache: cacheFolder(machine),
    port: 4566,
    env: {},
    onProgress: (line) => lines.push(line),
    onStarted: async (server) => {
      started.push(server);
    },
  };
  return { machine, request, lines, started };
}

// what the machine answers -> why Docker does not count
const unusable = [
  [{}, {}, "the docker command was not found"],
  [{ "docker version": noDaemon }, {}, "its daemon does not answer"],
  // Functions are containers too: LocalStack starts them through the socket.
  [answers, { DOCKER_HOST: "tcp://far:2375" }, "its daemon is at tcp://far:2375"],
] as const;
test.for(unusable)(
  "a machine that answers %o with %o has no usable Docker",
  async ([given, env, reason]) => {
    expect(await probeDocker(fakeMachine(given, { env }))).toMatchObject({
      kind: "unusable",
      reason: expect.stringContaining(reason),
    });
  },
);

test("the socket is that of the current context", async () => {
  const rootless = { stdout: "unix:///run/user/1000/docker.sock\n" };
  const machine = fakeMachine({ ...answers, "docker context inspect": rootless });
  expect(await probeDocker(machine)).toMatchObject({ socket: "/run/user/1000/docker.sock" });
});

test("a daemon without the image counts only when the image can be pulled", async () => {
  const { machine, request, lines } = setup({
    ...answers,
    "docker image inspect": { status: 1 },
    "docker pull": { status: 1, stderr: "dial tcp: no such host" },
  });
  expect(await startInDocker(request)).toMatchObject({
    kind: "failed",
    reason: expect.stringContaining("could not be pulled (dial tcp: no such host)"),
    hint: "make `docker pull localstack/localstack:4.14.0` work",
  });
  expect(lines).toEqual(["pulling localstack/localstack:4.14.0: once"]);
  expect(machine.ran.some((line) => line.startsWith("docker run"))).toBe(false);
});

test("the container gets the docker socket, and no value of its environment is in the command line", async () => {
  const refused = { status: 125, stderr: "docker: port is already allocated" };
  const { machine, request, started } = setup(
    { ...answers, "docker image inspect": {}, "docker run": refused },
    { LOCALSTACK_AUTH_TOKEN: "ls-secret" },
  );
  expect(await startInDocker(request)).toMatchObject({
    kind: "failed",
    reason: expect.stringContaining("port is already allocated"),
  });
  const run = machine.ran.find((line) => line.startsWith("docker run")) ?? "";
  expect(run).toContain("--volume /var/run/docker.sock:/var/run/docker.sock");
  expect(run).toContain("--env LOCALSTACK_AUTH_TOKEN");
  expect(run).not.toContain("ls-secret");
  expect(started).toEqual([]);
});

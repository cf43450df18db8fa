import { describe, expect, test } from "vitest";
import { ok } from "../client/scripted-api.ts";
import { pawl } from "./terminal.ts";

const instance = {
  endpoint: "http://127.0.0.1:4566",
  how: "process",
  pid: 7,
  stop: async () => {},
} as const;

describe("pawl localstack", () => {
  test("prints the endpoint as data and progress beside it", async () => {
    const { stdout, stderr, exitCode } = await pawl(["localstack", "--port", "4600"], {
      stacks: {
        startLocalStack: async ({ port, onProgress }) => {
          onProgress?.(`starting on ${port}`);
          return instance;
        },
      },
    });
    expect(exitCode).toBe(0);
    expect(stdout).toBe("http://127.0.0.1:4566\n");
    expect(stderr).toBe(
      "starting on 4600\n" +
        "export PAWL_LOCALSTACK_ENDPOINT=http://127.0.0.1:4566\n" +
        "it keeps running; end it with: pawl localstack --port 4600 --stop\n",
    );
  });

  test("-o json prints how it was found", async () => {
    const { stdout } = await pawl(["localstack", "-o", "json"], {
      stacks: { startLocalStack: async () => instance },
    });
    expect(JSON.parse(stdout)).toEqual({
      endpoint: "http://127.0.0.1:4566",
      how: "process",
      pid: 7,
    });
  });

  test.each([
    [true, "LocalStack is stopped\n"],
    [false, "no LocalStack was running\n"],
  ])("--stop says whether there was one: %s", async (stopped, says) => {
    const { stderr, exitCode } = await pawl(["localstack", "--stop"], {
      stacks: { stopLocalStack: async () => stopped },
    });
    expect({ stderr, exitCode }).toEqual({ stderr: says, exitCode: 0 });
  });

  test("exits with 5 and every way that was tried when there is none", async () => {
    const unavailable = Object.assign(new Error("could not start:\n  1. Docker: no daemon"), {
      code: "localstack_unavailable",
    });
    const { stderr, exitCode } = await pawl(["localstack"], {
      stacks: { startLocalStack: () => Promise.reject(unavailable) },
    });
    expect(exitCode).toBe(5);
    expect(stderr).toBe("error: could not start:\n  1. Docker: no daemon\ntry: pawl doctor\n");
  });
});

describe("pawl doctor", () => {
  const good = [{ name: "node", ok: true, detail: "24.1.0" }];
  const noDocker = [
    { name: "docker", ok: false, detail: "no daemon answers", hint: "start Docker" },
  ];

  test("says what works and what to do about the rest, and succeeds when pawl dev can run", async () => {
    const { stdout, exitCode } = await pawl(["doctor"], {
      answers: [ok({ status: "ok" })],
      stacks: { diagnoseEmbedded: async () => good, diagnoseLocalStack: async () => noDocker },
    });
    expect(exitCode).toBe(0);
    expect(`\n${stdout}`).toMatchInlineSnapshot(`
      "
      embedded stack (pawl dev)
        ok  node                 24.1.0
      LocalStack (pawl localstack)
        no  docker               no daemon answers
                                 try: start Docker
      API
        ok  api                  http://127.0.0.1:7400 (from the default) answers
      "
    `);
  });

  test("fails when the embedded stack cannot run, and says why", async () => {
    const broken = [{ name: "esbuild", ok: false, detail: "missing", hint: "npm install esbuild" }];
    const { stderr, exitCode } = await pawl(["doctor"], {
      answers: [{ broken: "refused" }],
      stacks: { diagnoseEmbedded: async () => broken, diagnoseLocalStack: async () => noDocker },
    });
    expect(exitCode).toBe(1);
    expect(stderr).toBe(
      "error: the embedded stack cannot run here: esbuild\ntry: npm install esbuild\n",
    );
  });

  test("-o json is the same as data", async () => {
    const { stdout } = await pawl(["doctor", "-o", "json"], {
      answers: [{ broken: "refused" }],
      stacks: { diagnoseEmbedded: async () => good, diagnoseLocalStack: async () => noDocker },
    });
    expect(JSON.parse(stdout)).toMatchObject({
      embedded: good,
      localstack: noDocker,
      api: { ok: false, detail: expect.stringContaining("address from the default") },
    });
  });
});

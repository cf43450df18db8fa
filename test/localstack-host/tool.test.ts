import { describe, expect, test } from "vitest";
import { findJava, findMaven, findPython } from "../../sdk/dev/localstack/tool.ts";
import { fakeMachine } from "./fake-machine.ts";

const shim = {
  status: 127,
  stderr: "pyenv: python3.13: command not found\n\nThe `python3.13' ...",
};
const python313 = { stdout: "3.13.5\n/opt/bin/python3.13\n" };

describe("Python", () => {
  test("the one that PYTHON313 names comes first", async () => {
    const machine = fakeMachine(
      { "/mine/python": { stdout: "3.13.1\n/mine/python\n" }, "python3.13": python313 },
      { env: { PYTHON313: "/mine/python" } },
    );
    expect(await findPython(machine)).toEqual({
      kind: "found",
      tool: { command: "/mine/python", version: "3.13.1" },
    });
  });

  test("a pyenv shim that exists without working is passed over for the version behind it", async () => {
    const behind = "/home/me/.pyenv/versions/3.13.0/bin/python3.13";
    const machine = fakeMachine(
      { "python3.13": shim, [behind]: { stdout: `3.13.0\n${behind}\n` } },
      { folders: { "/home/me/.pyenv/versions": ["3.12.1", "3.13.0", "3.130"] } },
    );
    expect(await findPython(machine)).toMatchObject({ kind: "found", tool: { command: behind } });
    expect(machine.ran.some((line) => line.includes("3.12.1") || line.includes("3.130"))).toBe(
      false,
    );
  });

  test("another version under the right name is not believed", async () => {
    const machine = fakeMachine({ "python3.13": { stdout: "3.14.0\n/usr/bin/python3\n" } });
    expect(await findPython(machine)).toMatchObject({
      kind: "missing",
      reason: expect.stringContaining("python3.13: is Python 3.14.0"),
    });
  });

  test("one without ensurepip is of no use, and the reason says so", async () => {
    const stderr =
      "Traceback (most recent call last):\n  File \"<string>\"\nModuleNotFoundError: No module named 'ensurepip'\n";
    const search = await findPython(fakeMachine({ "python3.13": { status: 1, stderr } }));
    expect(search).toMatchObject({
      reason: expect.stringContaining("No module named 'ensurepip'"),
    });
  });

  test("uv gives the one that it has", async () => {
    const machine = fakeMachine({
      "uv --version": { stdout: "uv 0.9" },
      "uv python find 3.13": { stdout: "/uv/python3.13\n" },
      "/uv/python3.13": { stdout: "3.13.9\n/uv/python3.13\n" },
    });
    expect(await findPython(machine)).toMatchObject({ tool: { command: "/uv/python3.13" } });
  });

  test("uv that has none can install it, and nothing is installed by looking", async () => {
    const machine = fakeMachine({ "uv --version": {}, "uv python find 3.13": { status: 2 } });
    expect(await findPython(machine)).toEqual({ kind: "installable", by: "uv" });
    expect(machine.ran.some((line) => line.includes("install"))).toBe(false);
  });

  test("without any, every candidate is named with its reason", async () => {
    const search = await findPython(fakeMachine({ "python3.13": shim }));
    expect(search).toMatchObject({
      kind: "missing",
      reason:
        "no working Python 3.13 (python3.13: pyenv: python3.13: command not found; uv: not found)",
    });
  });
});

// what `java -version` writes to stderr -> the verdict
const javas = [
  ['openjdk version "17.0.15" 2025-04-15', "found"],
  ['openjdk version "21" 2023-09-19', "found"],
  ['java version "1.8.0_292"', "missing"],
  ['openjdk version "11.0.2"', "missing"],
  // The stub of macOS succeeds in starting and names no version.
  ["The operation couldn't be completed. Unable to locate a Java Runtime.", "missing"],
] as const;
test.for(javas)("Java that says %s is %s", async ([stderr, kind]) => {
  expect((await findJava(fakeMachine({ java: { stderr } }))).kind).toBe(kind);
});

test("JAVA_HOME comes before the java in the path", async () => {
  const machine = fakeMachine(
    { "/jdk/bin/java": { stderr: 'version "21.0.1"' }, java: { stderr: 'version "17.0.1"' } },
    { env: { JAVA_HOME: "/jdk" } },
  );
  expect(await findJava(machine)).toMatchObject({ tool: { command: "/jdk/bin/java" } });
});

test("Maven that does not run is missing", async () => {
  const broken = {
    status: 1,
    stderr: "The JAVA_HOME environment variable is not defined correctly",
  };
  expect(await findMaven(fakeMachine({ mvn: broken }))).toMatchObject({
    kind: "missing",
    reason: expect.stringContaining("JAVA_HOME environment variable"),
  });
});

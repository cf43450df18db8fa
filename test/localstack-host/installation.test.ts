import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { cacheFolder } from "../../sdk/dev/localstack/cache.ts";
import { missingParts, prepare } from "../../sdk/dev/localstack/installation.ts";
import { type Answers, fakeMachine } from "./fake-machine.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "pawl-cache-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const tools: Answers = {
  "python3.13": { stdout: "3.13.5\n/opt/python3.13\n" },
  java: { stderr: 'version "17.0.15"' },
  "mvn -B -v": { stdout: "Apache Maven 3.8.7" },
};

function setup(answers: Answers) {
  const machine = fakeMachine(answers, { env: { PAWL_LOCALSTACK_HOME: folder } });
  const cache = cacheFolder(machine);
  const lines: string[] = [];
  const run = () => prepare({ machine, cache, onProgress: (line) => lines.push(line) });
  return { machine, cache, lines, run };
}

test("an empty cache misses every part", async () => {
  const { cache } = setup({});
  expect(await missingParts(cache)).toEqual(["packages", "plugin", "dynamodbLocal"]);
});

test("every missing tool is named at once, before anything is fetched", async () => {
  const { machine, run } = setup({});
  expect(await run()).toMatchObject({
    kind: "failed",
    reason: expect.stringMatching(/no working Python 3\.13 .*; no Java 17 .*; no working Maven/),
    hint: expect.stringMatching(/install Python 3\.13 .*install a Java runtime.*install Maven/),
  });
  expect(machine.ran.some((line) => /-m |install|copy-dependencies/.test(line))).toBe(false);
});

test("a failing pip is a reason, and the part is made again next time", async () => {
  const pip = { status: 1, stderr: "WARNING: retrying\nERROR: No matching distribution found\n" };
  const { cache, run } = setup({
    ...tools,
    "/opt/python3.13 -m venv": {},
    [`${folder}/venv/bin/python -m pip`]: pip,
  });
  expect(await run()).toMatchObject({
    kind: "failed",
    reason: "pip could not install LocalStack (ERROR: No matching distribution found)",
  });
  expect(await missingParts(cache)).toContain("packages");
});

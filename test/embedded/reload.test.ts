import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { watchAndReload } from "../../sdk/dev/watch.ts";
import { delivery, Lines } from "./fixture/lines.ts";
import { type FixtureStack, startFixture } from "./fixture/stack.ts";

let folder: string;
let entry: string;
let fixture: FixtureStack;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "pawl-reload-test-"));
  entry = join(folder, "entry.ts");
  await writeFile(entry, 'export const version: string = "one";');
  fixture = await startFixture({}, entry);
});
afterEach(async () => {
  await fixture.stop();
  await rm(folder, { recursive: true, force: true });
});

describe("a reload", () => {
  test("lets invocations finish with the old code and starts new ones with the new code", async () => {
    expect(fixture.stack.inputs()).toContain(entry);
    await fixture.send([{ do: "hang", id: "old" }]);
    expect(await fixture.lines.first(delivery("old", 1))).toMatchObject({ version: "one" });
    const old = fixture.stack.processes().find(({ busy }) => busy);

    await writeFile(entry, 'export const version: string = "two";');
    await fixture.stack.reload();

    await fixture.send([{ do: "ok", id: "new" }]);
    expect(await fixture.lines.first(delivery("new", 1))).toMatchObject({ version: "two" });
    expect(fixture.stack.processes()).toContainEqual(old);
  });

  test("of code that does not compile names file and line, and the old code stays", async () => {
    await writeFile(entry, 'export const version = "two";\nexport const = 3;\n');
    await expect(fixture.stack.reload()).rejects.toMatchObject({
      code: "bundle_failed",
      message: expect.stringMatching(/entry\.ts:2:14: Expected identifier .*\(export const = 3;\)/),
    });
    expect(await version()).toBe("one");
  });

  test("of code that does not load says why, and the old code stays", async () => {
    await writeFile(entry, 'throw new Error("no such order book");\nexport const version = "two";');
    await expect(fixture.stack.reload()).rejects.toMatchObject({
      code: "function_failed",
      message: expect.stringContaining("no such order book"),
    });
    expect(await version()).toBe("one");

    await writeFile(entry, 'export const version = "three";');
    await fixture.stack.reload();
    expect(await version()).toBe("three");
  });

  test("happens by itself when a watched file changes, with one line about it", async () => {
    const printed = new Lines<string>();
    const watch = watchAndReload(fixture.stack, (line) => printed.add(line));
    try {
      await writeFile(entry, "export const version: string = ;");
      await printed.first((line) => line.match(/^not reloaded: .*entry\.ts:1:\d+/)?.[0]);
      await writeFile(entry, 'export const version: string = "two";');
      await printed.first((line) => line.match(/^reloaded entry\.ts \(\d+ ms\)$/)?.[0]);
      expect(await version()).toBe("two");
    } finally {
      watch.stop();
    }
  });
});

describe("a start", () => {
  test("with code that does not load says why and leaves nothing behind", async () => {
    const broken = join(folder, "broken.ts");
    await writeFile(broken, 'export const version = "x"; throw new Error("no such order book");');
    await expect(startFixture({}, broken)).rejects.toMatchObject({
      code: "function_failed",
      message: "the function workflow-task does not load: no such order book",
    });
  });

  test("without an entry module says so", async () => {
    await expect(startFixture({}, join(folder, "missing.ts"))).rejects.toMatchObject({
      code: "entry_not_found",
    });
  });
});

let probes = 0;
async function version(): Promise<unknown> {
  probes += 1;
  await fixture.send([{ do: "ok", id: `probe-${probes}` }]);
  return (await fixture.lines.first(delivery(`probe-${probes}`, 1)))["version"];
}

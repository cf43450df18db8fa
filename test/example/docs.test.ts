/** The documents are checked like code: what they show compiles, and what they link to exists. */
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, expect, test } from "vitest";
import * as limits from "../../sdk/core/limits.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const DOCUMENTS = ["README.md", "docs/AUTHORING.md", "docs/TESTING.md", "CHANGELOG.md"];

// Inside of the repository, so that packages are found; git ignores the folder.
mkdirSync(join(ROOT, "test-results"), { recursive: true });
const folder = mkdtempSync(join(ROOT, "test-results", "docs-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Writes each block of TypeScript as a module; one that begins with `// name.ts` gets that name. */
function writeSnippets(document: string): number {
  const text = readFileSync(join(ROOT, document), "utf8");
  const snippets = [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code = ""]) => code);
  for (const [index, code] of snippets.entries()) {
    const name = /^\/\/ (\S+\.ts)\n/.exec(code)?.[1] ?? `snippet-${index + 1}.ts`;
    const file = join(folder, document.replace(".md", ""), name);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, code);
  }
  return snippets.length;
}

test("every block of TypeScript in the documents compiles in strict mode", async () => {
  const counts = DOCUMENTS.map(writeSnippets);
  expect(counts.slice(0, 3).every((count) => count > 0)).toBe(true);
  const source = (path: string): readonly string[] => [join(ROOT, path)];
  const settings = {
    extends: join(ROOT, "tsconfig.json"),
    compilerOptions: {
      noUnusedLocals: false,
      rootDir: ROOT,
      paths: {
        pawl: source("sdk/index.ts"),
        "pawl/client": source("sdk/client.ts"),
        "pawl/testing": source("sdk/testing/index.ts"),
        "pawl/cdk": source("infra/index.ts"),
      },
    },
    include: ["**/*.ts"],
    exclude: [],
  };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(settings));

  const tsc = join(ROOT, "node_modules", "typescript", "bin", "tsc");
  const run = promisify(execFile)(process.execPath, [tsc, "--noEmit", "-p", folder]);
  const errors = await run.then(
    () => "",
    (error: { readonly stdout?: string }) => error.stdout ?? String(error),
  );

  expect(errors).toBe("");
});

test.for(DOCUMENTS)("every file and heading that %s links to is there", (document) => {
  const file = join(ROOT, document);
  const links = [...readFileSync(file, "utf8").matchAll(/\]\((?!https?:)([^)\s]*)\)/g)];

  const broken = links
    .map(([, link = ""]) => link)
    .filter((link) => {
      const [path = "", anchor] = link.split("#");
      const target = path === "" ? file : resolve(dirname(file), path);
      if (!existsSync(target)) return true;
      return anchor !== undefined && !anchorsOf(target).has(anchor);
    });

  expect(broken).toEqual([]);
});

test("the README fits on 250 lines", () => {
  const lines = readFileSync(join(ROOT, "README.md"), "utf8").split("\n");
  expect(lines.length).toBeLessThanOrEqual(250);
});

const stated = [
  ["README.md", limits.PAYLOAD_BYTES_MAX],
  ["README.md", limits.HISTORY_EVENTS_MAX],
  ["README.md", limits.PENDING_ACTIVITIES_MAX],
  ["README.md", limits.PENDING_SIGNALS_MAX],
  ["docs/AUTHORING.md", limits.PAYLOAD_BYTES_MAX],
  ["docs/AUTHORING.md", limits.PAYLOAD_INLINE_BYTES_MAX],
  ["docs/AUTHORING.md", limits.JSON_DEPTH_MAX],
  ["docs/AUTHORING.md", limits.HEARTBEAT_BYTES_MAX],
  ["docs/AUTHORING.md", limits.DEFAULT_MAX_ATTEMPTS],
] as const;
test.for(stated)("%s states the limit of %i that the code has", ([document, limit]) => {
  const text = readFileSync(join(ROOT, document), "utf8");
  expect(text).toMatch(new RegExp(`\\b${limit.toLocaleString("en")}\\b`));
});

/** The anchors that GitHub gives to the headings of a document. */
function anchorsOf(file: string): ReadonlySet<string> {
  const headings = readFileSync(file, "utf8").matchAll(/^#+ (.+)$/gm);
  return new Set(
    Array.from(headings, ([, heading = ""]) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
        .replaceAll(" ", "-"),
    ),
  );
}

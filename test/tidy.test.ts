/** What a reviewer would say twice. Each check is shown to bite on a line that somebody might write. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import { describe, expect, test } from "vitest";

interface Finding {
  readonly name: string;
  readonly pattern: RegExp;
  /** A line that the check must find. */
  readonly planted: string;
  /** A line that it must leave alone. */
  readonly innocent: string;
}

// Written in pieces, so that this file has nothing to hide from its own checks.
const LATER = ["TO", "DO"].join("");
const CHECKOUT = ["", "work", "main"].join("/");
const HOST = ["registry", "example", "com"].join(".");
const ALONE = ["test", "only"].join(".");
const IGNORE = ["@ts", "ignore"].join("-");

const FINDINGS: readonly Finding[] = [
  {
    name: "a note for later instead of the work",
    pattern: new RegExp(String.raw`\b(?:${LATER}|FIX${"ME"}|XX${"X"})\b`, "u"),
    planted: `// ${LATER}: close the queue`,
    innocent: "// A todo list is what this workflow keeps.",
  },
  {
    name: "a path of somebody's machine",
    pattern: new RegExp(String.raw`(?:^|[\s"'\x60(=:])/(?:work|Users|root)/|/home/(?!me\b)\w`, "u"),
    planted: `cd ${CHECKOUT}/sdk`,
    innocent: 'homeFolder: "/home/me", framework: "a/work/b"',
  },
  {
    name: "the address of a package registry",
    pattern: /\/\/(?:[\w-]+\.)*registry\./u,
    planted: `https://npm.${HOST}/pawl`,
    innocent: 'import { createRegistry } from "../worker/registry.ts"; registry.workflow("x.y")',
  },
  {
    name: "a test that runs alone or not at all",
    pattern: /\b(?:test|describe|it)\.(?:only|skip|todo)\b/u,
    planted: `${ALONE}("this one")`,
    innocent: 'test.for(rows)("skip nothing")',
  },
  {
    name: "a silenced check without its reason (style 47)",
    pattern: new RegExp(
      `@ts[-](?:ignore|nocheck)|(?:(?:ox|es)lint[-]disable|biome[-]ignore|(?:v8|c8|istanbul)[ ]ignore)(?!.* -- \\w)`,
      "u",
    ),
    planted: `// ${IGNORE}`,
    innocent: "// oxlint-disable-next-line no-console -- the console is what is tested here",
  },
  {
    name: "the other spelling of cancelled",
    pattern: /\bcancel(?:ed|ing|ation)\b/iu,
    planted: `the run was cance${"led"} by its owner`,
    innocent: "the run was cancelled, its cancellation is cancelling the timers",
  },
];

const TEXT = /\.(?:ts|mjs|json|md|py|toml|xml|txt)$/u;
const FILES = execFileSync("git", ["ls-files", "-z"], { encoding: "utf8" })
  .split("\0")
  .filter((path) => TEXT.test(path) && !/^(?:package-lock\.json|test\/corpus\/)/u.test(path))
  .filter((path) => existsSync(path))
  .map((path) => ({ path, text: readFileSync(path, "utf8") }));

describe.each(FINDINGS)("$name", ({ pattern, planted, innocent }) => {
  test("is found where somebody plants it", () => {
    expect(pattern.test(planted)).toBe(true);
    expect(pattern.test(innocent)).toBe(false);
  });

  test("stands in no file", () => {
    const lines = FILES.flatMap(({ path, text }) =>
      text
        .split("\n")
        .flatMap((line, index) =>
          pattern.test(line) ? [`${path}:${index + 1}: ${line.trim()}`] : [],
        ),
    );
    expect(lines).toEqual([]);
  });
});

describe("names of files", () => {
  /** A name that says nothing about what the file decides (style 6). */
  const SAYS_NOTHING = /^(?:utils?|commons?|helpers?|types?|misc)\.[\w.]+$/u;

  test("say what is inside", () => {
    expect(FILES.filter(({ path }) => SAYS_NOTHING.test(posix.basename(path)))).toEqual([]);
    expect(SAYS_NOTHING.test("utils.ts")).toBe(true);
    expect(SAYS_NOTHING.test("helper.test.ts")).toBe(true);
    expect(SAYS_NOTHING.test("registered-types.ts")).toBe(false);
  });
});

describe("a Lambda handler parses, calls and answers in sixty lines (style 5)", () => {
  test.for(["workflow-task", "activity-task", "api", "sweeper"])("functions/%s.ts", (name) => {
    const { length } = readFileSync(`functions/${name}.ts`, "utf8").trimEnd().split("\n");
    expect(length).toBeLessThanOrEqual(60);
  });
});

describe("links of the documentation", () => {
  const LINK = /\]\((?!https?:|mailto:)([^)\s]+)\)/gu;
  const PAGES = FILES.filter(({ path }) => path.endsWith(".md"));

  /** The anchors of a page, as the code host makes them from its headings. */
  function anchorsOf(text: string): ReadonlySet<string> {
    const headings = text.replaceAll(/^```[\s\S]*?^```/gmu, "").matchAll(/^#+ (.+)$/gmu);
    return new Set(
      [...headings].map(([, heading = ""]) =>
        heading
          .toLowerCase()
          .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
          .trim()
          .replaceAll(/\s/gu, "-"),
      ),
    );
  }

  function brokenLinks(path: string, text: string): readonly string[] {
    const prose = text.replaceAll(/^```[\s\S]*?^```/gmu, "").replaceAll(/`[^`\n]*`/gu, "");
    return [...prose.matchAll(LINK)]
      .map(([, target = ""]) => target)
      .filter((target) => {
        const [file = "", anchor] = target.split("#");
        const linked = file === "" ? path : posix.join(posix.dirname(path), file);
        if (!existsSync(linked)) return true;
        if (anchor === undefined || !linked.endsWith(".md")) return false;
        return !anchorsOf(readFileSync(linked, "utf8")).has(anchor);
      })
      .map((target) => `${path} -> ${target}`);
  }

  test("lead to something that is there", () => {
    expect(PAGES.length).toBeGreaterThan(5);
    expect(PAGES.flatMap(({ path, text }) => brokenLinks(path, text))).toEqual([]);
  });

  test("are found when they do not", () => {
    const text = "see [it](CLI.md), [this](GONE.md) and [that](CLI.md#no-such-heading)";
    expect(brokenLinks("docs/NEW.md", text)).toEqual([
      "docs/NEW.md -> GONE.md",
      "docs/NEW.md -> CLI.md#no-such-heading",
    ]);
  });
});

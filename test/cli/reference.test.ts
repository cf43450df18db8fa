import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { EXIT } from "../../sdk/cli/exit.ts";
import { processIo } from "../../sdk/cli/io.ts";
import { createProgram } from "../../sdk/cli/program.ts";
import { thisMachinesStacks } from "../../sdk/cli/stacks.ts";
import { type Answer, ok } from "../client/scripted-api.ts";
import { HISTORY, RUN } from "./sample-history.ts";
import { completedRun } from "./sample-run.ts";
import { TIMELINE } from "./sample-timeline.ts";
import { pawl } from "./terminal.ts";

const DOC = "docs/CLI.md";
const doc = readFileSync(DOC, "utf8");

/** What the API answers to the commands of the page that ask it. */
const ANSWERS: Readonly<Record<string, Answer>> = {
  "show order-42": ok(completedRun),
  "timeline order-42": ok({ ...TIMELINE, next_after: null }),
  "history order-42": ok({ ...RUN, events: HISTORY, next_after: null }),
};

/** The page with the output of every `$ pawl …` block as the program prints it now. */
async function withCurrentOutputs(page: string): Promise<string> {
  let current = page;
  for (const [block, line = ""] of page.matchAll(/```console\n\$ pawl (.*)\n[^]*?```/g)) {
    const answer = ANSWERS[line];
    const { stdout, stderr } = await pawl(line.split(" "), {
      answers: answer === undefined ? [] : [answer],
    });
    expect(stderr).toBe("");
    current = current.replace(block, () => `\`\`\`console\n$ pawl ${line}\n${stdout}\`\`\``);
  }
  return current;
}

describe("docs/CLI.md", () => {
  test("shows what the program prints; vitest -u writes it anew", async () => {
    await expect(await withCurrentOutputs(doc)).toMatchFileSnapshot(`../../${DOC}`);
  });

  test("has the help of every command", () => {
    const program = createProgram({
      io: processIo(),
      stacks: thisMachinesStacks,
      onExit: () => {},
    });
    for (const command of program.commands)
      expect(doc).toContain(`$ pawl ${command.name()} --help\n`);
  });

  test("has every exit code", () => {
    const codes = [...doc.matchAll(/^\| (\d) \|/gm)].map(([, code]) => Number(code));
    expect(codes).toEqual(Object.values(EXIT));
  });
});

/** Runs one command line: parses, does, and turns whatever is thrown into an exit code and two lines. */
import { EXIT, type ExitCode, endingOf } from "./exit.ts";
import type { Io } from "./io.ts";
import { createProgram } from "./program.ts";
import { type Stacks, thisMachinesStacks } from "./stacks.ts";
import { plain, plainLines } from "./text.ts";

/**
 * @param argv the arguments alone, without the program's name
 * @returns 0 ok, 1 the workflow failed or the request was refused, 2 usage, 3 not found, 4 timed out,
 *   5 cannot connect
 */
export async function run(
  argv: readonly string[],
  io: Io,
  stacks: Stacks = thisMachinesStacks,
): Promise<ExitCode> {
  let exitCode: ExitCode = EXIT.ok;
  const onExit = (code: ExitCode): void => {
    exitCode = code;
  };
  try {
    await createProgram({ io, stacks, onExit }).parseAsync(argv, { from: "user" });
    return exitCode;
  } catch (thrown) {
    const ending = endingOf(thrown);
    if (ending.message !== undefined) io.stderr.write(`error: ${plainLines(ending.message)}\n`);
    if (ending.hint !== undefined) io.stderr.write(`try: ${plain(ending.hint)}\n`);
    return ending.exitCode;
  }
}

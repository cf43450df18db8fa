#!/usr/bin/env node
/** The program `pawl`. */
import { processIo } from "./io.ts";
import { run } from "./run.ts";

// The reader of a pipe may end first, as in `pawl history x | head`: that is no error of ours.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit(0);
});

process.exitCode = await run(process.argv.slice(2), processIo());

/** How a command ends: exit codes, and the last lines of an error: what happened, then what to try. */
import { CommanderError } from "commander";
import {
  ApiError,
  ConnectionError,
  ResultTimeoutError,
  WorkflowCancelledError,
  WorkflowFailedError,
  WorkflowTerminatedError,
} from "../client.ts";
import { PawlError } from "../core/errors.ts";

export const EXIT = {
  ok: 0,
  /** The workflow ended without a result, or the request was refused. */
  failed: 1,
  /** The command line or its input is wrong. */
  usage: 2,
  notFound: 3,
  timedOut: 4,
  /** The API does not answer, or says that it cannot right now. */
  unreachable: 5,
} as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** A wrong command line or input; `hint` follows "try: ". */
export class UsageError extends Error {
  override readonly name = "UsageError";
  readonly hint: string;

  constructor(message: string, hint: string) {
    super(message);
    this.hint = hint;
  }
}

/** Something that this machine or project lacks: the command is right, and cannot work here. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly hint: string;
  readonly exitCode: ExitCode;

  constructor(message: string, hint: string, exitCode: ExitCode = EXIT.failed) {
    super(message);
    this.hint = hint;
    this.exitCode = exitCode;
  }
}

export interface Ending {
  readonly exitCode: ExitCode;
  /** Undefined: everything has been said already. */
  readonly message?: string;
  /** What to do next, without "try: ". */
  readonly hint?: string;
}

/** How the command ends that threw. Bugs are shown with their stack, so that they can be reported. */
export function endingOf(thrown: unknown): Ending {
  if (thrown instanceof CommanderError) return endingOfCommander(thrown);
  if (thrown instanceof UsageError)
    return { exitCode: EXIT.usage, message: thrown.message, hint: thrown.hint };
  if (thrown instanceof CommandError)
    return { exitCode: thrown.exitCode, message: thrown.message, hint: thrown.hint };
  if (thrown instanceof ConnectionError)
    return { exitCode: EXIT.unreachable, message: thrown.message, hint: thrown.hint };
  if (thrown instanceof ApiError || thrown instanceof PawlError)
    return { exitCode: exitOfStatus(thrown.status), message: thrown.message, hint: thrown.hint };
  return endingOfRun(thrown) ?? endingOfBug(thrown);
}

function exitOfStatus(status: number): ExitCode {
  if (status === 404) return EXIT.notFound;
  if (status === 400 || status === 413) return EXIT.usage;
  if (status === 502 || status === 503 || status === 504) return EXIT.unreachable;
  return EXIT.failed;
}

/** Commander has written its message, or the help, by itself. */
function endingOfCommander(error: CommanderError): Ending {
  if (error.exitCode === 0) return { exitCode: EXIT.ok };
  if (error.code === "commander.help") return { exitCode: EXIT.usage, hint: "pawl dev" };
  return { exitCode: EXIT.usage, hint: "pawl --help, or pawl <command> --help" };
}

function endingOfRun(thrown: unknown): Ending | undefined {
  if (thrown instanceof ResultTimeoutError) {
    const hint = `the run goes on: pawl show ${shellWord(thrown.workflowId)}`;
    return { exitCode: EXIT.timedOut, message: thrown.message, hint };
  }
  if (
    thrown instanceof WorkflowFailedError ||
    thrown instanceof WorkflowCancelledError ||
    thrown instanceof WorkflowTerminatedError
  ) {
    const hint = `pawl show ${shellWord(thrown.workflowId)}`;
    return { exitCode: EXIT.failed, message: thrown.message, hint };
  }
  return undefined;
}

function endingOfBug(thrown: unknown): Ending {
  const message = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
  return {
    exitCode: EXIT.failed,
    message,
    hint: "pawl doctor; if that finds nothing, report these lines: they are a bug of pawl",
  };
}

/** Quotes a word for a shell where it has to be, so that hints can be pasted. */
export function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/**
 * Runs one command to its end. A command that is missing or fails is a value, not an exception:
 * finding out what this machine has is the purpose here.
 */
import { spawn } from "node:child_process";

export interface CommandResult {
  readonly status: number | "missing" | "timed_out";
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly timeoutMs?: number;
  readonly env?: Environment;
  /** Each line of output as it comes: long commands show that they live. */
  readonly onLine?: (line: string) => void;
}

export type Environment = Readonly<Record<string, string | undefined>>;
export type RunCommand = (
  command: string,
  args: readonly string[],
  options?: CommandOptions,
) => Promise<CommandResult>;

const probeTimeoutMs = 20_000;
// The tail is what explains a failure; the rest of a long output is not kept.
const outputCharsMax = 64 * 1024;

export const runCommand: RunCommand = (command, args, options = {}) =>
  new Promise((resolve) => {
    const output = { stdout: "", stderr: "" };
    let timedOut = false;
    const child = spawn(command, [...args], {
      env: options.env ?? process.env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const timer = setTimeout(() => {
      timedOut = true;
      child.kill("SIGKILL");
    }, options.timeoutMs ?? probeTimeoutMs);
    for (const stream of ["stdout", "stderr"] as const) {
      child[stream].setEncoding("utf8").on("data", (chunk: string) => {
        output[stream] = (output[stream] + chunk).slice(-outputCharsMax);
        const line = chunk.trimEnd().split("\n").at(-1)?.trim();
        if (line) options.onLine?.(line);
      });
    }
    child.on("error", (error) => {
      clearTimeout(timer);
      resolve({ status: "missing", stdout: "", stderr: error.message });
    });
    child.on("close", (code) => {
      clearTimeout(timer);
      resolve({ status: timedOut ? "timed_out" : (code ?? 1), ...output });
    });
  });

/** Why a command did not succeed, in one line. */
export function failureOf(result: CommandResult): string {
  if (result.status === "missing") return "not found";
  if (result.status === "timed_out") return "did not answer in time";
  const lines = `${result.stderr}\n${result.stdout}`
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  // Python and pip put the cause last or mark it, everything else says it first.
  const marked = lines.find((line) => /^(\[?ERROR|error\b)/i.test(line));
  const cause = marked ?? (lines[0]?.startsWith("Traceback") ? lines.at(-1) : lines[0]);
  return cause ?? `exit status ${result.status}`;
}

/** Programs as a user of the package runs them: in the user's folder, with the user's environment. */
import { type ChildProcess, spawn } from "node:child_process";
import { delimiter, dirname, sep } from "node:path";
import { createInterface } from "node:readline";

export interface Output {
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end. @throws Error with everything it printed when it fails */
export async function run(folder: string, command: string, ...args: string[]): Promise<Output> {
  const child = spawn(command, args, {
    cwd: folder,
    env: environment(),
    stdio: ["ignore", "pipe", "pipe"],
  });
  const output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const)
    child[name].setEncoding("utf8").on("data", (text: string) => {
      output[name] += text;
    });
  const status = await new Promise((resolve, reject) => {
    child.once("error", reject).once("close", (code, signal) => resolve(code ?? signal));
  });
  if (status === 0) return output;
  const line = [command, ...args].join(" ");
  throw new Error(`${line} ended with ${status}\n${output.stdout}${output.stderr}`);
}

/** A program that runs until it is killed, with everything that it has started. */
export class Running {
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  readonly #printed: string[] = [];
  readonly #waiting = new Set<() => void>();
  #hasEnded = false;

  constructor(folder: string, command: string, ...args: string[]) {
    // In a group of its own: killing the group leaves nothing behind, whoever started whom.
    const options = { cwd: folder, env: environment(), detached: true };
    const child = spawn(command, args, { ...options, stdio: ["ignore", "pipe", "pipe"] });
    this.#child = child;
    for (const input of [child.stdout, child.stderr])
      createInterface({ input }).on("line", (line) => {
        this.#printed.push(line);
        this.#wake();
      });
    this.#ended = new Promise((resolve) => {
      child.once("error", (error) => this.#printed.push(error.message));
      child.once("close", () => {
        this.#hasEnded = true;
        this.#wake();
        resolve();
      });
    });
  }

  /** The first line that matches, printed already or to come. @throws Error when the program ends */
  async line(pattern: RegExp): Promise<string> {
    for (;;) {
      const found = this.#printed.find((line) => pattern.test(line));
      if (found !== undefined) return found;
      if (this.#hasEnded)
        throw new Error(`it ended without ${pattern}:\n${this.#printed.join("\n")}`);
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  /** Kills it and everything it has started with SIGKILL; resolves when its output has ended. */
  async kill(): Promise<void> {
    const { pid } = this.#child;
    if (pid !== undefined && !this.#hasEnded) {
      try {
        process.kill(-pid, "SIGKILL");
      } catch {
        // the group went by itself
      }
    }
    await this.#ended;
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }
}

const OF_THE_CHECKOUT =
  /^(npm_(?!config_)|npm_config_local_prefix$|NODE_(?!EXTRA_CA_CERTS$)|VITEST|PAWL_)/;

/** This process's environment without what npm, vitest and the checkout have put into it. */
function environment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !OF_THE_CHECKOUT.test(name));
  const path = (process.env["PATH"] ?? "")
    .split(delimiter)
    .filter((folder) => !folder.includes(`${sep}node_modules${sep}`));
  return {
    ...Object.fromEntries(kept),
    PATH: [dirname(process.execPath), ...path].join(delimiter),
  };
}

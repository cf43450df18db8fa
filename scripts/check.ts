/** Every static check, in parallel where they do not wait for each other; the first step of `npm test`. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const CHECKS: Readonly<Record<string, readonly string[]>> = {
  types: ["tsc", "--noEmit"],
  "core without I/O": ["tsc", "--noEmit", "-p", "sdk/core"],
  lint: ["oxlint", "--type-aware", "--deny-warnings"],
  format: ["biome", "check", "--error-on-warnings"],
  "unused code": ["knip", "--no-progress"],
};

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
const results = await Promise.all(
  Object.entries(CHECKS).map(([name, command]) => run(name, command)),
);
process.exitCode = results.every(Boolean) ? 0 : 1;

function run(name: string, [command = "", ...args]: readonly string[]): Promise<boolean> {
  const startedAt = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn(`node_modules/.bin/${command}`, args, {
      stdio: ["ignore", "pipe", "pipe"],
    });
    const output: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => output.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => output.push(chunk));
    child.once("error", reject).once("close", (status) => {
      const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
      console.log(`${status === 0 ? "ok  " : "FAIL"} ${name} (${seconds} s)`);
      if (status !== 0) process.stdout.write(Buffer.concat(output));
      resolve(status === 0);
    });
  });
}

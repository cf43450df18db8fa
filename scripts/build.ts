/** Builds the published package into dist: JavaScript with declarations, and the files beside the code. */
import { execFileSync } from "node:child_process";
import { chmodSync, cpSync, globSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
/** What the compiled code reads at run time and tsc does not copy. */
const ASSETS = ["sdk/core/*.json", "sdk/dev/localstack/python/**"];

process.chdir(root);
rmSync("dist", { recursive: true, force: true });
execFileSync("node_modules/.bin/tsc", ["-p", "tsconfig.build.json"], { stdio: "inherit" });
for (const file of globSync(ASSETS, { withFileTypes: true })) {
  if (!file.isFile() || file.parentPath.includes("__pycache__")) continue;
  const path = `${file.parentPath}/${file.name}`.slice(root.length);
  cpSync(path, `dist/${path}`);
}
chmodSync("dist/sdk/cli/main.js", 0o755);

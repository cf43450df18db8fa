/** Builds the published package into dist: JavaScript with declarations, and the files beside the code. */
import { execFileSync } from "node:child_process";
import { chmodSync, cpSync, globSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** What the compiled code reads at run time and tsc does not copy. */
const ASSETS = ["sdk/core/*.json", "sdk/dev/localstack/python/**/*.*"];
const LEFT_OUT = ["**/__pycache__/**", "**/tsconfig.json"];

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
rmSync("dist", { recursive: true, force: true });
execFileSync("node_modules/.bin/tsc", ["-p", "tsconfig.build.json"], { stdio: "inherit" });
for (const file of globSync(ASSETS, { exclude: LEFT_OUT })) cpSync(file, join("dist", file));
chmodSync("dist/sdk/cli/main.js", 0o755);

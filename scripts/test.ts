/**
 * `npm test`: the static checks, then every test; `--fast` leaves LocalStack, the long simulation
 * and what waits for real leases out. The last line counts what the test runner's own report says.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";

const REPORT = "test-results/report.json";

/** How much of the deterministic simulation is part of every full run. */
const SIMULATION = { PAWL_SIMULATION_SEEDS: "5000", PAWL_SIMULATION_PAIRS: "2000" };

interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly success: boolean;
}

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
const isFast = process.argv.includes("--fast");
process.exitCode = main();

function main(): number {
  if (run("scripts/check.ts", []) !== 0) {
    console.log("the static checks failed; no test was run");
    console.log("0 passed, 1 failed");
    return 1;
  }
  const coverage = ["run", "--project", "fast", "--coverage", "--reporter=dot", "test/core"];
  if (!isFast && run("node_modules/vitest/vitest.mjs", coverage) !== 0) {
    console.log("sdk/core is not fully covered by test/core");
    console.log("0 passed, 1 failed");
    return 1;
  }
  mkdirSync("test-results", { recursive: true });
  rmSync(REPORT, { force: true });
  const projects = isFast ? ["fast"] : ["fast", "waiting", "long", "localstack"];
  const status = run("node_modules/vitest/vitest.mjs", [
    "run",
    ...projects.flatMap((project) => ["--project", project]),
    "--reporter=default",
    "--reporter=json",
    `--outputFile.json=${REPORT}`,
  ]);
  return conclude(status);
}

function run(script: string, args: readonly string[]): number {
  const env = { ...SIMULATION, ...process.env };
  return spawnSync(process.execPath, [script, ...args], { stdio: "inherit", env }).status ?? 1;
}

function conclude(status: number): number {
  let report: Report;
  try {
    report = JSON.parse(readFileSync(REPORT, "utf8"));
  } catch {
    console.log("the test runner wrote no report");
    console.log("0 passed, 1 failed");
    return 1;
  }
  const failed = report.numFailedTests + (report.numFailedTests === 0 && status !== 0 ? 1 : 0);
  const skipped = report.numPendingTests === 0 ? "" : `, ${report.numPendingTests} skipped`;
  console.log(`${report.numPassedTests} passed, ${failed} failed${skipped}`);
  return failed === 0 && report.numPassedTests > 0 ? 0 : 1;
}

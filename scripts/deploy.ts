/**
 * `npm run deploy -- --target aws|localstack [cdk's own arguments]`: deploys infra/app.ts.
 *
 * aws is plain `cdk deploy` with the pinned CLI and the credentials of the shell. localstack starts
 * LocalStack, or uses the one that runs, bootstraps it and deploys the same app; it is left running,
 * and `--stop` ends it.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { startLocalStack, stopLocalStack } from "../sdk/dev/localstack/host.ts";
import { CDK_DEPLOY, localStackApiUrl, runCdk } from "../sdk/dev/localstack-deploy.ts";

const USAGE = `usage: npm run deploy -- --target aws [--dry-run] [-- <arguments of cdk deploy>]
       npm run deploy -- --target localstack [--port <port>] [--stop]`;
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const STACK = "PawlOrderFulfilment";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    target: { type: "string" },
    port: { type: "string" },
    stop: { type: "boolean", default: false },
    "dry-run": { type: "boolean", default: false },
  },
});
const port = values.port === undefined ? undefined : Number(values.port);

if (values.target === "aws") deployToAws(values["dry-run"], positionals);
else if (values.target !== "localstack" || Number.isNaN(port)) fail(USAGE);
else if (values.stop) await stop();
else await deploy();

function deployToAws(dryRun: boolean, rest: readonly string[]): void {
  const cli = join(root, "node_modules", "aws-cdk", "bin", "cdk");
  const command = dryRun ? ["synth", "--quiet"] : ["deploy"];
  const { status } = spawnSync(process.execPath, [cli, ...command, STACK, ...rest], {
    cwd: root,
    stdio: "inherit",
  });
  process.exitCode = status ?? 1;
}

async function deploy(): Promise<void> {
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  const { endpoint } = await startLocalStack({ onProgress: say, ...portOption() });
  const folder = mkdtempSync(join(tmpdir(), "pawl-deploy-"));
  try {
    const options = { endpoint, cwd: root, onProgress: say };
    const app = ["--context", "target=localstack", "--output", join(folder, "cdk.out")];
    await runCdk(["bootstrap", ...app, "aws://000000000000/us-east-1"], options);
    const outputsFile = join(folder, "outputs.json");
    await runCdk([...CDK_DEPLOY, ...app, "--outputs-file", outputsFile, STACK], options);
    const outputs: Record<string, Record<string, string>> = JSON.parse(
      readFileSync(outputsFile, "utf8"),
    );
    const url = localStackApiUrl(endpoint, outputs[STACK]?.["ApiId"] ?? "");
    say("");
    process.stdout.write(`${url}\n`);
    say(`PAWL_API_URL=${url} points the pawl command there.`);
    say("LocalStack keeps running; npm run deploy -- --target localstack --stop ends it.");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function stop(): Promise<void> {
  const stopped = await stopLocalStack(portOption());
  process.stderr.write(stopped ? "LocalStack has ended\n" : "no LocalStack was running\n");
}

function portOption(): { readonly port?: number } {
  return port === undefined ? {} : { port };
}

function fail(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(2);
}

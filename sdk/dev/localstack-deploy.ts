/**
 * Deploys an entry module into a running LocalStack: the real construct, the real CLI, CloudFormation.
 *
 * The app is synthesized in this process and has no bootstrap stack: the CLI's own credentials upload
 * into a bucket that is made here, which saves a deployment.
 */
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import type { IStackSynthesizer } from "aws-cdk-lib";
import { pawlError } from "../core/errors.ts";

export interface LocalStackDeployOptions {
  /** The module that exports the workflows and activities. */
  readonly entry: string;
  /** Of the running LocalStack, such as `http://127.0.0.1:4566`. */
  readonly endpoint: string;
  /** Names of activity queues beside `default`. */
  readonly queues?: readonly string[];
  /** Deploying the same name again updates the stack. Default: "pawl-local". */
  readonly stackName?: string;
  /** One line for each step and each resource. */
  readonly onProgress?: (line: string) => void;
}

export interface LocalStackDeployment {
  /** Reachable without DNS: `http://127.0.0.1:4566/_aws/execute-api/<id>/prod`; routes begin with `/api`. */
  readonly apiUrl: string;
  readonly stackName: string;
  /** The queue of workflow tasks, for tests that deliver a message once more. */
  readonly workflowQueueUrl: string;
  /** Deletes the stack with everything in it. */
  destroy(): Promise<void>;
  /** Removes what is left of the deployment on this machine alone: for a LocalStack that ends itself. */
  forget(): Promise<void>;
}

/** The names of the stack's outputs; infra/app.ts and the app of this file write them. */
const OUTPUTS = {
  apiId: "ApiId",
  payloadBucket: "PayloadBucket",
  workflowQueueUrl: "WorkflowQueueUrl",
} as const;
const ASSET_BUCKET = "pawl-local-assets";
const STAGE = "prod";

/**
 * @throws PawlError entry_not_found, bundle_failed, target_unsupported (aws-cdk, aws-cdk-lib or
 *   constructs is not installed); Error with the CLI's last lines when the deployment failed
 */
export async function deployToLocalStack(
  options: LocalStackDeployOptions,
): Promise<LocalStackDeployment> {
  const folder = await mkdtemp(join(tmpdir(), "pawl-deploy-"));
  try {
    return await deployFrom(folder, options);
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

/** The folder keeps the assembly until the stack is destroyed: the CLI destroys from it, too. */
async function deployFrom(
  folder: string,
  options: LocalStackDeployOptions,
): Promise<LocalStackDeployment> {
  const endpoint = numericHost(options.endpoint);
  const stackName = options.stackName ?? "pawl-local";
  const onProgress = options.onProgress ?? (() => {});
  const cdk = (command: readonly string[]): Promise<void> =>
    runCdk(command, { endpoint, cwd: folder, onProgress });
  onProgress(`bundling ${options.entry}`);
  const assembly = await synthesize(options, stackName, join(folder, "cdk.out"));
  await createAssetBucket(endpoint);
  const outputsFile = join(folder, "outputs.json");
  onProgress(`deploying ${stackName} to ${endpoint}`);
  const deploy = [...CDK_DEPLOY, "--method", "direct", "--outputs-file", outputsFile];
  await cdk([...deploy, "--app", assembly, stackName]);
  const outputs = await readOutputs(outputsFile, stackName);
  const forget = (): Promise<void> => rm(folder, { recursive: true, force: true });
  return {
    apiUrl: localStackApiUrl(endpoint, outputs[OUTPUTS.apiId] ?? ""),
    workflowQueueUrl: outputs[OUTPUTS.workflowQueueUrl] ?? "",
    stackName,
    destroy: once(async () => {
      await emptyBucket(endpoint, outputs[OUTPUTS.payloadBucket] ?? "");
      await cdk(["destroy", "--force", "--app", assembly, stackName]);
      await forget();
    }),
    forget,
  };
}

/** The address of an API on LocalStack that works without wildcard DNS. */
export function localStackApiUrl(endpoint: string, apiId: string): string {
  return `${numericHost(endpoint)}/_aws/execute-api/${apiId}/${STAGE}`;
}

/** `cdk deploy` without questions and without a progress bar. */
export const CDK_DEPLOY = [
  "deploy",
  "--require-approval",
  "never",
  "--progress",
  "events",
] as const;

export interface CdkOptions {
  readonly endpoint: string;
  readonly cwd: string;
  readonly onProgress: (line: string) => void;
}

/**
 * Runs the CDK CLI against LocalStack.
 * @throws Error with the last lines that the CLI wrote, when it does not succeed
 */
export async function runCdk(command: readonly string[], options: CdkOptions): Promise<void> {
  const fixed = ["--no-notices", "--ci"];
  const child = spawn(process.execPath, [cdkCli(), ...command, ...fixed], {
    cwd: options.cwd,
    env: localStackEnvironment(options.endpoint),
    stdio: ["ignore", "pipe", "pipe"],
  });
  const lastLines: string[] = [];
  const reading = [child.stdout, child.stderr].map(async (stream) => {
    for await (const line of createInterface({ input: stream })) {
      if (line.trim() === "") continue;
      lastLines.push(line);
      if (lastLines.length > LAST_LINES) lastLines.shift();
      if (!UNFINISHED.test(line)) options.onProgress(line);
    }
  });
  const status = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject).once("close", resolve);
  });
  await Promise.all(reading);
  if (status === 0) return;
  throw new Error(`cdk ${command[0] ?? ""} failed:\n${lastLines.join("\n")}`);
}

const LAST_LINES = 30;
/** Each of a hundred resources also says when it begins; progress is what has been done. */
const UNFINISHED = /_IN_PROGRESS\b|: start: /;

/** The environment of this process, without what would lead the AWS SDK elsewhere. */
function localStackEnvironment(endpoint: string): NodeJS.ProcessEnv {
  const others = Object.entries(process.env).filter(([name]) => !name.startsWith("AWS_"));
  return {
    ...Object.fromEntries(others),
    AWS_ENDPOINT_URL: numericHost(endpoint),
    ...CREDENTIALS,
    AWS_REGION: REGION,
    AWS_DEFAULT_REGION: REGION,
    AWS_EC2_METADATA_DISABLED: "true",
    CDK_DISABLE_CLI_TELEMETRY: "true",
  };
}

const REGION = "us-east-1";
// LocalStack makes the account 000000000000 of any key that is not an account's number.
const CREDENTIALS = { AWS_ACCESS_KEY_ID: "test", AWS_SECRET_ACCESS_KEY: "test" } as const;

/** With a number for a host the SDK addresses buckets by path: `bucket.localhost` may not resolve. */
function numericHost(endpoint: string): string {
  const url = new URL(endpoint);
  if (url.hostname === "localhost") url.hostname = "127.0.0.1";
  return url.origin;
}

function cdkCli(): string {
  try {
    return join(dirname(createRequire(import.meta.url).resolve("aws-cdk/package.json")), "bin/cdk");
  } catch {
    throw cdkMissing();
  }
}

/** Writes the cloud assembly of one stack with the construct in it and answers its folder. */
async function synthesize(
  options: LocalStackDeployOptions,
  stackName: string,
  outdir: string,
): Promise<string> {
  const { App, CfnOutput, CliCredentialsStackSynthesizer, Stack } = await importCdk(
    () => import("aws-cdk-lib"),
  );
  const { Pawl } = await importCdk(() => import("../../infra/index.ts"));
  const { LOCALSTACK_ENVIRONMENT, localStackProps } = await import("../../infra/localstack.ts");
  const app = new App({ outdir, analyticsReporting: false });
  const stack = new Stack(app, stackName, {
    env: LOCALSTACK_ENVIRONMENT,
    // CDK's class and its interface disagree under exactOptionalPropertyTypes only.
    synthesizer: new CliCredentialsStackSynthesizer({
      fileAssetsBucketName: ASSET_BUCKET,
    }) as IStackSynthesizer,
  });
  const pawl = new Pawl(stack, "Pawl", localStackProps(options.entry, options.queues));
  new CfnOutput(stack, OUTPUTS.apiId, { value: pawl.api.restApiId });
  new CfnOutput(stack, OUTPUTS.workflowQueueUrl, { value: pawl.workflowQueue.queueUrl });
  new CfnOutput(stack, OUTPUTS.payloadBucket, { value: pawl.payloadBucket.bucketName });
  return app.synth().directory;
}

/** CDK is a package of the user's, for those who deploy. */
async function importCdk<Module>(load: () => Promise<Module>): Promise<Module> {
  try {
    return await load();
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    throw code === "ERR_MODULE_NOT_FOUND" ? cdkMissing() : error;
  }
}

function cdkMissing(): Error {
  return pawlError("target_unsupported", {
    what: "deploying without the packages aws-cdk, aws-cdk-lib and constructs",
    target: "localstack",
    instead: "npm install --save-dev aws-cdk@2 aws-cdk-lib@2 constructs@10",
  });
}

async function readOutputs(
  file: string,
  stackName: string,
): Promise<Readonly<Record<string, string | undefined>>> {
  const outputs: Record<string, Record<string, string>> = JSON.parse(await readFile(file, "utf8"));
  return outputs[stackName] ?? {};
}

async function s3Client(endpoint: string) {
  const { S3Client } = await import("@aws-sdk/client-s3");
  return new S3Client({
    endpoint,
    region: REGION,
    forcePathStyle: true,
    credentials: {
      accessKeyId: CREDENTIALS.AWS_ACCESS_KEY_ID,
      secretAccessKey: CREDENTIALS.AWS_SECRET_ACCESS_KEY,
    },
  });
}

/** In us-east-1 creating an own bucket again succeeds. */
async function createAssetBucket(endpoint: string): Promise<void> {
  const { CreateBucketCommand } = await import("@aws-sdk/client-s3");
  const client = await s3Client(endpoint);
  await client.send(new CreateBucketCommand({ Bucket: ASSET_BUCKET }));
}

/** CloudFormation deletes empty buckets only. */
async function emptyBucket(endpoint: string, bucket: string): Promise<void> {
  const { DeleteObjectsCommand, paginateListObjectsV2 } = await import("@aws-sdk/client-s3");
  const client = await s3Client(endpoint);
  for await (const page of paginateListObjectsV2({ client }, { Bucket: bucket })) {
    const objects = (page.Contents ?? []).map(({ Key }) => ({ Key }));
    if (objects.length === 0) continue;
    await client.send(new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects: objects } }));
  }
}

function once(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  return () => {
    running ??= work();
    return running;
  };
}

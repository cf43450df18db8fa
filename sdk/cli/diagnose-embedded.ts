/** What the embedded stack needs, tried out: its packages are loaded, its DynamoDB is started and stopped. */
import { PawlError } from "../core/errors.ts";
import type { Diagnosis } from "../dev/localstack/doctor.ts";

/** The oldest Node that strips types by itself; `engines` in package.json says the same. */
const NODE_MIN = [22, 18] as const;

export async function diagnoseEmbedded(): Promise<readonly Diagnosis[]> {
  return [
    diagnoseNode(process.versions.node),
    await diagnoseDynamoDb(),
    await diagnosePackage("fauxqs", "SQS and S3", () => import("fauxqs")),
    await diagnosePackage("esbuild", "bundles your code", () => import("esbuild")),
  ];
}

export function diagnoseNode(version: string): Diagnosis {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [majorMin, minorMin] = NODE_MIN;
  const ok = major > majorMin || (major === majorMin && minor >= minorMin);
  if (ok) return { name: "node", ok, detail: version };
  const hint = `install Node ${majorMin}.${minorMin} or newer`;
  return { name: "node", ok, detail: `${version} is too old`, hint };
}

async function diagnoseDynamoDb(): Promise<Diagnosis> {
  const name = "dynamodb emulator";
  try {
    const { startDynamoDb } = await import("../dev/embedded/dynamodb.ts");
    const database = await startDynamoDb(undefined);
    await database.stop();
    return { name, ok: true, detail: "starts and answers" };
  } catch (error) {
    return { name, ok: false, ...reasonAndHint(error, "npm install dynalite") };
  }
}

async function diagnosePackage(
  name: string,
  what: string,
  load: () => Promise<unknown>,
): Promise<Diagnosis> {
  try {
    await load();
    return { name, ok: true, detail: `installed (${what})` };
  } catch (error) {
    return { name, ok: false, ...reasonAndHint(error, `npm install ${name}`) };
  }
}

function reasonAndHint(
  error: unknown,
  hint: string,
): { readonly detail: string; readonly hint: string } {
  const detail = error instanceof Error ? error.message : String(error);
  return { detail, hint: error instanceof PawlError ? error.hint : hint };
}

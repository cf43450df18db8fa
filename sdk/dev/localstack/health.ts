/** Whether a LocalStack answers at an endpoint. */
import { setTimeout as delay } from "node:timers/promises";

type Health =
  | { readonly kind: "up"; readonly version: string }
  | { readonly kind: "down"; readonly reason: string };

export type ReadHealth = (endpoint: string) => Promise<Health>;

const answerMsMax = 5_000;
const pollMs = 100;

export const readHealth: ReadHealth = async (endpoint) => {
  const route = `${endpoint.replace(/\/+$/, "")}/_localstack/health`;
  if (!URL.canParse(route)) return { kind: "down", reason: `${endpoint} is not a URL` };
  try {
    const response = await fetch(route, { signal: AbortSignal.timeout(answerMsMax) });
    if (!response.ok) return { kind: "down", reason: `${route} answered ${response.status}` };
    const body: unknown = await response.json();
    if (typeof body !== "object" || body === null || !("version" in body)) {
      return { kind: "down", reason: `${route} answered, but not as LocalStack does` };
    }
    return { kind: "up", version: String(body.version) };
  } catch (error) {
    return { kind: "down", reason: `${route} does not answer (${causeOf(error)})` };
  }
};

/** True as soon as it answers; false when `stillStarting` has become false or the time is over. */
export async function waitUntilUp(
  endpoint: string,
  msMax: number,
  stillStarting: () => boolean,
): Promise<boolean> {
  const end = Date.now() + msMax;
  while (Date.now() < end && stillStarting()) {
    if ((await readHealth(endpoint)).kind === "up") return true;
    await delay(pollMs);
  }
  return false;
}

// fetch hides the interesting part, such as ECONNREFUSED, in the cause.
function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  if (cause instanceof Error) return "code" in cause ? String(cause.code) : cause.message;
  return error.message;
}

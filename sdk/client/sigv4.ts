/**
 * SigV4 for API Gateway. The AWS packages are loaded with the first signature, not before, so that
 * a program which signs nothing, and a browser bundle, does without them.
 */
import type { OutgoingRequest, Sign } from "./transport.ts";

export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

export interface SigV4Options {
  /** Default: the region in the API's host name, else `AWS_REGION`. */
  readonly region?: string | undefined;
  /** Default `execute-api`. */
  readonly service?: string;
  /** Default: the usual credential chain of Node (environment, profile, SSO, role). */
  readonly credentials?: AwsCredentials | (() => Promise<AwsCredentials>) | undefined;
  /** For tests: the date of the signature. */
  readonly signingDate?: Date;
}

/** A signer for the client's `sign` option. */
export function sigV4Signer(options: SigV4Options = {}): Sign {
  let signers: Promise<(region: string) => Signer> | undefined;
  return async (request) => {
    signers ??= loadSigner(options);
    const region = options.region ?? regionOf(request.url.hostname);
    const signer = (await signers)(region);
    const { signingDate } = options;
    const date = signingDate === undefined ? {} : { signingDate };
    const signed = await signer.sign(signable(request), date);
    return signed.headers;
  };
}

/** True for API Gateway's own host names, where IAM is Pawl's default (design section 6). */
export function isApiGatewayHost(hostname: string): boolean {
  return /(^|\.)execute-api\..*amazonaws\.com(\.cn)?$/.test(hostname);
}

interface Signable {
  readonly method: string;
  readonly protocol: string;
  readonly hostname: string;
  readonly path: string;
  readonly query: Record<string, string>;
  readonly headers: Record<string, string>;
  readonly body?: string;
}
interface Signer {
  sign(
    request: Signable,
    options: { readonly signingDate?: Date },
  ): Promise<{ readonly headers: Record<string, string> }>;
}

async function loadSigner(options: SigV4Options): Promise<(region: string) => Signer> {
  const [{ SignatureV4 }, { Sha256 }, credentials] = await Promise.all([
    import("@smithy/signature-v4"),
    import("@aws-crypto/sha256-js"),
    options.credentials ?? defaultCredentials(),
  ]);
  const service = options.service ?? "execute-api";
  // The body's hash is in the signature; the header that repeats it is for S3 alone.
  const fixed = { service, credentials, sha256: Sha256, applyChecksum: false };
  return (region) => new SignatureV4({ ...fixed, region });
}

async function defaultCredentials(): Promise<() => Promise<AwsCredentials>> {
  const { defaultProvider } = await import("@aws-sdk/credential-provider-node");
  return defaultProvider();
}

function signable(request: OutgoingRequest): Signable {
  const { url } = request;
  return {
    method: request.method,
    protocol: url.protocol,
    hostname: url.hostname,
    path: url.pathname,
    query: Object.fromEntries(url.searchParams),
    headers: { ...request.headers },
    ...(request.body === undefined ? {} : { body: request.body }),
  };
}

function regionOf(hostname: string): string {
  const inHost = /execute-api\.([a-z0-9-]+)\./.exec(hostname)?.[1];
  return inHost ?? process.env["AWS_REGION"] ?? process.env["AWS_DEFAULT_REGION"] ?? "us-east-1";
}

/** `pawl/client`: start workflows and talk to them over the HTTP API (requirements 2.4 to 2.9). */
import {
  BaseClient,
  type BaseClientOptions,
  DEFAULT_BASE_URL,
  environment,
} from "./client/client.ts";
import { type AwsCredentials, isApiGatewayHost, sigV4Signer } from "./client/sigv4.ts";
import type { Sign } from "./client/transport.ts";

export type { ClusterInfo, ListOptions, StartOptions } from "./client/client.ts";
export * from "./client/exports.ts";
export { type AwsCredentials, type SigV4Options, sigV4Signer } from "./client/sigv4.ts";

export interface ClientOptions extends BaseClientOptions {
  /**
   * Makes the headers of each request. Default in Node: SigV4 with the usual credential chain when
   * `baseUrl` is a host of API Gateway or `PAWL_SIGN=1` is set, but never for a loopback address; otherwise nothing is signed.
   */
  readonly sign?: Sign | undefined;
  /** For the default signer; default: the region in the host's name, else `AWS_REGION`. */
  readonly region?: string;
  /** For the default signer; default: the usual credential chain. */
  readonly credentials?: AwsCredentials | (() => Promise<AwsCredentials>);
}

/** The embedded stack asks for no signature, and a signature for a loopback host fits no API. */
const LOOPBACK_HOSTS: ReadonlySet<string> = new Set(["localhost", "127.0.0.1", "[::1]"]);

/** The client of one Pawl API. It holds no connection and needs no closing. */
export class Client extends BaseClient {
  constructor(options: ClientOptions = {}) {
    super({ ...options, sign: options.sign ?? defaultSign(options) });
  }
}

/** The same as `new Client(options)`. */
export function createClient(options: ClientOptions = {}): Client {
  return new Client(options);
}

function defaultSign(options: ClientOptions): Sign | undefined {
  const baseUrl = options.baseUrl ?? environment("PAWL_API_URL") ?? DEFAULT_BASE_URL;
  const { hostname } = new URL(baseUrl);
  const wanted = environment("PAWL_SIGN") === "1" || isApiGatewayHost(hostname);
  if (!wanted || LOOPBACK_HOSTS.has(hostname)) return undefined;
  return sigV4Signer({ region: options.region, credentials: options.credentials });
}

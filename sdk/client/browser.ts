/**
 * The client for browsers: the same but for signing, which a page leaves to whoever serves it
 * (design section 6) or injects with `sign`. No module of Node or AWS is reachable from here.
 */
import { BaseClient, type BaseClientOptions } from "./client.ts";

export { BaseClient as Client, type BaseClientOptions as ClientOptions } from "./client.ts";
export * from "./exports.ts";

/** The same as `new Client(options)`. */
export function createClient(options: BaseClientOptions = {}): BaseClient {
  return new BaseClient(options);
}

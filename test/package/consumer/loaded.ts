/** Prints which modules the package loads: when it is imported, and after the client has signed. */
import { registerHooks } from "node:module";

const loaded = new Set<string>();
registerHooks({
  load(url, context, nextLoad) {
    loaded.add(url.replace(/^.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\/.*$/, "$1"));
    return nextLoad(url, context);
  },
});

const startedMs = performance.now();
await import("pawl");
const importMs = Math.round(performance.now() - startedMs);
const pawl = [...loaded];
const { createClient, sigV4Signer } = await import("pawl/client");
const url = new URL("https://abc.execute-api.eu-west-1.amazonaws.com/api/health");
const sign = sigV4Signer({ credentials: { accessKeyId: "key", secretAccessKey: "secret" } });
createClient({ baseUrl: url.origin, sign });
const client = [...loaded];
await sign({ method: "GET", url, headers: { host: url.host } });
const report = { importMs, pawl, client, signed: [...loaded] };
process.stdout.write(JSON.stringify(report));

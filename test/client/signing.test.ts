import { build } from "esbuild";
import { afterEach, describe, expect, test, vi } from "vitest";
import { Client, type Sign, sigV4Signer } from "../../sdk/client.ts";
import { expectedSignature } from "./reference-sigv4.ts";
import { ok, ScriptedApi } from "./scripted-api.ts";

/** The credentials of AWS's published test suite for Signature Version 4. */
const CREDENTIALS = {
  accessKeyId: "AKIDEXAMPLE",
  secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
};
const SUITE = {
  region: "us-east-1",
  service: "service",
  credentials: CREDENTIALS,
  signingDate: new Date("2015-08-30T12:36:00Z"),
};
const GATEWAY = "https://abc123.execute-api.eu-central-1.amazonaws.com/prod";

afterEach(() => vi.unstubAllEnvs());

describe("the signer", () => {
  test.each([
    ["get-vanilla", "GET", "/", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"],
    [
      "post-vanilla",
      "POST",
      "/",
      "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
    ],
    [
      "get-vanilla-query-order-key-case",
      "GET",
      "/?Param2=value2&Param1=value1",
      "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
    ],
  ] as const)("agrees with %s of AWS's test suite", async (_name, method, path, signature) => {
    const url = new URL(`https://example.amazonaws.com${path}`);
    const headers = await sigV4Signer(SUITE)({ method, url, headers: { host: url.host } });
    expect(headers["authorization"]).toBe(
      "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, " +
        `SignedHeaders=host;x-amz-date, Signature=${signature}`,
    );
  });

  test("signs a body, a query and an id with a slash as API Gateway will check them", async () => {
    const api = new ScriptedApi(ok({}));
    const credentials = { ...CREDENTIALS, sessionToken: "token" };
    const client = new Client({ baseUrl: GATEWAY, fetch: api.fetch, credentials });
    await client.handle("order/1 ü", "run").signal("approve", { by: "ünal" });
    await client.list({ status: "running", type: "a b" });
    for (const [sent, query] of [
      [api.sent[0], ""],
      [api.sent[1], "status=running&workflow_type=a%20b"],
    ] as const) {
      const headers = { ...sent?.headers, host: "abc123.execute-api.eu-central-1.amazonaws.com" };
      const authorization = sent?.headers["authorization"] ?? "";
      expect(authorization).toContain("/eu-central-1/execute-api/aws4_request");
      expect(sent?.headers["x-amz-security-token"]).toBe("token");
      const body = sent?.body === undefined ? "" : JSON.stringify(sent.body);
      const arrived = { method: sent?.method ?? "", path: sent?.path ?? "", query, headers, body };
      expect(authorization).toMatch(
        new RegExp(`Signature=${expectedSignature(arrived, CREDENTIALS.secretAccessKey)}$`),
      );
    }
  });

  test("takes the credentials of the usual chain when none are given", async () => {
    vi.stubEnv("AWS_ACCESS_KEY_ID", "AKIDENVIRONMENT");
    vi.stubEnv("AWS_SECRET_ACCESS_KEY", "secret");
    const api = new ScriptedApi(ok({}));
    await new Client({ baseUrl: GATEWAY, fetch: api.fetch }).clusterInfo();
    expect(api.sent[0]?.headers["authorization"]).toContain("Credential=AKIDENVIRONMENT/");
  });
});

describe("what is signed", () => {
  const signs = async (baseUrl: string, sign?: Sign): Promise<boolean> => {
    const api = new ScriptedApi(ok({}));
    const client = new Client({ baseUrl, fetch: api.fetch, credentials: CREDENTIALS, sign });
    await client.clusterInfo();
    return api.sent[0]?.headers["authorization"] !== undefined;
  };

  test.each([
    [GATEWAY, true],
    ["https://abc.execute-api.cn-north-1.amazonaws.com.cn/prod", true],
    ["https://api.example.org", false],
    ["http://abc.execute-api.localhost.localstack.cloud:4566/prod", false],
    ["http://127.0.0.1:7400", false],
  ])("by default %s: %s", async (baseUrl, expected) => {
    expect(await signs(baseUrl)).toBe(expected);
  });

  test.each([
    ["https://api.example.org", true],
    ["http://127.0.0.1:7400", false],
    ["http://localhost:7400", false],
  ])("with PAWL_SIGN=1 %s: %s", async (baseUrl, expected) => {
    vi.stubEnv("PAWL_SIGN", "1");
    vi.stubEnv("AWS_REGION", "eu-west-1");
    expect(await signs(baseUrl)).toBe(expected);
  });

  test("an injected signer sees the request as sent, and signs every attempt anew", async () => {
    const unavailable = {
      status: 503,
      json: { code: "unavailable", message: "m", hint: "h", request_id: "r" },
    };
    const api = new ScriptedApi(unavailable, ok({}));
    let signatures = 0;
    const client = new Client({
      baseUrl: "https://api.example.org/stage/",
      fetch: api.fetch,
      clock: api.clock,
      sign: async ({ method, url, headers, body }) => {
        signatures++;
        expect({ method, href: url.href, body }).toEqual({
          method: "POST",
          href: "https://api.example.org/stage/api/workflows/a/cancel",
          body: expect.stringContaining("request_id"),
        });
        return { ...headers, authorization: `signature ${signatures}` };
      },
    });
    await client.handle("a").cancel();
    expect(api.sent.map(({ headers }) => headers["authorization"])).toEqual([
      "signature 1",
      "signature 2",
    ]);
  });
});

test("a browser bundle of the client holds no AWS package and no module of Node", async () => {
  const bundle = await build({
    entryPoints: ["sdk/client/browser.ts"],
    bundle: true,
    format: "esm",
    platform: "browser",
    write: false,
    metafile: true,
  });
  const inputs = Object.keys(bundle.metafile.inputs);
  expect(inputs).toContain("sdk/client/handle.ts");
  expect(inputs.filter((path) => /@aws|@smithy|sigv4/.test(path))).toEqual([]);
});

test("the entry for Node loads AWS packages only when something is signed", async () => {
  const bundle = await build({
    entryPoints: ["sdk/client.ts"],
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    outdir: "out",
    write: false,
    metafile: true,
  });
  const { outputs } = bundle.metafile;
  const loaded = new Set<string>();
  const follow = (path: string): void => {
    if (loaded.has(path)) return;
    loaded.add(path);
    for (const imported of outputs[path]?.imports ?? [])
      if (imported.kind === "import-statement") follow(imported.path);
  };
  follow("out/client.js");
  const inputs = [...loaded].flatMap((path) => Object.keys(outputs[path]?.inputs ?? {}));
  expect(inputs).toContain("sdk/client/handle.ts");
  expect(inputs.filter((path) => /@aws|@smithy/.test(path))).toEqual([]);
});

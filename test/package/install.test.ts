import {
  cpSync,
  globSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { isBuiltin } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { createContext, runInContext } from "node:vm";
import { build, type Metafile } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import manifest from "../../package.json" with { type: "json" };
import { Running, run } from "./programs.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const bin = (name: string): string => join(root, "node_modules", ".bin", name);
const PYTHON = "sdk/dev/localstack/python";
/** What a user has besides the package, in the versions that this repository has. */
const COMPANIONS = ["aws-cdk-lib", "constructs", "typescript", "@types/node"] as const;

let folder: string;
/** The user's project. */
let app: string;
/** The package as it is installed there. */
let installed: string;
let tarball: string;
/** What has to be in it, as the sources were when it was built. */
let expected: readonly string[];
const programs: Running[] = [];

beforeAll(async () => {
  expected = packagedFiles();
  folder = mkdtempSync(join(tmpdir(), "pawl-package-"));
  await run(root, "npm", "pack", "--pack-destination", folder);
  const [name = ""] = readdirSync(folder);
  tarball = join(folder, name);
  app = join(folder, "app");
  installed = join(app, "node_modules", "pawl");
  cpSync(join(import.meta.dirname, "consumer"), app, { recursive: true });
  await run(app, "npm", "init", "-y");
  await run(app, "npm", "pkg", "set", "type=module");
  const companions = COMPANIONS.map((each) => `${each}@${manifest.devDependencies[each]}`);
  const quietly = ["--prefer-offline", "--no-audit", "--no-fund"];
  await run(app, "npm", "install", ...quietly, tarball, ...companions);
});

afterAll(async () => {
  await Promise.all(programs.map((program) => program.kill()));
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

describe.concurrent("the packed package", () => {
  test("holds every compiled module with its declarations, the files beside the code, and nothing else", async ({
    annotate,
  }) => {
    const { stdout } = await run(folder, "tar", "-tzf", tarball);
    const packed = stdout
      .trim()
      .split("\n")
      .map((path) => path.replace(/^package\//, ""));
    expect(packed.sort()).toEqual(expected);
    const neverPacked = /\.(test|spec|suite)\.|fixture|__pycache__|\.map$|(?<!\.d)\.ts$|infra\/app/;
    expect(packed.filter((path) => neverPacked.test(path))).toEqual([]);
    const bytes = statSync(tarball).size;
    await annotate(`${packed.length} files, ${bytes} bytes packed`);
    // The user's functions hold what they use of it; this is what every npm ci downloads.
    expect(bytes).toBeLessThan(600_000);
  });

  test("resolves as ESM with declarations in every way that TypeScript and bundlers look for it", async () => {
    const published = await run(root, bin("publint"), "run", tarball, "--strict");
    expect(published.stdout).toContain("All good!");
    // Ends with an error for everything that the profile does not leave out: CommonJS, Node 10.
    const typed = await run(
      root,
      bin("attw"),
      tarball,
      "--profile",
      "esm-only",
      "--format",
      "json",
    );
    expect(JSON.parse(typed.stdout)).toMatchObject({ analysis: { types: { kind: "included" } } });
  });

  test("asks for every package that it imports, and loads an optional one only on demand", async () => {
    const imported = await importedPackages(globSync("dist/**/*.js", { cwd: installed }));
    const asked = [manifest.dependencies, manifest.peerDependencies].flatMap(Object.keys);
    expect(imported.filter((name) => !asked.includes(name))).toEqual([]);
    expect(imported).toEqual(expect.arrayContaining(["aws-cdk-lib", "fauxqs", "esbuild"]));

    const withoutCdk = ["index.js", "client.js", "testing/index.js", "cli/main.js"];
    const atOnce = await importedPackages(
      withoutCdk.map((file) => `dist/sdk/${file}`),
      ({ kind }) => kind === "import-statement",
    );
    const optional = Object.keys(manifest.peerDependencies);
    expect(atOnce).toContain("commander");
    expect(atOnce.filter((name) => optional.includes(name))).toEqual([]);
  });

  test("has the Python side of LocalStack where the compiled host looks for it", async () => {
    const host = pathToFileURL(join(installed, "dist/sdk/dev/localstack/cache.js")).href;
    const { pythonProject }: { readonly pythonProject: string } = await import(host);
    const files = pythonFiles().map((path) => path.slice(`${PYTHON}/`.length));
    expect(files).toContain(join("pawl_localstack", "executor.py"));
    for (const file of files) {
      const copy = readFileSync(join(pythonProject, file), "utf8");
      expect(copy).toBe(readFileSync(join(root, PYTHON, file), "utf8"));
    }
    // Reads all of them: what is installed is known by their hashes.
    const { stdout } = await run(app, "npx", "pawl", "doctor", "-o", "json");
    expect(stdout).toContain("cached installation");
  });
});

describe.concurrent("a project that has installed the package", () => {
  test("compiles without skipLibCheck, as Node's ESM and for a bundler", async () => {
    const shared = { strict: true, noEmit: true, skipLibCheck: false, target: "es2024" };
    writeJson("tsconfig.json", {
      compilerOptions: {
        ...shared,
        module: "nodenext",
        types: ["node"],
        lib: ["es2024", "esnext.disposable"],
        allowImportingTsExtensions: true,
      },
      include: ["*.ts", "src", "test"],
    });
    writeJson("web/tsconfig.json", {
      compilerOptions: {
        ...shared,
        module: "esnext",
        moduleResolution: "bundler",
        customConditions: ["browser"],
        types: [],
        lib: ["es2024", "dom"],
      },
    });
    expect((await run(app, "npx", "tsc")).stdout).toBe("");
    expect((await run(app, "npx", "tsc", "-p", "web")).stdout).toBe("");
  });

  test("tests its workflows with node --test, in memory and on the embedded stack", async () => {
    const { stdout } = await run(app, "node", "--test", "--test-reporter=tap", "test/checkout.ts");
    expect(stdout).toContain("ok 1 - a checkout on memory");
    expect(stdout).toContain("ok 2 - a checkout on embedded");
  });

  test("loads neither AWS packages nor files with pawl, and with the client only to sign", async ({
    annotate,
  }) => {
    const { stdout } = await run(app, "node", "loaded.ts");
    const loaded: Record<"pawl" | "client" | "signed", string[]> & { importMs: number } =
      JSON.parse(stdout);
    await annotate(`import "pawl" took ${loaded.importMs} ms`);
    expect(loaded.pawl.sort()).toEqual(["node:async_hooks", "pawl"]);
    expect(loaded.client.sort()).toEqual(["node:async_hooks", "pawl", "uuidv7"]);
    expect(loaded.signed).toContain("@smithy/signature-v4");
  });

  test("synthesizes a stack whose functions hold its workflows", async () => {
    await run(app, "node", "app.ts");
    const assembly = join(app, "cdk.out");
    const { Resources } = JSON.parse(readFileSync(join(assembly, "Shop.template.json"), "utf8"));
    const types = Object.values<{ readonly Type: string }>(Resources).map(({ Type }) => Type);
    expect(types).toEqual(
      expect.arrayContaining([
        "AWS::DynamoDB::Table",
        "AWS::SQS::Queue",
        "AWS::ApiGateway::RestApi",
      ]),
    );
    const bundles = globSync("asset.*/index.mjs", { cwd: assembly });
    expect(bundles).toHaveLength(4);
    const users = bundles.filter((file) =>
      readFileSync(join(assembly, file), "utf8").includes("charging "),
    );
    expect(users).toHaveLength(2);
  });

  test("goes on with a run after pawl dev was killed in the middle of it, and a page sees its result", async () => {
    const first = start("npx", "pawl", "dev", "--port", "0", "-o", "json");
    await first.line(/"api":/);
    const quick = await run(app, "npx", "pawl", "run", "checkout", "-i", cart("visa"));
    expect(JSON.parse(quick.stdout)).toEqual({ card: "visa", cents: 999 });

    start("npx", "pawl", "run", "checkout", "--id", "c", "-i", cart("slow"));
    await first.line(/charging slow, attempt 1/);
    await first.kill();

    const second = start("npx", "pawl", "dev", "--port", "0", "-o", "json");
    const { api } = JSON.parse(await second.line(/"api":/));
    expect(await (await browserClient())(api, "c")).toEqual({ card: "slow", cents: 999 });
    const { stdout } = await run(app, "npx", "pawl", "show", "c", "-o", "json");
    expect(JSON.parse(stdout)).toMatchObject({
      status: "completed",
      activities: [{ type: "price", attempt_count: 1 }, { type: "charge" }],
    });
    const spec = await fetch(new URL("/api/specs/local-activity-runtime.schema.json", api));
    const file = join(installed, "dist/sdk/core/local-activity-runtime.schema.json");
    expect(await spec.json()).toEqual(JSON.parse(readFileSync(file, "utf8")));
  });
});

/** Starts a program in the user's project; it is killed when the tests end, at the latest. */
function start(command: string, ...args: string[]): Running {
  const program = new Running(app, command, ...args);
  programs.push(program);
  return program;
}

/** Every module with its declarations, what is read beside the code, and what npm and people read. */
function packagedFiles(): readonly string[] {
  const modules = globSync("{sdk,functions,infra}/**/*.ts", {
    cwd: root,
    exclude: ["infra/app.ts"],
  }).map((path) => path.slice(0, -".ts".length));
  const compiled = modules.flatMap((path) => [`${path}.js`, `${path}.d.ts`]);
  const beside = ["sdk/core/local-activity-runtime.schema.json", ...pythonFiles()];
  const built = [...compiled, ...beside].map((path) => `dist/${path}`);
  return [...built, "package.json", "README.md", "CHANGELOG.md", "LICENSE"].sort();
}

function pythonFiles(): readonly string[] {
  return globSync(`${PYTHON}/**/*.*`, { cwd: root, exclude: ["**/__pycache__/**"] });
}

function cart(card: string): string {
  return JSON.stringify({ skus: ["lamp"], card });
}

function writeJson(path: string, content: object): void {
  writeFileSync(join(app, path), JSON.stringify(content));
}

/** The packages that modules of this one import, directly or through each other; the bundler finds them. */
async function importedPackages(
  entryPoints: readonly string[],
  isFollowed: (imported: Import) => boolean = () => true,
): Promise<readonly string[]> {
  const { metafile } = await build({
    absWorkingDir: installed,
    entryPoints: [...entryPoints],
    bundle: true,
    packages: "external",
    platform: "node",
    format: "esm",
    write: false,
    outdir: "out",
    metafile: true,
  });
  const reached = new Set<string>(entryPoints);
  const external: Import[] = [];
  for (const file of reached)
    for (const imported of metafile.inputs[file]?.imports ?? []) {
      if (!isFollowed(imported)) continue;
      if (imported.external === true) external.push(imported);
      else reached.add(imported.path);
    }
  return packages(external);
}

type Import = Metafile["inputs"][string]["imports"][number];

/** The names of the packages, without Node's own modules. */
function packages(imports: readonly Import[]): readonly string[] {
  const names = imports
    .map(({ path }) => path)
    .filter((path) => !isBuiltin(path))
    .map((path) => path.split("/", path.startsWith("@") ? 2 : 1).join("/"));
  return [...new Set(names)].sort();
}

type ResultOf = (baseUrl: string, id: string) => Promise<unknown>;

/** The user's page, bundled for a browser and loaded where nothing of Node is. */
async function browserClient(): Promise<ResultOf> {
  const { metafile, outputFiles } = await build({
    absWorkingDir: app,
    entryPoints: ["web/page.ts"],
    bundle: true,
    platform: "browser",
    format: "iife",
    globalName: "page",
    write: false,
    metafile: true,
  });
  const foreign = Object.keys(metafile.inputs).filter(
    (path) => !/^(web|node_modules\/(pawl|uuidv7))\//.test(path),
  );
  expect(foreign).toEqual([]);
  const web = { AbortController, AbortSignal, URL, crypto, fetch, setTimeout, clearTimeout };
  const context = createContext({ ...web });
  runInContext(outputFiles[0]?.text ?? "", context);
  const { page }: { readonly page?: { readonly resultOf: ResultOf } } = context;
  if (page === undefined) throw new Error("the bundle has set no global");
  return page.resultOf;
}

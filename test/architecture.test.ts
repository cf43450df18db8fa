/**
 * The dependency rule: who may import whom. Arrows point inward; what is not listed is an error.
 * Core decides, the engine sequences it through ports, adapters touch the world, and only
 * `functions/compose.ts` puts them together.
 */
import { globSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import { describe, expect, test } from "vitest";

/** Folders and files of the repository, and `pkg:` prefixes of packages; the longest row counts. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  "sdk/core": ["sdk/core"],
  "sdk/ports": ["sdk/ports", "sdk/core"],
  "sdk/engine": ["sdk/engine", "sdk/core", "sdk/ports"],
  // The guard names Node's modules in order to replace what workflow code must not call.
  "sdk/worker": ["sdk/worker", "sdk/core", "sdk/ports", "pkg:node:"],
  "sdk/index.ts": ["sdk/worker", "sdk/core", "sdk/ports"],

  "sdk/adapters/faults.ts": ["sdk/core"],
  "sdk/adapters/wire.ts": ["sdk/core", "sdk/ports", "pkg:valibot"],
  "sdk/adapters/dynamodb": [
    ...adapterOf("dynamodb"),
    "pkg:@aws-sdk/client-dynamodb",
    "pkg:@aws-sdk/lib-dynamodb",
  ],
  "sdk/adapters/sqs": [...adapterOf("sqs"), "pkg:@aws-sdk/client-sqs"],
  "sdk/adapters/s3": [...adapterOf("s3"), "pkg:@aws-sdk/client-s3"],
  "sdk/adapters/lambda": [
    ...adapterOf("lambda"),
    "pkg:@aws-sdk/client-lambda",
    "pkg:@aws-lambda-powertools/",
    "pkg:uuidv7",
  ],

  functions: [
    "functions",
    "sdk/core",
    "sdk/ports",
    "sdk/engine",
    "sdk/worker",
    "pkg:aws-lambda",
    "pkg:@aws-lambda-powertools/batch",
    "pkg:hono",
    "pkg:valibot",
    "pkg:node:",
  ],
  // The one place where adapters are built.
  "functions/compose.ts": [
    "functions/environment.ts",
    // Only in bundles for tests (decision 0007).
    "functions/instrument.ts",
    "functions/records.ts",
    "sdk/core",
    "sdk/ports",
    "sdk/adapters",
    "pkg:@aws-sdk/",
    "pkg:node:",
  ],

  // The client is bundled into browsers: no AWS package but the signer, which is given to it.
  "sdk/client.ts": ["sdk/client"],
  "sdk/client": ["sdk/client", "sdk/core", "pkg:uuidv7"],
  "sdk/client/sigv4.ts": [
    "sdk/client",
    "pkg:@smithy/signature-v4",
    "pkg:@aws-crypto/sha256-js",
    "pkg:@aws-sdk/credential-provider-node",
  ],
  "sdk/cli": ["sdk/cli", "sdk/client", "sdk/client.ts", "sdk/core", "sdk/dev", "pkg:"],

  // The local stacks drive the built handlers and the synthesized app over the wire.
  "sdk/dev": ["sdk/dev", "sdk/core", "sdk/adapters/dynamodb", "functions", "infra", "pkg:"],
  "sdk/testing": ["sdk", "functions", "pkg:"],

  infra: [
    "infra",
    "sdk/core",
    "sdk/adapters/dynamodb/layout.ts",
    "sdk/dev/bundle.ts",
    "functions/environment.ts",
    "pkg:aws-cdk-lib",
    "pkg:constructs",
    "pkg:cdk-nag",
    "pkg:esbuild",
    "pkg:node:",
  ],

  // Examples are what a user writes: Pawl by its public name, and their own files.
  examples: ["examples", "pkg:pawl", "pkg:node:"],
  scripts: ["scripts", "sdk", "functions", "infra", "examples", "test", "pkg:"],
};

function adapterOf(technology: string): readonly string[] {
  return [
    `sdk/adapters/${technology}`,
    "sdk/adapters/faults.ts",
    "sdk/adapters/wire.ts",
    "sdk/core",
    "sdk/ports",
    "pkg:valibot",
    "pkg:node:buffer",
    "pkg:node:process",
  ];
}

const SPECIFIER = /(?:\bfrom\s+|\bimport\s*\(\s*|\bimport\s+)"([^"]+)"/gu;

/** What a file imports: paths inside the repository, packages as `pkg:name`. */
function importsOf(path: string, text: string): readonly string[] {
  return [...text.matchAll(SPECIFIER)].map(([, specifier = ""]) =>
    specifier.startsWith(".") ? posix.join(posix.dirname(path), specifier) : `pkg:${specifier}`,
  );
}

/** A prefix is a file, a folder or a package; with ":" or "/" at its end, whatever begins with it. */
function isInside(path: string, prefix: string): boolean {
  if (/[:/]$/u.test(prefix)) return path.startsWith(prefix);
  return path === prefix || path.startsWith(`${prefix}/`);
}

function rowOf(path: string): string | undefined {
  return Object.keys(ALLOWED)
    .filter((row) => isInside(path, row))
    .sort((a, b) => b.length - a.length)[0];
}

/** The edges that no row allows, as "file -> target". */
function forbiddenEdges(path: string, text: string): readonly string[] {
  const row = rowOf(path);
  const allowed = row === undefined ? [] : (ALLOWED[row] ?? []);
  return importsOf(path, text)
    .filter((target) => !allowed.some((prefix) => isInside(target, prefix)))
    .map((target) => `${path} -> ${target}`);
}

const FILES = globSync("{sdk,functions,infra,examples,scripts}/**/*.ts")
  .map((path) => path.replaceAll("\\", "/"))
  .filter((path) => !/node_modules|cdk\.out|\.pawl/u.test(path))
  .map((path) => ({ path, text: readFileSync(path, "utf8") }));

describe("the dependency rule", () => {
  test("holds in every file", () => {
    expect(FILES.length).toBeGreaterThan(150);
    expect(FILES.flatMap(({ path, text }) => forbiddenEdges(path, text))).toEqual([]);
  });

  test("has a row for every file", () => {
    expect(FILES.filter(({ path }) => rowOf(path) === undefined)).toEqual([]);
  });

  test("adapters are built in functions/compose.ts and nowhere else in production", () => {
    const importers = FILES.filter(
      ({ path, text }) =>
        !/^(sdk\/(adapters|testing|dev)|scripts)\//u.test(path) &&
        importsOf(path, text).some(
          // The layout of the tables is data, which the template is made of.
          (target) =>
            isInside(target, "sdk/adapters") && target !== "sdk/adapters/dynamodb/layout.ts",
        ),
    );
    expect(importers.map(({ path }) => path)).toEqual(["functions/compose.ts"]);
  });

  test("core imports core only, and examples import Pawl by its name only", () => {
    const targets = (folder: string) =>
      FILES.filter(({ path }) => isInside(path, folder)).flatMap(({ path, text }) =>
        importsOf(path, text),
      );
    expect(targets("sdk/core").filter((target) => !isInside(target, "sdk/core"))).toEqual([]);
    const packages = targets("examples").filter((target) => target.startsWith("pkg:"));
    expect(new Set(packages.filter((name) => !name.startsWith("pkg:node:")))).toEqual(
      new Set(["pkg:pawl"]),
    );
  });
});

describe("the rule bites: an edge that somebody plants is found", () => {
  test.for([
    [
      "sdk/core/run.ts",
      'import { RunTask } from "../engine/run-task.ts";',
      "sdk/engine/run-task.ts",
    ],
    ["sdk/core/run.ts", 'import type { Ports } from "../ports/ports.ts";', "sdk/ports/ports.ts"],
    ["sdk/core/views/values.ts", 'import "node:fs";', "pkg:node:fs"],
    ["sdk/core/run.ts", 'export { v7 } from "uuidv7";', "pkg:uuidv7"],
    ["sdk/core/run.ts", 'const late = await import("valibot");', "pkg:valibot"],
    [
      "sdk/ports/queue.ts",
      'import { sqs } from "../adapters/sqs/queue.ts";',
      "sdk/adapters/sqs/queue.ts",
    ],
    [
      "sdk/engine/sweeper.ts",
      'import { SQSClient } from "@aws-sdk/client-sqs";',
      "pkg:@aws-sdk/client-sqs",
    ],
    [
      "sdk/worker/scope.ts",
      'import { TurnDriver } from "../engine/turn-driver.ts";',
      "sdk/engine/turn-driver.ts",
    ],
    [
      "sdk/adapters/sqs/queue.ts",
      'import { TABLES } from "../dynamodb/layout.ts";',
      "sdk/adapters/dynamodb/layout.ts",
    ],
    [
      "sdk/adapters/s3/blobs.ts",
      'import { SQSClient } from "@aws-sdk/client-sqs";',
      "pkg:@aws-sdk/client-sqs",
    ],
    [
      "functions/api.ts",
      'import { queue } from "../sdk/adapters/sqs/queue.ts";',
      "sdk/adapters/sqs/queue.ts",
    ],
    ["functions/routes/app.ts", 'import { Stack } from "aws-cdk-lib";', "pkg:aws-cdk-lib"],
    [
      "sdk/client/client.ts",
      'import { S3Client } from "@aws-sdk/client-s3";',
      "pkg:@aws-sdk/client-s3",
    ],
    [
      "infra/pawl.ts",
      'import { find } from "../sdk/adapters/dynamodb/runs.ts";',
      "sdk/adapters/dynamodb/runs.ts",
    ],
    ["examples/shop/worker.ts", 'import { workflow } from "../../sdk/index.ts";', "sdk/index.ts"],
    [
      "examples/shop/worker.ts",
      'import {\n  encode,\n} from "../../sdk/core/payload.ts";',
      "sdk/core/payload.ts",
    ],
    ["sdk/new/file.ts", 'import "valibot";', "pkg:valibot"],
  ] as const)("%s with %s", ([path, text, target]) => {
    expect(forbiddenEdges(path, text)).toEqual([`${path} -> ${target}`]);
  });

  test("and an edge that is allowed is not", () => {
    const text = [
      'import { TurnDriver } from "./turn-driver.ts";',
      'import type { Ports } from "../ports/ports.ts";',
      'export * from "../core/run.ts";',
    ].join("\n");
    expect(importsOf("sdk/engine/task.ts", text)).toHaveLength(3);
    expect(forbiddenEdges("sdk/engine/task.ts", text)).toEqual([]);
  });
});

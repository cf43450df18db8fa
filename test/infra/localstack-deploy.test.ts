import { tmpdir } from "node:os";
import { App, Stack } from "aws-cdk-lib";
import { Template } from "aws-cdk-lib/assertions";
import { describe, expect, test } from "vitest";
import { Pawl } from "../../infra/index.ts";
import { LOCALSTACK_ENVIRONMENT, localStackProps } from "../../infra/localstack.ts";
import { deployToLocalStack, localStackApiUrl, runCdk } from "../../sdk/dev/localstack-deploy.ts";
import { ENTRY, resources } from "./synthesize.ts";

describe("on LocalStack", () => {
  test("the address of an API needs no DNS, and none of S3's virtual hosts", () => {
    expect(localStackApiUrl("http://localhost:4566/", "abc")).toBe(
      "http://127.0.0.1:4566/_aws/execute-api/abc/prod",
    );
    expect(localStackApiUrl("http://10.1.2.3:9", "abc")).toBe(
      "http://10.1.2.3:9/_aws/execute-api/abc/prod",
    );
  });

  test("a stack is for x86, can be deleted, and has the queues that were asked for", () => {
    const app = new App({ context: { "aws:cdk:bundling-stacks": [] } });
    const stack = new Stack(app, "Local", { env: LOCALSTACK_ENVIRONMENT });
    const pawl = new Pawl(stack, "Pawl", localStackProps(ENTRY, ["mail"]));
    const template = Template.fromStack(stack);
    expect([...pawl.activityQueues.keys()]).toEqual(["default", "mail"]);
    for (const { properties } of resources(template, "AWS::Lambda::Function")) {
      expect(properties["Architectures"]).toEqual(["x86_64"]);
      expect(properties["Timeout"]).toBeLessThanOrEqual(60);
    }
    for (const { deletionPolicy } of resources(template, "AWS::DynamoDB::Table")) {
      expect(deletionPolicy).toBe("Delete");
    }
  });

  test("an entry that does not exist is named before anything is deployed", async () => {
    const deployed = deployToLocalStack({ entry: "nowhere.ts", endpoint: "http://127.0.0.1:9" });
    await expect(deployed).rejects.toThrow("there is no entry module nowhere.ts");
  });

  test("a CLI that fails is quoted, and every line of it was progress", async () => {
    const lines: string[] = [];
    const run = runCdk(["deploy", "--app", "/does/not/exist"], {
      endpoint: "http://127.0.0.1:9",
      cwd: tmpdir(),
      onProgress: (line) => lines.push(line),
    });
    await expect(run).rejects.toThrow(/^cdk deploy failed:\n[\s\S]*\/does\/not\/exist/);
    expect(lines.join("\n")).toContain("/does/not/exist");
  });
});

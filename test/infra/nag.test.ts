import { App, Stack, Validations } from "aws-cdk-lib";
import * as sqs from "aws-cdk-lib/aws-sqs";
import { AwsSolutionsChecks, ServerlessChecks } from "cdk-nag";
import { expect, test } from "vitest";
import { ApiGatewayAccount, Pawl } from "../../infra/index.ts";
import { ENTRY } from "./synthesize.ts";

/** The rules that a stack breaks, each with the constructs that do. */
function findings(stack: Stack): readonly (readonly [string, readonly (string | undefined)[]])[] {
  return [new AwsSolutionsChecks(stack), new ServerlessChecks(stack)].flatMap((pack) =>
    pack
      .validateScope(stack)
      .violations.map(
        ({ ruleName, violatingResources }) =>
          [ruleName, violatingResources.map(({ constructPath }) => constructPath)] as const,
      ),
  );
}

function stackOf(publicHealth: boolean): Stack {
  const app = new App({ context: { "aws:cdk:bundling-stacks": [] } });
  const stack = new Stack(app, "Test");
  const pawl = new Pawl(stack, "Pawl", { entry: ENTRY, publicHealth });
  pawl.addActivityQueue("second");
  pawl.node.addDependency(new ApiGatewayAccount(stack, "Account"));
  return stack;
}

const stack = stackOf(true);

const acknowledged: readonly (readonly [string, string])[] = stack.node
  .findAll()
  .flatMap((construct) => construct.node.metadata)
  .filter(({ type }) => type === Validations.ACKNOWLEDGED_RULES_METADATA_KEY)
  .flatMap(({ data }) => Object.entries<string>(data));

test("cdk-nag finds nothing under its AwsSolutions and Serverless rules (S12)", () => {
  expect(findings(stack)).toEqual([]);
});

test("six rules are acknowledged, each with a reason, and none of those that protect callers and data", () => {
  const rules = new Set(acknowledged.map(([id]) => id.replace(/^.*?::(?=\w+-)|\[.*$/g, "")));
  expect([...rules].sort()).toEqual([
    "AwsSolutions-APIG3",
    "AwsSolutions-APIG4",
    "AwsSolutions-COG4",
    "AwsSolutions-IAM5",
    "Serverless-LambdaEventSourceMappingDestination",
    "Serverless-SQSRedrivePolicy",
  ]);
  for (const [id, reason] of acknowledged) {
    expect([id, reason.length >= 30]).toEqual([id, true]);
    expect(id).not.toMatch(/SQS3|SQS4|DDB3/);
  }
});

test("APIG4 is acknowledged for the health route alone, and for nothing when that is signed", () => {
  const acknowledging = (from: Stack): readonly string[] =>
    from.node
      .findAll()
      .filter(({ node }) =>
        node.metadata.some(
          ({ type, data }) =>
            type === Validations.ACKNOWLEDGED_RULES_METADATA_KEY &&
            Object.keys(data).some((id) => id.includes("APIG4")),
        ),
      )
      .map(({ node }) => node.path);
  expect(acknowledging(stack)).toEqual([expect.stringContaining("api/health/GET")]);
  const signed = stackOf(false);
  expect(acknowledging(signed)).toEqual([]);
  expect(findings(signed)).toEqual([]);
});

test("what is built beside the construct is not covered by its acknowledgements", () => {
  const mixed = stackOf(false);
  new sqs.Queue(mixed, "Foreign");
  const rules = findings(mixed).map(([rule]) => rule);
  expect(rules).toContain("AwsSolutions-SQS3");
  expect(rules).toContain("Serverless-SQSRedrivePolicy");
});

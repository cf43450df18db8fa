/**
 * The deployable example: `cdk deploy` puts examples/order-fulfilment into an account, with
 * `-c target=localstack` into LocalStack. cdk-nag checks both; one finding stops the deployment.
 */
import { fileURLToPath } from "node:url";
import { App, CfnOutput, Duration, RemovalPolicy, Stack, Validations } from "aws-cdk-lib";
import * as lambda from "aws-cdk-lib/aws-lambda";
import * as logs from "aws-cdk-lib/aws-logs";
import { AwsSolutionsChecks, ServerlessChecks } from "cdk-nag";
import { ApiGatewayAccount, Pawl, type PawlProps } from "./index.ts";

type Target = "aws" | "localstack";

const ENTRY = fileURLToPath(new URL("../examples/order-fulfilment/worker.ts", import.meta.url));

/** Small, quick to delete, and without the services that LocalStack's community edition only mocks. */
const LOCALSTACK_PROPS: Partial<PawlProps> = {
  removalPolicy: RemovalPolicy.DESTROY,
  pointInTimeRecovery: false,
  architecture: lambda.Architecture.X86_64,
  logRetention: logs.RetentionDays.ONE_DAY,
  workflowTimeout: Duration.seconds(60),
  queues: { default: { timeout: Duration.seconds(60) } },
};

const app = new App();
const target = targetOf(app.node.tryGetContext("target") ?? "aws");
const stack = new Stack(app, "PawlOrderFulfilment", {
  description: "Pawl: the order fulfilment example",
  ...(target === "localstack" ? { env: { account: "000000000000", region: "us-east-1" } } : {}),
});
const pawl = new Pawl(stack, "Pawl", {
  entry: app.node.tryGetContext("entry") ?? ENTRY,
  ...(target === "localstack" ? LOCALSTACK_PROPS : {}),
});
if (app.node.tryGetContext("apiGatewayAccount") === "true") {
  pawl.node.addDependency(new ApiGatewayAccount(stack, "ApiGatewayAccount"));
}
new CfnOutput(stack, "ApiUrl", { value: pawl.apiUrl });
new CfnOutput(stack, "ApiId", { value: pawl.api.restApiId });
// LocalStack is for trying out: DDB3 would ask for the backups that are switched off there.
if (target === "aws") {
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app), new ServerlessChecks(app));
}
app.synth();

function targetOf(value: unknown): Target {
  if (value === "aws" || value === "localstack") return value;
  throw new Error(`-c target=${String(value)} is not possible: expected aws or localstack`);
}

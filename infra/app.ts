/**
 * The deployable example: `cdk deploy` puts examples/order-fulfilment into an account, with
 * `-c target=localstack` into LocalStack. For AWS cdk-nag looks at it first, and one finding stops it.
 *
 * More context: `-c entry=<file>` deploys other workflows, `-c apiGatewayAccount=true` sets the role
 * with which API Gateway writes logs, in an account and region that has none.
 */
import { fileURLToPath } from "node:url";
import { App, CfnOutput, Stack, Validations } from "aws-cdk-lib";
import { AwsSolutionsChecks, ServerlessChecks } from "cdk-nag";
import { ApiGatewayAccount, Pawl } from "./index.ts";
import { LOCALSTACK_ENVIRONMENT, localStackProps } from "./localstack.ts";

type Target = "aws" | "localstack";

const ENTRY = fileURLToPath(new URL("../examples/order-fulfilment/worker.ts", import.meta.url));

const app = new App();
const target = targetOf(app.node.tryGetContext("target") ?? "aws");
const stack = new Stack(app, "PawlOrderFulfilment", {
  description: "Pawl: the order fulfilment example",
  ...(target === "localstack" ? { env: LOCALSTACK_ENVIRONMENT } : {}),
});
const entry = app.node.tryGetContext("entry") ?? ENTRY;
const props = target === "localstack" ? localStackProps(entry) : { entry };
const pawl = new Pawl(stack, "Pawl", props);
if (app.node.tryGetContext("apiGatewayAccount") === "true") {
  pawl.node.addDependency(new ApiGatewayAccount(stack, "ApiGatewayAccount"));
}
new CfnOutput(stack, "ApiUrl", { value: pawl.apiUrl });
new CfnOutput(stack, "PayloadBucket", { value: pawl.payloadBucket.bucketName });
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

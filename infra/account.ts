/**
 * The role with which API Gateway writes logs. It is one setting of an account and region, shared by
 * all APIs there, so {@link Pawl} never touches it: an account that has none adds this once.
 */
import * as apigateway from "aws-cdk-lib/aws-apigateway";
import * as iam from "aws-cdk-lib/aws-iam";
import { Construct } from "constructs";
import { acknowledge } from "./acknowledge.ts";

/**
 * Lets API Gateway write logs in this account and region.
 *
 * Without such a role API Gateway refuses a stage with logs ("CloudWatch Logs role ARN must be set
 * in account settings"). Make {@link Pawl} depend on it when both are in one app. It replaces a role
 * that is set already; deleting it leaves the account without one.
 */
export class ApiGatewayAccount extends Construct {
  readonly role: iam.Role;

  constructor(scope: Construct, id: string) {
    super(scope, id);
    this.role = new iam.Role(this, "Role", {
      assumedBy: new iam.ServicePrincipal("apigateway.amazonaws.com"),
      description: "API Gateway writes the logs of all APIs of this account and region",
    });
    const grant = this.role.addToPrincipalPolicy(
      new iam.PolicyStatement({
        actions: [
          "logs:CreateLogGroup",
          "logs:CreateLogStream",
          "logs:DescribeLogGroups",
          "logs:DescribeLogStreams",
          "logs:FilterLogEvents",
          "logs:GetLogEvents",
          "logs:PutLogEvents",
        ],
        resources: ["*"],
      }),
    );
    acknowledge(this.role, "AwsSolutions-IAM5[Resource::*]", ANY_GROUP_REASON);
    const setting = new apigateway.CfnAccount(this, "Account", {
      cloudWatchRoleArn: this.role.roleArn,
    });
    if (grant.policyDependable !== undefined) setting.node.addDependency(grant.policyDependable);
  }
}

const ANY_GROUP_REASON =
  "API Gateway names the log groups itself and refuses a role that may not write to all of them.";

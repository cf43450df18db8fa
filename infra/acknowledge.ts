/** The findings of cdk-nag that do not apply, each with its reason, at the construct that it is about. */
import { Validations } from "aws-cdk-lib";
import type { IConstruct } from "constructs";

/** Six rules and no more; test/infra counts them. APIG4 is acknowledged for GET /api/health alone. */
export type AcknowledgedRule =
  | "AwsSolutions-APIG3"
  | "AwsSolutions-APIG4"
  | "AwsSolutions-COG4"
  | `AwsSolutions-IAM5[Resource::${string}]`
  | "Serverless-LambdaEventSourceMappingDestination"
  | "Serverless-SQSRedrivePolicy";

export function acknowledge(construct: IConstruct, id: AcknowledgedRule, reason: string): void {
  Validations.of(construct).acknowledge({ id, reason });
}

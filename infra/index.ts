/** `pawl/cdk`: the CDK construct. */
export { ApiGatewayAccount } from "./account.ts";
export { ActivityQueue } from "./compute.ts";
export { METRIC_NAMESPACE, Pawl } from "./pawl.ts";
export type { ActivityQueueOptions, PawlProps, PawlThrottling } from "./props.ts";
export type { PawlTables } from "./storage.ts";

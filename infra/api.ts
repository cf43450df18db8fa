/**
 * The HTTP API: REST API v1 (the kind that LocalStack's community edition has), one method per route,
 * each with IAM authorization, all to one function.
 *
 * A route that is not listed here does not exist; test/infra compares the list with sdk/core/api.ts.
 */
import { Stack } from "aws-cdk-lib";
import * as apigateway from "aws-cdk-lib/aws-apigateway";
import * as iam from "aws-cdk-lib/aws-iam";
import * as logs from "aws-cdk-lib/aws-logs";
import { Construct } from "constructs";
import { ENV } from "../functions/environment.ts";
import { ERRORS, type ErrorCode } from "../sdk/core/errors.ts";
import { acknowledge } from "./acknowledge.ts";
import type { Compute } from "./compute.ts";
import { type FunctionDefaults, type FunctionSize, PawlFunction } from "./functions.ts";

export interface ApiProps {
  readonly compute: Compute;
  readonly size: FunctionSize;
  readonly defaults: FunctionDefaults;
  readonly rateLimit: number;
  readonly burstLimit: number;
  readonly publicHealth: boolean;
}

/** Who may call a route: the grants of the construct are made of these. */
export type Permission = "read" | "start" | "signal" | "operate";

export interface Route {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly permission: Permission;
}

export const HEALTH_PATH = "/api/health";

const ofRun = (path: string): readonly Route[] => [
  { method: "GET", path, permission: "read" },
  { method: "GET", path: `${path}/history`, permission: "read" },
  { method: "GET", path: `${path}/history/export`, permission: "read" },
  { method: "GET", path: `${path}/timeline`, permission: "read" },
  { method: "GET", path: `${path}/result`, permission: "read" },
  { method: "POST", path: `${path}/query/{name}`, permission: "read" },
  { method: "POST", path: `${path}/signal/{name}`, permission: "signal" },
  { method: "POST", path: `${path}/cancel`, permission: "operate" },
  { method: "POST", path: `${path}/terminate`, permission: "operate" },
  { method: "POST", path: `${path}/rebuild`, permission: "operate" },
];

export const ROUTES: readonly Route[] = [
  { method: "GET", path: HEALTH_PATH, permission: "read" },
  { method: "GET", path: "/api/cluster/info", permission: "read" },
  { method: "GET", path: "/api/specs", permission: "read" },
  { method: "GET", path: "/api/specs/{name}", permission: "read" },
  { method: "GET", path: "/api/system/metrics", permission: "read" },
  { method: "GET", path: "/api/workflows", permission: "read" },
  { method: "POST", path: "/api/workflows", permission: "start" },
  ...ofRun("/api/workflows/{id}"),
  ...ofRun("/api/workflows/{id}/runs/{run_id}"),
];

const STAGE = "prod";

export class Api extends Construct {
  readonly restApi: apigateway.RestApi;
  /** The address without a slash at its end; routes begin with `/api`. */
  readonly url: string;
  readonly accessLogs: logs.LogGroup;
  readonly handler: PawlFunction;

  constructor(scope: Construct, id: string, props: ApiProps) {
    super(scope, id);
    this.handler = createHandler(this, props);
    this.accessLogs = new logs.LogGroup(this, "AccessLogs", {
      retention: props.defaults.logRetention,
      removalPolicy: props.defaults.removalPolicy,
    });
    this.restApi = new apigateway.RestApi(this, "Rest", {
      description: "Pawl: workflows",
      endpointTypes: [apigateway.EndpointType.REGIONAL],
      deployOptions: this.stageOptions(props),
      // One role per account and region serves all APIs: a construct that sets it would change the
      // logs of every other stack. See ApiGatewayAccount for an account that has none.
      cloudWatchRole: false,
    });
    acknowledge(this.restApi, "AwsSolutions-APIG3", FIREWALL_REASON);
    addRoutes(this.restApi, this.handler, props.publicHealth);
    addGatewayErrors(this.restApi);
    const { restApiId } = this.restApi;
    const { region, urlSuffix } = Stack.of(this);
    this.url = `https://${restApiId}.execute-api.${region}.${urlSuffix}/${STAGE}`;
  }

  /** Allows `grantee` to call the routes of these permissions: each method by its own ARN. */
  grant(grantee: iam.IGrantable, chosen: (route: Route) => boolean): iam.Grant {
    return iam.Grant.addToPrincipal({
      grantee,
      actions: ["execute-api:Invoke"],
      resourceArns: ROUTES.filter(chosen).map(({ method, path }) =>
        this.restApi.arnForExecuteApi(method, path.replaceAll(/\{\w+\}/g, "*"), STAGE),
      ),
    });
  }

  private stageOptions(props: ApiProps): apigateway.StageOptions {
    return {
      stageName: STAGE,
      throttlingRateLimit: props.rateLimit,
      throttlingBurstLimit: props.burstLimit,
      tracingEnabled: props.defaults.tracing,
      metricsEnabled: true,
      loggingLevel: apigateway.MethodLoggingLevel.ERROR,
      // True would write bodies, and so payloads, into the log (S8).
      dataTraceEnabled: false,
      accessLogDestination: new apigateway.LogGroupLogDestination(this.accessLogs),
      // The route, not the path: a workflow id does not belong into a log that others read.
      accessLogFormat: apigateway.AccessLogFormat.jsonWithStandardFields({
        caller: true,
        httpMethod: true,
        ip: true,
        protocol: true,
        requestTime: true,
        resourcePath: true,
        responseLength: true,
        status: true,
        user: true,
      }),
    };
  }
}

/** Direct starts and queries invoke the workflow-task function; everything else is table and queue. */
function createHandler(scope: Construct, props: ApiProps): PawlFunction {
  const { compute } = props;
  const workflow = compute.workflow.function;
  const handler = new PawlFunction(scope, "Handler", {
    ...props.size,
    code: "api",
    defaults: props.defaults,
    deadLetterQueue: compute.eventDeadLetterQueue,
    description: "Pawl: the HTTP API",
    environment: { ...compute.environment, [ENV.workflowFunction]: workflow.functionName },
  });
  handler.allowSend(compute.workflowTasks.queue);
  handler.allow(["lambda:InvokeFunction"], [workflow.functionArn]);
  return handler;
}

function addRoutes(api: apigateway.RestApi, handler: PawlFunction, publicHealth: boolean): void {
  // Bodies have no model on purpose: the function says which field is wrong, the gateway would not.
  const validator = api.addRequestValidator("Validator", {
    validateRequestBody: true,
    validateRequestParameters: true,
  });
  const integration = new apigateway.LambdaIntegration(handler.function, {
    // One permission for this API in place of two for each of its methods.
    scopePermissionToMethod: false,
  });
  for (const { method, path } of ROUTES) {
    const isPublic = path === HEALTH_PATH && publicHealth;
    const added = api.root.resourceForPath(path).addMethod(method, integration, {
      authorizationType: isPublic
        ? apigateway.AuthorizationType.NONE
        : apigateway.AuthorizationType.IAM,
      requestValidator: validator,
      requestParameters: pathParameters(path),
    });
    acknowledge(added, "AwsSolutions-COG4", IAM_REASON);
    if (isPublic) acknowledge(added, "AwsSolutions-APIG4", HEALTH_REASON);
  }
}

function pathParameters(path: string): Record<string, boolean> {
  const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
  return Object.fromEntries(names.map((name) => [`method.request.path.${name}`, true]));
}

/** The gateway's own answers in the form of the API's errors: code, message, hint, request_id. */
function addGatewayErrors(api: apigateway.RestApi): void {
  const { ResponseType } = apigateway;
  const answers: readonly (readonly [string, apigateway.ResponseType, ErrorCode])[] = [
    ["BadBody", ResponseType.BAD_REQUEST_BODY, "invalid_request"],
    ["BadParameters", ResponseType.BAD_REQUEST_PARAMETERS, "invalid_request"],
    ["TooLarge", ResponseType.REQUEST_TOO_LARGE, "request_too_large"],
    ["Throttled", ResponseType.THROTTLED, "too_many_requests"],
    ["Unsigned", ResponseType.MISSING_AUTHENTICATION_TOKEN, "access_denied"],
    ["Denied", ResponseType.ACCESS_DENIED, "access_denied"],
    ["Failed", ResponseType.DEFAULT_5XX, "unavailable"],
  ];
  for (const [id, type, code] of answers) {
    // `messageString` is quoted and escaped by the gateway.
    const body = `{"code":"${code}","message":$context.error.messageString,"hint":${JSON.stringify(ERRORS[code].hint)},"request_id":"$context.requestId"}`;
    api.addGatewayResponse(id, { type, templates: { "application/json": body } });
  }
}

const FIREWALL_REASON =
  "A web ACL costs by the month and is the account's choice; unsigned requests end at the gateway.";
const IAM_REASON =
  "Callers are services and operators of the account and sign with IAM: there is no user pool.";
const HEALTH_REASON =
  "GET /api/health says that the API answers, and nothing else: uptime checks cannot sign requests.";

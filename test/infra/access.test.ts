import { Template } from "aws-cdk-lib/assertions";
import * as iam from "aws-cdk-lib/aws-iam";
import { describe, expect, test } from "vitest";
import { createApp } from "../../functions/routes/app.ts";
import { HEALTH_PATH, ROUTES } from "../../infra/api.ts";
import type { Operations } from "../../sdk/engine/operations/operations.ts";
import type { Telemetry } from "../../sdk/ports/telemetry.ts";
import { build, type Resource, resources, statementsOf, synthesize, target } from "./synthesize.ts";

const { template } = synthesize();

const silent: Telemetry = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  count() {},
};

describe("roles (S11)", () => {
  const roles = resources(template, "AWS::IAM::Role");
  const functions = resources(template, "AWS::Lambda::Function");
  const statements = roles.map(({ id }) => ({ role: id, statements: statementsOf(template, id) }));

  test("every function has one of its own, and nothing is attached to it from outside", () => {
    const used = functions.map(({ properties }) => target(properties["Role"]));
    expect(new Set(used)).toEqual(new Set(roles.map(({ id }) => id)));
    expect(new Set(used).size).toBe(functions.length);
    for (const { properties } of roles) {
      expect(properties["ManagedPolicyArns"]).toBeUndefined();
      expect(properties["AssumeRolePolicyDocument"].Statement).toEqual([
        {
          Action: "sts:AssumeRole",
          Effect: "Allow",
          Principal: { Service: "lambda.amazonaws.com" },
        },
      ]);
    }
  });

  test("no statement names an action with a wildcard", () => {
    for (const { role, statements: each } of statements) {
      expect([role, each.length > 3]).toEqual([role, true]);
      const wild = each.flatMap(({ actions }) => actions).filter((action) => action.includes("*"));
      expect([role, wild]).toEqual([role, []]);
    }
  });

  test("a wildcard resource stands only where AWS demands one: traces, and the objects of the bucket", () => {
    for (const { statements: each } of statements) {
      for (const { actions, resources: arns } of each) {
        const wild = arns.filter((arn) => JSON.stringify(arn).includes("*"));
        if (wild.length === 0) continue;
        const service = actions[0]?.split(":")[0];
        expect(["xray", "s3"]).toContain(service);
        if (service === "s3") expect(JSON.stringify(wild)).toMatch(/Payloads\w+","Arn"]},"\/\*"/);
      }
    }
  });

  test("list for each function what it does to tables, indexes, payloads and queues", () => {
    const listed = Object.fromEntries(
      statements.map(({ role, statements: each }) => [
        role.replace(/^PawlCompute|^Pawl|Role\w{8}$/g, ""),
        each.map(({ actions, resources: arns }) => [
          actions.join(" "),
          arns.map((arn) => JSON.stringify(arn).replaceAll(/[0-9A-F]{8}(?=")/g, "")).join(" "),
        ]),
      ]),
    );
    expect(listed).toMatchSnapshot("actions and resources by role");
  });
});

describe("the API (S4)", () => {
  const methods = resources(template, "AWS::ApiGateway::Method");
  const pathOf = pathsOf(template);
  const routeOf = ({ properties }: Resource): string =>
    `${properties["HttpMethod"]} ${pathOf.get(target(properties["ResourceId"]))}`;

  test("has one method for each route, and none that takes any method or path", () => {
    const expected = ROUTES.map(({ method, path }) => `${method} ${path}`);
    expect(methods.map(routeOf).toSorted()).toEqual(expected.toSorted());
    expect(ROUTES).toHaveLength(27);
  });

  test("has the routes that the api function answers, no more and no fewer", () => {
    // Only the table of routes is looked at: no operation is ever called.
    const app = createApp({} as Operations, silent);
    const answered = app.routes
      .filter(({ method }) => method !== "ALL")
      .map(({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, "{$1}")}`);
    const listed = ROUTES.map(({ method, path }) => `${method} ${path}`);
    const matches = (route: string, pattern: string): boolean =>
      new RegExp(`^${pattern.replaceAll(/\{\w+\}/g, "[^/]+")}$`).test(route);
    expect(answered.filter((route) => !listed.some((each) => matches(route, each)))).toEqual([]);
    expect(listed.filter((each) => !answered.some((route) => matches(route, each)))).toEqual([]);
  });

  test("asks for a signature on every method but health", () => {
    const paths = pathsOf(template);
    const signed = methods.filter(
      ({ properties }) => paths.get(target(properties["ResourceId"])) !== HEALTH_PATH,
    );
    expect(signed.length).toBe(methods.length - 1);
    for (const method of signed) {
      expect([routeOf(method), method.properties["AuthorizationType"]]).toEqual([
        routeOf(method),
        "AWS_IAM",
      ]);
    }
  });

  test("publicHealth false signs the health route as well", () => {
    const { template: closed } = synthesize(() => ({ publicHealth: false }));
    const open = resources(closed, "AWS::ApiGateway::Method").filter(
      ({ properties }) => properties["AuthorizationType"] !== "AWS_IAM",
    );
    expect(open).toEqual([]);
  });

  test("throttles, traces and logs on its stage, without bodies and without paths (S8)", () => {
    const [stage] = resources(template, "AWS::ApiGateway::Stage");
    const [all] = stage?.properties["MethodSettings"] ?? [];
    expect(all).toMatchObject({
      HttpMethod: "*",
      ResourcePath: "/*",
      ThrottlingRateLimit: 500,
      ThrottlingBurstLimit: 1000,
      DataTraceEnabled: false,
      LoggingLevel: "ERROR",
    });
    expect(stage?.properties["TracingEnabled"]).toBe(true);
    const format = JSON.parse(stage?.properties["AccessLogSetting"].Format);
    expect(format).toHaveProperty("resourcePath");
    expect(Object.values(format)).not.toContain("$context.path");
  });

  test("changes no setting of the account", () => {
    expect(resources(template, "AWS::ApiGateway::Account")).toEqual([]);
  });

  test("answers the gateway's own refusals in the form of the API's errors", () => {
    const answers = resources(template, "AWS::ApiGateway::GatewayResponse");
    const codes = answers.map(({ properties }) => {
      const body = properties["ResponseTemplates"]["application/json"];
      const filled = body.replace("$context.error.messageString", '"said \\"so\\""');
      return [properties["ResponseType"], JSON.parse(filled).code];
    });
    expect(Object.fromEntries(codes)).toEqual({
      ACCESS_DENIED: "access_denied",
      BAD_REQUEST_BODY: "invalid_request",
      BAD_REQUEST_PARAMETERS: "invalid_request",
      DEFAULT_5XX: "unavailable",
      MISSING_AUTHENTICATION_TOKEN: "access_denied",
      REQUEST_TOO_LARGE: "request_too_large",
      THROTTLED: "too_many_requests",
    });
  });

  test("lets the API invoke the workflow-task function and nothing else", () => {
    const invokes = statementsOf(template, "ApiHandlerRole").filter(({ actions }) =>
      actions.includes("lambda:InvokeFunction"),
    );
    expect(invokes.flatMap(({ resources: arns }) => arns.map(target))).toEqual([
      expect.stringContaining("WorkflowTaskFunction"),
    ]);
  });
});

describe("grants", () => {
  const table = [
    ["grantStart", ["POST /api/workflows", "GET …/result"]],
    ["grantSignal", ["POST …/signal/*"]],
    ["grantRead", ["GET /api/workflows", "GET …/history", "POST …/query/*", "GET /api/health"]],
    [
      "grantOperate",
      ["GET /api/workflows", "POST …/signal/*", "POST …/cancel", "POST …/terminate"],
    ],
  ] as const;
  const { stack, pawl } = build();
  for (const [name] of table) {
    pawl[name](new iam.Role(stack, name, { assumedBy: new iam.AccountRootPrincipal() }));
  }
  const granted = Template.fromStack(stack);
  const methodsOf = (name: (typeof table)[number][0]): readonly string[] => {
    const [statement, ...others] = statementsOf(granted, name);
    expect(others).toEqual([]);
    expect(statement?.actions).toEqual(["execute-api:Invoke"]);
    return (statement?.resources ?? []).map(
      (arn) => /\/prod\/(.*)"/.exec(JSON.stringify(arn))?.[1] ?? "",
    );
  };

  test.for(table)("%s allows %o", ([name, expected]) => {
    const allowed = methodsOf(name).map((arn) => arn.replace("/", " /"));
    for (const route of expected) {
      const [method, path = ""] = route.split(" ");
      const matches = allowed.filter(
        (each) =>
          each.startsWith(`${method} `) &&
          (path.startsWith("…") ? each.endsWith(path.slice(1)) : each === `${method} ${path}`),
      );
      expect([route, matches.length]).toEqual([route, path.startsWith("…") ? 2 : 1]);
    }
  });

  test("none but grantOperate cancels or terminates, and none of the others starts", () => {
    const text = (name: (typeof table)[number][0]): string => methodsOf(name).join("\n");
    for (const name of ["grantStart", "grantSignal", "grantRead"] as const) {
      expect(text(name)).not.toMatch(/cancel|terminate/);
    }
    for (const name of ["grantOperate", "grantSignal", "grantRead"] as const) {
      expect(text(name)).not.toMatch(/^POST\/api\/workflows$/m);
    }
    expect(text("grantSignal")).not.toMatch(/GET/);
  });
});

/** The path of each API resource, put together from its parents. */
function pathsOf(of: Template): ReadonlyMap<string, string> {
  const all = new Map(resources(of, "AWS::ApiGateway::Resource").map((each) => [each.id, each]));
  const path = (id: string): string => {
    const found = all.get(id);
    if (found === undefined) return "";
    return `${path(target(found.properties["ParentId"]))}/${found.properties["PathPart"]}`;
  };
  return new Map([...all.keys()].map((id) => [id, path(id)]));
}

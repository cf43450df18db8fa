/** Stacks with the construct in them, and what the tests read out of their templates. */
import { App, Stack } from "aws-cdk-lib";
import { Template } from "aws-cdk-lib/assertions";
import { Pawl, type PawlProps } from "../../infra/index.ts";

export const ENTRY = "test/infra/fixtures/worker.ts";

export interface Synthesized {
  readonly stack: Stack;
  readonly pawl: Pawl;
  readonly template: Template;
}

/** A stack and its construct, not synthesized; nothing is bundled, which templates do not show. */
export function build(
  propsOf: (stack: Stack) => Partial<PawlProps> = () => ({}),
): Omit<Synthesized, "template"> {
  const app = new App({ context: { "aws:cdk:bundling-stacks": [] } });
  const stack = new Stack(app, "Test");
  return { stack, pawl: new Pawl(stack, "Pawl", { entry: ENTRY, ...propsOf(stack) }) };
}

export function synthesize(propsOf?: (stack: Stack) => Partial<PawlProps>): Synthesized {
  const { stack, pawl } = build(propsOf);
  return { stack, pawl, template: Template.fromStack(stack) };
}

/** JSON without a schema, as CDK gives it: the tests name what they expect in it. */
export type Properties = ReturnType<Template["findResources"]>[string];

export interface Resource {
  readonly id: string;
  readonly properties: Properties;
  readonly deletionPolicy: string | undefined;
  readonly updateReplacePolicy: string | undefined;
}

/** All resources of a type, in the order of their logical ids. */
export function resources(template: Template, type: string): readonly Resource[] {
  return Object.entries(template.findResources(type))
    .map(([id, resource]) => ({
      id,
      properties: resource["Properties"] ?? {},
      deletionPolicy: resource["DeletionPolicy"],
      updateReplacePolicy: resource["UpdateReplacePolicy"],
    }))
    .sort((one, other) => one.id.localeCompare(other.id));
}

export interface Statement {
  readonly effect: string;
  readonly actions: readonly string[];
  readonly resources: readonly unknown[];
}

/** The statements of one role's policies, found by a part of the role's logical id. */
export function statementsOf(template: Template, role: string): readonly Statement[] {
  return resources(template, "AWS::IAM::Policy")
    .filter(({ properties }) => JSON.stringify(properties["Roles"]).includes(role))
    .flatMap(({ properties }) => properties["PolicyDocument"].Statement)
    .map((statement: Properties) => ({
      effect: statement["Effect"],
      actions: [statement["Action"]].flat(),
      resources: [statement["Resource"]].flat(),
    }));
}

/** The logical id that a Ref or GetAtt points at. */
export function target(reference: unknown): string {
  if (typeof reference === "object" && reference !== null) {
    if ("Ref" in reference) return String(reference.Ref);
    if ("Fn::GetAtt" in reference && Array.isArray(reference["Fn::GetAtt"])) {
      return String(reference["Fn::GetAtt"][0]);
    }
  }
  throw new Error(`not a reference: ${JSON.stringify(reference)}`);
}

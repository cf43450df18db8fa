/** Bundles the functions with crash points and with the agent that decides at them. */
import { fileURLToPath } from "node:url";
import type { FunctionName } from "../../sdk/core/test-points.ts";
import { functionSource } from "../../sdk/dev/bundle.ts";

export const ENTRY = fixture("entry.ts");

/** The module of each function, with its handler under the agent where user code runs. */
export function sourceUnderAgent(name: FunctionName, entry: string): string {
  const source = functionSource(name, entry);
  if (name !== "workflow-task" && name !== "activity-task") return source;
  const handler = "export const handler = ";
  return [
    // First: the clients look for the stack when they are built.
    `import { underAgent } from ${JSON.stringify(fixture("agent.ts"))};`,
    source.replace(handler, "const underneath = "),
    `${handler}underAgent(${JSON.stringify(name)}, underneath);`,
  ].join("\n");
}

function fixture(file: string): string {
  return fileURLToPath(new URL(`fixture/${file}`, import.meta.url));
}

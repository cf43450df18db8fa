/** A small entry module for the test platform's own tests. */
import { activity, workflow } from "../../sdk/index.ts";

const greet = activity({ name: "greet" }, async (name: string) => `hello ${name}`);
const render = activity({ name: "render", queue: "gpu" }, async () => "rendered");

export { greet, render };
export const greets = workflow(async (name: string) => await greet(name));
export const renders = workflow(async () => await render());

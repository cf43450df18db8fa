/** How a case is called in a test report. */
import type { Case } from "./load.ts";

export function titleOf({ name, title, requirements }: Case): string {
  return `${name}: ${title} (${requirements.join(", ")})`;
}

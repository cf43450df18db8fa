import { fileURLToPath } from "node:url";
import { createTestPlatform } from "../../sdk/testing/index.ts";
import { badInput } from "./bad-input.suite.ts";
import { crashes } from "./crashes.suite.ts";
import { type EndToEndTarget, endToEnd } from "./end-to-end.suite.ts";

const entry = fileURLToPath(new URL("worker.ts", import.meta.url));
const target: EndToEndTarget = {
  name: "memory",
  create: () => createTestPlatform({ target: "memory", entry }),
};

endToEnd(target);
crashes(target);
badInput(target);

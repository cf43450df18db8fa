import { fileURLToPath } from "node:url";
import { createTestPlatform } from "../../sdk/testing/index.ts";
import { badInput } from "./bad-input.suite.ts";
import { type EndToEndTarget, endToEnd } from "./end-to-end.suite.ts";

const entry = fileURLToPath(new URL("worker.ts", import.meta.url));
const target: EndToEndTarget = {
  name: "embedded",
  create: () => createTestPlatform({ target: "embedded", entry }),
};

endToEnd(target);
badInput(target);

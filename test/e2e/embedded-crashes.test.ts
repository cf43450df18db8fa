import { fileURLToPath } from "node:url";
import { createTestPlatform } from "../../sdk/testing/index.ts";
import { crashes } from "./crashes.suite.ts";

const entry = fileURLToPath(new URL("worker.ts", import.meta.url));

// A file of its own: it waits for leases and visibility, while others need the cores.
crashes({ name: "embedded", create: () => createTestPlatform({ target: "embedded", entry }) });

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { createApp } from "../../functions/routes/app.ts";
import { REASON_LENGTH_MAX } from "../../functions/routes/schemas.ts";
import {
  DETAIL_ACTIVITIES_MAX,
  DUPLICATE_POLICIES,
  ID_REUSE_POLICIES,
} from "../../sdk/core/api.ts";
import { ERRORS } from "../../sdk/core/errors.ts";
import {
  HISTORY_PAGE_MAX,
  ID_LENGTH_MAX,
  JSON_DEPTH_MAX,
  LIST_PAGE_MAX,
  PAYLOAD_BYTES_MAX,
  REQUEST_BYTES_MAX,
  RESULT_WAIT_MS_MAX,
} from "../../sdk/core/limits.ts";
import { ApiWorld } from "../operations/world.ts";

const REFERENCE = fileURLToPath(new URL("../../docs/API.md", import.meta.url));
const text = readFileSync(REFERENCE, "utf8");
const ERROR_TABLE_HEADER = "| Code | Status | Message | What to do |";

function tableRow(...cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}

/** The cells of the rows of a table that begins with this header. */
function table(header: string): readonly (readonly string[])[] {
  const lines = text.split("\n");
  const first = lines.indexOf(header) + 2;
  const rows = lines.slice(first, lines.indexOf("", first));
  return rows.map((row) =>
    row
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim().replaceAll("\\|", "|")),
  );
}

describe("docs/API.md", () => {
  test("lists exactly the catalogue's errors; `vitest run test/api/reference.test.ts -u` writes them", async () => {
    const [beforeTable] = text.split(ERROR_TABLE_HEADER);
    const rows = Object.entries(ERRORS).map(([code, { status, message, hint }]) =>
      tableRow(`\`${code}\``, String(status), message, hint),
    );
    const expected = [`${beforeTable}${ERROR_TABLE_HEADER}`, "|---|---|---|---|", ...rows, ""];
    await expect(expected.join("\n")).toMatchFileSnapshot(REFERENCE);
  });

  test("lists exactly the routes that are served", () => {
    const { operations, ports } = new ApiWorld();
    const served = createApp(operations, ports.telemetry)
      .routes.filter(({ method }) => method !== "ALL")
      .map(({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, "{$1}")}`);
    const documented = table("| Method | Path | What it does |").map(
      ([method, path]) => `${method} ${path?.replaceAll("`", "")}`,
    );
    expect([...documented].sort()).toEqual([...served].sort());
  });

  test.each([
    ["bytes of a value", PAYLOAD_BYTES_MAX],
    ["bytes of a body", REQUEST_BYTES_MAX],
    ["levels", JSON_DEPTH_MAX],
    ["characters of an id", ID_LENGTH_MAX],
    ["runs on a page", LIST_PAGE_MAX],
    ["events on a page", HISTORY_PAGE_MAX],
    ["characters of a reason", REASON_LENGTH_MAX],
    ["activities of a detail", DETAIL_ACTIVITIES_MAX],
    ["seconds of waiting", RESULT_WAIT_MS_MAX / 1_000],
  ])("names the limit on %s: %d", (_what, limit) => {
    expect(text).toMatch(new RegExp(`\\b${limit.toLocaleString("en-US")}\\b`));
  });

  test.each([...DUPLICATE_POLICIES, ...ID_REUSE_POLICIES])("names the policy %s", (policy) => {
    expect(text).toContain(`\`${policy}\``);
  });
});

/** The version of the installed package. */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** From the nearest package.json above: source and published files lie at different depths. */
export function packageVersion(): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    const version = versionIn(join(folder, "package.json"));
    if (version !== undefined) return version;
    if (folder === dirname(folder)) return "unknown";
  }
}

function versionIn(file: string): string | undefined {
  try {
    const json: unknown = JSON.parse(readFileSync(file, "utf8"));
    if (typeof json !== "object" || json === null || !("version" in json)) return undefined;
    return typeof json.version === "string" ? json.version : undefined;
  } catch {
    return undefined;
  }
}

/** The published schema of local activities as a check: what is wrong with a part of what we show. */
import { Ajv2020 } from "ajv/dist/2020.js";
import schema from "../../sdk/core/local-activity-runtime.schema.json" with { type: "json" };

// The annotations "x-durable-workflow-…" are not keywords of JSON schema.
const ajv = new Ajv2020({ strict: true, strictTypes: false, strictRequired: false });
for (const name of Object.keys(schema)) if (name.startsWith("x-")) ajv.addKeyword(name);
const validate = ajv.compile(schema);

type Part = keyof typeof schema.properties;

/** The problems of parts, each under the name that the schema's root gives to its kind. */
export function problems(parts: Readonly<Partial<Record<Part, unknown>>>): readonly unknown[] {
  return validate(parts) ? [] : (validate.errors ?? []);
}

/** The problems of the local activities in a history or in an export of it. */
export function historyProblems(
  events: readonly { readonly payload: Readonly<Record<string, unknown>> }[],
): readonly unknown[] {
  return events
    .filter(({ payload }) => payload["local_activity"] === true)
    .flatMap((event) => problems({ history_event: event, history_marker: event.payload }));
}

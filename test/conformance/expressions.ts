/** Values of programs: plain JSON in which a text such as "$sum" or "$error.type" is a variable. */

type Variables = Readonly<Record<string, unknown>>;

/** Replaces every variable in a value; a text that begins with "$$" is one that begins with "$". */
export function resolveValue(value: unknown, variables: Variables): unknown {
  if (typeof value === "string") return resolveText(value, variables);
  if (Array.isArray(value)) return value.map((one) => resolveValue(one, variables));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key, resolveValue(inner, variables)]),
  );
}

function resolveText(text: string, variables: Variables): unknown {
  if (text.startsWith("$$")) return text.slice(1);
  if (!text.startsWith("$")) return text;
  const [name = "", ...path] = text.slice(1).split(".");
  if (!Object.hasOwn(variables, name))
    throw new Error(`there is no variable ${name}; there are ${Object.keys(variables).join(", ")}`);
  let found: unknown = variables[name];
  for (const part of path)
    found =
      part === "length" && typeof found === "string"
        ? found.length
        : typeof found === "object" && found !== null && Object.hasOwn(found, part)
          ? Reflect.get(found, part)
          : null;
  return found ?? null;
}

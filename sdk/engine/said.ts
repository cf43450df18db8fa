/** What was said in this process about one thing: neither a replay nor another run says it again. */
const said = new WeakMap<object, Set<string>>();

/** True the first time that `text` is said about `about`. */
export function isFirst(about: object, text: string): boolean {
  const texts = said.get(about) ?? new Set();
  said.set(about, texts);
  if (texts.has(text)) return false;
  texts.add(text);
  return true;
}

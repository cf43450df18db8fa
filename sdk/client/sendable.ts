/** Values on their way to the API: what JSON would drop or change is refused before it is sent (L5). */
import { encode } from "../core/payload.ts";

/** The value itself. @throws PawlError payload_not_serializable, payload_too_deep, payload_too_large */
export function sendable<T>(value: T, what: string): T {
  const encoded = encode(value, what);
  if (encoded.kind === "refused") throw encoded.error;
  return value;
}

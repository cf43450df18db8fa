/** What a page does with the client. */
import { createClient } from "pawl/client";

/** @returns the result of a run that was started before */
export function resultOf(baseUrl: string, id: string): Promise<unknown> {
  return createClient({ baseUrl }).handle(id).result({ timeout: 60 });
}

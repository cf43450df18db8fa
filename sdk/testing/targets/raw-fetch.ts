/** Requests to an API at an address, as they are: for targets that listen on a port. */
import type { TestPlatform } from "../platform.ts";

/** Milliseconds for which an answer is waited for: API Gateway gives up after 29 s. */
const ANSWER_MS_MAX = 35_000;

export function fetchFrom(apiUrl: string): TestPlatform["fetch"] {
  return (path, request = {}) =>
    fetch(apiUrl.replace(/\/+$/, "") + path, {
      ...request,
      signal: AbortSignal.timeout(ANSWER_MS_MAX),
    });
}

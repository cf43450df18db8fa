import { activity, localActivity, workflow } from "../../sdk/index.ts";

/** A workflow that calls one activity, in either way. */
export function calling(body: () => unknown, options: object = {}) {
  const work = activity(
    { startToCloseTimeout: "60s", retryPolicy: { backoff: ["1s"] }, ...options },
    async () => (await body()) ?? null,
  );
  return {
    work,
    local: workflow(() => localActivity(work)),
    queued: workflow(() => work()),
  };
}

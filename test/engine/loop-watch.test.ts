/** What blocks the event loop is noticed by the real clock, and named once (B-17). */
import { performance } from "node:perf_hooks";
import { expect, test } from "vitest";
import { nodeHost } from "../../sdk/adapters/lambda/host.ts";
import { LOOP_BLOCKED_WARN_MS } from "../../sdk/core/limits.ts";
import { LoopWatch } from "../../sdk/engine/loop-watch.ts";
import { workflow } from "../../sdk/index.ts";
import type { Host } from "../../sdk/ports/host.ts";
import { createRegistry } from "../../sdk/worker/registry.ts";
import { recordingTelemetry } from "../contract/recording-telemetry.ts";

function block(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

/** A host that says what the test says, and how often it was watched. */
function scripted() {
  const { telemetry, lines } = recordingTelemetry();
  let say: ((ms: number) => void) | undefined;
  const watched = { begun: 0, ended: 0 };
  const host: Host = {
    ...nodeHost(),
    watchLoop: (onBlocked) => {
      say = onBlocked;
      watched.begun += 1;
      return () => {
        watched.ended += 1;
      };
    },
  };
  const userCode = createRegistry({ any: workflow(async () => 1) }, { guard: false });
  const watch = new LoopWatch({ host, telemetry }, userCode);
  return { watch, watched, lines, say: (ms: number) => say?.(ms) };
}

test("the host says for how long the loop was blocked: by a timer, and when the watch ends behind it", async () => {
  const heard: number[] = [];
  const host = nodeHost();
  const stop = host.watchLoop((ms) => heard.push(ms));
  block(400);
  await new Promise((resolve) => setTimeout(resolve, 0));
  while (heard.length === 0) await new Promise((resolve) => setImmediate(resolve));
  stop();
  expect(heard[0]).toBeGreaterThanOrEqual(250);
  const last: number[] = [];
  const end = host.watchLoop((ms) => last.push(ms));
  block(400);
  end();
  expect(last[0]).toBeGreaterThanOrEqual(250);
});

test("activities that ran while it was blocked are named, once each, and short pauses are not", () => {
  const { watch, lines, say } = scripted();
  const leave = watch.enter("parses");
  say(LOOP_BLOCKED_WARN_MS - 1);
  expect(lines).toEqual([]);
  say(LOOP_BLOCKED_WARN_MS);
  say(5_000);
  const leaveOther = watch.enter("compresses");
  say(700);
  leave();
  leaveOther();
  expect(lines).toMatchObject([
    { level: "warn", fields: { activity_types: "parses", blocked_ms: LOOP_BLOCKED_WARN_MS } },
    { level: "warn", fields: { activity_types: "compresses, parses", blocked_ms: 700 } },
  ]);
});

test("it is watched from the first body to the last", () => {
  const { watch, watched } = scripted();
  const leaves = ["a", "b", "a"].map((type) => watch.enter(type));
  leaves[1]?.();
  leaves[0]?.();
  expect(watched).toEqual({ begun: 1, ended: 0 });
  leaves[2]?.();
  expect(watched).toEqual({ begun: 1, ended: 1 });
  watch.enter("a")();
  expect(watched).toEqual({ begun: 2, ended: 2 });
});

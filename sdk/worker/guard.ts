/**
 * The determinism guard (P-07, P-08, A11): what would differ between two replays is replay-stable or
 * refused by name in workflow code, and untouched everywhere else.
 *
 * It is installed once per process and acts by async context: one look at the running scope per
 * call. In activities, in the AWS SDK and in Pawl itself, which all run outside of a workflow's scope,
 * every call reaches the original.
 *
 * Allowed on purpose: `process.env` (modules read settings whenever they like, and a value is stable
 * within a deployment; record one that steers the flow with `sideEffect`), `console` (its lines repeat
 * on replay), `queueMicrotask`, `process.nextTick` and dynamic imports that are loaded already. Not
 * covered: functions that a CommonJS module took out of a built-in module before the registry was
 * created, and `Intl.DateTimeFormat` without a date.
 */
import { syncBuiltinESMExports } from "node:module";
import { guardClock } from "./guard/clock.ts";
import { guardOutsideWorld } from "./guard/outside-world.ts";
import { guardRandomness } from "./guard/randomness.ts";
import { guardTimers } from "./guard/timers.ts";

let installed = false;

/** Installs the guard in this process; further calls do nothing. It cannot be taken out again. */
export function installGuard(): void {
  if (installed) return;
  installed = true;
  guardClock();
  guardTimers();
  guardRandomness();
  guardOutsideWorld();
  // Named imports of built-in modules are bindings of their own until they are told.
  syncBuiltinESMExports();
}

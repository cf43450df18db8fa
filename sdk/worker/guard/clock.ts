/** The clock of guarded workflow code is the time of the event that is being worked. */
import { guardedScope, intercept, refuse } from "./intercept.ts";

const INSTEAD = "use now() of pawl, or measure in an activity";

export function guardClock(): void {
  guardDate();
  intercept(
    Object.getPrototypeOf(performance),
    "now",
    ({ context }) => context.now() - context.info.startedAt,
  );
  refuse(process.hrtime, ["bigint"], { prefix: "process.hrtime.", instead: INSTEAD });
  refuse(process, ["hrtime", "uptime", "cpuUsage", "memoryUsage", "resourceUsage"], {
    prefix: "process.",
    instead: INSTEAD,
  });
}

function guardDate(): void {
  const native = globalThis.Date;
  intercept(native, "now", ({ context }) => context.now());
  // A proxy is still the same constructor to everybody else: statics, instanceof, subclasses.
  const guarded = new Proxy(native, {
    apply: (target, self, args) => {
      const scope = guardedScope();
      if (scope === undefined) return Reflect.apply(target, self, args);
      return new native(scope.context.now()).toString();
    },
    construct: (target, args, newTarget) => {
      const scope = args.length === 0 ? guardedScope() : undefined;
      const given = scope === undefined ? args : [scope.context.now()];
      return Reflect.construct(target, given, newTarget);
    },
  });
  native.prototype.constructor = guarded;
  globalThis.Date = guarded;
}

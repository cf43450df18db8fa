/**
 * Crash points and call counts of tests, in a bundle that was built with them; in any other bundle
 * `instrument` is empty and esbuild drops the rest of this file.
 *
 * The middleware stands outside the SDK's retries: one call of an adapter is one call here.
 */
import type { CrashPoint, PointsMessage } from "../sdk/core/test-points.ts";
import { callOf, countsOf, nameOf, type ServiceInput } from "./instrument-calls.ts";

declare const __PAWL_CRASH_POINTS__: boolean;

/** An AWS SDK client, as far as it is needed here. */
interface Client {
  readonly middlewareStack: {
    add(
      middleware: (next: Handler, context: { readonly commandName?: string }) => Handler,
      options: { readonly step: "initialize"; readonly priority: "high"; readonly name: string },
    ): void;
  };
}
type Handler = (request: { input: object }) => Promise<{ response: unknown; output: object }>;

/** Puts the test's crash points and counters around every call of a client. Every client gets it in compose.ts. */
export function instrument(client: Client): void {
  // Outside of a bundle, as in a unit test, the constant does not exist.
  if (typeof __PAWL_CRASH_POINTS__ !== "undefined" && __PAWL_CRASH_POINTS__) install(client);
}

function install(client: Client): void {
  const points = pointsOfProcess();
  client.middlewareStack.add(
    (next, context) => async (request) => {
      const operation = (context.commandName ?? "").replace(/Command$/, "");
      const input: ServiceInput = request.input;
      const call = callOf(operation, input, nameOf);
      await points.reach(call, "before");
      points.say({ kind: "called", call, ...countsOf(operation, input, nameOf) });
      const [outcome] = await Promise.allSettled([next(request)]);
      await points.reach(call, "after");
      if (await points.reach(call, "applied")) throw timeout(call);
      if (outcome.status === "rejected") throw outcome.reason;
      return outcome.value;
    },
    { step: "initialize", priority: "high", name: "pawlCrashPoints" },
  );
}

interface Points {
  say(message: PointsMessage): void;
  /** Asks the stack when a point of this call is armed; true: throw. Never resolves when the process is to die. */
  reach(call: string, when: CrashPoint["when"]): Promise<boolean>;
}

let shared: Points | undefined;
// One listener per process, however many clients it has.
function pointsOfProcess(): Points {
  shared ??= listen();
  return shared;
}

function listen(): Points {
  // Nothing is called before the stack has said what is armed; without a stack nothing is.
  const { promise: told, resolve: tell } = Promise.withResolvers<void>();
  if (process.send === undefined) tell();
  let armed: readonly Pick<CrashPoint, "call" | "when">[] = [];
  let asks = 0;
  const waiting = new Map<number, (fail: boolean) => void>();
  process.on("message", (message: PointsMessage) => {
    if (message.kind === "points") {
      armed = message.points;
      tell();
    }
    if (message.kind === "verdict") {
      waiting.get(message.ask)?.(message.fail);
      waiting.delete(message.ask);
    }
  });
  const say = (message: PointsMessage): void => {
    process.send?.(message);
  };
  const reach = async (call: string, when: CrashPoint["when"]): Promise<boolean> => {
    await told;
    if (!armed.some((point) => point.call === call && point.when === when)) return false;
    asks += 1;
    const ask = asks;
    const verdict = new Promise<boolean>((resolve) => waiting.set(ask, resolve));
    say({ kind: "asked", ask, call, when });
    return verdict;
  };
  say({ kind: "listening" });
  return { say, reach };
}

/** What the SDK throws when a connection stays silent. */
function timeout(call: string): Error {
  const error = new Error(`${call}: no answer came in time`);
  error.name = "TimeoutError";
  return error;
}

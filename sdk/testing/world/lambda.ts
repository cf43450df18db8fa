/**
 * A fake Lambda: functions by name, execution environments that stay warm between invocations and
 * are frozen meanwhile, invocation timeouts, and kills that abandon whatever was going on.
 */
import type { Context } from "aws-lambda";
import { METADATA, serviceError } from "./aws-errors.ts";
import { type Command, checkParameters, commandName, UnsupportedByFake } from "./gate.ts";
import { Process } from "./process.ts";
import type { Scheduled, Scheduler } from "./scheduler.ts";

const PAYLOAD_BYTES_MAX = 6_291_456;

export type Handler = (event: unknown, context: Context) => Promise<unknown>;

export interface FunctionOptions {
  readonly name: string;
  readonly timeoutMs: number;
  readonly memoryMb: number;
  /** What a cold start does: composes the function's code inside a new process. */
  readonly start: (process: Process) => Promise<Handler>;
  /** The function only waits for others (the API): its time alone makes nothing happen. */
  readonly passive?: boolean;
}

export type Ending = "thrown" | "timeout" | "killed";
export type InvocationResult =
  | { readonly kind: "returned"; readonly payload: unknown }
  | {
      readonly kind: "failed";
      readonly ending: Ending;
      readonly errorType: string;
      readonly errorMessage: string;
    };

interface Sandbox {
  readonly process: Process;
  readonly handler: Promise<Handler>;
  /** Ends the invocation that runs now from outside. */
  interrupt: ((ending: Ending) => void) | undefined;
}

export class FakeLambda {
  readonly #scheduler: Scheduler;
  readonly #functions = new Map<string, FunctionOptions>();
  /** Per function: warm environments, the most recently used last. */
  readonly #idle = new Map<string, Sandbox[]>();
  readonly #sandboxes = new Map<Process, Sandbox>();
  #sandboxOrdinal = 0;
  #requestOrdinal = 0;
  /** Called before every invocation. */
  onInvoke: (functionName: string) => void = () => {};

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  define(options: FunctionOptions): void {
    this.#functions.set(options.name, options);
    this.#idle.set(options.name, []);
  }

  /** Runs one invocation to its end: returned, thrown, timed out or killed. Never rejects. */
  async invoke(functionName: string, event: unknown): Promise<InvocationResult> {
    const options = this.#function(functionName);
    this.onInvoke(functionName);
    const sandbox = this.#idle.get(functionName)?.pop() ?? this.#start(options);
    sandbox.process.thaw();
    const result = await this.#run(options, sandbox, jsonCopy(event));
    sandbox.interrupt = undefined;
    if (sandbox.process.state === "running") {
      sandbox.process.freeze();
      this.#idle.get(functionName)?.push(sandbox);
    }
    return result;
  }

  /** Ends a process as SIGKILL would: the invocation fails, its pending promises never settle. */
  kill(process: Process, ending: Ending = "killed"): void {
    const sandbox = this.#sandboxes.get(process);
    process.abandon();
    this.#sandboxes.delete(process);
    const idle = this.#idle.get(process.functionName);
    if (sandbox !== undefined && idle?.includes(sandbox) === true)
      idle.splice(idle.indexOf(sandbox), 1);
    sandbox?.interrupt?.(ending);
  }

  /** Throws away every warm environment that is not in use: the next invocations start cold. */
  recycle(): void {
    const idle = [...this.#idle.values()].flat();
    for (const { process } of idle) this.kill(process);
  }

  /** The environments that run an invocation now. */
  busy(): readonly Process[] {
    return [...this.#sandboxes.values()]
      .filter(({ interrupt }) => interrupt !== undefined)
      .map(({ process }) => process);
  }

  /** Understands an Invoke command: the function's name. */
  request(command: Command): { readonly functionName: string; readonly payload: string } {
    if (commandName(command) !== "InvokeCommand")
      throw new UnsupportedByFake(`the Lambda command ${commandName(command)}`);
    const input: Readonly<Record<string, unknown>> = { ...command.input };
    checkParameters("Invoke", input, ["FunctionName", "InvocationType", "Payload"]);
    if ((input["InvocationType"] ?? "RequestResponse") !== "RequestResponse")
      throw new UnsupportedByFake("asynchronous invocation");
    const functionName = String(input["FunctionName"]).split(":").at(-1) ?? "";
    const payload = input["Payload"];
    if (typeof payload === "string") return { functionName, payload };
    if (payload instanceof Uint8Array)
      return { functionName, payload: Buffer.from(payload).toString("utf8") };
    return { functionName, payload: "{}" };
  }

  async perform(request: { readonly functionName: string; readonly payload: string }) {
    if (Buffer.byteLength(request.payload) > PAYLOAD_BYTES_MAX)
      throw serviceError("RequestTooLargeException", "The request payload exceeded the limit.");
    const event: unknown = JSON.parse(request.payload);
    const result = await this.invoke(request.functionName, event);
    if (result.kind === "returned") return invokeOutput(result.payload);
    const { errorType, errorMessage } = result;
    return { ...invokeOutput({ errorType, errorMessage }), FunctionError: "Unhandled" };
  }

  #function(name: string): FunctionOptions {
    const options = this.#functions.get(name);
    if (options === undefined)
      throw serviceError("ResourceNotFoundException", `Function not found: ${name}`);
    return options;
  }

  #start(options: FunctionOptions): Sandbox {
    const process = new Process(`${options.name}/${++this.#sandboxOrdinal}`, options.name);
    const sandbox: Sandbox = { process, handler: options.start(process), interrupt: undefined };
    this.#sandboxes.set(process, sandbox);
    return sandbox;
  }

  #run(options: FunctionOptions, sandbox: Sandbox, event: unknown): Promise<InvocationResult> {
    const requestId = `request-${++this.#requestOrdinal}`;
    const endsAt = this.#scheduler.now() + options.timeoutMs;
    const context = lambdaContext(options, requestId, () => endsAt - this.#scheduler.now());
    return new Promise((resolve) => {
      let timeout: Scheduled | undefined;
      const end = (result: InvocationResult): void => {
        timeout?.cancel();
        resolve(result);
      };
      sandbox.interrupt = (ending) =>
        end(failed(ending, "Runtime.ExitError", `RequestId: ${requestId} Error: ${ending}`));
      timeout = this.#scheduler.at(
        options.timeoutMs,
        () => this.kill(sandbox.process, "timeout"),
        options.passive === true ? { passive: "limit" } : {},
      );
      sandbox.handler
        .then((handler) => handler(event, context))
        .then(
          (payload) => {
            if (sandbox.process.state === "running")
              end({ kind: "returned", payload: jsonCopy(payload ?? null) });
          },
          (error: unknown) => {
            if (sandbox.process.state !== "running") return;
            const thrown = error instanceof Error ? error : new Error(String(error));
            end(failed("thrown", thrown.name, thrown.message));
          },
        )
        .catch((error: unknown) => end(failed("thrown", "Runtime.MarshalError", String(error))));
    });
  }
}

function failed(ending: Ending, errorType: string, errorMessage: string): InvocationResult {
  return { kind: "failed", ending, errorType, errorMessage };
}

function invokeOutput(payload: unknown) {
  const bytes = Buffer.from(JSON.stringify(payload));
  return {
    $metadata: { ...METADATA, httpStatusCode: 200 },
    StatusCode: 200,
    Payload: Object.assign(bytes, { transformToString: () => bytes.toString("utf8") }),
  };
}

/** Events and answers cross a process border as JSON. */
function jsonCopy(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

function lambdaContext(
  options: FunctionOptions,
  requestId: string,
  remainingMs: () => number,
): Context {
  const unsupported = (): never => {
    throw new UnsupportedByFake("the callback style of a Lambda handler");
  };
  return {
    callbackWaitsForEmptyEventLoop: true,
    functionName: options.name,
    functionVersion: "$LATEST",
    invokedFunctionArn: `arn:aws:lambda:us-east-1:000000000000:function:${options.name}`,
    memoryLimitInMB: String(options.memoryMb),
    awsRequestId: requestId,
    logGroupName: `/aws/lambda/${options.name}`,
    logStreamName: "memory",
    getRemainingTimeInMillis: remainingMs,
    done: unsupported,
    fail: unsupported,
    succeed: unsupported,
  };
}

/** One environment of a function: a child process that has loaded the function's bundle. */
import { type ChildProcess, fork } from "node:child_process";
import { randomUUID } from "node:crypto";
import { extname } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { PointsMessage } from "../../core/test-points.ts";
import { type DeployedFunction, functionArn } from "./deployment.ts";
import { functionLine, type Log } from "./log.ts";
import type { FromFunction, FunctionError, InvocationResult, ToFunction } from "./wire.ts";

/** Where a function's processes get their code and environment from. */
export interface FunctionCode {
  readonly file: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Ended by the function's process when the stack dies. */
  readonly emulatorPid: number;
}

/** What a process reports besides the answers of its invocations. */
export interface ProcessEvents {
  readonly log: Log;
  spawned(pid: number): void;
  pointsMessage(from: FunctionProcess, message: PointsMessage): void;
}

// .ts from source, .js from dist.
const MAIN = fileURLToPath(new URL(`function-main${extname(import.meta.url)}`, import.meta.url));
/** Lambda's limit for an answer, bytes. */
const ANSWER_BYTES_MAX = 6_291_556;
/** Milliseconds in which a bundle has to load. */
const LOAD_MS_MAX = 30_000;

export class FunctionProcess {
  readonly #fn: DeployedFunction;
  readonly #child: ChildProcess;
  readonly #events: ProcessEvents;
  /** The invocations that it has, by their ids. */
  readonly #current = new Map<string, (result: InvocationResult) => void>();
  #ended: string | undefined;
  #hasServed = false;
  /** Resolves with undefined when the handler is loaded, with the error when it is not. */
  readonly loaded: Promise<FunctionError | undefined>;
  /** Resolves when the process is gone. */
  readonly exited: Promise<void>;

  constructor(fn: DeployedFunction, code: FunctionCode, events: ProcessEvents) {
    this.#fn = fn;
    this.#events = events;
    this.#child = fork(MAIN, [code.file, String(code.emulatorPid)], {
      // Not the parent's options: its debugger is not the function's. Stacks show the user's lines.
      execArgv: ["--enable-source-maps"],
      env: { PATH: process.env["PATH"], HOME: process.env["HOME"], ...code.environment },
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      serialization: "json",
    });
    const { promise: loaded, resolve: settleLoaded } = Promise.withResolvers<
      FunctionError | undefined
    >();
    const slow = setTimeout(() => this.kill(), LOAD_MS_MAX).unref();
    this.loaded = loaded.finally(() => clearTimeout(slow));
    this.exited = new Promise((resolve) => {
      const onEnd = (reason: string): void => {
        this.#ended ??= reason;
        settleLoaded(exitError(reason));
        for (const id of this.#current.keys()) this.#fail(id, exitError(reason));
        resolve();
      };
      this.#child.once("exit", (status, signal) => onEnd(signal ?? `exit status ${status}`));
      this.#child.once("error", (error) => onEnd(error.message));
    });
    this.#child.on("message", (message: FromFunction) => this.#onMessage(message, settleLoaded));
    this.#forwardOutput("stdout");
    this.#forwardOutput("stderr");
    if (this.#child.pid !== undefined) events.spawned(this.#child.pid);
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }
  get alive(): boolean {
    return this.#ended === undefined;
  }
  get busy(): boolean {
    return this.#current.size > 0;
  }

  /** True when it has been invoked at least once. */
  get hasServed(): boolean {
    return this.#hasServed;
  }

  /** Invokes the handler; the process is killed when it has not answered within the function's timeout. */
  async invoke(event: unknown): Promise<InvocationResult> {
    const id = randomUUID();
    const failure = await this.loaded;
    if (failure !== undefined) return { kind: "failed", error: failure };
    const { promise, resolve } = Promise.withResolvers<InvocationResult>();
    const { timeoutMs } = this.#fn;
    const timer = setTimeout(() => {
      const seconds = (timeoutMs / 1000).toFixed(2);
      const errorMessage = `${id} Task timed out after ${seconds} seconds`;
      this.kill();
      this.#fail(id, { errorType: "Sandbox.Timedout", errorMessage });
    }, timeoutMs);
    this.#hasServed = true;
    this.#current.set(id, resolve);
    this.tell({ kind: "invoke", id, event, context: this.#context(id, timeoutMs) });
    // A process that died before it got the message answers nothing.
    if (this.#ended !== undefined) this.#fail(id, exitError(this.#ended));
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
    }
  }

  tell(message: ToFunction): void {
    if (this.#child.connected) this.#child.send(message, () => undefined);
  }

  /** Kills the process as the platform would: nothing in it gets a chance to clean up. */
  kill(): void {
    // From here on it is dead for everybody, although its exit is seen only later.
    this.#ended ??= "SIGKILL";
    this.#child.kill("SIGKILL");
  }

  #onMessage(
    message: FromFunction,
    settleLoaded: (error: FunctionError | undefined) => void,
  ): void {
    switch (message.kind) {
      case "ready":
        settleLoaded(undefined);
        return;
      case "load_failed":
        settleLoaded(message.error);
        this.kill();
        return;
      case "answered":
        this.#settle(message.id, answered(message.payload));
        return;
      case "threw":
        this.#fail(message.id, message.error);
        return;
      case "listening":
      case "asked":
      case "called":
        this.#events.pointsMessage(this, message);
    }
  }

  #settle(id: string, result: InvocationResult): void {
    this.#current.get(id)?.(result);
    this.#current.delete(id);
  }
  #fail(id: string, error: FunctionError): void {
    this.#settle(id, { kind: "failed", error });
  }

  #context(id: string, timeoutMs: number) {
    const { name } = this.#fn;
    return {
      functionName: name,
      functionVersion: "$LATEST",
      invokedFunctionArn: functionArn(name),
      memoryLimitInMB: "1024",
      awsRequestId: id,
      logGroupName: `/aws/lambda/${name}`,
      logStreamName: String(this.pid),
      deadline: Date.now() + timeoutMs,
    };
  }

  #forwardOutput(stream: "stdout" | "stderr"): void {
    const output = this.#child[stream];
    if (output === null) return;
    createInterface({ input: output }).on("line", (text) =>
      this.#events.log(functionLine(this.#fn.kind, this.pid, stream, text)),
    );
  }
}

function answered(payload: string): InvocationResult {
  const bytes = Buffer.byteLength(payload);
  if (bytes <= ANSWER_BYTES_MAX) return { kind: "answered", payload };
  const errorMessage = `Response payload size (${bytes} bytes) exceeded maximum allowed payload size (${ANSWER_BYTES_MAX} bytes).`;
  return { kind: "failed", error: { errorType: "Function.ResponseSizeTooLarge", errorMessage } };
}

function exitError(reason: string): FunctionError {
  return { errorType: "Runtime.ExitError", errorMessage: `Runtime exited: ${reason}` };
}

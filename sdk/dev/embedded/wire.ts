/** What the stack and a function's process say to each other about invocations. */
import type { PointsMessage } from "../../core/test-points.ts";

/** The parts of Lambda's context that are data. */
export interface InvocationContext {
  readonly functionName: string;
  readonly functionVersion: string;
  readonly invokedFunctionArn: string;
  readonly memoryLimitInMB: string;
  readonly awsRequestId: string;
  readonly logGroupName: string;
  readonly logStreamName: string;
  /** Milliseconds since the epoch at which the process is killed. */
  readonly deadline: number;
}

/** An error as Lambda describes it to the caller of a function. */
export interface FunctionError {
  readonly errorType: string;
  readonly errorMessage: string;
  readonly trace?: readonly string[];
}

export type ToFunction =
  | {
      readonly kind: "invoke";
      readonly id: string;
      readonly event: unknown;
      readonly context: InvocationContext;
    }
  | Extract<PointsMessage, { readonly kind: "points" | "verdict" }>;

export type FromFunction =
  | { readonly kind: "ready" }
  | { readonly kind: "load_failed"; readonly error: FunctionError }
  /** `payload` is the answer as JSON text. */
  | { readonly kind: "answered"; readonly id: string; readonly payload: string }
  | { readonly kind: "threw"; readonly id: string; readonly error: FunctionError }
  | Extract<PointsMessage, { readonly kind: "listening" | "asked" | "called" }>;

/** How an invocation ended. */
export type InvocationResult =
  | { readonly kind: "answered"; readonly payload: string }
  | { readonly kind: "failed"; readonly error: FunctionError };

/** Errors as the AWS SDK raises them: known by `name`, with the fields that callers look at. */
export const METADATA = {
  httpStatusCode: 400,
  requestId: "fake",
  attempts: 1,
  totalRetryDelay: 0,
} as const;

/** A service's error that callers tell apart by its name only. */
export function serviceError(name: string, message: string): Error {
  return Object.assign(new Error(message), { name, $fault: "client", $metadata: METADATA });
}

export function validationError(message: string): Error {
  return serviceError("ValidationException", message);
}

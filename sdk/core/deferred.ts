/** A promise of workflow code that the engine settles from history. */
export interface Deferred<T> {
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
}

/** Creates a promise and hands its two ends to `keep`. */
export function deferred<T>(keep: (ends: Deferred<T>) => void): Promise<T> {
  const promise = new Promise<T>((resolve, reject) => keep({ resolve, reject }));
  // The loser of a race may reject when nobody listens any more: that is not an unhandled rejection.
  promise.catch(() => undefined);
  return promise;
}

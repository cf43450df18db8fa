/** Large payloads (claim check). Keys are opaque; a blob is written once and never changed. */
export interface Blobs {
  put(key: string, text: string): Promise<void>;
  /** @throws InfrastructureError when the blob is not there or the store did not answer */
  get(key: string): Promise<string>;
}

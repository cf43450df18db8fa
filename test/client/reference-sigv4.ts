/**
 * Signature Version 4 as AWS documents it, written out once more with node:crypto: what API Gateway
 * computes from a request that arrived. It shares no code with the library that signs.
 */
import { createHash, createHmac } from "node:crypto";

export interface Arrived {
  readonly method: string;
  /** As on the wire. */
  readonly path: string;
  /** Sorted and encoded, as on the wire. */
  readonly query: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** The signature that the `authorization` header of the request should carry. */
export function expectedSignature(request: Arrived, secretAccessKey: string): string {
  const authorization = request.headers["authorization"] ?? "";
  const scope = /Credential=[^/]+\/([^,]+)/.exec(authorization)?.[1] ?? "";
  const names = /SignedHeaders=([^,]+)/.exec(authorization)?.[1] ?? "";
  const headers = names.split(";").map((name) => `${name}:${request.headers[name]?.trim()}\n`);
  // Every service but S3 encodes each segment of the path once more.
  const uri = request.path.split("/").map(encodeURIComponent).join("/");
  const canonical = [
    request.method,
    uri,
    request.query,
    headers.join(""),
    names,
    sha256(request.body),
  ];
  const text = [
    "AWS4-HMAC-SHA256",
    request.headers["x-amz-date"],
    scope,
    sha256(canonical.join("\n")),
  ];
  const key = scope.split("/").reduce<string | Buffer>(hmac, `AWS4${secretAccessKey}`);
  return hmac(key, text.join("\n")).toString("hex");
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}

/**
 * Values on their way in and out of an operation: small ones inline, large ones as blobs that are
 * written before anything points at them (claim check).
 */
import type { OmittedValue } from "../../core/api.ts";
import type { RunKey } from "../../core/events.ts";
import { PAYLOAD_INLINE_BYTES_MAX } from "../../core/limits.ts";
import { decode, encode, type Payload, utf8Bytes } from "../../core/payload.ts";
import type { ShowValue } from "../../core/views/values.ts";
import type { Ports } from "../../ports/ports.ts";
import { PayloadVault } from "../payload-vault.ts";

/** UTF-8 bytes of the values in one answer: with their envelope they fit into Lambda's 6 MB. */
export const ANSWER_VALUES_BYTES_MAX = 3_000_000;
/** Blobs that are read at the same time. */
const PARALLEL_READS_MAX = 16;

/** A value that was checked, and not stored yet. */
export interface CheckedValue {
  readonly json: string;
  readonly bytes: number;
}

/**
 * Encodes and measures a value.
 * @param what names it in the error
 * @throws PawlError payload_too_large, payload_too_deep, payload_not_serializable
 */
export function checkValue(value: unknown, what: string): CheckedValue {
  const encoded = encode(value, what);
  if (encoded.kind === "refused") throw encoded.error;
  return { json: encoded.json, bytes: encoded.bytes };
}

export function staysInline(value: CheckedValue): boolean {
  return value.bytes <= PAYLOAD_INLINE_BYTES_MAX;
}

/** Stores a checked value of a run: inline, or as a blob of its own. */
export function storeValue(ports: Ports, run: RunKey, value: CheckedValue): Promise<Payload> {
  return new PayloadVault(ports.blobs, ports.host, run).keep(value.json, value.bytes);
}

export async function loadValue(ports: Ports, payload: Payload): Promise<unknown> {
  return decode("json" in payload ? payload.json : await ports.blobs.get(payload.blob));
}

export function sizeOf(payload: Payload): number {
  return "json" in payload ? utf8Bytes(payload.json) : payload.bytes;
}

/**
 * Loads values, the first ones first, until `bytesMax` is used up; the others are shown as
 * {@link OmittedValue}. Without the bound one long run would not fit into an answer.
 */
export async function loadValues(
  ports: Ports,
  payloads: readonly Payload[],
  bytesMax: number = ANSWER_VALUES_BYTES_MAX,
): Promise<ShowValue> {
  const texts = new Map<Payload, string>();
  const blobs: { readonly payload: Payload; readonly key: string }[] = [];
  let bytes = 0;
  for (const payload of new Set(payloads)) {
    const size = sizeOf(payload);
    if (bytes + size > bytesMax) continue;
    bytes += size;
    if ("json" in payload) texts.set(payload, payload.json);
    else blobs.push({ payload, key: payload.blob });
  }
  for (let first = 0; first < blobs.length; first += PARALLEL_READS_MAX) {
    const group = blobs.slice(first, first + PARALLEL_READS_MAX);
    const read = await Promise.all(group.map(({ key }) => ports.blobs.get(key)));
    for (const [index, { payload }] of group.entries()) texts.set(payload, read[index] ?? "null");
  }
  return (payload) => {
    const text = texts.get(payload);
    return text === undefined ? omitted(payload) : decode(text);
  };
}

function omitted(payload: Payload): OmittedValue {
  return { $pawl: "omitted", bytes: sizeOf(payload) };
}

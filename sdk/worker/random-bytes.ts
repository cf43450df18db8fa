/** Bytes and UUIDs from a run's own random sequence: the same on every replay (P-07). */

/** Each number from 0 to below 1 of a sequence gives four bytes. */
export function randomBytesFrom(nextRandom: () => number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let word = 0;
  for (let index = 0; index < length; index++) {
    if (index % 4 === 0) word = Math.floor(nextRandom() * 0x1_0000_0000);
    bytes[index] = (word >>> ((index % 4) * 8)) & 0xff;
  }
  return bytes;
}

/** A version 4 UUID (RFC 9562). */
export function uuidFrom(nextRandom: () => number): string {
  const digits = [...randomBytesFrom(nextRandom, 16)].map((byte, index) => {
    if (index === 6) return (byte & 0x0f) | 0x40;
    return index === 8 ? (byte & 0x3f) | 0x80 : byte;
  });
  const hex = digits.map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const groups = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20)];
  return [...groups, hex.slice(20)].join("-");
}

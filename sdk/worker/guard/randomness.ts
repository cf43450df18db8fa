/** Random numbers of guarded workflow code come from the run's own sequence, or are refused by name. */
import crypto from "node:crypto";
import { randomBytesFrom, uuidFrom } from "../random-bytes.ts";
import { drawFrom, intercept, refusal, refuse } from "./intercept.ts";

const INSTEAD = "use random() or uuid() of pawl, or make it in an activity";

export function guardRandomness(): void {
  intercept(Math, "random", (scope) => drawFrom(scope, "Math.random()")());
  for (const owner of [Crypto.prototype, crypto])
    intercept(owner, "randomUUID", (scope) => uuidFrom(drawFrom(scope, "randomUUID()")));
  intercept(Crypto.prototype, "getRandomValues", (scope, [array]) => {
    if (!ArrayBuffer.isView(array)) throw new TypeError("getRandomValues needs a typed array");
    const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
    bytes.set(randomBytesFrom(drawFrom(scope, "getRandomValues()"), bytes.length));
    return array;
  });
  for (const name of ["randomBytes", "pseudoRandomBytes"]) {
    intercept(crypto, name, (scope, [size, callback]) => {
      if (callback !== undefined) throw refusal(`${name}() with a callback`, INSTEAD);
      return Buffer.from(randomBytesFrom(drawFrom(scope, `${name}()`), Number(size)));
    });
  }
  intercept(crypto, "randomInt", (scope, args) => {
    if (typeof args.at(-1) === "function") throw refusal("randomInt() with a callback", INSTEAD);
    const [min, max] =
      args.length === 1 ? [0, Number(args[0])] : [Number(args[0]), Number(args[1])];
    return min + Math.floor(drawFrom(scope, "randomInt()")() * (max - min));
  });
  refuse(crypto, CRYPTO_REFUSED, { prefix: "node:crypto ", instead: INSTEAD });
  refuse(SubtleCrypto.prototype, ["generateKey"], { prefix: "crypto.subtle.", instead: INSTEAD });
}

const CRYPTO_REFUSED = [
  "randomFill",
  "randomFillSync",
  "generateKey",
  "generateKeySync",
  "generateKeyPair",
  "generateKeyPairSync",
  "generatePrime",
  "generatePrimeSync",
] as const;

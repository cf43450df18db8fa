/** A stand-in for a payment provider. What it does depends on its input only, so every run is the same. */
import { createHash } from "node:crypto";
import { setTimeout as elapsed } from "node:timers/promises";

export interface ChargeRequest {
  readonly card: string;
  readonly amountCents: number;
  /** Requests with the same key are one charge, however often they arrive. */
  readonly idempotencyKey: string;
  /** A real provider does not ask; this one is "down" for the first attempt of some cards. */
  readonly attempt: number;
}

export type ChargeAnswer =
  | { readonly status: "charged"; readonly chargeId: string }
  | { readonly status: "declined"; readonly reason: string };

export async function charge(request: ChargeRequest): Promise<ChargeAnswer> {
  await elapsed(80);
  if (request.card === "card-flaky" && request.attempt === 1)
    throw new Error("the payment gateway answered 503 Service Unavailable");
  if (request.card === "card-declined")
    return { status: "declined", reason: "the bank declined the card" };
  return { status: "charged", chargeId: `charge-${shortHash(request.idempotencyKey)}` };
}

export async function refund(chargeId: string): Promise<string> {
  await elapsed(80);
  return `refund-${shortHash(chargeId)}`;
}

function shortHash(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 8);
}

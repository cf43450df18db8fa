/** A stand-in for a parcel service. */
import { setTimeout as elapsed } from "node:timers/promises";
import { ApplicationFailure, activity } from "pawl";
import type { Address } from "./order.ts";

const COUNTRIES_SERVED: ReadonlySet<string> = new Set(["CH", "DE", "FR", "US"]);

export interface Parcel {
  readonly orderId: string;
  readonly address: Address;
}

/** Returns the tracking number. */
export const shipOrder = activity(
  { startToCloseTimeout: "30s", retryPolicy: { maxAttempts: 5, backoff: ["1s", "10s", "1m"] } },
  async ({ orderId, address }: Parcel): Promise<string> => {
    await elapsed(120);
    if (!COUNTRIES_SERVED.has(address.country))
      throw ApplicationFailure.nonRetryable(
        `no carrier serves ${address.city}, ${address.country}`,
        "AddressUnreachable",
      );
    return `parcel-${orderId}`;
  },
);

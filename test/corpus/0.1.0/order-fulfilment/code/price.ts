/** What an order costs. Money is whole cents: fractions of a cent exist only inside one line. */
import { ApplicationFailure, activity } from "pawl";
import type { Order } from "./order.ts";

export interface Price {
  readonly netCents: number;
  readonly taxCents: number;
  readonly totalCents: number;
}

const CENTS_BY_SKU = new Map([
  ["lamp", 4_990],
  ["desk", 38_900],
  ["globe", 12_495],
  ["pencil", 79],
]);

/** Hundredths of a percent, so that 7.7 % is a whole number. */
const TAX_BY_COUNTRY = new Map([
  ["DE", 1_900],
  ["FR", 2_000],
  ["CH", 770],
]);

/** A lookup and a sum, so the workflow runs it locally. */
export const priceOrder = activity({ startToCloseTimeout: "5s" }, (order: Order): Price => {
  const netCents = order.lines
    .map(({ sku, quantity }) => centsOf(sku) * quantity)
    .reduce((sum, cents) => sum + cents, 0);
  const taxRate = TAX_BY_COUNTRY.get(order.address.country) ?? 0;
  // Half a cent rounds up, once, on the whole order: lines rounded one by one do not add up.
  const taxCents = Math.round((netCents * taxRate) / 10_000);
  return { netCents, taxCents, totalCents: netCents + taxCents };
});

function centsOf(sku: string): number {
  const cents = CENTS_BY_SKU.get(sku);
  if (cents === undefined)
    throw ApplicationFailure.nonRetryable(`no price for ${sku}`, "UnknownSku");
  return cents;
}

/** A stand-in for a warehouse: what is on its shelves never changes. */
import { setTimeout as elapsed } from "node:timers/promises";
import { ApplicationFailure, activity } from "pawl";
import type { Order } from "./order.ts";

const STOCK_BY_SKU = new Map([
  ["lamp", 40],
  ["desk", 12],
  ["globe", 0],
  ["pencil", 5_000],
]);

/** Returns the id of the reservation. */
export const reserveStock = activity(
  { startToCloseTimeout: "10s" },
  async (order: Order): Promise<string> => {
    await elapsed(40);
    const missing = order.lines.filter(({ sku, quantity }) => quantity > stockOf(sku));
    if (missing.length > 0) {
      const skus = missing.map(({ sku }) => sku).join(", ");
      throw ApplicationFailure.nonRetryable(`not enough in stock: ${skus}`, "OutOfStock");
    }
    return `reservation-${order.id}`;
  },
);

export const releaseStock = activity(
  { startToCloseTimeout: "10s", retryPolicy: { maxAttempts: 50, maximumInterval: "10m" } },
  async (reservationId: string): Promise<string> => {
    await elapsed(40);
    return `released-${reservationId}`;
  },
);

function stockOf(sku: string): number {
  return STOCK_BY_SKU.get(sku) ?? 0;
}
